"""``Notice``: what a customer is told on one day about objects that will be deleted; ``wording`` puts it in words."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import AwareDatetime, NonNegativeInt, PositiveInt, SecretStr, StringConstraints

from earmark.domain import TenantName
from earmark.errors import ConfigurationError, PermanentError
from earmark.metadata import Frozen
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass, Tier
from retention.catalogue import object_id
from retention.standing import delete_after
from retention.term import Term

SAMPLE: Final = 100
"""Objects that a message names one by one."""
TOPIC: Final = "topic"
"""Name of the notices topic among what accepted a notice."""


class Channel(StrEnum):
    """A way to reach a customer."""

    WEBHOOK = "webhook"
    EMAIL = "email"


class Contact(Frozen):
    """Where a customer is reached over one channel."""

    channel: Channel
    address: Annotated[str, StringConstraints(min_length=1, max_length=2048, pattern=r"^[^\s\x00-\x20\x7f-\x9f]+$")]
    """A mail address, or the URL of a webhook; no space and no control character, so that no header grows a second."""
    secret: SecretStr = SecretStr("")
    """What a webhook's messages are signed with, ``whsec_`` and Base64; unused for mail."""


class NoticedObject(Frozen):
    """One object that a notice tells of."""

    expires_at: AwareDatetime
    """When it reaches its end, as the customer was told."""
    row: CatalogueRow
    """The object as the catalogue knew it."""

    @property
    def id(self) -> str:
        """Of that very generation."""
        return object_id(self.row.bucket, self.row.name, self.row.generation)


class Tally(Frozen):
    """How many objects of one class."""

    object_class: ObjectClass
    objects: PositiveInt
    size_bytes: NonNegativeInt


class Digest(Frozen):
    """What one notice is about, in figures."""

    id: str
    """``tenant/2026-01-31``."""
    tenant: TenantName
    tier: Tier
    """Of the customer on that day, on which depends what can be done."""
    made_at: AwareDatetime
    term: Term
    """Time between a confirmed notice and the deletion, by the policy of that day."""
    policy_version: int
    objects: PositiveInt
    size_bytes: NonNegativeInt
    tallies: tuple[Tally, ...]
    first_expires_at: AwareDatetime
    last_expires_at: AwareDatetime

    def not_before(self, expires_at: datetime) -> datetime:
        """Earliest moment at which an object can be deleted that ends then: it may become later, never earlier."""
        return delete_after(expires_at, self.made_at, self.term)


class Notice(Digest):
    """One digest, composed once: sent again after a failure it says the same."""

    sample: tuple[NoticedObject, ...]
    """The first objects of the list, at most ``SAMPLE``."""


class Bounced(PermanentError):
    """A contact refused a notice for good: the address does not exist, or wants nothing from us."""

    kind = "bounced"


Send = Callable[[Notice, Contact], None]
"""Sends a notice, always under the same message id; raises ``Unavailable`` (try again) or ``Bounced`` (never again)."""
Publish = Callable[[Notice], None]
"""Puts a notice on the notices topic; raises ``Unavailable``.  A listener may see it twice, with the same id."""


class NoticeKey(NamedTuple):
    """Whose notice, of which UTC day."""

    tenant: str
    day: date


def notice_id(tenant: str, at: datetime) -> str:
    """Id of the digest of a customer on the UTC day of a moment."""
    return f"{tenant}/{at.astimezone(UTC).date().isoformat()}"


def read_notice_id(text: str) -> NoticeKey:
    """Customer and day of an id.

    Raises:
        ConfigurationError: it has not the form ``tenant/2026-01-31``.
    """
    tenant, _, day = text.partition("/")
    try:
        key = NoticeKey(tenant, date.fromisoformat(day))
        if not tenant or f"{tenant}/{key.day.isoformat()}" != text:
            raise ValueError  # noqa: TRY301  # one message for every fault
    except ValueError:
        message = f"{text!r} is no notice: write as `tenant/2026-01-31`"
        raise ConfigurationError(message) from None
    return key

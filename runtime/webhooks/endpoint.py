"""``WebhookEndpoint``: a server of a customer's that is called, and what its calls are signed with."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AwareDatetime, SecretStr, StringConstraints, field_serializer

from earmark.domain import TenantName
from earmark.metadata import Frozen
from runtime.webhooks.standard_webhooks import make_secret
from runtime.webhooks.webhook_event import CHOICES, EventType, WebhookEvent

EndpointId = Annotated[str, StringConstraints(pattern=r"^wh_[0-9a-f]{20}$")]
OVERLAP: Final = timedelta(hours=24)
"""For which the secret before signs as well, so that a receiver can change over."""
SIGNING: Final = 2
"""Most secrets that sign: the one in force and the one before it."""
_WHY_CHARS: Final = 300


class SigningSecret(Frozen):
    """A secret, and how long it signs."""

    value: SecretStr
    made_at: AwareDatetime
    until: AwareDatetime | None = None
    """``None`` = it is the one in force."""

    @field_serializer("value")
    def _plain(self, value: SecretStr) -> str:
        """In the store it must be whole, for what is signed with it is not known yet."""
        return value.get_secret_value()


class WebhookEndpoint(Frozen):
    """Who is called of which events."""

    id: EndpointId
    tenant: TenantName
    url: str
    events: tuple[EventType, ...]
    """In order of the alphabet."""
    each_of_batches: bool = False
    """Whether it hears of each analysis of a batch too, beside the end of the batch."""
    secrets: tuple[SigningSecret, ...]
    """The one in force first."""
    made_at: AwareDatetime
    disabled_at: AwareDatetime | None = None
    """Since when nothing is sent; ``None`` = it is called."""
    disabled_why: str = ""

    @property
    def enabled(self) -> bool:
        """Whether it is called."""
        return self.disabled_at is None

    def wants(self, event: WebhookEvent, *, of_batch_alone: bool) -> bool:
        """Whether it is to hear of an event.

        Args:
            event: what happened.
            of_batch_alone: whether it is about an analysis that a batch alone asked for.
        """
        return self.enabled and event.type in self.events and (self.each_of_batches or not of_batch_alone)

    def signing(self, at: datetime) -> list[SecretStr]:
        """The secrets that sign a call then, the newest first."""
        return [each.value for each in self.secrets[:SIGNING] if each.until is None or at < each.until]

    def rotated(self, at: datetime) -> "WebhookEndpoint":
        """With a new secret; the one in force signs for a day more, and those before it no more at all."""
        before = self.secrets[0].model_copy(update={"until": at + OVERLAP})
        fresh = SigningSecret(value=make_secret(), made_at=at)
        return self.model_copy(update={"secrets": (fresh, before)})

    def disabled(self, at: datetime, why: str) -> "WebhookEndpoint":
        """No longer called."""
        return self.model_copy(update={"disabled_at": at, "disabled_why": why[:_WHY_CHARS]})


def make_endpoint(
    tenant: str, url: str, at: datetime, *, events: Iterable[EventType] = CHOICES, each_of_batches: bool = False
) -> WebhookEndpoint:
    """A new one, with a secret."""
    return WebhookEndpoint(
        id=f"wh_{secrets.token_hex(10)}",
        tenant=tenant,
        url=url,
        events=tuple(sorted(set(events))),
        each_of_batches=each_of_batches,
        secrets=(SigningSecret(value=make_secret(), made_at=at),),
        made_at=at,
    )

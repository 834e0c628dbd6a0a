"""``Standing``: what holds for one object at one moment: when it goes, what keeps it, whether its customer was told.

These are the rules of retention, in one place, for whoever plans, deletes or explains; ``docs/retention.md`` has them
in words.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from earmark.rows import CatalogueRow
from retention.catalogue import LIVE
from retention.extensions import Extension, ExtensionsNow
from retention.holds import Hold, HoldsNow
from retention.policy import NOTICE_LEAST, NOTICED
from retention.term import Term
from retention.timeline import Timeline


@dataclass(frozen=True, slots=True)
class NoticeState:
    """What became of the last notice that told of one generation of an object."""

    confirmed_at: datetime | None
    """When all had accepted it; ``None`` = not yet."""
    bounced: bool
    delete_after: datetime | None
    """The moment that it promised for this object; ``None`` = it was not confirmed."""


class NoticeFault(StrEnum):
    """Why a notice allows no deletion."""

    NONE = "none"
    """There is no notice."""
    UNCONFIRMED = "unconfirmed"
    BOUNCED = "bounced"
    LATER = "later"
    """The end has moved beyond what the notice promised."""
    INTERRUPTED = "interrupted"
    """A hold or an extension kept the object beyond what the notice promised, and was ended since."""


class Hindrance(StrEnum):
    """Why an object is not to be deleted."""

    GONE = "gone"
    """It is no longer there, as far as the catalogue knows."""
    HOLD = "hold"
    POLICY = "policy"
    """Its term has not ended."""
    EXTENDED = "extended"
    NOTICE = "notice"
    """Its customer was not told, or not long enough ago."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for one object at one moment."""

    now: datetime
    expires_at: datetime
    """By policy and extension; a hold keeps it longer still."""
    policy_expires_at: datetime
    """By policy alone."""
    policy_version: int
    """Of the policy that ends it."""
    hold: Hold | None
    """Keeps it from being deleted at all."""
    extension: Extension | None
    """Keeps it longest of those that cover it; it may be over."""
    notice_fault: NoticeFault | None
    """``None`` = there is a good notice, or it needs none."""
    delete_after: datetime | None
    """Promised by the good notice; ``None`` = there is none."""
    notice_due: bool
    """Whether its customer is to be told of it today."""
    hindrance: Hindrance | None
    """First reason why it is not to be deleted; ``None`` = it is."""

    @property
    def deletable(self) -> bool:
        """Whether it is to be deleted now."""
        return self.hindrance is None


def standing_of(
    row: CatalogueRow,
    *,
    now: datetime,
    timeline: Timeline,
    holds: HoldsNow,
    extensions: ExtensionsNow,
    notice: NoticeState | None,
    suspended: bool = False,
) -> Standing:
    """Judge an object.

    Args:
        row: the object, its generation the one that is there.
        now: the moment.
        timeline: of the policies known at that moment.
        holds: as they are at that moment.
        extensions: same.
        notice: the last one that told of this very generation; ``None`` = none did.
        suspended: whether its customer gets no notices until somebody has looked into a bounced one.
    """
    timeline = timeline.at(now)
    expiry, extension, hold = timeline.expiry(row), extensions.covering(row), holds.covering(row)
    expires_at = expiry.at if extension is None else max(expiry.at, extension.until)
    told = row.object_class in NOTICED
    fault = _fault(row, expires_at, notice, holds, extensions) if told else None
    promised = notice.delete_after if notice is not None and told and fault is None else None
    live = row.state in LIVE
    if not live:
        hindrance: Hindrance | None = Hindrance.GONE
    elif hold is not None:
        hindrance = Hindrance.HOLD
    elif now < expires_at:
        hindrance = Hindrance.POLICY if now < expiry.at else Hindrance.EXTENDED
    elif told and not (promised and notice and _elapsed(notice, promised, now)):
        hindrance = Hindrance.NOTICE
    else:
        hindrance = None
    due = told and live and hold is None and not suspended and expires_at < timeline.notice_horizon
    if due and promised is not None and notice is not None and notice.confirmed_at is not None:
        # The notice stands; a fresh one is due only where it can promise an earlier moment.
        due = delete_after(expires_at, max(now, notice.confirmed_at), timeline.policy.notice) < promised
    return Standing(
        now=now,
        expires_at=expires_at,
        policy_expires_at=expiry.at,
        policy_version=expiry.version,
        hold=hold,
        extension=extension,
        notice_fault=fault,
        delete_after=promised,
        notice_due=due,
        hindrance=hindrance,
    )


def delete_after(expires_at: datetime, confirmed_at: datetime, notice: Term) -> datetime:
    """The moment that a notice confirmed at ``confirmed_at`` promises for an object.

    Args:
        expires_at: when the object reaches its end.
        confirmed_at: when everybody had accepted the notice.
        notice: time between the two, by the policy then in force.
    """
    return max(expires_at, notice.after(confirmed_at), confirmed_at + NOTICE_LEAST)


def _fault(
    row: CatalogueRow,
    expires_at: datetime,
    notice: NoticeState | None,
    holds: HoldsNow,
    extensions: ExtensionsNow,
) -> NoticeFault | None:
    if notice is None:
        return NoticeFault.NONE
    if notice.bounced:
        return NoticeFault.BOUNCED
    if notice.confirmed_at is None or notice.delete_after is None:
        return NoticeFault.UNCONFIRMED
    if expires_at > notice.delete_after:
        return NoticeFault.LATER
    if holds.released_after(row, notice.delete_after) or extensions.withdrawn_after(row, notice.delete_after):
        return NoticeFault.INTERRUPTED
    return None


def _elapsed(notice: NoticeState, promised: datetime, now: datetime) -> bool:
    """Whether the moment has come; the week is looked at again, whatever was promised."""
    return notice.confirmed_at is not None and promised <= now and notice.confirmed_at + NOTICE_LEAST <= now

"""``Outcome``: what became of an object that a plan wanted gone, and the rows that say so."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from earmark.rows import CatalogueRow, DeletionRow
from earmark.vocabulary import ObjectState
from retention.candidates import Candidate
from retention.standing import Hindrance, NoticeState


class Outcome(StrEnum):
    """How it ended."""

    DELETED = "deleted"
    MISSING = "missing"
    """It was not there, and it was not us who deleted it."""
    HOLD = "skipped_hold"
    EXTENDED = "skipped_extended"
    CHANGED = "skipped_changed"
    """Another object lies under its name, or the catalogue knows that it is there no more."""
    NOTICE = "skipped_notice"
    """Its customer was not told, or not long enough ago."""
    POLICY = "skipped_policy"
    """Its term has not ended by the policy of now."""
    ERROR = "skipped_error"
    """The store could not be reached for it, or cannot hold such a name; the next plan has it again."""


OF_HINDRANCE: Final = {
    Hindrance.GONE: Outcome.CHANGED,
    Hindrance.HOLD: Outcome.HOLD,
    Hindrance.POLICY: Outcome.POLICY,
    Hindrance.EXTENDED: Outcome.EXTENDED,
    Hindrance.NOTICE: Outcome.NOTICE,
}
_STATE: Final = {
    Outcome.DELETED: ObjectState.DELETED,
    Outcome.MISSING: ObjectState.MISSING,
    Outcome.CHANGED: ObjectState.REPLACED,
}


class Result(NamedTuple):
    """One object and its end."""

    candidate: Candidate
    outcome: Outcome
    expires_at: datetime
    policy_version: int
    notice: NoticeState | None


def deletion_row(plan: str, result: Result, at: datetime) -> DeletionRow:
    """The outcome as a row; written again after a crash, it counts once."""
    line, row = result.candidate.line, result.candidate.row
    return DeletionRow(
        row_id=f"{plan}:{line.id}",
        tenant=line.tenant,
        at=at,
        plan=plan,
        object_id=line.id,
        object_class=line.object_class,
        outcome=result.outcome.value,
        reason=line.reason,
        policy_version=result.policy_version,
        size_bytes=line.size_bytes,
        created_at=line.created_at,
        expires_at=result.expires_at,
        notice=line.notice if row is None else row.notice,
        notice_confirmed_at=None if result.notice is None else result.notice.confirmed_at,
    )


def changed_row(result: Result, at: datetime) -> CatalogueRow | None:
    """The object's row as it is from now on; ``None`` = as before."""
    row, state = result.candidate.row, _STATE.get(result.outcome)
    if row is None or state is None or row.state == state:
        return None
    return row.model_copy(update={"state": state.value, "at": later(row, at)})


def later(row: CatalogueRow, at: datetime) -> datetime:
    """The present, or the first moment after the version of a row that is to be replaced, whichever is later."""
    return max(at, row.at + timedelta.resolution)

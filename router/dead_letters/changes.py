"""What may happen to a dead letter: pure rules from one letter to the next.

Each gives the letter as it is afterwards, or ``None`` (``bury``, ``observed``: the very same letter) where nothing
changes.  All are safe to apply twice.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from earmark.domain import Failure, Job, Record
from router.dead_letters.letter import UNSETTLED, WAITING, Act, DeadLetter, Life, Replay, State

LIVES_MAX: Final = 20
"""Lives that a letter tells of; of a job that is sent and buried again and again, the latest."""
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an operator sets."""

    keep: timedelta
    """How long a letter is kept after its last burial."""
    replays_max: int
    """Replays that may fail before a letter is quarantined."""


def bury(
    letter: DeadLetter | None, job: Job, failures: Sequence[Failure], *, now: datetime, terms: Terms, actor: str
) -> DeadLetter:
    """A burial joined to what is known of the job; the same letter for one that was told before.

    The life that a replay began ends that replay, and so does any that was buried after it: a queue that coalesces may
    have held the job already when it was put.
    """
    fresh = Life(enqueued_at=job.enqueued_at, buried_at=failures[-1].at if failures else now, failures=_once(failures))
    if letter is None:
        return DeadLetter(
            state=State.OPEN,
            job=job,
            lives=(fresh,),
            first_buried_at=fresh.buried_at,
            last_buried_at=fresh.buried_at,
            expires_at=now + terms.keep,
        )
    known = next((life for life in letter.lives if life.enqueued_at == fresh.enqueued_at), None)
    lives = _joined(letter.lives, known, fresh)
    if lives == letter.lives:
        return letter
    buried = _with(
        letter,
        lives=lives,
        job=job if job.enqueued_at >= letter.job.enqueued_at else letter.job,
        first_buried_at=min(letter.first_buried_at, fresh.buried_at),
        last_buried_at=max(letter.last_buried_at, fresh.buried_at),
        expires_at=max(letter.expires_at, now + terms.keep),
    )
    if known is not None:  # the same message, delivered to two workers: nothing that a person need know
        return buried
    if (ended := _ended_by(letter, fresh)) is not None:
        return _failed_again(buried, ended, now=now, terms=terms, actor=actor)
    if letter.state in UNSETTLED:
        return buried
    return _with(buried, state=State.OPEN, reason="", resolved_at=None)


def claim(
    letter: DeadLetter,
    *,
    now: datetime,
    until: datetime,
    terms: Terms,
    actor: str,
    model: str | None,
    states: AbstractSet[State],
) -> DeadLetter | None:
    """The letter with a replay begun, which whoever got it must put until then; None where it may not be replayed.

    A replay that is awaited is given up for the new one where ``states`` names ``replayed``.
    """
    if letter.state not in states & UNSETTLED:
        return None
    was = letter.pending.was if letter.pending else letter.state
    given_up = _ended(letter, letter.pending, "interrupted", now) if letter.pending else letter
    lives = [life.enqueued_at for life in letter.lives]
    enqueued_at = max(now, *(at + _MICROSECOND for at in lives + [each.enqueued_at for each in letter.replays]))
    replay = Replay(at=now, by=actor, model=model, enqueued_at=enqueued_at, was=was, until=until)
    act = Act(at=now, actor=actor, action="dlq.replay", detail=f"on {model}" if model else "")
    return _with(
        given_up,
        state=State.REPLAYED,
        job=_replayed(letter.job, enqueued_at),
        replays=(*given_up.replays, replay),
        acts=(*letter.acts, act),
        expires_at=max(letter.expires_at, now + terms.keep),
    )


def _replayed(job: Job, enqueued_at: datetime) -> Job:
    """The job as it goes back to its lane, in its arm, which it counts for no more: there it has ended already."""
    exposure = None if job.exposure is None else job.exposure.model_copy(update={"replayed": True})
    return job.model_copy(update={"enqueued_at": enqueued_at, "exposure": exposure})


def confirm(letter: DeadLetter, replay: Replay, *, until: datetime | None = None) -> DeadLetter | None:
    """The letter with that replay in its lane for good, or held until later; None where it was ended meanwhile."""
    pending = letter.pending
    if pending is None or pending.enqueued_at != replay.enqueued_at:
        return None
    return _with(letter, replays=(*letter.replays[:-1], pending.model_copy(update={"until": until})))


def interrupt(letter: DeadLetter, replay: Replay, *, now: datetime) -> DeadLetter | None:
    """The letter as it was before that replay, which was not put; None where it was ended meanwhile."""
    pending = letter.pending
    if pending is None or pending.enqueued_at != replay.enqueued_at:
        return None
    return _with(_ended(letter, pending, "interrupted", now), state=pending.was)


def observed(letter: DeadLetter, record: Record | None, *, now: datetime) -> DeadLetter:
    """The letter in the light of the job's record and of the clock.

    A record that is done stands for good, whenever it was written: the job has its answer.  A replay that nobody put
    in its time was interrupted.
    """
    if letter.state not in UNSETTLED:
        return letter
    pending = letter.pending
    if record is not None and record.status == "done":
        settled = _ended(letter, pending, "done", now) if pending else letter
        return _with(settled, state=State.RESOLVED, resolved_at=max(record.settled_at, letter.first_buried_at))
    if pending is not None and pending.until is not None and pending.until <= now:
        return interrupt(letter, pending, now=now) or letter
    return letter


def discard(letter: DeadLetter, *, now: datetime, actor: str, reason: str) -> DeadLetter | None:
    """The letter with nothing to be done about it; None where it does not wait for a person."""
    if letter.state not in WAITING:
        return None
    act = Act(at=now, actor=actor, action="dlq.discard", reason=reason)
    return _with(letter, state=State.DISCARDED, reason=reason, acts=(*letter.acts, act))


def _failed_again(letter: DeadLetter, replay: Replay, *, now: datetime, terms: Terms, actor: str) -> DeadLetter:
    failed = _ended(letter, replay, "failed", now)
    if failed.pending is not None:
        return failed  # it was replayed anew in the meantime, and that is what is awaited
    if failed.failed_replays < terms.replays_max and replay.was is not State.QUARANTINED:
        return _with(failed, state=State.OPEN)
    reason = f"{failed.failed_replays} replays failed"
    act = Act(at=now, actor=actor, action="dlq.quarantine", reason=reason)
    return _with(failed, state=State.QUARANTINED, reason=reason, acts=(*failed.acts, act))


def _ended_by(letter: DeadLetter, life: Life) -> Replay | None:
    """The replay that a new life shows to have failed: the one awaited, else one given up that was put all the same."""
    pending = letter.pending
    if pending is not None and (pending.enqueued_at == life.enqueued_at or life.buried_at > pending.at):
        return pending
    given_up = (each for each in letter.replays if each.enqueued_at == life.enqueued_at)
    return next((each for each in given_up if each.outcome == "interrupted"), None)


def _ended(
    letter: DeadLetter, replay: Replay, outcome: Literal["done", "failed", "interrupted"], now: datetime
) -> DeadLetter:
    ended = replay.model_copy(update={"outcome": outcome, "ended_at": now, "until": None})
    return _with(letter, replays=tuple(ended if each == replay else each for each in letter.replays))


def _joined(lives: tuple[Life, ...], known: Life | None, fresh: Life) -> tuple[Life, ...]:
    if known is None:
        return tuple(sorted((*lives, fresh), key=lambda life: life.enqueued_at))[-LIVES_MAX:]
    failures = _once((*known.failures, *fresh.failures))
    if failures == known.failures:
        return lives
    joined = Life(enqueued_at=known.enqueued_at, buried_at=max(known.buried_at, fresh.buried_at), failures=failures)
    return tuple(joined if life is known else life for life in lives)


def _once(failures: Sequence[Failure]) -> tuple[Failure, ...]:
    """Each failure once: a worker that died thrice leaves its last one twice."""
    return tuple(dict.fromkeys(failures))


def _with(letter: DeadLetter, **changes: Any) -> DeadLetter:
    return letter.model_copy(update=changes)

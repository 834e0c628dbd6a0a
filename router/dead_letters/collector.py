"""``Collector``: takes buried jobs off the dead queue into the durable store, and lets old letters go.

Store, then audit, then acknowledge: a crash anywhere brings the job again, and what was stored of it before is found.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final

from earmark.domain import Failure, Job, Lease
from earmark.errors import Unavailable, WorkerLost
from earmark.log import event
from earmark.ports import Clock, Queue
from earmark.trace import trace_id_of
from router.dead_letters.audit import Audit, log_act
from router.dead_letters.changes import Terms, bury
from router.dead_letters.letter import Act, DeadLetter, State
from router.dead_letters.letters import THREADS, Letters

_log = logging.getLogger(__name__)

BATCH: Final = 256
"""Buried jobs taken at once."""
LEASE_S: Final = 120.0
"""Storing a batch takes seconds; should a collector die, another takes over after so long."""
LOOKED_AT: Final = 128
"""Letters looked at for their expiry in one step."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What one step did."""

    buried: tuple[DeadLetter, ...]
    """Letters that are new or had another burial."""
    taken: int
    """Messages taken off the dead queue, those told before included."""
    expired: int


class Collector:
    """One step is ``run_once``; several collectors may be at work at the same time."""

    def __init__(
        self,
        *,
        dead: Queue,
        letters: Letters,
        audit: Audit,
        terms: Terms,
        clock: Clock,
        actor: str,
        erased: Callable[[Job], bool] = lambda _: False,
    ) -> None:
        """Take the dead queue and where letters are kept; a job that was ``erased`` leaves no letter."""
        self._erased = erased
        self._dead = dead
        self._letters = letters
        self._audit = audit
        self._terms = terms
        self._clock = clock
        self._actor = actor
        self._looked_at = secrets.token_hex(2)
        """Where the search for expired letters goes on; begins anywhere, for many processes are short."""

    def run_once(self) -> Collected:
        """Collect one batch and look at some letters for their expiry.

        Raises:
            Unavailable: the queue or the store cannot be reached; what was not stored comes again.
        """
        taken, buried = self._collect()
        return Collected(buried, taken, self.expire())

    def collect_all(self, stopped: Callable[[], bool] = lambda: False) -> list[DeadLetter]:
        """Collect until the dead queue gives nothing; gives the letters in question.  Raises ``Unavailable``."""
        found: list[DeadLetter] = []
        while not stopped():
            taken, buried = self._collect()
            found += buried
            if not taken:
                break
        return found

    def expire(self) -> int:
        """Look at the next letters, and delete those whose time is over; returns how many were.

        Raises:
            Unavailable: the store or the warehouse cannot be reached.
        """
        ids = list(islice(self._letters.ids(start_after=self._looked_at), LOOKED_AT))
        self._looked_at = ids[-1] if len(ids) == LOOKED_AT else ""
        expired = [letter for letter in self._letters.side_by_side(self._expired, iter(ids)) if letter is not None]
        if not expired:
            return 0
        whose = [(letter.id, letter.tenant) for letter in expired]
        self._audit.before(whose, "dlq.expire", at=self._clock(), actor=self._actor)
        acts = [self._expiry(letter) for letter in expired]
        self._audit.append_expired(expired, acts)
        gone = list(self._letters.side_by_side(self._remove, iter(expired)))
        for letter, act, done in zip(expired, acts, gone, strict=True):
            if done:
                log_act(letter, act)
        return sum(gone)

    def _expired(self, job_id: str) -> DeadLetter | None:
        letter = self._letters.read(job_id)
        return None if letter is None or letter.expires_at > self._clock() else letter

    def _expiry(self, letter: DeadLetter) -> Act:
        return Act(at=letter.expires_at, actor=self._actor, action="dlq.expire", detail=f"it was {letter.state}")

    def _remove(self, letter: DeadLetter) -> bool:
        return self._letters.remove(letter.id, lambda present: present == letter) is not None

    def _collect(self) -> tuple[int, tuple[DeadLetter, ...]]:
        leases = self._dead.lease(BATCH, LEASE_S)
        if not leases:
            return 0, ()
        with ThreadPoolExecutor(min(len(leases), THREADS), "collect") as threads:
            stored = [(lease, threads.submit(self._store, lease)) for lease in leases]
        self._tell([letter for _, each in stored if (letter := _value(each)) is not None])
        self._dead.ack([lease for lease, each in stored if each.exception() is None])
        failed = [(lease, error) for lease, each in stored if (error := each.exception()) is not None]
        for lease, error in failed:
            event(_log, "letter.store_failed", level=logging.WARNING, job_id=lease.job.id, error=str(error),
                  trace_id=trace_id_of(lease.job.upload.trace))  # fmt: skip
            self._dead.release(lease)
        if failed:
            raise failed[0][1]
        return len(leases), tuple(letter for _, each in stored if (letter := _value(each)) is not None)

    def _store(self, lease: Lease) -> DeadLetter | None:
        """The letter as stored now; None where this burial was told before, or must leave no letter."""
        if self._erased(lease.job):
            event(_log, "letter.erased", job_id=lease.job.id, trace_id=trace_id_of(lease.job.upload.trace))
            return None

        def rule(letter: DeadLetter | None) -> DeadLetter:
            job = lease.job.traced(None)  # a letter is read by other versions too, and a replay is a trace of its own
            after = bury(letter, job, history_of(lease), now=self._clock(), terms=self._terms, actor=self._actor)
            for act in after.acts[len(letter.acts) if letter else 0 :]:  # it is quarantined
                whose = [(after.id, after.tenant)]
                self._audit.before(whose, act.action, at=act.at, actor=act.actor, reason=act.reason)
            return after

        change = self._letters.change(lease.job.id, rule)
        return change.letter if change.changed else None

    def _tell(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            event(
                _log,
                "letter.collected",
                job_id=letter.id,
                tenant=letter.tenant,
                state=letter.state,
                kind=letter.kind,
                fingerprint=letter.fingerprint,
                lives=len(letter.lives),
            )
            if letter.acts and letter.acts[-1].action == "dlq.quarantine":
                log_act(letter, letter.acts[-1])
        try:
            self._audit.append([letter for letter in letters if letter.state is State.QUARANTINED])
        except Unavailable as error:  # the letters keep it, and tell it again before they go
            event(_log, "audit.unavailable", level=logging.WARNING, error=str(error))


def history_of(lease: Lease) -> tuple[Failure, ...]:
    """The failures that a job was buried with, without those of collectors that died with it."""
    kept = max(len(lease.history) - (lease.try_number - 1), 0)
    own = lease.history[kept:]
    return lease.history[:kept] if all(each.kind == WorkerLost.kind for each in own) else lease.history


def _value(future: "Future[DeadLetter | None]") -> DeadLetter | None:
    return None if future.exception() is not None else future.result()

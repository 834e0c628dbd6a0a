"""``Replayer``: puts dead letters in their lanes again, a few first, and no more when those fail again.

A letter is claimed, put, confirmed.  Of two replays at once the one whose claim was stored puts it.  A claim that
nobody confirmed runs out, and the letter is open again: should its job have been put all the same, the letter follows
it by its record and its burial like any other.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal

from earmark.domain import Job
from earmark.errors import Unavailable
from earmark.log import event
from earmark.ports import Clock, Queue
from earmark.trace import begun
from earmark.vocabulary import Lane
from router.dead_letters.audit import Audit, log_act
from router.dead_letters.changes import Terms, claim, confirm, interrupt
from router.dead_letters.collector import Collector
from router.dead_letters.letter import DeadLetter, Replay, State
from router.dead_letters.letters import Letters
from router.dead_letters.office import Office
from router.dead_letters.pace import Pace

_log = logging.getLogger(__name__)

CHUNK: Final = 64
"""Letters put at once."""
CLAIM_S: Final = 120.0
"""From the claim to the confirmation; after that the letter is open again.  It takes under a second."""
LOOK_S: Final = 5.0
"""Between looks at what became of the first ones while the rest is put."""
LOOKS: Final = 256
"""Awaited letters looked at in one round."""

End = Literal["put", "canary_failed", "canary_silent", "stopped"]


@dataclass(slots=True)
class Progress:
    """Counts so far."""

    wanted: int = 0
    put: int = 0
    passed_over: int = 0
    """Letters that need no replay or may not have one: answered, awaited, discarded, erased or gone by now."""
    done: int = 0
    failed: int = 0
    interrupted: int = 0
    newcomers: Counter[str] = field(default_factory=Counter)
    """Letters of other jobs that joined a group while it was replayed."""
    end: End = "put"

    @property
    def awaited(self) -> int:
        """Jobs that were put and are not known to have ended."""
        return self.put - self.done - self.failed - self.interrupted


@dataclass(frozen=True, slots=True)
class Replaying:
    """How a replay goes about it."""

    canary: int = 5
    """Letters put first, whose end is awaited before the rest follows; 0 = none."""
    canary_timeout_s: float = 600.0
    follow: bool = False
    """Whether to wait until all have ended."""
    at_once: int | None = None
    """Jobs under way at the same time; ``None`` = any number."""
    model: str | None = None
    """The model the jobs are run on by whoever serves ``lanes``; ``None`` = the workers' own."""
    states: AbstractSet[State] = frozenset({State.OPEN})


class Replayer:
    """One replay of some letters."""

    def __init__(
        self,
        *,
        letters: Letters,
        office: Office,
        collector: Collector,
        audit: Audit,
        lanes: Mapping[Lane, Queue],
        terms: Terms,
        clock: Clock,
        monotonic: Callable[[], float],
        actor: str,
        pace: Pace,
        pause: Callable[[float | None], bool],
        plan: Replaying,
        erased: Callable[[Job], bool] = lambda _: False,
    ) -> None:
        """Take the stores and queues.

        Args:
            letters: the store.
            office: looks at letters.
            collector: of the dead queue that the lanes bury to.
            audit: the audit log.
            lanes: where jobs are put.
            terms: what an operator sets.
            clock: the present.
            monotonic: seconds, for waiting.
            actor: who replays.
            pace: how many a second.
            pause: waits so many seconds, ``None`` = a moment between looks; True when told to stop.
            plan: how to go about it.
            erased: whether a job is about something that was erased; it is passed over.
        """
        self._erased = erased
        self._letters = letters
        self._office = office
        self._collector = collector
        self._audit = audit
        self._lanes = lanes
        self._terms = terms
        self._clock = clock
        self._monotonic = monotonic
        self._actor = actor
        self._pace = pace
        self._pause = pause
        self._plan = plan
        self._awaited: dict[str, Replay] = {}
        self._ours: set[str] = set()
        self._groups: set[str] = set()
        self._renewed_at = self._looked_at = monotonic()
        self.progress = Progress()

    def run(self, job_ids: Sequence[str]) -> Progress:
        """Replay letters in this order.

        Raises:
            Unavailable: a store or a queue cannot be reached; what was put is on its way, the rest is as before.
        """
        self.progress.wanted = len(job_ids)
        self.progress.end = self._run(job_ids)
        return self.progress

    def _run(self, job_ids: Sequence[str]) -> End:
        canary = self._plan.canary if len(job_ids) > self._plan.canary else 0
        waiting = list(reversed(job_ids))
        while waiting and (lacking := canary - self.progress.put) > 0:
            if not self._put_all(waiting, leave=max(len(waiting) - lacking, 0)):
                return "stopped"
        if canary and (verdict := self._judge()) is not None:
            return verdict
        if not self._put_all(waiting):
            return "stopped"
        while self._plan.follow and self._awaited:
            if self._pause(None):
                return "stopped"
            self._look()
        return "put"

    def _judge(self) -> End | None:
        """Wait for the canary; None when the rest may follow: at least half of it did not fail again."""
        deadline = self._monotonic() + self._plan.canary_timeout_s
        size = self.progress.put
        while self._awaited:
            self._look()
            if self.progress.failed * 2 > size:
                return "canary_failed"
            if self.progress.done * 2 >= size:
                return None
            if self._monotonic() >= deadline:
                return "canary_silent"
            if self._pause(None):
                return "stopped"
        return "canary_failed" if self.progress.failed * 2 > size else None

    def _put_all(self, waiting: list[str], leave: int = 0) -> bool:
        """Put letters off the end of the list until so many are left; False when told to stop."""
        while len(waiting) > leave:
            room = CHUNK if self._plan.at_once is None else self._plan.at_once - len(self._awaited)
            allowed = self._pace.take(min(room, CHUNK, len(waiting) - leave)) if room > 0 else 0
            if not allowed:
                if self._pause(None if room <= 0 else self._pace.wait_s()):
                    return False
                if room <= 0:
                    self._look()
                continue
            if self._pause(0.0):
                return False
            self._put([waiting.pop() for _ in range(allowed)])
            if self._monotonic() - self._looked_at > LOOK_S:
                self._look()
        return True

    def _put(self, job_ids: Sequence[str]) -> None:
        self._audit.before(((job_id, "") for job_id in job_ids), "dlq.replay", at=self._clock(), actor=self._actor)
        claims = list(self._letters.side_by_side(self._claim, iter(job_ids)))
        claimed = [(letter, letter.replays[-1]) for letter in claims if letter is not None]
        self.progress.passed_over += len(claims) - len(claimed)
        jobs: dict[Lane, list[Job]] = defaultdict(list)
        for letter, _ in claimed:
            jobs[letter.job.lane].append(letter.job.traced(begun().header))
        try:
            self._audit.append([letter for letter, _ in claimed])
            for lane, some in jobs.items():
                self._lanes[lane].put(some)
        except Unavailable:
            for letter, replay in claimed:
                self._interrupt(letter.id, replay)
            raise
        for letter, replay in claimed:
            log_act(letter, letter.acts[-1])
            self._awaited[letter.id] = replay
            self._ours.add(letter.id)
            self._groups.add(letter.fingerprint)
        self.progress.put += len(claimed)
        if self._plan.model is None:
            list(self._letters.side_by_side(self._confirm, ((letter.id, replay) for letter, replay in claimed)))

    def _claim(self, job_id: str) -> DeadLetter | None:
        letter = self._office.look(job_id)  # also notes that a job has its answer by now
        if letter is None or self._erased(letter.job):
            return None
        now = self._clock()

        def rule(letter: DeadLetter | None) -> DeadLetter | None:
            return letter and claim(
                letter,
                now=now,
                until=now + timedelta(seconds=CLAIM_S),
                terms=self._terms,
                actor=self._actor,
                model=self._plan.model,
                states=self._plan.states,
            )

        change = self._letters.change(job_id, rule)
        return change.letter if change.changed else None

    def _confirm(self, claimed: tuple[str, Replay], until: datetime | None = None) -> None:
        job_id, replay = claimed
        self._letters.change(job_id, lambda present: present and confirm(present, replay, until=until))

    def _interrupt(self, job_id: str, replay: Replay) -> None:
        self._letters.change(job_id, lambda present: present and interrupt(present, replay, now=self._clock()))

    def _look(self) -> None:
        """Collect what was buried, and see which of the awaited jobs have ended."""
        self._looked_at = self._monotonic()
        for buried in self._collector.collect_all(stopped=lambda: self._pause(0.0)):
            if buried.id not in self._ours and buried.fingerprint in self._groups:
                self.progress.newcomers[buried.fingerprint] += 1
                event(_log, "group.grew", level=logging.WARNING, fingerprint=buried.fingerprint, job_id=buried.id)
        looked_at = list(self._awaited)[:LOOKS]
        for job_id, letter in zip(looked_at, self._office.look_all(looked_at), strict=True):
            replay = self._awaited.pop(job_id)
            match _outcome(letter, replay):
                case "done":
                    self.progress.done += 1
                case "failed":
                    self.progress.failed += 1
                case "interrupted":
                    self.progress.interrupted += 1
                case _:
                    self._awaited[job_id] = replay  # at the end, so that the next look is at others
        if self._plan.model is not None and self._monotonic() - self._renewed_at > CLAIM_S / 4:
            self._renewed_at = self._monotonic()
            self._renew()

    def _renew(self) -> None:
        until = self._clock() + timedelta(seconds=CLAIM_S)
        list(self._letters.side_by_side(partial(self._confirm, until=until), iter(self._awaited.items())))

    def give_back(self) -> None:
        """Open the letters again whose jobs nobody is going to run, now that whoever served the lanes has ended."""
        self._look()
        for job_id, replay in self._awaited.items():
            self._interrupt(job_id, replay)
        self.progress.interrupted += len(self._awaited)
        self._awaited.clear()


def _outcome(letter: DeadLetter | None, replay: Replay) -> str:
    """What became of a replay; ``done`` for a letter that is gone, as nothing is awaited of it."""
    if letter is None:
        return "done"
    found = _find(letter.replays, replay)
    return "done" if found is None else found.outcome


def _find(replays: Sequence[Replay], replay: Replay) -> Replay | None:
    matching: Iterator[Replay] = (each for each in replays if each.enqueued_at == replay.enqueued_at)
    return next(matching, None)

"""``Office``: dead letters as people see them, and what people do about them but for replays."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from earmark.domain import Record
from earmark.log import event
from earmark.ports import Clock
from router.dead_letters.audit import Audit, log_act
from router.dead_letters.changes import discard, observed
from router.dead_letters.letter import UNSETTLED, WAITING, DeadLetter, State
from router.dead_letters.letters import WINDOW, Letters

_log = logging.getLogger(__name__)


class Office:
    """The letters there are, each in the light of what became of its job."""

    def __init__(
        self,
        *,
        letters: Letters,
        audit: Audit,
        find_record: Callable[[str, str], Record | None],
        clock: Clock,
        actor: str,
    ) -> None:
        """Take the store and a look-up of records by tenant and job id."""
        self._letters = letters
        self._audit = audit
        self._find_record = find_record
        self._clock = clock
        self._actor = actor

    def look(self, job_id: str) -> DeadLetter | None:
        """A letter as it is now, its job's record looked at; None where there is none or its time is over.

        Raises:
            Unavailable: a store cannot be reached.
        """
        return self._seen(self._letters.read(job_id), always=True)

    def each(self) -> Iterator[DeadLetter]:
        """Every letter as it is now, in order of ids; the records of those are looked at that were replayed."""
        seen = self._letters.side_by_side(lambda job_id: self._seen(self._letters.read(job_id)), self._letters.ids())
        return (letter for letter in seen if letter is not None)

    def look_all(self, job_ids: Sequence[str]) -> Iterator[DeadLetter | None]:
        """Several letters as they are now, in order."""
        return self._letters.side_by_side(self.look, iter(job_ids))

    def find(self, prefix: str) -> list[str]:
        """Up to two ids that start so; more than one means that the prefix is ambiguous."""
        found: list[str] = []
        for job_id in self._letters.ids(prefix):
            found.append(job_id)
            if len(found) == 2 or job_id == prefix:  # noqa: PLR2004  # two are enough to know
                break
        return found

    def discard(self, job_ids: Sequence[str], reason: str, *, stopped: Callable[[], bool]) -> Iterator[bool]:
        """Decide that nothing is to be done about letters; says of each whether that was done now.

        Raises:
            Unavailable: a store cannot be reached; what was discarded stays so, and its audit follows.
        """
        for start in range(0, len(job_ids), WINDOW):
            if stopped():
                return
            some = job_ids[start : start + WINDOW]
            meant = [
                (letter.id, letter.tenant)
                for letter in self._letters.side_by_side(self._letters.read, iter(some))
                if letter is not None and letter.state in WAITING
            ]
            self._audit.before(meant, "dlq.discard", at=self._clock(), actor=self._actor, reason=reason)
            changes = list(self._letters.side_by_side(partial(self._discard, reason), iter(some)))
            done = [letter for letter in changes if letter is not None]
            self._audit.append(done)
            for letter in done:
                log_act(letter, letter.acts[-1])
            yield from (letter is not None for letter in changes)

    def _discard(self, reason: str, job_id: str) -> DeadLetter | None:
        def rule(letter: DeadLetter | None) -> DeadLetter | None:
            return letter and discard(letter, now=self._clock(), actor=self._actor, reason=reason)

        change = self._letters.change(job_id, rule)
        return change.letter if change.changed else None

    def _seen(self, letter: DeadLetter | None, *, always: bool = False) -> DeadLetter | None:
        """The letter as it is now, stored so if it is another than was stored."""
        now = self._clock()
        if letter is None or letter.expires_at <= now:
            return None
        if letter.state not in UNSETTLED or not (always or letter.replays):
            return letter
        record = self._find_record(letter.tenant, letter.id)
        if observed(letter, record, now=now) is letter:
            return letter
        change = self._letters.change(letter.id, lambda present: present and observed(present, record, now=now))
        if change.changed and change.letter is not None and change.letter.state is State.RESOLVED:
            event(_log, "letter.resolved", job_id=letter.id, tenant=letter.tenant, fingerprint=letter.fingerprint)
        return change.letter

"""Dead letters: the rules by which they change, by many random lives."""

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from earmark.domain import Failure, Job, Record
from router.dead_letters.changes import Terms, bury, claim, confirm, discard, interrupt, observed
from router.dead_letters.letter import UNSETTLED, DeadLetter, State
from tests.making import EPOCH, make_failure, make_job

TERMS = Terms(keep=timedelta(days=7), replays_max=3)


class LetterMachine(RuleBasedStateMachine):
    """One job, put, buried, replayed, answered and discarded in any order, its burials told any number of times."""

    letter: DeadLetter

    def __init__(self) -> None:
        """Nothing is buried yet."""
        super().__init__()
        self.now = EPOCH
        self.told: list[tuple[Job, tuple[Failure, ...]]] = []
        self.discarded = False

    def tick(self) -> datetime:
        """A second passes."""
        self.now += timedelta(seconds=1)
        return self.now

    def die(self, job: Job) -> None:
        """Fail twice and be buried."""
        failures = tuple(make_failure(try_number=number).model_copy(update={"at": self.tick()}) for number in (1, 2))
        self.told.append((job, failures))
        self.tell(len(self.told) - 1)

    def tell(self, number: int) -> None:
        """Tell of a burial."""
        job, failures = self.told[number]
        known = getattr(self, "letter", None)
        self.letter = bury(known, job, failures, now=self.tick(), terms=TERMS, actor="me")

    @initialize()
    def first_burial(self) -> None:
        """The letter begins."""
        self.die(make_job(enqueued_at=self.tick()))

    @rule(data=st.data())
    def told_again(self, data: st.DataObject) -> None:
        """What was told before changes nothing, whatever happened since."""
        before = self.letter
        self.tell(data.draw(st.integers(0, len(self.told) - 1)))
        assert self.letter is before

    @rule()
    def sent_again(self) -> None:
        """Somebody uploads the same content, and it is buried."""
        if len(self.told) < 12:
            self.die(make_job(enqueued_at=self.tick()))
            assert self.letter.state in UNSETTLED

    @rule(confirmed=st.booleans(), states=st.sampled_from([{State.OPEN}, {State.OPEN, State.QUARANTINED}, UNSETTLED]))
    def replay(self, confirmed: bool, states: frozenset[State]) -> None:  # noqa: FBT001
        """Only a letter in one of the states is claimed."""
        now = self.tick()
        before = self.letter
        claimed = claim(
            before, now=now, until=now + timedelta(seconds=3), terms=TERMS, actor="me", model=None, states=states
        )
        assert (claimed is None) == (before.state not in states)
        if claimed is not None:
            assert claimed.job.enqueued_at > max(life.enqueued_at for life in before.lives)
            self.letter = claimed
            if confirmed:
                assert claimed.pending is not None
                self.letter = confirm(claimed, claimed.pending) or claimed

    @precondition(lambda self: self.letter.pending)
    @rule()
    def replay_fails(self) -> None:
        """The replayed job is buried."""
        failed = self.letter.failed_replays
        assert self.letter.pending is not None
        was = self.letter.pending.was
        self.die(self.letter.job)
        assert self.letter.failed_replays == failed + 1
        quarantined = failed + 1 >= TERMS.replays_max or was is State.QUARANTINED
        assert self.letter.state is (State.QUARANTINED if quarantined else State.OPEN)

    @precondition(lambda self: self.letter.pending)
    @rule()
    def replay_interrupted(self) -> None:
        """It was not put after all."""
        assert self.letter.pending is not None
        was = self.letter.pending.was
        self.letter = interrupt(self.letter, self.letter.pending, now=self.tick()) or self.letter
        assert self.letter.state is was

    @rule(answered=st.booleans())
    def look(self, answered: bool) -> None:  # noqa: FBT001
        """The record is looked at."""
        record = Record(
            job_id=self.letter.id,
            tenant=self.letter.tenant,
            status="done" if answered else "failed",
            enqueued_at=EPOCH,
            settled_at=self.now,
        )
        unsettled = self.letter.state in UNSETTLED
        self.letter = observed(self.letter, record, now=self.tick())
        assert observed(self.letter, record, now=self.now) is self.letter
        if answered and unsettled:
            assert self.letter.state is State.RESOLVED

    @rule()
    def drop(self) -> None:
        """Somebody discards it, if it waits."""
        before = self.letter
        after = discard(before, now=self.tick(), actor="me", reason="why not")
        assert (after is not None) == (before.state in {State.OPEN, State.QUARANTINED})
        self.letter = after or before

    @invariant()
    def sound(self) -> None:
        """Nothing told is lost or doubled, and the state and the replays agree."""
        if not hasattr(self, "letter"):
            return
        letter = self.letter
        assert [life.enqueued_at for life in letter.lives] == sorted({job.enqueued_at for job, _ in self.told})
        kept = [failure for life in letter.lives for failure in life.failures]
        assert sorted(kept, key=str) == sorted((each for _, failures in self.told for each in failures), key=str)
        assert (letter.state is State.REPLAYED) == (letter.pending is not None)
        assert all(replay.outcome != "pending" for replay in letter.replays[:-1])
        assert len([act for act in letter.acts if act.action == "dlq.replay"]) == len(letter.replays)
        assert letter.expires_at > letter.last_buried_at
        assert DeadLetter.model_validate_json(letter.model_dump_json()) == letter


TestLetterMachine = LetterMachine.TestCase
TestLetterMachine.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)

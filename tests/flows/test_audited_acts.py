"""What changes something writes it down first: where that fails, nothing is done."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from ab_testing.experiment import Experiment
from ab_testing.registry import Registry
from ab_testing.state import Action
from earmark.audit import AuditEntry
from earmark.errors import Unavailable
from earmark.vocabulary import Lane
from router.dead_letters.audit import Audit
from router.dead_letters.changes import Terms
from router.dead_letters.collector import Collector
from router.dead_letters.letter import State
from router.dead_letters.letters import Letters
from router.dead_letters.office import Office
from router.dead_letters.pace import Pace
from router.dead_letters.replayer import Replayer, Replaying
from tests.flows.world import World
from tests.making import make_failure

TERMS = Terms(keep=timedelta(days=7), replays_max=1)


class Chain:
    """Takes entries, and can be down."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.entries: list[AuditEntry] = []
        self.down = False

    def __call__(self, entries: Sequence[AuditEntry]) -> None:
        """Keep, or fail."""
        if self.down:
            message = "the chain is down"
            raise Unavailable(message)
        self.entries += entries

    @property
    def actions(self) -> list[tuple[str, str, str]]:
        """What was written down."""
        return [(entry.action, entry.target, entry.reason) for entry in self.entries]


class Desk:
    """Dead letters, with a chain."""

    def __init__(self, world: World, letters: Letters) -> None:
        """Wrap the world."""
        self.world, self.letters, self.chain = world, letters, Chain()
        self.erased: set[str] = set()
        audit = Audit(world.warehouse, self.chain)
        self.collector = Collector(
            dead=world.dead,
            letters=letters,
            audit=audit,
            terms=TERMS,
            clock=world.clock,
            actor="ada",
            erased=lambda job: job.id in self.erased,
        )
        self.office = Office(letters=letters, audit=audit, find_record=world.find, clock=world.clock, actor="ada")
        self.replayer: Callable[[], Replayer] = lambda: Replayer(
            letters=letters,
            office=self.office,
            collector=self.collector,
            audit=audit,
            lanes=world.lanes,
            terms=TERMS,
            clock=world.clock,
            monotonic=lambda: 0.0,
            actor="ada",
            pace=Pace(None, monotonic=lambda: 0.0),
            pause=lambda _: False,
            plan=Replaying(canary=0),
            erased=lambda job: job.id in self.erased,
        )

    def bury(self, *words: str) -> list[str]:
        """Bury jobs and collect them, or those that wait; gives their ids."""
        if words:
            self.world.put(*words)
        leases = self.world.lanes[Lane.LOW].lease(99, 60)
        for lease in leases:
            self.world.clock.move(1)
            failure = make_failure().model_copy(update={"at": self.world.clock()})
            self.world.lanes[Lane.LOW].bury(lease, failure)
        self.collector.run_once()
        return [lease.job.id for lease in leases]

    def state(self, job_id: str) -> State | None:
        """Where a letter stands."""
        letter = self.letters.read(job_id)
        return letter.state if letter else None


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """One desk."""
    world = World(tmp_path)
    with Letters(world.store("state")) as letters:
        yield Desk(world, letters)


def test_a_discard_is_ordered_first(desk: Desk) -> None:
    """One link for all letters that wait, with whose they are; without it none is discarded."""
    ids = desk.bury("a", "b")
    desk.chain.down = True
    with pytest.raises(Unavailable):
        list(desk.office.discard(ids, "no use", stopped=lambda: False))
    assert [desk.state(each) for each in ids] == [State.OPEN, State.OPEN]
    desk.chain.down = False
    list(desk.office.discard([*ids, "f" * 32], "no use", stopped=lambda: False))
    assert desk.chain.actions == [("dlq.discard", each, "no use") for each in ids]
    assert {entry.tenant for entry in desk.chain.entries} == {"acme"}


def test_a_replay_is_ordered_first(desk: Desk) -> None:
    """Without it nothing is put."""
    ids = desk.bury("a")
    desk.chain.down = True
    with pytest.raises(Unavailable):
        desk.replayer().run(ids)
    assert desk.world.lanes[Lane.LOW].lease(9, 60) == []
    assert desk.state(ids[0]) is State.OPEN
    desk.chain.down = False
    assert desk.replayer().run(ids).put == 1
    assert desk.chain.actions == [("dlq.replay", ids[0], "")]


def test_a_quarantine_is_written_first(desk: Desk) -> None:
    """By the collector that decides it; without it the burial comes again."""
    ids = desk.bury("a")
    desk.replayer().run(ids)
    desk.chain.down = True
    with pytest.raises(Unavailable):
        desk.bury()
    assert desk.state(ids[0]) is State.REPLAYED
    desk.chain.down = False
    desk.collector.run_once()
    assert desk.state(ids[0]) is State.QUARANTINED
    assert desk.chain.actions[-1] == ("dlq.quarantine", ids[0], "1 replays failed")


def test_an_expiry_is_written_first(desk: Desk) -> None:
    """All of a step in one link; without it the letters stay."""
    ids = desk.bury("a", "b")
    desk.world.clock.move(8 * 86_400)
    desk.chain.down = True
    with pytest.raises(Unavailable):
        sum(desk.collector.expire() for _ in range(2))
    assert [desk.state(each) for each in ids] == [State.OPEN, State.OPEN]
    desk.chain.down = False
    assert sum(desk.collector.expire() for _ in range(2)) == 2
    assert sorted(desk.chain.actions) == sorted(("dlq.expire", each, "") for each in ids)


def test_what_was_erased_is_neither_kept_nor_replayed(desk: Desk) -> None:
    """A letter of it is passed over, and a later burial leaves none."""
    kept, erased = desk.bury("a", "b")
    desk.erased = {erased}
    progress = desk.replayer().run([kept, erased])
    assert (progress.put, progress.passed_over) == (1, 1)
    desk.world.put("c")
    [waiting] = [lease for lease in desk.world.lanes[Lane.LOW].lease(9, 60) if lease.job.id != kept]
    desk.erased.add(waiting.job.id)
    desk.world.lanes[Lane.LOW].bury(waiting, make_failure())
    assert desk.collector.run_once().buried == ()
    assert desk.state(waiting.job.id) is None
    assert desk.world.dead.lease(9, 60) == []


def test_a_decision_about_an_experiment_is_written_first(desk: Desk) -> None:
    """Who starts or stops one, and why; without it nothing is in force.  What changes nothing is not written."""
    store = desk.world.store("state")
    registry = Registry(store, desk.world.clock, chain=desk.chain)
    trial = Experiment.model_validate({"name": "trial", "coverage": 0.5})
    desk.chain.down = True
    with pytest.raises(Unavailable):
        registry.start(trial, actor="ada")
    assert registry.all() == []
    desk.chain.down = False
    registry.start(trial, actor="ada")
    registry.start(trial, actor="ada")
    registry.decide("trial", Action.ROLL_BACK, actor="guard", reason="harm")
    assert desk.chain.actions == [("experiment.start", "trial:1", ""), ("experiment.roll_back", "trial:1", "harm")]
    assert [(entry.before, entry.after) for entry in desk.chain.entries][-1] == ("running", "rolled_back")

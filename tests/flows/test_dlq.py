"""Dead letters from the dead queue to their end: nothing lost, nothing doubled, wherever a process dies."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from earmark.domain import Clip, Job, Lease
from earmark.errors import Unavailable
from earmark.ports import ObjectStore, Queue, Warehouse
from earmark.vocabulary import Lane
from router.dead_letters.audit import Audit
from router.dead_letters.changes import Terms
from router.dead_letters.collector import Collector
from router.dead_letters.letter import DeadLetter, State
from router.dead_letters.letters import Letters, name_of
from router.dead_letters.office import Office
from router.dead_letters.pace import Pace
from router.dead_letters.replayer import CLAIM_S, Progress, Replayer, Replaying
from tests.flaky import FlakyQueue, FlakyStore, FlakyWarehouse, When
from tests.flows.world import World
from tests.making import make_failure

pytestmark = pytest.mark.usefixtures("everywhere")

TERMS = Terms(keep=timedelta(days=7), replays_max=3)


class Desk:
    """One process that works with dead letters; several of one world share them."""

    def __init__(self, world: World, stack: ExitStack) -> None:
        """Wrap everything it touches."""
        self.world = world
        self.store = FlakyStore(world.store("state"))
        self.dead = FlakyQueue(world.dead)
        self.warehouse = FlakyWarehouse(world.warehouse)
        self.lanes = {lane: FlakyQueue(queue) for lane, queue in world.lanes.items()}
        store: ObjectStore = self.store
        dead: Queue = self.dead
        warehouse: Warehouse = self.warehouse
        self.letters = stack.enter_context(Letters(store))
        self.audit = Audit(warehouse)
        self.collector = Collector(
            dead=dead, letters=self.letters, audit=self.audit, terms=TERMS, clock=world.clock, actor="ada"
        )
        self.office = Office(
            letters=self.letters, audit=self.audit, find_record=world.find, clock=world.clock, actor="ada"
        )

    def replay(
        self,
        ids: list[str],
        *,
        meanwhile: Callable[[], None] = lambda: None,
        stop: threading.Event | None = None,
        rate: float | None = None,
        **plan: Any,
    ) -> Progress:
        """Replay letters; ``meanwhile`` happens at every pause, in which a second passes."""
        seconds = 0.0
        stop = stop or threading.Event()

        def pause(wanted: float | None) -> bool:
            nonlocal seconds
            if wanted != 0.0:
                seconds += 1.0 if wanted is None else wanted
                meanwhile()
            return stop.is_set()

        return Replayer(
            letters=self.letters,
            office=self.office,
            collector=self.collector,
            audit=self.audit,
            lanes=self.lanes,
            terms=TERMS,
            clock=self.world.clock,
            monotonic=lambda: seconds,
            actor="ada",
            pace=Pace(rate, monotonic=lambda: seconds),
            pause=pause,
            plan=Replaying(**plan),
        ).run(ids)

    def states(self) -> dict[str, State]:
        """Each letter's."""
        return {letter.id: letter.state for letter in self.office.each()}

    def letter(self, job: Job) -> DeadLetter:
        """The letter of a job."""
        found = self.office.look(job.id)
        assert found is not None
        return found

    def audited(self) -> list[str]:
        """Actions in the audit log, whose rows are read as any table's."""
        rows = self.world.warehouse._database.read(  # type: ignore[attr-defined]
            lambda connection: connection.execute("SELECT action FROM audit ORDER BY at, row_id").fetchall()
        )
        return [action for (action,) in rows]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Queues and stores."""
    return World(tmp_path)


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    """One process."""
    with ExitStack() as stack:
        yield Desk(world, stack)


def die(world: World, *words: str, lane: Lane = Lane.LOW, kind: str = "model_crashed") -> list[Job]:
    """Queue jobs and bury them."""
    jobs = world.put(*words, lane=lane)
    bury_waiting(world, lane, kind)
    return jobs


def bury_waiting(world: World, lane: Lane = Lane.LOW, kind: str = "model_crashed") -> list[Job]:
    """Bury every job that waits in a lane."""
    leases = world.lanes[lane].lease(1000, 60)
    for lease in leases:
        world.clock.move(0.001)
        world.lanes[lane].bury(lease, make_failure(kind).model_copy(update={"at": world.clock()}))
    return [lease.job for lease in leases]


def waiting(world: World, lane: Lane = Lane.LOW) -> list[Lease]:
    """The jobs in a lane, given back."""
    leases = world.lanes[lane].lease(1000, 60)
    for lease in leases:
        world.lanes[lane].release(lease)
    return leases


def test_a_job_that_failed_is_fixed_and_replayed(world: World, desk: Desk) -> None:
    """A real worker buries it; once the cause is gone, the same worker answers it with fresh tries."""
    [job] = world.put("text", lane=Lane.HIGH)
    with world.worker() as worker:
        worker.run_once()
        desk.collector.run_once()
        letter = desk.letter(job)
        assert (letter.state, letter.kind) == (State.OPEN, "not_audio")
        assert world.dead.lease(9, 60) == [], "it is in the store, and off the queue"
    hear = world._decode

    def mended(lease: Lease, path: Path) -> Clip:
        return hear(lease, Path("fine"))

    world._decode = mended  # type: ignore[method-assign]
    world.model = World(world.folder).model
    world.clock.move(60)
    assert desk.replay([job.id]).put == 1
    [lease] = waiting(world, Lane.HIGH)
    assert (lease.try_number, lease.history, lease.job.arm) == (1, (), job.arm)
    with world.worker() as worker:
        worker.run_once()
    assert desk.states() == {job.id: State.RESOLVED}
    record = world.record(job)
    assert record is not None
    assert record.status == "done"
    assert desk.audited() == ["dlq.replay"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("part", ["write", "ack"])
def test_a_collector_that_dies_loses_and_doubles_nothing(world: World, desk: Desk, part: str, when: When) -> None:
    """Before and after the store, before and after the acknowledgement."""
    jobs = die(world, "a", "b", "c")
    (desk.store if part == "write" else desk.dead).faults.fail(part, when=when)
    with pytest.raises(Unavailable):
        desk.collector.run_once()
    world.clock.move(1000)
    desk.collector.collect_all()
    letters = list(desk.office.each())
    assert sorted(letter.id for letter in letters) == sorted(job.id for job in jobs)
    assert [[failure.kind for failure in life.failures] for letter in letters for life in letter.lives] == [
        ["model_crashed"]
    ] * 3
    assert world.dead.lease(9, 60) == []


def test_two_collectors_share_the_work(world: World, desk: Desk) -> None:
    """Also of one letter, told to both: each burial once."""
    jobs = die(world, *(f"word {number}" for number in range(40)))
    with ExitStack() as stack:
        other = Desk(World(world.folder, name="worker-2"), stack)
        threads = [threading.Thread(target=each.collector.collect_all) for each in (desk, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    letters = list(desk.office.each())
    assert len(letters) == len(jobs)
    assert {len(letter.lives) for letter in letters} == {1}


@pytest.mark.parametrize(
    ("part", "method", "when", "put"),
    [
        ("store", "write", "before", 0),
        ("store", "write", "after", 0),
        ("warehouse", "append", "before", 0),
        ("lane", "put", "before", 0),
        ("lane", "put", "after", 1),
    ],
)
def test_a_replay_that_dies_can_be_repeated(
    world: World, desk: Desk, everywhere: str, part: str, method: str, when: When, put: int
) -> None:
    """Between claim, put and confirmation: the letter is open again, and its job is in its lane at most once.

    Pub/Sub does not know that it has a job already, so there a put whose answer was lost is repeated.
    """
    [job] = die(world, "a")
    desk.collector.run_once()
    world.clock.move(60)
    {"store": desk.store, "warehouse": desk.warehouse, "lane": desk.lanes[Lane.LOW]}[part].faults.fail(
        method, when=when
    )
    with pytest.raises(Unavailable):
        desk.replay([job.id])
    assert len(waiting(world)) == put
    world.clock.move(CLAIM_S)
    assert desk.letter(job).state is State.OPEN
    assert desk.replay([job.id]).put == 1
    lives = 1 if everywhere == "local" else 1 + put
    assert len(waiting(world)) == lives
    world.clock.move(60)
    bury_waiting(world)
    desk.collector.run_once()
    letter = desk.letter(job)
    assert (letter.state, len(letter.lives)) == (State.OPEN, 1 + lives)
    assert 1 <= letter.failed_replays <= lives, "the put whose answer was lost may count, as its job was worked on"


def test_a_replay_killed_between_claim_and_put(world: World, desk: Desk) -> None:
    """Nobody is left to say so: the claim runs out by itself, and until then nobody else puts the job."""
    [job] = die(world, "a")
    desk.collector.run_once()
    desk.lanes[Lane.LOW].faults.fail("put", error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        desk.replay([job.id])
    assert desk.letter(job).state is State.REPLAYED
    assert desk.replay([job.id]).passed_over == 1
    world.clock.move(CLAIM_S)
    assert desk.letter(job).state is State.OPEN
    assert desk.replay([job.id]).put == 1


def test_two_replays_at_once_put_a_letter_once(world: World, desk: Desk) -> None:
    """Each letter belongs to the one whose claim was stored."""
    jobs = die(world, *(f"word {number}" for number in range(30)))
    desk.collector.collect_all()
    world.clock.move(60)
    ids = [job.id for job in jobs]
    progress: list[Progress] = []
    with ExitStack() as stack:
        desks = [desk, Desk(World(world.folder, name="worker-2"), stack)]
        desks[1].world.clock.move(world.clock.time.timestamp() - desks[1].world.clock.time.timestamp())
        threads = [
            threading.Thread(target=lambda each=each: progress.append(each.replay(ids, canary=0))) for each in desks
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(each.put for each in progress) == 30
    assert sum(each.passed_over for each in progress) == 30
    assert len(waiting(world)) == 30
    assert desk.audited() == ["dlq.replay"] * 30


def test_a_canary_that_fails_stops_the_rest(world: World, desk: Desk) -> None:
    """Five are put, three fail again, and nothing more happens."""
    ids = [job.id for job in die(world, *(f"word {number}" for number in range(20)))]
    desk.collector.collect_all()
    world.clock.move(60)
    buried: list[Job] = []

    def bury_one() -> None:
        world.clock.move(1)
        for lease in world.lanes[Lane.LOW].lease(1, 600):
            world.lanes[Lane.LOW].bury(lease, make_failure().model_copy(update={"at": world.clock()}))
            buried.append(lease.job)

    progress = desk.replay(ids, meanwhile=bury_one)
    assert (progress.end, progress.put, progress.failed, len(buried)) == ("canary_failed", 5, 3, 3)
    assert sorted(desk.states().values()).count(State.OPEN) == 18


def test_a_canary_that_does_well_lets_the_rest_follow(world: World, desk: Desk) -> None:
    """Three of five have their answers; two more that failed do not stop the rest.  Newcomers are told of."""
    ids = [job.id for job in die(world, *(f"fine-{number}" for number in range(12)))]
    desk.collector.collect_all()
    world.clock.move(60)
    worker = world.worker()
    with worker as running:

        def work() -> None:
            world.clock.move(1)
            for _ in range(2):
                for lease in world.lanes[Lane.LOW].lease(1, 600):
                    world.lanes[Lane.LOW].bury(lease, make_failure().model_copy(update={"at": world.clock()}))
            running.run_once()

        turns = iter([work, lambda: die(world, "newcomer", lane=Lane.HIGH) and None, running.run_once])
        progress = desk.replay(ids, meanwhile=lambda: (next(turns, running.run_once)(), None)[1], follow=True)
    assert (progress.end, progress.put, progress.done, progress.failed) == ("put", 12, 10, 2)
    assert dict(progress.newcomers) == {"0" * 16: 1}
    assert sorted(desk.states().values()) == sorted([State.OPEN] * 3 + [State.RESOLVED] * 10)


def test_a_canary_without_workers_gives_up(world: World, desk: Desk) -> None:
    """The wait is bounded, and what was put stays put."""
    ids = [job.id for job in die(world, *(f"word {number}" for number in range(9)))]
    desk.collector.collect_all()
    progress = desk.replay(ids, canary_timeout_s=30)
    assert (progress.end, progress.put, progress.awaited) == ("canary_silent", 5, 5)
    assert len(waiting(world)) == 5


def test_the_rate_is_kept_and_ctrl_c_is_clean(world: World, desk: Desk) -> None:
    """Two a second; told to stop, every letter is either put or as it was."""
    ids = [job.id for job in die(world, *(f"word {number}" for number in range(20)))]
    desk.collector.collect_all()
    world.clock.move(60)
    stop = threading.Event()
    seen: list[int] = []

    def meanwhile() -> None:
        seen.append(len(waiting(world)))
        if seen[-1] >= 7:
            stop.set()

    progress = desk.replay(ids, canary=0, rate=2.0, meanwhile=meanwhile, stop=stop)
    assert (progress.end, progress.put) == ("stopped", 7)
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    states = list(desk.states().values())
    assert (states.count(State.REPLAYED), states.count(State.OPEN)) == (7, 13)


def test_the_third_failed_replay_is_quarantined_and_audited(world: World, desk: Desk) -> None:
    """It is passed over unless asked for."""
    [job] = die(world, "a")
    for _ in range(3):
        desk.collector.run_once()
        world.clock.move(60)
        assert desk.replay([job.id]).put == 1
        world.clock.move(60)
        bury_waiting(world)
    desk.collector.run_once()
    assert desk.letter(job).state is State.QUARANTINED
    assert desk.audited() == [*["dlq.replay"] * 3, "dlq.quarantine"]
    assert desk.replay([job.id]).passed_over == 1
    assert desk.replay([job.id], states=frozenset({State.OPEN, State.QUARANTINED})).put == 1


def test_a_job_answered_meanwhile_is_not_put(world: World, desk: Desk) -> None:
    """Somebody sent the same content again, and that was done."""
    [job] = die(world, "fine")
    desk.collector.run_once()
    world.put("fine")
    with world.worker() as worker:
        worker.run_once()
    assert desk.replay([job.id]).passed_over == 1
    assert desk.letter(job).state is State.RESOLVED
    assert waiting(world) == []


def test_letters_expire_with_a_row(world: World, desk: Desk) -> None:
    """After seven days they are gone, their acts in the audit log even if the warehouse was down when they happened."""
    kept, gone, dropped = die(world, "a", "b", "c")
    desk.collector.run_once()
    desk.warehouse.faults.fail("append")
    with pytest.raises(Unavailable):
        list(desk.office.discard([dropped.id], "no use", stopped=lambda: False))
    assert desk.letter(dropped).state is State.DISCARDED
    assert desk.audited() == []
    world.clock.move(6 * 86400)
    desk.replay([kept.id])
    world.clock.move(86400 + 1)
    assert desk.office.look(gone.id) is None, "its time is over though nobody has looked yet"
    assert sum(desk.collector.expire() for _ in range(2)) == 2
    assert list(desk.states()) == [kept.id]
    assert sorted(desk.audited()) == ["dlq.discard", "dlq.expire", "dlq.expire", "dlq.replay"]


def test_a_letter_that_cannot_be_read_stops_nobody(world: World, desk: Desk) -> None:
    """It is left out of lists; a burial of its job takes its place, its bytes kept aside."""
    first, second = die(world, "a", "b")
    desk.store.write(name_of(first.id), b"{", content_type="application/json")
    assert desk.states() == {}
    assert desk.collector.run_once().taken == 2
    assert set(desk.states()) == {first.id, second.id}
    [aside] = world.store("state").scan("unreadable-letters/")
    assert first.id in aside.name
    assert b"".join(world.store("state").read(aside.name)) == b"{"


def test_an_idle_collector_does_little(world: World, desk: Desk) -> None:
    """One look at the queue and one at the store."""
    assert desk.collector.run_once().taken == 0
    assert desk.dead.faults.calls == ["lease"]
    assert desk.store.faults.calls == ["scan"]

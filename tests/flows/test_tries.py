"""Three tries, exactly, whatever ended each; a drain is none."""

import threading
from pathlib import Path

import pytest

from earmark.vocabulary import Lane
from tests.flows.world import LIMITS, World
from workers.parts import WorkerLimits

pytestmark = pytest.mark.usefixtures("everywhere")


def run_out(world: World, *, turns: int = 8) -> None:
    """Work until nothing comes any more, letting the delays of retries pass."""
    with world.worker() as worker:
        for _ in range(turns):
            worker.run_once()
            world.clock.move(600)


@pytest.mark.parametrize(
    ("word", "kind", "stage"),
    [
        ("raise", "model_crashed", "predict"),
        ("crash", "model_crashed", "predict"),
        ("none", "no_answer", "predict"),
        ("bug", "internal", "decode"),
    ],
)
def test_a_job_that_always_fails_is_buried_on_its_third_try(tmp_path: Path, word: str, kind: str, stage: str) -> None:
    """Three tries, then the dead queue, with one record, the whole history, and a row per try; others are done."""
    world = World(tmp_path)
    bad, good = world.put(word, "fine")
    run_out(world)
    record = world.record(bad)
    assert record is not None
    assert record.status == "failed"
    assert [(each.try_number, each.kind, each.stage) for each in record.failures] == [
        (number, kind, stage) for number in (1, 2, 3)
    ]
    assert len({each.fingerprint for each in record.failures}) == 1
    [letter] = world.dead.lease(9, 60)
    assert letter.job.id == bad.id
    assert [each.try_number for each in letter.history] == [1, 2, 3]
    if stage == "predict":
        assert world.heard(word) >= 3
    fine = world.record(good)
    assert fine is not None
    assert fine.status == "done"
    assert world.lanes[Lane.LOW].lease(9, 60) == []
    [row] = world.warehouse.query("failures_by_kind")
    assert (row["kind"], row["failures"], row["final_failures"]) == (kind, 3, 1)
    assert world.leftovers() == []


def test_a_hang_costs_its_own_job_a_try_and_nobody_elses(tmp_path: Path) -> None:
    """A clip on which the model hangs is found by halving; the others have their answer from their first try."""
    limits = {name: getattr(LIMITS, name) for name in WorkerLimits.__dataclass_fields__} | {"predict_timeout_s": 0.3}
    world = World(tmp_path, limits=WorkerLimits(**limits))
    hanging, *others = world.put("hang", "fine-1", "fine-2")
    with world.worker() as worker:
        world.model.start()
        worker.run_once()
    assert [record.status for record in world.settled] == ["done", "done"]
    assert {record.job_id for record in world.settled} == {job.id for job in others}
    world.clock.move(600)
    [lease] = world.lanes[Lane.LOW].lease(9, 60)
    assert (lease.job.id, lease.try_number) == (hanging.id, 2)
    assert lease.history[0].kind == "timed_out"


def test_a_permanent_error_is_buried_at_once(tmp_path: Path) -> None:
    """What is no audio is rejected on its first try, with a remedy."""
    world = World(tmp_path)
    [job] = world.put("text")
    run_out(world, turns=1)
    record = world.record(job)
    assert record is not None
    assert record.status == "rejected"
    assert record.failures[0].kind == "not_audio"
    assert record.failures[0].remedy
    assert len(world.dead.lease(9, 60)) == 1


def test_a_dead_worker_is_a_try(tmp_path: Path) -> None:
    """A job whose worker vanishes three times is buried before a fourth, though nobody reported a failure."""
    world = World(tmp_path)
    [job] = world.put("fine")
    for number in (1, 2, 3):
        [lease] = world.lanes[Lane.LOW].lease(9, 60)
        assert lease.try_number == number
        world.clock.move(61)
    run_out(world, turns=1)
    record = world.record(job)
    assert record is not None
    assert record.status == "failed"
    assert [each.kind for each in record.failures] == ["worker_lost"] * 3
    assert not world.journal.exists()
    assert len(world.dead.lease(9, 60)) == 1


def test_a_drain_is_no_try(tmp_path: Path) -> None:
    """Told to stop with jobs in hand, a worker hands them back; they come again with the same try number."""
    world = World(tmp_path)
    world.put("hang", "fine")
    stop = threading.Event()
    with world.worker() as worker:
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        while not world.journal.exists():
            pass
        stop.set()
        worker.hurry()
        thread.join()
    leases = world.lanes[Lane.LOW].lease(9, 60)
    assert [(lease.try_number, lease.history) for lease in leases] == [(1, ()), (1, ())]
    assert world.model.loads == 1, "the batch is not halved and tried again by a worker that stops"
    assert world.leftovers() == []


def test_a_drain_finishes_the_batch(tmp_path: Path) -> None:
    """Within its time a draining worker settles what the model has."""
    world = World(tmp_path)
    jobs = world.put("fine-1", "fine-2")
    stop = threading.Event()
    with world.worker() as worker:
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        while not world.journal.exists():
            pass
        stop.set()
        thread.join()
    assert [record.status for record in map(world.record, jobs) if record] == ["done", "done"]


def test_a_suspect_takes_nobody_along(tmp_path: Path) -> None:
    """After a crash the guilty job runs alone, so that innocent ones are settled by then."""
    world = World(tmp_path)
    world.put("fine-1", "crash", "fine-2")
    run_out(world)
    assert sorted(record.status for record in world.settled) == ["done", "done", "failed"]
    assert len({record.job_id for record in world.settled}) == 3


def test_no_model_spends_no_tries(tmp_path: Path) -> None:
    """Where the model cannot be loaded the worker gives up, and the jobs wait untouched."""
    from earmark.errors import ModelUnavailable  # noqa: PLC0415
    from workers.model_process import ModelProcess  # noqa: PLC0415

    limits = {name: getattr(LIMITS, name) for name in WorkerLimits.__dataclass_fields__} | {"retry_delay_s": 0.01}
    world = World(tmp_path, limits=WorkerLimits(**limits))
    world.model = ModelProcess("tests.models:missing", {}, start_timeout_s=60)
    world.put("fine")
    with world.worker() as worker, pytest.raises(ModelUnavailable, match="no weights"):
        worker.run(threading.Event())
    [lease] = world.lanes[Lane.LOW].lease(9, 60)
    assert (lease.try_number, lease.history) == (1, ())


def test_kills_do_not_bury_bystanders(tmp_path: Path) -> None:
    """A worker killed again and again spends, after the first time, the try of one suspect at a kill and no more."""
    world = World(tmp_path)
    jobs = world.put(*(f"fine-{number}" for number in range(6)))
    for _ in range(2):
        with world.worker() as worker:
            leased = worker._admit()
            assert leased >= 1
            for flight in worker._flights():
                world.keeper.let_go(flight.lease)
            worker._decoding.clear()  # nothing of it is settled or handed back: the worker is gone
        world.model = World(tmp_path).model  # the next worker loads its own
        world.clock.move(61)
    run_out(world, turns=12)
    records = [world.record(job) for job in jobs]
    assert [record.status for record in records if record] == ["done"] * 6

"""While a part is down, nothing is lost and no try is spent; when it is back, work goes on by itself."""

import dataclasses
import threading
from pathlib import Path

import pytest

from earmark.clock import utc_now
from earmark.errors import ConfigurationError, Unavailable
from earmark.vocabulary import Lane
from tests.flaky import FlakyQueue, FlakyStore, FlakyWarehouse
from tests.flows.world import LIMITS, World
from workers.keeper import Keeper

QUICK = dataclasses.replace(LIMITS, retry_delay_s=0.01)


def test_a_full_disk_spends_no_try(tmp_path: Path) -> None:
    """Ten looks at a job that cannot be decoded for want of space leave it on its first try; then it is done."""
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=0))
    [job] = world.put("full")
    world.disk_full = True
    with world.worker() as worker:
        for _ in range(10):
            worker.run_once()
            world.clock.move(60)
        assert world.record(job) is None
        world.disk_full = False
        worker.run_once()
    record = world.record(job)
    assert record is not None
    assert (record.status, record.failures) == ("done", ())


@pytest.mark.parametrize("words", [("away",), ("away-1", "away-2", "fine")])
def test_clips_that_go_with_their_disk_spend_no_try(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Whatever they are heard with; the model is not blamed either.  Then the disk is back, and they are done."""
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=0))
    jobs = world.put(*words)
    world.disk_away = True
    with world.worker() as worker:
        for _ in range(10):
            worker.run_once()
            world.clock.move(60)
        assert world.record(jobs[0]) is None
        world.disk_away = False
        for _ in range(5):
            worker.run_once()
            world.clock.move(60)
    records = [world.record(job) for job in jobs]
    assert [(record.status, record.failures) for record in records if record] == [("done", ())] * len(words)


def test_an_error_of_the_system_while_decoding_spends_no_try(tmp_path: Path) -> None:
    """A recording causes none; the folder that clips are written to is away."""
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=0))
    [job] = world.put("fine")
    (tmp_path / "scratch").write_text("in the way")
    with world.worker() as worker:
        for _ in range(10):
            worker.run_once()
            world.clock.move(60)
        assert world.record(job) is None
        (tmp_path / "scratch").unlink()
        worker.run_once()
    record = world.record(job)
    assert record is not None
    assert (record.status, record.failures) == ("done", ())


@pytest.mark.parametrize("word", ["full", "away"])
def test_an_outage_that_never_ends_spends_tries(tmp_path: Path, word: str) -> None:
    """A job older than ``outage_max_s`` is buried after three more tries, so that nothing waits for ever."""
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=0, outage_max_s=300))
    [job] = world.put(word)
    world.disk_full = world.disk_away = True
    with world.worker() as worker:
        for _ in range(15):
            worker.run_once()
            world.clock.move(60)
    record = world.record(job)
    assert record is not None
    assert [failure.kind for failure in record.failures] == ["unavailable"] * 3


def test_results_that_cannot_be_written_are_kept(tmp_path: Path) -> None:
    """Settling gives up on a store that is down and ends the jobs when it is up again; nothing is heard twice."""
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=0.01))
    store = FlakyStore(world.results)
    world.results = store
    jobs = world.put("fine-1", "fine-2")
    store.faults.fail("write", 12)
    with world.worker() as worker:
        worker.run(threading.Event(), until_empty=True)
    assert [record.status for record in map(world.record, jobs) if record] == ["done", "done"]
    assert {record.failures for record in map(world.record, jobs) if record} == {()}
    assert [world.heard(word) for word in ("fine-1", "fine-2")] == [1, 1]
    assert world.leftovers() == []


@pytest.mark.parametrize("method", ["ack", "bury", "release"])
def test_a_queue_that_is_down_at_the_end_loses_nothing(tmp_path: Path, method: str) -> None:
    """What cannot be acknowledged, buried or released is, once the queue answers, without another try."""
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=0.01), clock=utc_now)
    queue = FlakyQueue(world.lanes[Lane.LOW])
    world.lanes[Lane.LOW] = queue
    world.keeper = Keeper(world.lanes, lease_s=60)
    word = {"ack": "fine", "bury": "text", "release": "none"}[method]
    [job] = world.put(word)
    queue.faults.fail(method, 6)
    with world.worker() as worker:
        worker.run(threading.Event(), until_empty=True)
    record = world.record(job)
    assert record is not None
    assert (record.status, len(record.failures)) == {
        "ack": ("done", 0),
        "bury": ("rejected", 1),
        "release": ("failed", 3),
    }[method]
    assert len(world.dead.lease(9, 60)) == (method != "ack")


def test_a_job_that_cannot_be_handed_back_stays_held(tmp_path: Path) -> None:
    """It is kept until the queue takes it, however many leases that lasts, and no try is spent."""
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=0))
    queue = FlakyQueue(world.lanes[Lane.LOW])
    world.lanes[Lane.LOW] = queue
    [job] = world.put("full")
    world.disk_full = True
    queue.faults.fail("release", 6)
    with world.worker() as worker:
        for _ in range(5):
            worker.run_once()
            world.clock.move(LIMITS.lease_s / 2)
            world.keeper.extend_all()
        assert queue.faults.calls.count("release") > 3
        world.disk_full = False
        for _ in range(3):
            worker.run_once()
            world.clock.move(LIMITS.lease_s)
    record = world.record(job)
    assert record is not None
    assert (record.status, record.failures) == ("done", ())


def test_a_drain_hands_back_when_the_queue_is_there_again(tmp_path: Path) -> None:
    """A worker told to end asks again for as long as it may drain."""
    world = World(tmp_path, limits=QUICK)
    queue = FlakyQueue(world.lanes[Lane.LOW])
    world.lanes[Lane.LOW] = queue
    [job] = world.put("full")
    world.disk_full = True
    queue.faults.fail("release", 4)
    with world.worker() as worker:
        worker.run_once()
        stop = threading.Event()
        stop.set()
        worker.run(stop)
    world.clock.move(1)
    [lease] = world.lanes[Lane.LOW].lease(9, 60)
    assert (lease.job.id, lease.try_number, lease.history) == (job.id, 1, ())


def test_a_queue_that_is_down_is_asked_again(tmp_path: Path) -> None:
    """Told to end when nothing waits, a worker does not take a queue that does not answer for an empty one."""
    world = World(tmp_path, limits=QUICK, clock=utc_now)
    [job] = world.put("fine")
    queue = FlakyQueue(world.lanes[Lane.HIGH])
    world.lanes[Lane.HIGH] = queue
    queue.faults.fail("lease", 3, error=Unavailable("no route"))
    with world.worker() as worker:
        worker.run(threading.Event(), until_empty=True)
    record = world.record(job)
    assert record is not None
    assert record.status == "done"


def test_until_empty_waits_for_its_own_retries(tmp_path: Path) -> None:
    """A job that is due again in a moment is not left behind."""
    world = World(tmp_path, limits=QUICK, clock=utc_now)
    [job] = world.put("none")
    with world.worker() as worker:
        worker.run(threading.Event(), until_empty=True)
    record = world.record(job)
    assert record is not None
    assert (record.status, len(record.failures)) == ("failed", 3)


def test_a_missing_table_ends_the_worker_and_spends_no_try(tmp_path: Path) -> None:
    """What only a person can mend ends the worker at once, with its message; the jobs wait untouched."""
    world = World(tmp_path)
    warehouse = FlakyWarehouse(world.warehouse)
    world.warehouse = warehouse
    [job] = world.put("fine")
    warehouse.faults.fail("append", 2, error=ConfigurationError("There is no table jobs.  Run earmark init."))
    with world.worker() as worker, pytest.raises(ConfigurationError, match="earmark init"):
        worker.run(threading.Event())
    [lease] = world.lanes[Lane.LOW].lease(9, 60)
    assert (lease.job.id, lease.try_number, lease.history) == (job.id, 1, ())

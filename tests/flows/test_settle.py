"""Exactly one result: settling survives a crash at any point and never acts on a lost lease."""

from pathlib import Path
from typing import Any

import pytest

from earmark.domain import (
    Analysis,
    Done,
    Lease,
    Provenance,
    Reject,
    Retry,
    Settlement,
    Technical,
    Timings,
    record_name,
)
from earmark.metadata import AudioMetadata
from earmark.vocabulary import Lane
from tests.flaky import FlakyQueue, FlakyStore, FlakyWarehouse
from tests.flows.world import World
from tests.making import make_failure

pytestmark = pytest.mark.usefixtures("everywhere")


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs."""


def done(lease: Lease, world: World, confidence: float = 0.9) -> Settlement:
    """A finished job."""
    return Settlement(
        lease,
        Done(
            Analysis(
                job_id=lease.job.id,
                tenant=lease.job.upload.tenant,
                content_sha256=lease.job.upload.content_sha256,
                confidence=confidence,
                model="scripted",
                metadata=AudioMetadata(),
                technical=Technical(
                    duration_s=1, sample_rate_hz=8000, channels=1, codec="x", container="wav", size_bytes=1
                ),
                provenance=Provenance(model="scripted", model_version="1", pipeline="test", arm="primary", covered_s=1),
                timings=Timings(queued_s=0, decode_s=0, predict_s=0, total_s=0),
                cost_usd=0,
                created_at=world.clock(),
            )
        ),
        1.0,
    )


def lease_one(world: World) -> Lease:
    """Take the one job there is."""
    [lease] = world.lanes[Lane.LOW].lease(1, 60)
    world.keeper.hold([lease])
    return lease


@pytest.mark.parametrize("point", ["write", "append", "ack"])
def test_killed_at_any_point_leaves_one_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """Killed before the write, the row or the acknowledgement: the job comes again and ends with one record and row."""
    world = World(tmp_path)
    [job] = world.put("fine")
    part = {"write": world.results, "append": world.warehouse, "ack": world.lanes[Lane.LOW]}[point]

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(part, point, killed)
        with pytest.raises(Killed):
            world.settler().settle([done(lease_one(world), world)])
    world.clock.move(61)
    lease = lease_one(world)
    assert lease.try_number == 2
    world.settler().settle([done(lease, world, confidence=0.5)])
    record = world.record(job)
    assert record is not None
    assert record.analysis is not None
    assert record.analysis.confidence == (0.5 if point == "write" else 0.9), "the first result stands"
    assert record.received_at == lease.job.upload.received_at
    [row] = world.warehouse.query("analyses_by_content_type")
    assert row["analyses"] == 1
    assert world.lanes[Lane.LOW].lease(1, 60) == []


def test_a_lost_lease_writes_nothing(tmp_path: Path) -> None:
    """Once the keeper hears that a lease is lost, its worker neither writes, acknowledges nor buries."""
    world = World(tmp_path)
    [job] = world.put("fine")
    lease = lease_one(world)
    world.clock.move(61)
    [taken] = world.lanes[Lane.LOW].lease(1, 60)
    world.keeper.extend_all()
    assert world.settler().settle([done(lease, world)]) == []
    assert world.settler().settle([Settlement(lease, Retry(make_failure(), 0.0))]) == []
    assert world.record(job) is None
    world.keeper.hold([taken])
    assert world.settler().settle([done(taken, world)])


def test_two_workers_with_one_job_leave_one_result(tmp_path: Path) -> None:
    """A worker that does not know yet that it lost its lease cannot change the record or remove the other's job."""
    slow, quick = World(tmp_path, name="slow"), World(tmp_path, name="quick")
    [job] = slow.put("fine")
    late = lease_one(slow)
    quick.clock.move(61)
    mine = lease_one(quick)
    quick.settler().settle([done(mine, quick)])
    slow.settler().settle([done(late, slow, confidence=0.1)])
    record = quick.record(job)
    assert record is not None
    assert record.analysis is not None
    assert record.analysis.confidence == 0.9
    [row] = quick.warehouse.query("analyses_by_content_type")
    assert row["analyses"] == 1


def test_a_failure_never_replaces_a_result(tmp_path: Path) -> None:
    """A late failure of a job that is done elsewhere does not spoil its record."""
    world = World(tmp_path)
    [job] = world.put("fine")
    world.settler().settle([done(lease_one(world), world)])
    world.put("fine")
    for _ in range(3):
        lease = lease_one(world)
        world.settler().settle([Settlement(lease, Retry(make_failure(try_number=lease.try_number), 0.0))])
        world.clock.move(61)
    record = world.record(job)
    assert record is not None
    assert record.status == "done"
    assert world.dead.lease(1, 60) == []


def test_a_record_that_appears_meanwhile_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between looking for a record and writing one another worker may write its own; that one is kept."""
    slow, quick = World(tmp_path, name="slow"), World(tmp_path, name="quick")
    [job] = slow.put("fine")
    late = lease_one(slow)
    quick.clock.move(61)
    mine = lease_one(quick)
    write = slow.results.write

    def write_second(*arguments: Any, **options: Any) -> object:
        monkeypatch.undo()
        quick.settler().settle([done(mine, quick)])
        return write(*arguments, **options)

    monkeypatch.setattr(slow.results, "write", write_second)
    slow.settler().settle([done(late, slow, confidence=0.1)])
    record = quick.record(job)
    assert record is not None
    assert record.analysis is not None
    assert record.analysis.confidence == 0.9


def test_a_result_replaces_a_failure(tmp_path: Path) -> None:
    """Content that was rejected or failed once and is sent again has its analysis in the end."""
    world = World(tmp_path)
    [job] = world.put("fine")
    world.settler().settle([Settlement(lease_one(world), Reject(make_failure()))])
    world.put("fine")
    world.settler().settle([done(lease_one(world), world)])
    record = world.record(job)
    assert record is not None
    assert record.status == "done"


def test_a_retry_comes_after_its_delay(tmp_path: Path) -> None:
    """Not before, whoever asks."""
    world = World(tmp_path)
    world.put("fine")
    world.settler().settle([Settlement(lease_one(world), Retry(make_failure(), 10.0))])
    world.clock.move(9.9)
    assert world.lanes[Lane.LOW].lease(1, 60) == []
    world.clock.move(0.1)
    assert lease_one(world).try_number == 2


def test_the_row_of_a_job_names_the_failure_that_ended_it(tmp_path: Path) -> None:
    """Not the first one it met."""
    world = World(tmp_path)
    world.put("fine")
    for number, kind in enumerate(("no_answer", "model_crashed", "timed_out"), 1):
        lease = lease_one(world)
        world.settler().settle([Settlement(lease, Retry(make_failure(kind, number), 0.0))])
    kinds = world.warehouse._database.read(  # type: ignore[attr-defined, unused-ignore]
        lambda connection: connection.execute("SELECT error_kind, tries FROM jobs").fetchall()
    )
    assert kinds == [("timed_out", 3)]


def test_a_store_that_stumbles_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that fails now and then costs neither the job nor the batch anything."""
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    world = World(tmp_path)
    [job] = world.put("fine")
    store, warehouse, queue = (
        FlakyStore(world.results),
        FlakyWarehouse(world.warehouse),
        FlakyQueue(world.lanes[Lane.LOW]),
    )
    for part, method in ((store, "write"), (warehouse, "append"), (queue, "ack")):
        part.faults.fail(method, 2)
    lease = lease_one(world)
    world.results, world.warehouse, world.lanes[Lane.LOW] = store, warehouse, queue  # type: ignore[assignment, unused-ignore]
    assert len(world.settler().settle([done(lease, world)])) == 1
    assert world.record(job) is not None


def test_a_damaged_record_is_written_anew(tmp_path: Path) -> None:
    """What somebody broke by hand stops neither the worker nor the job."""
    world = World(tmp_path)
    [job] = world.put("fine")
    world.results.write(record_name(job.upload.tenant, job.id), b"{broken", content_type="application/json")
    with world.worker() as worker:
        worker.run_once()
    record = world.record(job)
    assert record is not None
    assert (record.status, len(record.failures)) == ("done", 0)

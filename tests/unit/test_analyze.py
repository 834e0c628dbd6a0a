"""Seeing inputs through: whose word counts, how many are under way, what is counted."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from earmark.domain import Job, Record, Upload, job_id
from router.router import Known, Queued, Routed
from runtime.analyzing.analyze import Analyzer
from runtime.analyzing.inputs import Found
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock
from tests.flows.test_settle import done
from tests.flows.world import World
from tests.making import EPOCH, make_failure, make_job, make_lease, make_upload


def identity(upload: Upload) -> str:
    """The id of an upload's job, as in ``make_job``."""
    return job_id(upload.tenant, upload.content_sha256, "test")


def record_of(job: Job, status: str, world: World) -> Record:
    """How a job ended."""
    outcome = done(make_lease(job.upload.uri.removeprefix("file:///")), world).outcome
    ended = {"analysis": outcome.analysis} if status == "done" else {"failures": [make_failure()]}  # type: ignore[union-attr]
    return Record.model_validate(
        {
            "job_id": job.id,
            "tenant": job.upload.tenant,
            "status": status,
            "enqueued_at": EPOCH,
            "settled_at": EPOCH,
            **ended,
        }
    )


class Desk:
    """A router that queues everything but what it knows."""

    @staticmethod
    def identity(upload: Upload) -> str:
        """As the router."""
        return identity(upload)

    def __init__(self, *known: Record) -> None:
        """Know these."""
        self.queued: list[Job] = []
        self._known = {record.job_id: record for record in known}

    def route(self, uploads: Sequence[Upload]) -> list[Routed]:
        """Known or queued."""
        return [self._route(upload) for upload in uploads]

    def _route(self, upload: Upload) -> Routed:
        if identity(upload) in self._known:
            return Known(self._known[identity(upload)])
        job = make_job(upload.uri.removeprefix("file:///"))
        self.queued.append(job)
        return Queued(job)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Stores, and no waiting between looks at them."""
    monkeypatch.setattr("runtime.analyzing.analyze.LOOK_S", 0.001)
    return World(tmp_path)


@pytest.fixture
def results(tmp_path: Path) -> LocalObjectStore:
    """The results store, with a clock that stands still."""
    return LocalObjectStore(tmp_path / "stored", "results", clock=ManualClock())


def store(results: LocalObjectStore, record: Record) -> None:
    """Write a record as a worker does."""
    results.write(record.name, record.model_dump_json().encode(), content_type="application/json")


def test_an_old_failure_is_not_the_answer(world: World, results: LocalObjectStore) -> None:
    """What failed before and is queued again has its result when another process wrote a new record."""
    job = make_job("a")
    store(results, record_of(job, "rejected", world))
    looks = 0

    def working() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            store(results, record_of(job, "done", world))

    analyzer = Analyzer(
        router=Desk(),  # type: ignore[arg-type]  # an analyzer only routes
        results=results,
        upload=lambda path: make_upload(str(path)),
        working=working,
    )
    [result] = analyzer.run([Found(Path("a"))])
    assert result.status == "done"
    assert looks == 3


def test_inputs_under_way_are_bounded(world: World, results: LocalObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many inputs there are, only so many are looked at before the first ones end."""
    monkeypatch.setattr("runtime.analyzing.analyze.ROUTED_AT_ONCE", 2)
    monkeypatch.setattr("runtime.analyzing.analyze.PENDING_MAX", 3)
    desk, most = Desk(), 0

    def working() -> None:
        nonlocal most
        most = max(most, analyzer.progress.found - analyzer.progress.ended)
        while desk.queued:
            analyzer.settled(record_of(desk.queued.pop(), "done", world))

    def inputs() -> Iterator[Found]:
        return (Found(Path(f"input-{number}")) for number in range(20))

    analyzer = Analyzer(
        router=desk,  # type: ignore[arg-type]
        results=results,
        upload=lambda path: make_upload(str(path)),
        working=working,
    )
    found = [result.source for result in analyzer.run(inputs())]
    assert found == [f"input-{number}" for number in range(20)]
    assert most == 4


def test_every_end_is_counted_once(world: World, results: LocalObjectStore) -> None:
    """Known, analysed, rejected and failed inputs are told apart."""
    desk = Desk(record_of(make_job("known"), "done", world))
    words = ["known", "done", "rejected", "failed"]

    def working() -> None:
        while desk.queued:
            job = desk.queued.pop()
            analyzer.settled(record_of(job, job.upload.uri.removeprefix("file:///"), world))

    analyzer = Analyzer(
        router=desk,  # type: ignore[arg-type]
        results=results,
        upload=lambda path: make_upload(str(path)),
        working=working,
    )
    assert [result.status for result in analyzer.run(Found(Path(word)) for word in words)] == [
        "done",
        "done",
        "rejected",
        "failed",
    ]
    progress = analyzer.progress
    assert (progress.known, progress.done, progress.rejected, progress.failed) == (1, 1, 1, 1)
    assert progress.ended == progress.found == 4

"""Wiring: what is set reaches the part it is about."""

import multiprocessing
from pathlib import Path

import pytest

from earmark.errors import InputFault, InputRejected, Unavailable
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.local.backend import fetch_file
from runtime.wiring import connect, open_worker, pipeline_version
from tests.making import make_job, make_upload
from workers.models.catalogue import ModelSpec, find_model


def lease_and_leave(data: Path) -> int:
    """Lease what there is, in a process that is about to be killed."""
    return len(connect(Settings(data=data)).lanes[Lane.LOW].lease(9, 600))


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    """The queues of a backend know which workers of this machine are gone."""
    backend = connect(Settings(data=tmp_path))
    backend.lanes[Lane.LOW].put([make_job()])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(lease_and_leave, [tmp_path]) == 1
        assert backend.lanes[Lane.LOW].lease(9, 60) == []
        pool.terminate()
        pool.join()
    [lease] = backend.lanes[Lane.LOW].lease(9, 60)
    assert (lease.try_number, lease.history[0].kind) == (2, "worker_lost")


@pytest.mark.parametrize(("synchronous", "level"), [("FULL", 2), ("NORMAL", 1)])
def test_the_stores_sync_as_set(tmp_path: Path, synchronous: str, level: int) -> None:
    """Queues and warehouse alike."""
    backend = connect(Settings.model_validate({"data": tmp_path, "synchronous": synchronous}))
    for part in (*backend.lanes.values(), backend.dead, backend.warehouse):
        database = part._database  # type: ignore[union-attr]
        assert database.read(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0]) == level


def test_a_worker_serves_the_lanes_it_is_given(tmp_path: Path) -> None:
    """One that is reserved for high leases nothing else."""
    settings = Settings(data=tmp_path)
    backend = connect(settings)
    backend.lanes[Lane.LOW].put([make_job()])
    with open_worker(settings, backend, lanes=frozenset({Lane.HIGH})) as worker:
        assert set(worker._parts.lanes) == {Lane.HIGH}
        assert worker._admit() == 0


def test_another_model_or_version_is_another_pipeline() -> None:
    """So that everything is analysed anew when answers may change."""
    spec = find_model("listener")
    versions = [spec.version, f"{spec.version}.1"]
    made = {pipeline_version(ModelSpec(**{**_fields(spec), "version": version})) for version in versions}
    made.add(pipeline_version(ModelSpec(**{**_fields(spec), "name": "other"})))
    assert len(made) == 3


def _fields(spec: ModelSpec) -> dict[str, object]:
    return {name: getattr(spec, name) for name in ModelSpec.__dataclass_fields__}


@pytest.mark.parametrize("uri", ["gs://bucket/name", "https://example.org/a.wav", "file://elsewhere/a.wav"])
def test_only_files_of_this_machine_are_fetched(uri: str) -> None:
    """An address of another kind is refused, never read as a path."""
    with pytest.raises(InputRejected) as refused, fetch_file(make_upload(uri=uri)):
        pass
    assert refused.value.fault is InputFault.NOT_FOUND


def test_an_upload_whose_bucket_is_gone_is_no_fault_of_its(tmp_path: Path) -> None:
    """A disk that is away postpones jobs; only an object that is missing in a bucket that is there is not found."""
    backend = connect(Settings(data=tmp_path))
    info = backend.bucket("uploads").write("acme/a.wav", b"RIFF", content_type="audio/wav")
    upload = make_upload(uri=backend.uri_of("uploads", info))
    with backend.fetch(upload) as path:
        assert path.read_bytes() == b"RIFF"
    (tmp_path / "objects" / "uploads").rename(tmp_path / "away")
    with pytest.raises(Unavailable, match="uploads"), connect(Settings(data=tmp_path)).fetch(upload):
        pass

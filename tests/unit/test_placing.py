"""Copies of local files in buckets of ours: put once, kept for their term; temporary ones go with their job."""

import hashlib
from functools import partial
from pathlib import Path

import pytest

from earmark.domain import Upload
from earmark.errors import InputFault, InputRejected
from earmark.settings import Settings
from runtime.backend import TEMPORARY, UPLOADS, Backend
from runtime.local.backend import connect_local
from runtime.routing.placing import Placing, TemporaryUploads
from tests.clock import ManualClock
from tests.making import make_job, make_upload


class Place:
    """A backend in a folder, and a file."""

    def __init__(self, folder: Path) -> None:
        """Make both."""
        self.clock = ManualClock()
        self.backend: Backend = connect_local(Settings(data=folder / "data ♪%20"), self.clock)
        self.file = folder / "song.wav"
        self.file.write_bytes(b"sound")
        self.upload = make_upload("sound", uri=self.file.as_uri())

    def put(self, bucket: str) -> Upload:
        """Put the file into a bucket."""
        placing = Placing(self.backend.kept[bucket], partial(self.backend.uri_of, bucket))
        return placing.place(self.file, self.upload)

    def names(self, bucket: str) -> list[str]:
        """What is in a bucket."""
        return [info.name for info in self.backend.bucket(bucket).scan()]

    @property
    def temporary(self) -> TemporaryUploads:
        """What removes temporary uploads."""
        return TemporaryUploads(self.backend.kept[TEMPORARY], self.backend.object_of)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty backend."""
    return Place(tmp_path)


def test_a_copy_is_heard_in_place_of_the_file(place: Place) -> None:
    """It bears the name of its content, workers can fetch it, the catalogue knows it, and the file is not touched."""
    placed = place.put(UPLOADS)
    name = f"acme/by-content/{hashlib.sha256(b'sound').hexdigest()}"
    place.file.write_bytes(b"another")
    with place.backend.fetch(placed) as path:
        assert path.read_bytes() == b"sound"
    [row] = place.backend.catalogue.find(UPLOADS, name)
    assert (row.tenant, row.object_class, row.state, row.content_sha256) == (
        "acme", "upload", "active", place.upload.content_sha256,
    )  # fmt: skip
    address = place.backend.object_of(placed.uri)
    assert address is not None
    assert (address.bucket, address.name) == (UPLOADS, name)
    assert place.backend.object_of(place.file.as_uri()) is None


def test_the_same_content_is_stored_once_a_day(place: Place) -> None:
    """Brought again soon it is there already; later it has a copy and a term of its own."""
    first = place.put(UPLOADS)
    place.clock.move(86_400)
    assert place.put(UPLOADS).uri == first.uri
    place.clock.move(1)
    second = place.put(UPLOADS)
    assert place.put(UPLOADS).uri == second.uri
    rows = list(place.backend.catalogue.scan(UPLOADS))
    assert [row.name for row in rows] == place.names(UPLOADS)
    assert [row.name.partition("-2026")[2] for row in rows] == ["", "-01-02"]
    assert rows[1].created_at == place.clock()


def test_a_file_that_changes_is_not_kept(place: Place) -> None:
    """What was hashed is not what was copied: neither the copy nor a row stays."""
    place.file.write_bytes(b"other")
    with pytest.raises(InputRejected) as rejection:
        place.put(UPLOADS)
    assert rejection.value.fault is InputFault.CHANGED
    assert place.names(UPLOADS) == []
    assert list(place.backend.catalogue.scan(UPLOADS)) == []


def test_a_file_that_is_gone_is_told(place: Place) -> None:
    """The file may vanish between hashing and copying."""
    place.file.unlink()
    with pytest.raises(InputRejected) as rejection:
        place.put(UPLOADS)
    assert rejection.value.fault is InputFault.UNREADABLE


def test_temporary_copies_go_with_their_job(place: Place) -> None:
    """The job removes its own and those that were put there while it waited, and says so; all else is left."""
    placed, other = place.put(TEMPORARY), place.put(TEMPORARY)
    kept = place.put(UPLOADS)
    elsewhere = place.backend.bucket(TEMPORARY)
    for name in (f"other/by-content/{placed.content_sha256}-1", f"acme/by-content/{'0' * 64}-1"):
        elsewhere.write(name, b"sound", content_type="audio/wav")
    job = make_job("sound", upload=placed)
    place.clock.move(60)
    for _ in range(2):
        place.temporary.discard(job)
    assert place.names(TEMPORARY) == [f"acme/by-content/{'0' * 64}-1", f"other/by-content/{placed.content_sha256}-1"]
    assert len(place.names(UPLOADS)) == 1
    assert place.file.exists()
    for each in (placed, other):
        [gone] = place.backend.catalogue.find(TEMPORARY, str(place.backend.object_of(each.uri)[1]))  # type: ignore[index]
        assert (gone.state, gone.object_class, gone.job_id, gone.at) == (
            "deleted", "temporary", job.id, place.clock(),
        )  # fmt: skip
    assert list(place.backend.catalogue.scan(TEMPORARY)) == []
    again = place.put(TEMPORARY)
    place.temporary.discard(make_job("sound", upload=kept))
    assert str(place.backend.object_of(again.uri)[1]) not in place.names(TEMPORARY)  # type: ignore[index]
    assert len(place.names(UPLOADS)) == 1


@pytest.mark.parametrize(
    "uri", ["gs://bucket/a", "file:///elsewhere/a", "file://host/a", "http://a", "file:///%ff", "nothing"]
)
def test_what_is_in_no_bucket_of_ours(place: Place, uri: str) -> None:
    """No address leads out of our buckets, whatever is written in it."""
    assert place.backend.object_of(uri) is None
    data = place.backend.uri_of(UPLOADS, place.backend.state.write("a", b"", content_type="a/b")).removesuffix(
        "uploads/a"
    )
    for tail in ("", "uploads", "elsewhere/a", "uploads/../state/a", ".earmark/uploads/locks/1"):
        assert place.backend.object_of(data + tail) is None
    found = place.backend.object_of(data + "uploads/acme/%C3%B6%20%23.wav")
    assert found is not None
    assert found.name == "acme/ö #.wav"

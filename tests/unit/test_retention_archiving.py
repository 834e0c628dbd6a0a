"""Archiving: nothing is lost on the way, whatever happens in between."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from earmark.errors import ObjectMissing, Unavailable
from earmark.ports import ObjectInfo
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectState
from retention.archiving import STAY, Archiver, Archiving, read_archived
from retention.catalogue import object_id
from retention.packing import CONTENT_TYPE
from runtime.local.catalogue import LocalCatalogue
from runtime.local.object_store import LocalObjectStore
from runtime.local.warehouse import LocalWarehouse
from tests.clock import ManualClock
from tests.unit.test_retention_packing import samples, wave

SONG = wave(samples(16, 2, 30_000), after=b"LIST\4\0\0\0abcd")
NOISE = bytes(range(256)) * 300


@dataclass
class Attic:
    """Two buckets with a catalogue."""

    clock: ManualClock
    uploads: LocalObjectStore
    archive: LocalObjectStore
    catalogue: LocalCatalogue
    scratch: Path
    until: datetime | None

    def archiver(self, archive: LocalObjectStore | None = None) -> Archiver:
        """What is tested."""
        return Archiver(
            catalogue=self.catalogue,
            uploads=self.uploads,
            archive=archive or self.archive,
            scratch=self.scratch,
            clock=self.clock,
            stays_until=lambda _: self.until,
        )

    def put(self, name: str, content: bytes, content_type: str = "audio/wav") -> CatalogueRow:
        """An upload that the catalogue knows."""
        info = self.uploads.write(name, content, content_type=content_type)
        row = CatalogueRow(
            row_id=object_id("uploads", name, info.generation), tenant="acme", at=self.clock(), bucket="uploads",
            name=name, generation=info.generation, object_class="upload", tier="pro", region=None,
            size_bytes=info.size_bytes, content_type=content_type, content_sha256=None, job_id=None,
            created_at=info.created_at, state="active", expires_at=None, policy_version=None, notice=None,
            delete_after=None,
        )  # fmt: skip
        self.catalogue.record([row])
        return row

    def live(self, bucket: str) -> list[CatalogueRow]:
        """What the catalogue says is there."""
        return list(self.catalogue.scan(bucket))

    def given_back(self, name: str) -> bytes:
        """What a customer gets."""
        return b"".join(read_archived(self.archive, name, self.scratch))


@pytest.fixture
def attic(tmp_path: Path) -> Iterator[Attic]:
    """Empty buckets, and objects that stay for a year."""
    clock = ManualClock()
    root, warehouse = tmp_path / "objects", LocalWarehouse(tmp_path / "warehouse.sqlite", synchronous="NORMAL")
    uploads, archive = (LocalObjectStore(root, name, clock=clock) for name in ("uploads", "archive"))
    until = clock() + timedelta(days=365)
    yield Attic(clock, uploads, archive, LocalCatalogue(warehouse), tmp_path / "scratch", until)
    warehouse.close()


def test_audio_is_packed_and_comes_back(attic: Attic) -> None:
    """The original goes, the archive gives back its very bytes, and the row keeps its age."""
    row = attic.put("acme/song.wav", SONG)
    attic.clock.move(90 * 86_400)
    [done] = attic.archiver().archive([row])
    assert done.archiving == Archiving.PACKED
    assert done.size_bytes < len(SONG) / 2
    assert attic.uploads.stat("acme/song.wav") is None
    assert attic.given_back("acme/song.wav") == SONG
    assert attic.live("uploads") == []
    [archived] = attic.live("archive")
    assert (archived.created_at, archived.packed) == (row.created_at, True)
    assert archived.content_sha256 == hashlib.sha256(SONG).hexdigest()
    [old] = attic.catalogue.find("uploads", "acme/song.wav")
    assert old.state == ObjectState.ARCHIVED
    assert list(attic.scratch.iterdir()) == []


def test_what_does_not_shrink_is_copied(attic: Attic) -> None:
    """With its type; one that pretends to be packed by us is not believed."""
    rows = [attic.put("acme/a.mp3", NOISE, "audio/mpeg"), attic.put("acme/b.mp3", NOISE, CONTENT_TYPE)]
    assert [each.archiving for each in attic.archiver().archive(rows)] == [Archiving.COPIED] * 2
    assert [attic.given_back(row.name) for row in rows] == [NOISE] * 2
    types = [info.content_type for info in attic.archive.scan()]
    assert types == ["audio/mpeg", "application/octet-stream"]


@pytest.mark.parametrize("why", ["held", "soon", "replaced", "gone", "noticed", "elsewhere"])
def test_what_is_left(attic: Attic, why: str) -> None:
    """What is held, leaves soon, is another object by now or is in the archive already stays as it is."""
    row = attic.put("acme/song.wav", SONG)
    match why:
        case "held":
            attic.until = None
        case "soon":
            attic.until = attic.clock() + STAY
        case "replaced":
            attic.uploads.write(row.name, NOISE, content_type="audio/wav")
        case "gone":
            attic.uploads.delete(row.name, if_generation=row.generation)
        case "noticed":
            row = row.model_copy(update={"state": "noticed"})
        case "elsewhere":
            row = row.model_copy(update={"bucket": "archive"})
    before = list(attic.uploads.scan())
    assert all(each.archiving == Archiving.LEFT for each in attic.archiver().archive([row]))
    assert list(attic.uploads.scan()) == before
    assert list(attic.archive.scan()) == []


def test_a_hold_in_the_store_wins(attic: Attic) -> None:
    """One that is set while it is copied keeps the original, and the copy goes again."""
    row = attic.put("acme/song.wav", SONG)

    class Late(LocalObjectStore):
        def write(self, *args: object, **options: object) -> ObjectInfo:
            attic.uploads.protect(row.name, if_generation=row.generation, held=True)
            return super().write(*args, **options)  # type: ignore[arg-type]

    late = Late(attic.scratch.parent / "objects", "archive", clock=attic.clock)
    [done] = attic.archiver(late).archive([row])
    assert done.archiving == Archiving.LEFT
    assert b"".join(attic.uploads.read(row.name)) == SONG
    assert list(attic.archive.scan()) == []
    assert attic.live("archive") == []
    assert [each.state for each in attic.live("uploads")] == ["active"]


def test_killed_in_between(attic: Attic) -> None:
    """Whoever comes next copies over what a killed one left, and one copy counts."""
    row = attic.put("acme/song.wav", SONG)

    class Stuck(Exception):
        pass

    def die(_bucket: str, _row: CatalogueRow) -> None:
        raise Stuck

    archiver = attic.archiver()
    archiver._dated = die
    with pytest.raises(Stuck):
        list(archiver.archive([row]))
    assert attic.uploads.stat(row.name) is not None
    attic.clock.move(60)
    [done] = attic.archiver().archive([row])
    assert done.archiving == Archiving.PACKED
    [archived] = attic.live("archive")
    stored = attic.archive.stat(row.name)
    assert stored is not None
    assert archived.generation == stored.generation
    assert attic.given_back(row.name) == SONG


def test_an_overwritten_upload_replaces_its_archived_one(attic: Attic) -> None:
    """A name has one object in the archive, the latest that came there."""
    first = attic.put("acme/song.wav", SONG)
    list(attic.archiver().archive([first]))
    attic.clock.move(5)
    second = attic.put("acme/song.wav", NOISE)
    list(attic.archiver().archive([second]))
    assert attic.given_back("acme/song.wav") == NOISE
    assert len(attic.live("archive")) == 1


def test_damage_in_the_archive_is_told(attic: Attic) -> None:
    """What cannot be unpacked is an outage and no audio; what is not there is missing."""
    attic.archive.write("acme/song.wav", b"fLaC damaged", content_type=CONTENT_TYPE)
    with pytest.raises(Unavailable, match="cannot be unpacked"):
        attic.given_back("acme/song.wav")
    with pytest.raises(ObjectMissing):
        attic.given_back("acme/other.wav")

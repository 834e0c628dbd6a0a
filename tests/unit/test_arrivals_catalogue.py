"""What the catalogue is told of objects that arrive, and what it is not kept from hearing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from earmark.address import Address
from earmark.catalogued import object_id
from earmark.domain import Upload
from earmark.errors import ConfigurationError, InputFault, InputRejected, Unavailable
from earmark.kept_bucket import KeptBucket
from earmark.ports import ObjectInfo
from earmark.rows import CatalogueRow
from earmark.vocabulary import Lane, ObjectClass
from router.arrivals import PREFIX, Arrival, Arrivals
from router.lanes import load_rules
from router.router import Router
from router.tenants import Tenants
from runtime.local.catalogue import LocalCatalogue
from runtime.local.warehouse import LocalWarehouse
from tests.flaky import FlakyStore
from tests.flows.world import World

UNTIL = datetime(2027, 1, 1, tzinfo=UTC)


class Bucket:
    """An upload bucket of ours, with a catalogue."""

    def __init__(self, folder: Path, *, dates_itself: bool = True, tenants: Path | None = None) -> None:
        """Make it in a folder."""
        self.world = World(folder)
        self.store = FlakyStore(self.world.store("uploads"))
        self.catalogue = LocalCatalogue(LocalWarehouse(folder / "warehouse.sqlite"))
        self.fault: Exception | None = None
        self.protected: dict[str, datetime] = {}
        self.refused: set[str] = set()
        self.store.protect = self._protect  # type: ignore[method-assign]  # a local store forgets what it was told
        router = Router(
            lanes=self.world.lanes,
            find_record=self.world.find,
            rules=load_rules(None),
            pipeline="test",
            clock=self.world.clock,
        )
        self.arrivals = Arrivals(
            bucket="p-earmark-uploads",
            uploads=self.store,
            state=self.world.store("state"),
            router=router,
            tenants=Tenants(tenants),
            max_input_bytes=1000,
            clock=self.world.clock,
            kept=KeptBucket(
                "uploads",
                ObjectClass.UPLOAD,
                self.store,
                self._record,
                self.catalogue.find,
                self.world.clock,
                needed_until=lambda _: UNTIL,
                dates_itself=dates_itself,
            ),
            refuse=self._refuse,
        )

    def put(self, name: str, content: bytes = b"sound") -> ObjectInfo:
        """Upload an object."""
        return self.store.write(name, content, content_type="audio/wav")

    def row(self, name: str) -> CatalogueRow:
        """The one row of an object."""
        [row] = self.catalogue.find("uploads", name)
        return row

    def _record(self, rows: Sequence[CatalogueRow]) -> None:
        if self.fault is not None:
            raise self.fault
        self.catalogue.record(rows)

    def _protect(
        self, name: str, *, if_generation: int, held: bool | None = None, not_needed_after: datetime | None = None
    ) -> bool:
        assert not_needed_after is not None
        self.protected[f"{name}#{if_generation}"] = not_needed_after
        return True

    def _refuse(self, upload: Upload) -> None:
        if upload.content_sha256 in self.refused:
            raise InputRejected(InputFault.ERASED, "erased")


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    """An empty one."""
    return Bucket(tmp_path)


def test_an_arrival_is_catalogued(bucket: Bucket) -> None:
    """Under the bucket's short name, with owner, content and job; the store hears when nobody needs it any more."""
    info = bucket.put("acme/song.wav")
    bucket.world.clock.move(5)
    routed = bucket.arrivals.arrive("acme/song.wav", info.generation)
    row = bucket.row("acme/song.wav")
    assert row.row_id == object_id("uploads", "acme/song.wav", info.generation)
    assert (row.bucket, row.tenant, row.tier, row.object_class) == ("uploads", "acme", "free", "upload")
    assert (row.size_bytes, row.content_type, row.job_id, row.state) == (5, "audio/wav", routed.job_id, "active")
    assert (row.created_at, row.at) == (info.created_at, info.created_at)
    assert row.content_sha256 is not None
    assert bucket.protected == {f"acme/song.wav#{info.generation}": UNTIL}


@pytest.mark.parametrize("tail", ["", "-2026-03-01"])
def test_a_copy_that_we_put_there_is_no_arrival(bucket: Bucket, tail: str) -> None:
    """Whoever put it there routes it; what a customer puts beside it is one."""
    copy = bucket.put(f"acme/by-content/{'0' * 64}{tail}")
    bucket.put("acme/by-content/song.wav")
    assert [info.name for info in bucket.arrivals.missed()] == ["acme/by-content/song.wav"]
    assert bucket.arrivals.arrive(copy.name, copy.generation).arrival is Arrival.REPEATED
    assert bucket.arrivals.arrive("acme/by-content/song.wav").arrival is Arrival.QUEUED
    assert len(bucket.world.lanes[Lane.LOW].lease(9, 60)) == 1


def test_what_is_rejected_is_catalogued_too(bucket: Bucket) -> None:
    """It lies in the bucket as well and has to go in time; what was read of it is known."""
    info = bucket.put("acme/long.wav", b"x" * 1001)
    assert bucket.arrivals.arrive("acme/long.wav", info.generation).arrival is Arrival.REJECTED
    assert (bucket.row("acme/long.wav").content_sha256, bucket.row("acme/long.wav").job_id) == (None, None)


def test_a_refused_upload_is_rejected(bucket: Bucket) -> None:
    """What may not be heard is not queued; it lies there until its time is over."""
    bucket.arrivals.arrive("acme/a.wav", bucket.put("acme/a.wav").generation)
    bucket.refused.add(str(bucket.row("acme/a.wav").content_sha256))
    again = bucket.put("acme/b.wav")
    routed = bucket.arrivals.arrive("acme/b.wav", again.generation)
    assert routed.error is not None
    assert (routed.arrival, routed.error.fault) == (Arrival.REJECTED, InputFault.ERASED)
    assert bucket.row("acme/b.wav").content_sha256 in bucket.refused
    assert len(bucket.world.lanes[Lane.LOW].lease(9, 60)) == 1


def test_an_object_of_nobody_is_left_to_the_inventory(tmp_path: Path) -> None:
    """Without a customer there is no term: no row is made up."""
    (tmp_path / "tenants.toml").write_text("[acme]\ntier = 'pro'\nregion = 'eu'\n")
    bucket = Bucket(tmp_path, tenants=tmp_path / "tenants.toml")
    assert bucket.arrivals.arrive("nobody/a.wav", bucket.put("nobody/a.wav").generation).arrival is Arrival.REJECTED
    bucket.arrivals.arrive("acme/a.wav", bucket.put("acme/a.wav").generation)
    assert bucket.catalogue.find("uploads", "nobody/a.wav") == []
    assert (bucket.row("acme/a.wav").tier, bucket.row("acme/a.wav").region) == ("pro", "eu")


def test_what_was_replaced_says_so(bucket: Bucket) -> None:
    """A new generation has a row of its own; the one before is there no more, and what ended before stays so."""
    first = bucket.put("acme/a.wav", b"one")
    bucket.arrivals.arrive("acme/a.wav", first.generation)
    gone = bucket.row("acme/a.wav").model_copy(update={"state": "deleted", "at": bucket.world.clock()})
    bucket.catalogue.record([gone])
    for content in (b"two", b"three"):
        bucket.world.clock.move(60)
        bucket.arrivals.arrive("acme/a.wav", bucket.put("acme/a.wav", content).generation)
    states = [(row.state, row.size_bytes) for row in bucket.catalogue.find("uploads", "acme/a.wav")]
    assert states == [("active", 5), ("replaced", 3), ("deleted", 3)]


def test_telling_twice_changes_nothing(bucket: Bucket) -> None:
    """A second notification, also after the marker was lost, takes nothing back that was found out since."""
    info = bucket.put("acme/a.wav")
    bucket.arrivals.arrive("acme/a.wav", info.generation)
    bucket.world.clock.move(60)
    told = bucket.row("acme/a.wav").model_copy(update={"state": "noticed", "at": bucket.world.clock()})
    bucket.catalogue.record([told])
    assert bucket.arrivals.arrive("acme/a.wav", info.generation).arrival is Arrival.REPEATED
    state = bucket.world.store("state")
    marker = state.stat(f"{PREFIX}p-earmark-uploads/acme/a.wav")
    assert marker is not None
    state.delete(marker.name, if_generation=marker.generation)
    bucket.arrivals.arrive("acme/a.wav", info.generation)
    assert bucket.row("acme/a.wav") == told


@pytest.mark.parametrize("fault", [Unavailable("down"), ConfigurationError("no such table")])
def test_an_upload_is_heard_without_the_catalogue(bucket: Bucket, fault: Exception) -> None:
    """Where rows cannot be written the upload is queued all the same; the inventory finds it later."""
    bucket.fault = fault
    assert bucket.arrivals.arrive("acme/a.wav", bucket.put("acme/a.wav").generation).arrival is Arrival.QUEUED
    assert bucket.catalogue.find("uploads", "acme/a.wav") == []


def test_a_copied_file_is_as_old_as_its_arrival(tmp_path: Path) -> None:
    """A folder keeps the times of files that somebody copies into it; their term begins when they came."""
    bucket = Bucket(tmp_path, dates_itself=False)
    bucket.put("acme/old.wav")
    bucket.world.clock.move(400 * 86_400)
    bucket.arrivals.arrive("acme/old.wav")
    assert bucket.row("acme/old.wav").created_at == bucket.world.clock()


def test_what_is_gone_is_forgotten(bucket: Bucket) -> None:
    """Markers of objects that are gone go too, not those of objects that are there or that were just routed."""
    for name in ("acme/a.wav", "acme/b.wav", "acme/c.wav", "zeta/d.wav"):
        bucket.arrivals.arrive(name, bucket.put(name, name.encode()).generation)
    for name in ("acme/a.wav", "acme/c.wav", "zeta/d.wav"):
        info = bucket.store.stat(name)
        assert info is not None
        bucket.store.delete(name, if_generation=info.generation)
    assert bucket.arrivals.forget_gone() == 0
    bucket.world.clock.move(timedelta(minutes=11).total_seconds())
    assert bucket.arrivals.forget_gone("acme/") == 2
    assert bucket.arrivals.forget_gone() == 1
    left = [info.name for info in bucket.world.store("state").scan(PREFIX)]
    assert left == [f"{PREFIX}p-earmark-uploads/acme/b.wav"]
    assert list(bucket.arrivals.missed()) == []


def test_a_foreign_bucket_is_not_catalogued(tmp_path: Path) -> None:
    """What lies in a bucket that is not ours is routed, and neither catalogued nor touched."""
    bucket = Bucket(tmp_path)
    bucket.arrivals._kept = None
    routed = bucket.arrivals.arrive("acme/a.wav", bucket.put("acme/a.wav").generation)
    assert routed.arrival is Arrival.QUEUED
    assert routed.uri.startswith(Address("p-earmark-uploads", "acme/a.wav", None).uri)
    assert bucket.catalogue.find("uploads", "acme/a.wav") == []
    assert bucket.protected == {}

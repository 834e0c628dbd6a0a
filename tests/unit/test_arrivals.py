"""Objects in the upload bucket: each generation routed once, however often and in whatever order it is told."""

import json
from pathlib import Path

import pytest

from earmark.address import Address, read_address
from earmark.domain import Upload, job_id
from earmark.errors import InputFault
from earmark.vocabulary import Lane, Tier
from router.arrivals import PREFIX, Arrival, Arrivals
from router.lanes import load_rules
from router.router import Router
from router.tenants import Tenants
from tests.flows.test_settle import done
from tests.flows.world import World


class Bucket:
    """An upload bucket and what routes its objects, on local stores."""

    def __init__(self, folder: Path, tenants: Path | None = None, max_input_bytes: int = 1000) -> None:
        """Make them in a folder."""
        self.world = World(folder)
        self.uploads, self.state = self.world.store("uploads"), self.world.store("state")
        router = Router(
            lanes=self.world.lanes,
            find_record=self.world.find,
            rules=load_rules(None),
            pipeline="test",
            clock=self.world.clock,
        )
        self.arrivals = Arrivals(
            bucket="uploads",
            uploads=self.uploads,
            state=self.state,
            router=router,
            tenants=Tenants(tenants),
            max_input_bytes=max_input_bytes,
            clock=self.world.clock,
        )

    def put(self, name: str, content: bytes = b"sound") -> int:
        """Upload an object; gives its generation."""
        return self.uploads.write(name, content, content_type="audio/wav").generation

    def queued(self) -> list[Upload]:
        """Uploads of the jobs that wait."""
        return [lease.job.upload for lane in Lane for lease in self.world.lanes[lane].lease(99, 60)]


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    """An empty one."""
    return Bucket(tmp_path)


def test_a_new_object_becomes_a_job(bucket: Bucket) -> None:
    """Its tenant is the first part of its name, its address names its generation, its identity is its content."""
    generation = bucket.put("acme/2026/song.wav")
    routed = bucket.arrivals.arrive("acme/2026/song.wav", generation)
    [upload] = bucket.queued()
    assert routed.arrival is Arrival.QUEUED
    assert upload.uri == f"gs://uploads/acme/2026/song.wav#{generation}"
    assert (upload.tenant, upload.size_bytes) == ("acme", 5)
    assert routed.job_id == job_id("acme", upload.content_sha256, "test")


@pytest.mark.parametrize("name", ["acme/hash#1.wav", "acme/a#123.wav", "acme/pct%20x.wav", "acme/ä ♪ (1)?&+='\"\\.wav"])
def test_any_name_finds_its_way(bucket: Bucket, name: str) -> None:
    """The address of an upload leads back to the name, whatever signs are in it."""
    generation = bucket.put(name)
    assert bucket.arrivals.arrive(name, generation).arrival is Arrival.QUEUED
    [upload] = bucket.queued()
    assert read_address(upload.uri) == Address("uploads", name, generation)


def test_two_buckets_are_not_mixed_up(bucket: Bucket) -> None:
    """An object that was routed says nothing about one of the same name in another bucket."""
    bucket.arrivals.arrive("acme/a.wav", bucket.put("acme/a.wav"))
    other = Arrivals(
        bucket="archive",
        uploads=bucket.uploads,
        state=bucket.state,
        router=bucket.arrivals._router,
        tenants=Tenants(None),
        max_input_bytes=1000,
        clock=bucket.world.clock,
    )
    assert [info.name for info in other.missed()] == ["acme/a.wav"]


def test_a_second_notification_costs_no_reading(bucket: Bucket) -> None:
    """The same generation told again is found routed, before a byte of it is read."""
    generation = bucket.put("acme/song.wav")
    bucket.arrivals.arrive("acme/song.wav", generation)
    bucket.uploads.read = None  # type: ignore[assignment,method-assign]  # any reading would fail
    assert bucket.arrivals.arrive("acme/song.wav", generation).arrival is Arrival.REPEATED
    assert len(bucket.queued()) == 1


def test_an_older_generation_is_left_alone(bucket: Bucket) -> None:
    """A late notification about what was overwritten queues nothing; the newer one is routed."""
    older = bucket.put("acme/song.wav", b"first")
    newer = bucket.put("acme/song.wav", b"second")
    assert bucket.arrivals.arrive("acme/song.wav", newer).arrival is Arrival.QUEUED
    assert bucket.arrivals.arrive("acme/song.wav", older).arrival is Arrival.SUPERSEDED
    [upload] = bucket.queued()
    assert upload.size_bytes == 6
    marker = json.loads(b"".join(bucket.state.read(PREFIX + "uploads/acme/song.wav")))
    assert marker["generation"] == newer


def test_a_deleted_object_is_left_alone(bucket: Bucket) -> None:
    """A notification may come after its object is gone."""
    assert bucket.arrivals.arrive("acme/gone.wav", 1).arrival is Arrival.SUPERSEDED


def test_known_content_under_another_name_costs_nothing(bucket: Bucket) -> None:
    """Content that was analysed is known, whatever it is called."""
    bucket.arrivals.arrive("acme/a.wav", bucket.put("acme/a.wav"))
    [lease] = [lease for lane in Lane for lease in bucket.world.lanes[lane].lease(1, 60)]
    bucket.world.keeper.hold([lease])
    bucket.world.settler().settle([done(lease, bucket.world)])
    assert bucket.arrivals.arrive("acme/b.wav", bucket.put("acme/b.wav")).arrival is Arrival.KNOWN


@pytest.mark.parametrize("name", ["song.wav", "NoTenant/song.wav", "-/x"])
def test_an_object_of_nobody_is_rejected_once(bucket: Bucket, name: str) -> None:
    """An object without a tenant's name is rejected with a remedy, and not looked at again."""
    generation = bucket.put(name)
    routed = bucket.arrivals.arrive(name, generation)
    assert routed.arrival is Arrival.REJECTED
    assert routed.error is not None
    assert "TENANT/FILE" in routed.error.remedy
    assert bucket.arrivals.arrive(name, generation).arrival is Arrival.REPEATED
    assert bucket.queued() == []


def test_limits_of_the_tenant_hold(tmp_path: Path) -> None:
    """Tier, region and size limit come from the file of tenants."""
    tenants = tmp_path / "tenants.toml"
    tenants.write_text('[acme]\ntier = "enterprise"\nregion = "EU"\nmax_input_bytes = 8\n')
    bucket = Bucket(tmp_path, tenants)
    bucket.arrivals.arrive("acme/a.wav", bucket.put("acme/a.wav", b"12345678"))
    [upload] = bucket.queued()
    assert (upload.tier, upload.region) == (Tier.ENTERPRISE, "EU")
    routed = bucket.arrivals.arrive("acme/b.wav", bucket.put("acme/b.wav", b"123456789"))
    assert routed.error is not None
    assert routed.error.fault is InputFault.TOO_LARGE


def test_what_was_missed_is_found(bucket: Bucket) -> None:
    """Objects without a notification, and later generations of routed ones, in order; nothing else."""
    names = [f"acme/{number:02}.wav" for number in range(12)]
    for name in names:
        generation = bucket.put(name, name.encode())
        if int(name[5:7]) % 3:
            bucket.arrivals.arrive(name, generation)
    bucket.put(names[4], b"overwritten")
    assert [info.name for info in bucket.arrivals.missed()] == [names[number] for number in (0, 3, 4, 6, 9)]
    assert [info.name for info in bucket.arrivals.missed("acme/0")] == [names[number] for number in (0, 3, 4, 6, 9)]
    assert list(bucket.arrivals.missed("acme/1")) == []
    bucket.world.clock.move(3600)
    bucket.put(names[1], b"overwritten much later")
    assert names[1] in [info.name for info in bucket.arrivals.missed()]

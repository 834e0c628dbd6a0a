"""What settling tells the catalogue, what it lets go of, and how it passes over what was erased."""

from collections.abc import Callable
from pathlib import Path

import pytest

from earmark.catalogued import object_id
from earmark.domain import Job, Reject, Retry, Settlement
from earmark.errors import ConfigurationError, ObjectHeld, Unavailable
from earmark.rows import CatalogueRow, Row
from earmark.vocabulary import Lane
from runtime.local.catalogue import LocalCatalogue
from runtime.local.warehouse import LocalWarehouse
from tests.flaky import FlakyWarehouse
from tests.flows.test_settle import Killed, done, lease_one
from tests.flows.world import World
from tests.making import make_exposure, make_failure
from workers.settle import Settler
from workers.shadows import Shadows


def settler(
    world: World,
    *,
    erased: Callable[[Job], bool] = lambda _: False,
    discard: Callable[[Job], None] = lambda _: None,
) -> Settler:
    """The settling end of a world."""
    return Settler(
        lanes=world.lanes,
        results=world.results,
        warehouse=world.warehouse,
        keeper=world.keeper,
        max_tries=3,
        clock=world.clock,
        on_settled=world.settled.append,
        shadows=Shadows(lane=world.lanes[Lane.LOW], arms=lambda _: world.shadow_arms, find_record=world.find),
        erased=erased,
        discard=discard,
    )


def rows_of(world: World, job: Job) -> list[CatalogueRow]:
    """What the catalogue knows of a job's record."""
    catalogue = LocalCatalogue(LocalWarehouse(world.folder / "warehouse.sqlite"))
    return catalogue.find("results", f"analyses/{job.upload.tenant}/{job.id}.json")


def test_a_record_is_catalogued(tmp_path: Path) -> None:
    """Its row names customer, tier, job and the generation that was written, in the same call as all other rows."""
    world = World(tmp_path)
    flaky = FlakyWarehouse(world.warehouse)
    world.warehouse = flaky
    [job] = world.put("fine")
    world.settler().settle([done(lease_one(world), world)])
    info = world.results.stat(f"analyses/acme/{job.id}.json")
    assert info is not None
    [row] = rows_of(world, job)
    assert row.row_id == object_id("results", info.name, info.generation)
    assert (row.tenant, row.tier, row.object_class, row.job_id, row.state) == (
        "acme",
        "free",
        "result",
        job.id,
        "active",
    )
    assert (row.created_at, row.size_bytes) == (info.created_at, info.size_bytes)
    assert flaky.faults.calls == ["append"]


def test_a_record_that_stands_is_catalogued_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between record and rows: the job comes again, and the row is that of the record which stands."""
    world = World(tmp_path)
    [job] = world.put("fine")

    def killed(_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(world.warehouse, "append", killed)
        with pytest.raises(Killed):
            world.settler().settle([done(lease_one(world), world)])
    assert rows_of(world, job) == []
    world.clock.move(61)
    world.settler().settle([done(lease_one(world), world)])
    info = world.results.stat(f"analyses/acme/{job.id}.json")
    assert info is not None
    assert [(row.generation, row.state) for row in rows_of(world, job)] == [(info.generation, "active")]


def test_a_record_that_is_replaced_says_so(tmp_path: Path) -> None:
    """A failure that a later success replaces is a generation of its own."""
    world = World(tmp_path)
    [job] = world.put("fine")
    world.settler().settle([Settlement(lease_one(world), Reject(make_failure()))])
    world.put("fine")
    world.settler().settle([done(lease_one(world), world)])
    assert [row.state for row in rows_of(world, job)] == ["active", "replaced"]


def test_rows_of_the_catalogue_keep_nothing_from_being_settled(tmp_path: Path) -> None:
    """Where there is no table for them yet, the job ends all the same, with all its other rows."""
    world = World(tmp_path)
    [job] = world.put("fine")

    class OldWarehouse(FlakyWarehouse):
        """Was made before there was a catalogue."""

        def append(self, rows: "list[Row]") -> None:  # type: ignore[override]
            """Refuse what there is no table for."""
            if any(isinstance(row, CatalogueRow) for row in rows):
                message = "there is no table catalogue"
                raise ConfigurationError(message)
            super().append(rows)

    world.warehouse = OldWarehouse(world.warehouse)
    assert [record.status for record in world.settler().settle([done(lease_one(world), world)])] == ["done"]
    [row] = world.warehouse.query("analyses_by_content_type")
    assert row["analyses"] == 1
    assert rows_of(world, job) == []
    assert world.lanes[Lane.LOW].lease(1, 60) == []


def test_other_faults_of_the_warehouse_are_told(tmp_path: Path) -> None:
    """A row that fits no table is a fault of ours, catalogue or not."""
    world = World(tmp_path)
    flaky = FlakyWarehouse(world.warehouse)
    flaky.faults.fail("append", 2, error=ConfigurationError("no such column"))
    world.warehouse = flaky
    world.put("fine")
    with pytest.raises(ConfigurationError, match="no such column"):
        world.settler().settle([done(lease_one(world), world)])


def test_what_was_erased_leaves_nothing(tmp_path: Path) -> None:
    """Its job is acknowledged without record, row or event, whatever it came to; its neighbours are settled."""
    world = World(tmp_path)
    jobs = world.put("gone", "failed", "again", "fine")
    kept = jobs[3].id
    leases = world.lanes[Lane.LOW].lease(4, 60)
    world.keeper.hold(leases)
    by_id = {lease.job.id: lease for lease in leases}
    discarded: list[str] = []
    outcomes = [
        done(by_id[jobs[0].id], world),
        Settlement(by_id[jobs[1].id], Reject(make_failure())),
        Settlement(by_id[jobs[2].id], Retry(make_failure(), 0.0)),
        done(by_id[kept], world),
    ]
    ended = settler(world, erased=lambda job: job.id != kept, discard=lambda job: discarded.append(job.id)).settle(
        outcomes
    )
    assert [record.job_id for record in ended] == [kept]
    assert [record.job_id for record in world.settled] == [kept]
    assert [info.name for info in world.results.scan()] == [f"analyses/acme/{kept}.json"]
    assert [rows_of(world, job) for job in jobs[:3]] == [[], [], []]
    assert world.warehouse.query("failures_by_kind") == []
    assert world.dead.lease(9, 60) == []
    world.clock.move(61)
    assert world.lanes[Lane.LOW].lease(9, 60) == []
    assert sorted(discarded) == sorted(job.id for job in jobs)


@pytest.mark.parametrize("fault", [None, Unavailable("down"), ObjectHeld("held"), ConfigurationError("no right")])
def test_audio_for_one_job_is_let_go_of_when_it_ends(tmp_path: Path, fault: Exception | None) -> None:
    """After the acknowledgement, however the job ended; not while it will be tried again; a fault is no harm."""
    world = World(tmp_path)
    jobs = world.put("fine", "bad", "again")
    leases = {lease.job.id: lease for lease in world.lanes[Lane.LOW].lease(3, 60)}
    world.keeper.hold(list(leases.values()))
    discarded: list[tuple[str, int]] = []

    def discard(job: Job) -> None:
        discarded.append((job.id, len(world.settled)))
        if fault is not None:
            raise fault

    ended = settler(world, discard=discard).settle(
        [
            done(leases[jobs[0].id], world),
            Settlement(leases[jobs[1].id], Reject(make_failure())),
            Settlement(leases[jobs[2].id], Retry(make_failure(), 0.0)),
        ]
    )
    assert len(ended) == 2
    assert sorted(discarded) == sorted((job.id, 2) for job in jobs[:2])


def test_a_shadow_hears_audio_before_it_goes(tmp_path: Path) -> None:
    """A job whose audio another model is to hear too lets go of it when that has ended."""
    world = World(tmp_path)
    world.shadow_arms = ("experimental",)
    [job] = world.put("fine", exposure=make_exposure("primary", shadow=True))
    discarded: list[Job] = []
    subject = settler(world, discard=discarded.append)
    subject.settle([done(lease_one(world), world)])
    assert discarded == []
    lease = lease_one(world)
    assert lease.job.shadow_of == job.id
    subject.settle([done(lease, world)])
    assert [each.upload for each in discarded] == [job.upload]

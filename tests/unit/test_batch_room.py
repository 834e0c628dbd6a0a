"""Feeding stops where a customer's audio of the day is used up, and goes on the next day."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from earmark.clock import utc_now
from earmark.rows import JobRow
from earmark.vocabulary import Lane, Tier
from router.batches.batch import BatchState
from router.batches.feeding import HELD, Feeding
from router.tenant import Tenant
from router.tenant_register import TenantRegister
from runtime.batches import desk as batch_desk
from runtime.batches import submit
from runtime.batches.parts import ROOM_REMEMBERED_S, open_room
from runtime.batches.progress import BatchProgress
from runtime.batches.room import AT_ONCE, PRESUMED_S
from tests.batch_world import TENANT, BatchWorld, _row
from tests.contracts.test_warehouse import job_row

LIMIT_S = 3600
FRESH_S = ROOM_REMEMBERED_S["local"] + 1


@pytest.fixture
def world(tmp_path: Path) -> BatchWorld:
    """Acme is registered as free, with an hour of audio a day."""
    world = BatchWorld(tmp_path)
    tenant = Tenant(name=TENANT, tier=Tier.FREE, audio_s_per_day=LIMIT_S)
    TenantRegister(world.backend.state).add(tenant)
    return world


@pytest.fixture
def feeding(world: BatchWorld) -> Iterator[Feeding]:
    """A feeder."""
    feeding = world.feeding()
    yield feeding
    feeding.close()


def run(feeding: Feeding) -> None:
    """Feed all that can be fed now."""
    while feeding.run_once():
        pass


def hear(world: BatchWorld, audio_s: float) -> int:
    """End all waiting jobs, each after so many seconds of audio; gives how many."""
    lane = world.backend.lanes[Lane.LOW]
    jobs = {job.id: job for job in world.waiting()}
    world.settle()
    rows: list[JobRow] = []
    for job in jobs.values():
        record = world.router()._find_record(job.upload.tenant, job.id)
        assert record is not None
        rows.append(_row(job, record).model_copy(update={"audio_s": audio_s}))
    world.backend.warehouse.append(rows)
    assert not lane.lease(1, 1)
    return len(rows)


def many(world: BatchWorld, count: int, tenant: str = TENANT, start: int = 0) -> list[str]:
    """So many addresses of different audio."""
    return world.put(*(f"{number}.wav" for number in range(start, start + count)), tenant=tenant)


def test_what_waits_is_counted_before_it_was_heard(world: BatchWorld, feeding: Feeding) -> None:
    """No job has ended, so that nobody knows: no more are queued than songs fit into the limit."""
    batch = world.make(many(world, 30))
    run(feeding)
    assert world.now(batch).queued == LIMIT_S / PRESUMED_S == 12
    assert world.now(batch).state is BatchState.FEEDING
    world.clock.move(FRESH_S)
    run(feeding)
    assert world.now(batch).queued == 12


def test_it_pauses_once_the_audio_is_used_up(world: BatchWorld, feeding: Feeding) -> None:
    """Until the next day, and for that customer alone."""
    batch = world.make(many(world, 30))
    run(feeding)
    assert hear(world, 400.0) == 12
    world.clock.move(FRESH_S)
    room, acme = open_room(world.settings, world.backend, world.clock), Tenant(name=TENANT, audio_s_per_day=LIMIT_S)
    midnight = datetime.combine(world.clock().date() + timedelta(days=1), datetime.min.time(), UTC)
    assert room.pause_of(world.now(batch), acme) == midnight
    run(feeding)
    assert (world.now(batch).queued, world.now(batch).state) == (12, BatchState.FEEDING)
    other = world.make(many(world, 3, "zeta"), "zeta")
    run(feeding)
    assert world.now(other).state is BatchState.FED
    world.clock.move((midnight - world.clock()).total_seconds())
    assert room.pause_of(world.now(batch), acme) is None
    run(feeding)
    assert world.now(batch).queued == 24


def test_the_mean_of_the_day_counts(world: BatchWorld, feeding: Feeding) -> None:
    """Short clips go on at once; at most so many wait at the same time, whatever their length may be."""
    batch = world.make(many(world, 300))
    run(feeding)
    hear(world, 1.0)
    world.clock.move(FRESH_S)
    run(feeding)
    assert world.now(batch).queued == 12 + AT_ONCE
    hear(world, 60.0)
    world.clock.move(FRESH_S)
    run(feeding)
    assert world.now(batch).queued == 12 + AT_ONCE
    assert world.waiting() == []


def test_a_higher_limit_ends_the_pause(world: BatchWorld, feeding: Feeding) -> None:
    """Without waiting for the next day."""
    batch = world.make(many(world, 14))
    run(feeding)
    hear(world, 300.0)
    world.clock.move(FRESH_S)
    run(feeding)
    assert world.now(batch).queued == 12
    register = TenantRegister(world.backend.state)
    register.change(TENANT, lambda acme: acme.model_copy(update={"audio_s_per_day": 86_400.0}))
    world.clock.move(60)
    run(feeding)
    assert world.now(batch).state is BatchState.FED


def test_who_has_no_limit_is_not_asked_about(world: BatchWorld) -> None:
    """An enterprise customer, and whoever is in no register: those come by command."""
    room = open_room(world.settings, world.backend, world.clock)
    room._warehouse = room._audio._warehouse = None  # type: ignore[assignment]  # a question would fail
    TenantRegister(world.backend.state).add(Tenant(name="big", tier=Tier.ENTERPRISE))
    assert room.room(Tenant(name="big", tier=Tier.ENTERPRISE)) is None
    assert room.room(Tenant(name="default")) is None
    assert room.paused_until(Tenant(name="default")) is None


def test_looks_are_remembered(world: BatchWorld, feeding: Feeding) -> None:
    """Steps cost no query each, and a day that is used up none at all until it is over."""
    world.make(many(world, 1))
    run(feeding)
    room, acme = open_room(world.settings, world.backend, world.clock), Tenant(name=TENANT, audio_s_per_day=LIMIT_S)
    asked = []
    query = world.backend.warehouse.query

    class Counted:
        """Counts what is asked."""

        def query(self, name: str, given: Any) -> Any:
            """See ``Warehouse``."""
            asked.append(name)
            return query(name, given)

    room._warehouse = room._audio._warehouse = Counted()  # type: ignore[assignment]
    assert [room.room(acme), room.room(acme)] == [11, 11]
    room.queued(TENANT, 5)
    assert room.room(acme) == 6
    assert sorted(asked) == ["audio_of_day", "batch_backlog"]
    world.backend.warehouse.append(
        [job_row(1, world.clock(), tenant=TENANT, status="done").model_copy(update={"audio_s": 4000.0})]
    )
    world.clock.move(FRESH_S)
    assert room.room(acme) == 0
    asked.clear()
    world.clock.move(3600)
    assert room.room(acme) == 0
    assert asked == []


def test_jobs_of_a_cancelled_batch_take_no_room(world: BatchWorld, feeding: Feeding) -> None:
    """Nobody will hear them."""
    first = world.make(many(world, 12))
    run(feeding)
    world.batches.cancel(TENANT, first.id)
    second = world.make(many(world, 12, start=100))
    world.clock.move(FRESH_S)
    run(feeding)
    assert world.now(second).queued == 12


def test_jobs_that_were_lost_take_no_room_for_ever(world: BatchWorld, feeding: Feeding) -> None:
    """After a day the batch is fed on."""
    batch = world.make(many(world, 20))
    run(feeding)
    world.clock.move(86_400 + FRESH_S)
    run(feeding)
    assert world.now(batch).queued == 20


def test_a_paused_batch_is_given_up(world: BatchWorld, feeding: Feeding) -> None:
    """Another feeder goes on with it the next day."""
    batch = world.make(many(world, 20))
    run(feeding)
    world.clock.move(HELD.total_seconds() + 1)
    run(feeding)
    assert world.now(batch).feeder == ""
    assert feeding._readings == {}


def test_whoever_submits_is_told(world: BatchWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the command waits, in place of how quickly it goes on."""
    heard = job_row(1, utc_now(), tenant=TENANT, status="done").model_copy(update={"audio_s": 4000.0})
    world.backend.warehouse.append([heard])
    monkeypatch.setattr(submit, "LINE_EVERY_S", 0.0)
    pauses, told = iter(range(2)), io.StringIO()

    def pause(_: float) -> None:
        if next(pauses, None) is None:
            raise KeyboardInterrupt

    console = Console(file=told, width=400)
    watch = submit._Watch(world.batches, world.counting(), console, world.settings, world.backend, pause)
    with pytest.raises(KeyboardInterrupt):
        watch.feed(world.make(many(world, 3)))
    assert "Feeding: 0 entries, 0% of the manifest, the customer's audio of this day is used up" in told.getvalue()
    assert world.waiting() == []


def test_it_is_said(world: BatchWorld) -> None:
    """To whoever looks on the command line."""
    batch = world.make(many(world, 1))
    progress = BatchProgress(entries=12, pending=0, done=12, known=0, failed=0, rejected=0, duplicate=0, left_s=5.0)
    until = datetime(2026, 3, 2, tzinfo=UTC)
    line = batch_desk.progress_line(batch, progress, until)
    assert "used up: paused until 2026-03-02 00:00 UTC" in line
    assert "left" not in line
    told = batch_desk.as_json(batch, progress, until)
    assert (told["paused_until"], told["paused_why"], told["left_s"]) == (until.isoformat(), "too_much_audio", None)
    assert batch_desk.as_json(batch, progress)["paused_until"] is None

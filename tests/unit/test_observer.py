"""Observers hear what happens in a worker, and no fault of theirs costs a job."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from earmark.domain import Failure, Lease, Record, Settlement
from earmark.rows import JobRow
from earmark.vocabulary import Lane
from tests.flows.world import World
from workers.observer import Observer, Observers


class Witness(Observer):
    """Remembers what it heard."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.rows: list[JobRow] = []
        self.retries: list[str] = []
        self.batches: list[tuple[Lane, int, float]] = []
        self.heard: Counter[str] = Counter()
        self.counts: list[int] = []

    def settled(self, settlement: Settlement, record: Record, row: JobRow) -> None:
        """A job ended."""
        assert settlement.lease.job.id == record.job_id == row.row_id
        self.rows.append(row)

    def retried(self, lease: Lease, failure: Failure) -> None:
        """A try failed."""
        del lease
        self.retries.append(failure.kind)

    def ended(self, lease: Lease) -> None:
        """A try came to its end."""
        del lease
        self.heard["ended"] += 1

    def held(self, count: int) -> None:
        """So many are held."""
        self.counts.append(count)

    def batch_begun(self, lane: Lane, jobs: int, audio_s: float) -> None:
        """A batch began."""
        self.batches.append((lane, jobs, audio_s))


class Faulty(Observer):
    """Fails at whatever it hears."""

    def __getattribute__(self, name: str) -> object:
        """Anything."""
        if name.startswith("_"):
            return super().__getattribute__(name)
        raise ZeroDivisionError


def test_an_observer_hears_each_job_once_with_the_row_of_the_warehouse(tmp_path: Path) -> None:
    """Those that end well and badly, each failed try, the batches, and how many jobs are held at each step."""
    world, witness = World(tmp_path), Witness()
    world.observers = Observers(Faulty(), witness)
    world.put("fine", "text", "raise")
    with world.worker() as worker:
        worker.run_once()
        for _ in range(2):
            world.clock.move(60)
            worker.run_once()
    assert Counter(row.status for row in witness.rows) == {"done": 1, "rejected": 1, "failed": 1}
    assert witness.retries == ["model_crashed"] * 2
    assert witness.heard["ended"] == 5
    assert sum(jobs for _, jobs, _ in witness.batches) == 4
    assert all(lane is Lane.LOW and audio_s > 0 for lane, _, audio_s in witness.batches)
    assert witness.counts[-1] == 0
    assert max(witness.counts) == 3


def test_a_fault_of_an_observer_is_logged_and_costs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The job has its record, and others hear of it."""
    world, witness = World(tmp_path), Witness()
    world.observers = Observers(Faulty(), witness)
    [job] = world.put("fine")
    with caplog.at_level(logging.ERROR), world.worker() as worker:
        worker.run_once()
    record = world.record(job)
    assert record is not None
    assert record.status == "done"
    assert len(witness.rows) == 1
    faults = [each for each in caplog.records if each.message == "observer.failed"]
    assert {each.__dict__["fields"]["observer"] for each in faults} == {"Faulty"}


def test_what_an_observer_does_not_override_is_nothing() -> None:
    """So that a new thing to hear breaks nobody."""

    class Deaf(Observer):
        """Hears nothing."""

    Observers(Deaf()).model_loaded("qwen", 1.5, 42)
    Observers(Deaf()).queue_answered()
    Observers().held(3)

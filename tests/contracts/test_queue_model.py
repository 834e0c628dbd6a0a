"""The queue against a model of a few lines: whatever happens in whatever order, no job is lost or given twice."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    multiple,
    rule,
    run_state_machine_as_test,
)

from earmark.domain import Job, Lease
from tests.contracts.conftest import QUEUES, QueueCase
from tests.making import make_failure, make_job

JOBS = [make_job(f"model {number}") for number in range(6)]
LEASE_S = 10.0


@dataclass
class Expected:
    """What the model knows about a job that is in the queue."""

    due_s: float
    order: int
    tries: int = 0
    token: str | None = None
    history: list[str] = field(default_factory=list)


class QueueMachine(RuleBasedStateMachine):
    """Puts, leases, acknowledges, releases, buries and lets time pass, on a queue and on the model."""

    factory: Callable[[Path], QueueCase]
    leases: Bundle[Lease] = Bundle("leases")

    def __init__(self) -> None:
        """Begin with an empty queue."""
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.case = type(self).factory(Path(self.folder.name))
        self.low = [self.case.open("low", worker) for worker in ("one", "two")]
        self.dead = self.case.open("dead")
        self.now_s = 0.0
        self.order = 0
        self.waiting: dict[str, Expected] = {}
        self.buried: dict[str, list[str]] = {}
        self.holders: dict[str, int] = {}
        """Which of the two workers was given a lease, by token."""

    def teardown(self) -> None:
        """Nothing that was put and not acknowledged is missing, nothing is there that should not be."""
        self.pass_time(1000.0)
        expected = sorted((job, entry.tries + 1) for job, entry in self.waiting.items())
        assert sorted((lease.job.id, lease.try_number) for lease in self.low[0].lease(99, LEASE_S)) == expected
        letters = {lease.job.id: [failure.kind for failure in lease.history] for lease in self.dead.lease(99, LEASE_S)}
        assert letters == self.buried
        self.folder.cleanup()

    @rule(jobs=st.lists(st.sampled_from(JOBS), max_size=4), which=st.integers(0, 1))
    def put(self, jobs: list[Job], which: int) -> None:
        """Put jobs, some of them there already."""
        new = {job.id for job in jobs} - set(self.waiting)
        if not self.case.coalesces:
            jobs = list({job.id: job for job in jobs if job.id in new and job.id not in self.buried}.values())
            new &= {job.id for job in jobs}
        assert self.low[which].put(jobs) == len(new)
        for job in jobs:
            if job.id in new and job.id not in self.waiting:
                self.order += 1
                self.waiting[job.id] = Expected(self.now_s, self.order)

    @rule(target=leases, limit=st.integers(1, 4), which=st.integers(0, 1))
    def lease(self, limit: int, which: int) -> MultipleResults[Lease]:
        """Lease: exactly the due ones, longest due first."""
        due = [(entry.due_s, entry.order, job) for job, entry in self.waiting.items() if entry.due_s <= self.now_s]
        expected = [job for _, _, job in sorted(due)[:limit]]
        leases = self.low[which].lease(limit, LEASE_S)
        if self.case.in_order:
            assert [lease.job.id for lease in leases] == expected
        else:
            assert len(leases) == len(expected)
            assert {lease.job.id for lease in leases} <= {job for _, _, job in due}
        for lease in leases:
            self.holders[lease.token] = which
            entry = self.waiting[lease.job.id]
            if entry.token is not None:
                entry.history.append("worker_lost")
            entry.tries += 1
            entry.token = lease.token
            entry.due_s = self.now_s + LEASE_S
            assert lease.try_number == entry.tries
            assert [failure.kind for failure in lease.history] == entry.history
        return multiple(*leases)

    @rule(seconds=st.sampled_from([1.0, LEASE_S / 2, LEASE_S]))
    def pass_time(self, seconds: float) -> None:
        """Let leases and delays run out."""
        self.now_s += seconds
        self.case.clock.move(seconds)

    @rule(leases=st.lists(leases, max_size=3, unique_by=lambda lease: lease.token))
    def extend(self, leases: list[Lease]) -> None:
        """Extend leases, some of them lost."""
        leases = self.of_one_worker(leases)
        lost = [lease for lease in leases if not self.is_held(lease)]
        assert self.low[self.holder(leases)].extend(leases, LEASE_S) == lost
        for lease in leases:
            if lease not in lost:
                self.waiting[lease.job.id].due_s = self.now_s + LEASE_S

    @rule(leases=st.lists(leases, max_size=3, unique_by=lambda lease: lease.token))
    def ack(self, leases: list[Lease]) -> None:
        """Acknowledge leases, some of them lost."""
        leases = self.of_one_worker(leases)
        lost = [lease for lease in leases if not self.is_held(lease)]
        assert self.low[self.holder(leases)].ack(leases) == lost
        for lease in leases:
            if lease not in lost:
                del self.waiting[lease.job.id]

    @rule(lease=consumes(leases), after_s=st.sampled_from([0.0, 3.0]), failed=st.booleans())
    def release(self, lease: Lease, after_s: float, failed: bool) -> None:  # noqa: FBT001
        """Give a job back, with or without a failure."""
        held = self.is_held(lease)
        failure = make_failure("timed_out") if failed else None
        assert self.low[self.holder([lease])].release(lease, after_s=after_s, failure=failure) == held
        if held:
            entry = self.waiting[lease.job.id]
            entry.due_s, entry.token = self.now_s + after_s, None
            entry.tries -= not failed
            entry.history += ["timed_out"] * failed

    @rule(lease=leases)
    def bury(self, lease: Lease) -> None:
        """Bury a job."""
        held = self.is_held(lease)
        assert self.low[self.holder([lease])].bury(lease, make_failure("rejected")) == held
        if held:
            self.buried[lease.job.id] = [*self.waiting.pop(lease.job.id).history, "rejected"]

    def is_held(self, lease: Lease) -> bool:
        """Whether the lease is the last one given of a job that is still there."""
        entry = self.waiting.get(lease.job.id)
        held = entry is not None and entry.token == lease.token
        return held and (self.case.late_holder_may_finish or entry.due_s > self.now_s)  # type: ignore[union-attr]

    def holder(self, leases: list[Lease]) -> int:
        """The worker that was given the leases."""
        return self.holders[leases[0].token] if leases else 0

    def of_one_worker(self, leases: list[Lease]) -> list[Lease]:
        """Those of the leases that the first one's worker was given: nobody has leases of others."""
        return [lease for lease in leases if self.holders[lease.token] == self.holder(leases)]


@pytest.mark.parametrize("name", QUEUES)
def test_queue_behaves_as_its_model(name: str) -> None:
    """No sequence of calls makes the queue differ from the model: none lost, none given twice, tries exact."""
    machine = type("Machine", (QueueMachine,), {"factory": staticmethod(QUEUES[name])})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60 if name == "local" else 25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

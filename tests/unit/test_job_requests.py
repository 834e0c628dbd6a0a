"""The register of jobs that were asked for."""

from pathlib import Path

import pytest

from earmark.domain import Upload, record_name
from earmark.errors import InputFault, InputRejected
from runtime.api.job_requests import JobRequests
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock
from tests.making import make_job, make_upload


class World:
    """The register, its stores and a clock."""

    def __init__(self, folder: Path) -> None:
        """Open them."""
        self.clock = ManualClock()
        self.state = LocalObjectStore(folder, "state", clock=self.clock)
        self.results = LocalObjectStore(folder, "results", clock=self.clock)
        self.requests = JobRequests(self.state, self.results, self.clock)
        self.queued: list[Upload] = []

    def ask(self, content: str = "sound") -> str:
        """Ask for a job; gives its id."""
        job = make_job(content, upload=make_upload(content))
        self.requests.add(job.id, job.upload, self.requests.before("acme", job.id))
        return job.id

    def end(self, job_id: str) -> None:
        """Write a record, of whatever content."""
        self.results.write(record_name("acme", job_id), b"{}", content_type="application/json")

    def sweep(self) -> int:
        """Sweep, and note what is queued again."""
        return self.requests.sweep(self.queued.append)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty register."""
    return World(tmp_path)


def test_a_request_is_there_until_its_end_was_seen(world: World) -> None:
    """Asked twice it is one."""
    job_id = world.ask()
    assert world.ask() == job_id
    found = world.requests.find("acme", job_id)
    assert found is not None
    assert (found.job_id, found.upload.tenant, found.asked_at) == (job_id, "acme", world.clock())
    assert world.requests.find("other", job_id) is None
    world.requests.ended("acme", job_id)
    world.requests.ended("acme", job_id)
    assert world.requests.find("acme", job_id) is None


def test_an_end_before_it_was_asked_for_is_none(world: World) -> None:
    """A record of an earlier try does not end the next one."""
    job_id = world.ask()
    world.end(job_id)
    world.ask()
    assert world.sweep() == 0
    world.end(job_id)
    assert world.sweep() == 1
    assert world.requests.find("acme", job_id) is None


def test_what_does_not_end_is_queued_again_and_given_up_at_last(world: World) -> None:
    """After ten minutes, and after a week."""
    job_id = world.ask()
    world.clock.move(600)
    assert (world.sweep(), world.queued) == (0, [])
    world.clock.move(1)
    assert world.sweep() == 0
    assert [upload.content_sha256 for upload in world.queued] == [make_upload().content_sha256]
    world.clock.move(7 * 86_400)
    assert world.sweep() == 1
    assert world.requests.find("acme", job_id) is None


def test_what_may_not_be_queued_is_forgotten(world: World) -> None:
    """Say it was erased."""
    world.ask()
    world.clock.move(601)

    def refuse(_: Upload) -> None:
        raise InputRejected(InputFault.ERASED, "It was erased")

    assert world.requests.sweep(refuse) == 1
    assert world.sweep() == 0


def test_a_damaged_entry_is_passed_over(world: World) -> None:
    """It keeps nobody from the others."""
    job_id = world.ask()
    world.state.write(f"requests/acme/{'0' * 32}.json", b"{", content_type="application/json")
    world.end(job_id)
    assert world.sweep() == 1
    assert world.requests.find("acme", "0" * 32) is None

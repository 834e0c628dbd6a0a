"""Claims in a bucket: a job is queued once, however many routers are told of it, and never hangs."""

import threading
from pathlib import Path

import pytest

from earmark.errors import Unavailable
from runtime.gcp.claims import QUEUED_S, TAKEN_OVER_S, BucketClaims
from tests.flows.test_settle import done, lease_one
from tests.flows.world import World
from tests.making import make_job

JOB = make_job("fine")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Stores whose clock stands still."""
    return World(tmp_path)


def claims(world: World) -> BucketClaims:
    """The claims as another process has them."""
    return BucketClaims(world.store("state"), world.results, clock=world.clock, wait_s=0)


def test_a_queued_job_is_not_queued_again(world: World) -> None:
    """Once confirmed, nobody else is to queue it."""
    first = claims(world)
    assert first.take(JOB)
    first.confirm(JOB)
    world.clock.move(QUEUED_S)
    assert not claims(world).take(JOB)
    assert claims(world).take(make_job("other"))


def test_one_of_many_routers_gets_it(world: World) -> None:
    """Of sixteen at the same moment one is told yes; the others are told no or to ask again."""
    answers: list[bool | None] = []
    barrier = threading.Barrier(16)

    def ask() -> None:
        mine = claims(world)
        barrier.wait()
        try:
            answers.append(mine.take(JOB))
        except Unavailable:
            answers.append(None)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(True) == 1
    assert len(answers) == 16


def test_a_router_that_died_is_succeeded(world: World) -> None:
    """A claim that was never confirmed is taken over; should its router live after all, the new claim stands."""
    late, heir = claims(world), claims(world)
    assert late.take(JOB)
    with pytest.raises(Unavailable, match="Another router"):
        heir.take(JOB)
    world.clock.move(TAKEN_OVER_S)
    assert heir.take(JOB)
    late.confirm(JOB)
    heir.confirm(JOB)
    assert not claims(world).take(JOB)


def test_a_job_that_ended_may_be_queued_again(world: World) -> None:
    """A record later than the claim ends it: the router asks only about jobs that have no answer."""
    [job] = world.put("fine")
    first = claims(world)
    assert first.take(job)
    first.confirm(job)
    world.settler().settle([done(lease_one(world), world)])
    assert claims(world).take(job)


def test_a_claim_does_not_last_for_ever(world: World) -> None:
    """A job whose record was deleted, or that waits for hours, is queued again when it is sent again."""
    first = claims(world)
    assert first.take(JOB)
    first.confirm(JOB)
    world.clock.move(QUEUED_S + 1)
    assert claims(world).take(JOB)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"state": "queued", "at": "yesterday"}', b"\xff"])
def test_a_damaged_claim_means_nothing(world: World, content: bytes) -> None:
    """What cannot be read stops nobody."""
    name = f"claims/acme/{JOB.id}.json"
    world.store("state").write(name, content, content_type="application/json")
    assert claims(world).take(JOB)

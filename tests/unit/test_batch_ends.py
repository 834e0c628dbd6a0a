"""Batches to their end: counts, following, jobs that vanished, cancelling, and who else wanted a job."""

from pathlib import Path

import pytest

from earmark.domain import Job
from earmark.errors import Unavailable
from earmark.vocabulary import Lane
from router.batches.batch import Batch, BatchState
from router.batches.cancelled import CancelledJobs
from runtime.api.job_requests import JobRequests
from runtime.batches.following import STUCK
from runtime.batches.parts import open_cancelled
from runtime.batches.progress import BatchProgress
from runtime.webhooks.webhook_event import batch_event
from tests.batch_world import TENANT, BatchWorld
from tests.flaky import FlakyStore


@pytest.fixture
def world(tmp_path: Path) -> BatchWorld:
    """Empty stores."""
    return BatchWorld(tmp_path)


def cancelled(world: BatchWorld) -> CancelledJobs:
    """What says which jobs to drop, and remembers nothing of batches."""
    found = open_cancelled(world.settings, world.backend, world.clock)
    found._fresh_s = 0.0
    return found


def test_a_batch_ends_when_its_jobs_have(world: BatchWorld) -> None:
    """Not before; somebody hears of it; nothing is left that only an open batch needs."""
    one, two = world.put("1.wav", "2.wav")
    batch = world.make([one, two, one, "bad"])
    following = world.following()
    assert following.follow_once() == 0
    world.feed()
    world.settle(1)
    assert following.follow_once() == 0
    found = world.count(batch)
    assert (found.entries, found.pending, found.done, found.duplicate, found.rejected) == (4, 1, 1, 1, 1)
    world.clock.move(10)
    world.settle(fail=lambda _: True)
    assert following.follow_once() == 1
    assert following.follow_once() == 0
    assert [each.id for each in world.ended] == [batch.id]
    assert world.now(batch).state is BatchState.ENDED
    found = world.count(batch)
    assert (found.pending, found.done, found.rejected, found.left_s) == (0, 1, 2, 0.0)
    assert [info.name for info in world.backend.state.scan("batches/")] == [f"batches/{TENANT}/{batch.id}/batch.json"]
    assert list(world.batches.open()) == []
    following.close()


def test_who_hears_of_an_end_may_fail(world: BatchWorld) -> None:
    """The batch has ended, and it hears again of the same end, whoever looks next."""
    batch = world.make(["bad"])
    world.feed()
    heard: list[Batch] = []

    def on_ended(ended: Batch) -> None:
        heard.append(ended)
        if len(heard) == 1:
            message = "told to fail"
            raise Unavailable(message)

    following = world.following(on_ended)
    assert following.follow_once() == 0
    assert world.now(batch).state is BatchState.ENDED
    following.close()
    world.clock.move(3600 * 25)
    other = world.following(on_ended)
    assert other.follow_once() == 1
    assert other.follow_once() == other.follow(TENANT, batch.id) == 0
    assert [each.model_dump_json() for each in heard] == [world.now(batch).model_dump_json()] * 2
    assert batch_event(heard[0], "").body == batch_event(heard[1], "").body
    assert list(world.batches.open()) == []
    other.close()


@pytest.mark.parametrize("state", [BatchState.ENDED, BatchState.CANCELLED])
def test_an_end_that_another_saved_first_is_not_told_otherwise(world: BatchWorld, state: BatchState) -> None:
    """Of two followers one decides; the other tells nothing of its own, and of a cancelled batch nobody does."""
    batch = world.make(["bad"])
    world.feed()
    slow, quick = world.following(), world.following()
    count = slow._counting.count

    def overtaken(batch: Batch, *, now: bool = False) -> BatchProgress:
        progress = count(batch, now=now)
        if now:
            if state is BatchState.ENDED:
                assert quick.follow_once() == 1
            else:
                world.batches.cancel(TENANT, batch.id)
            world.clock.move(1)
        return progress

    slow._counting.count = overtaken  # type: ignore[method-assign]
    assert slow.follow_once() == 0
    assert world.ended == [world.now(batch)] * (state is BatchState.ENDED)
    assert world.now(batch).state is state
    slow.close()
    quick.close()


def test_rate_and_time_left(world: BatchWorld) -> None:
    """Jobs that ended in the last minutes say how long the rest will take, lines that were not read yet among it."""
    batch = world.make(world.put(*(f"{number}.wav" for number in range(8))))
    feeding = world.feeding()
    feeding._step_entries = 4
    feeding.run_once()
    world.clock.move(100)
    world.settle(2)
    found = world.count(batch)
    assert (found.recent, found.rate_per_s) == (2, 0.02)
    assert found.left_s == pytest.approx((2 + 4) / 0.02)
    world.clock.move(1000)
    assert world.count(batch).left_s is None
    feeding.close()


def test_a_job_that_failed_before_counts_only_once_it_ended_again(world: BatchWorld) -> None:
    """Its old row is about another time."""
    [one] = world.put("1.wav")
    world.make([one])
    world.feed()
    world.settle(fail=lambda _: True)
    world.clock.move(60)
    batch = world.make([one])
    world.feed()
    assert world.count(batch).pending == 1
    world.clock.move(1)
    world.settle()
    assert world.count(batch).done == 1


def test_jobs_that_vanished_are_queued_again(world: BatchWorld) -> None:
    """After ten minutes without any end, then after twenty; what waits is not queued twice."""
    one, two, three = world.put("1.wav", "2.wav", "3.wav")
    batch = world.make([one, "bad", two, three, one])
    world.feed()
    [lost] = world.backend.lanes[Lane.LOW].lease(1, 60)
    world.backend.lanes[Lane.LOW].ack([lost])
    following = world.following()
    world.clock.move(STUCK.total_seconds())
    assert following.follow_once() == 0
    world.clock.move(1)
    assert following.follow_once() == 3
    assert following.follow_once() == 0
    assert len(world.waiting()) == 3
    assert world.ways(batch) == {1: "queued", 2: "rejected", 3: "queued", 4: "queued", 5: "duplicate"}
    world.clock.move(STUCK.total_seconds() + 1)
    assert following.follow_once() == 0, "the second time it is more patient"
    world.settle()
    assert following.follow_once() == 1
    following.close()


def test_cancelled_jobs_are_dropped(world: BatchWorld) -> None:
    """What waits of the batch alone is heard by nobody; what has ended stays."""
    one, two = world.put("1.wav", "2.wav")
    batch = world.make([one, two])
    world.feed()
    world.settle(1)
    after = world.batches.cancel(TENANT, batch.id)
    assert after is not None
    assert after.state is BatchState.CANCELLED
    assert world.settle() == []
    assert world.waiting() == []
    found = world.count(batch)
    assert (found.done, found.pending, found.cancelled, found.ended) == (1, 0, 1, 1)
    again = world.batches.cancel(TENANT, batch.id)
    assert again == after


@pytest.mark.parametrize("who", ["api", "upload", "batch"])
def test_jobs_that_somebody_else_wants_are_heard(world: BatchWorld, who: str) -> None:
    """A request of the API, the object's own arrival, or another batch that goes on."""
    one, two = world.put("1.wav", "2.wav")
    batch = world.make([one, two])
    world.feed()
    job = next(job for job in world.waiting() if job.upload.uri.endswith("1.wav"))
    if who == "api":
        JobRequests(world.backend.state, world.backend.results, world.clock).add(job.id, job.upload, None)
    elif who == "upload":
        world.backend.state.write("routed/uploads/acme/1.wav", b"{}", content_type="application/json")
    else:
        world.make([one])
        world.feed()
    world.batches.cancel(TENANT, batch.id)
    assert world.settle() == [job.id]


def test_other_batches_that_are_over_want_nothing(world: BatchWorld) -> None:
    """Cancelling both drops the job."""
    [one] = world.put("1.wav")
    batches = [world.make([one]), world.make([one])]
    world.feed()
    for batch in batches:
        world.batches.cancel(TENANT, batch.id)
    assert world.settle() == []


def test_whoever_leases_and_whoever_settles_are_of_one_mind(world: BatchWorld) -> None:
    """A job that was dropped at its lease is not rejected when it is settled, whoever asks for it in between."""
    batch = world.make(world.put("1.wav"))
    world.feed()
    [job] = world.waiting()
    world.backend.state.write(f"claims/{TENANT}/{job.id}.json", b"{}", content_type="application/json")
    judge = cancelled(world)
    assert not judge.dropped(job)
    world.batches.cancel(TENANT, batch.id)
    assert judge.dropped(job)
    assert world.backend.state.stat(f"claims/{TENANT}/{job.id}.json") is None, "it can be queued again"
    JobRequests(world.backend.state, world.backend.results, world.clock).add(job.id, job.upload, None)
    assert judge.dropped(job)
    assert not cancelled(world).dropped(job)


def test_an_unknown_answer_is_none(world: BatchWorld) -> None:
    """While the register is away, nothing is dropped and nothing is heard that may have to be."""
    batch = world.make(world.put("1.wav"))
    world.feed()
    [job] = world.waiting()
    state = FlakyStore(world.backend.state)
    judge = cancelled(world)
    judge._batches._state = state
    state.faults.down = True
    with pytest.raises(Unavailable):
        judge.dropped(job)
    assert not judge.dropped(_without_batch(job))
    assert batch.id == job.upload.batch


def _without_batch(job: Job) -> Job:
    return job.model_copy(update={"upload": job.upload.model_copy(update={"batch": None})})


def test_batches_are_listed_latest_first(world: BatchWorld) -> None:
    """From behind any of them on, and those of others never."""
    made = []
    for _ in range(3):
        made.append(world.make(["x"]).id)
        world.clock.move(1)
    world.make(["x"], tenant="acme-2")
    assert [batch.id for batch in world.batches.of_tenant(TENANT)] == made[::-1]
    assert [batch.id for batch in world.batches.of_tenant(TENANT, after=made[2])] == made[1::-1]
    assert world.batches.find("acme-2", made[0]) is None
    assert world.batches.find(TENANT, "../../etc") is None


def test_what_never_came_to_be_is_swept(world: BatchWorld) -> None:
    """A mark and a manifest without a batch go after a day; those of a batch stay."""
    batch = world.make(["x"])
    lost = "0" * 32
    for name in (f"open-batches/{TENANT}/{lost}", f"batches/{TENANT}/{lost}/manifest"):
        world.backend.state.write(name, b"x", content_type="text/plain")
    following = world.following()
    following.follow_once()
    assert len(list(world.batches.open())) == 2
    world.clock.move(86_401)
    following.follow_once()
    following.close()
    assert list(world.batches.open()) == [(TENANT, batch.id)]
    assert world.backend.state.stat(f"batches/{TENANT}/{lost}/manifest") is None

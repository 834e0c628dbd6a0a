"""What is special about the queue on Pub/Sub: exact tries over approximate counts, doubles, foreign messages."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.pubsub_v1.types import PubsubMessage, PullResponse

from earmark.domain import Lease
from earmark.errors import Unavailable
from earmark.wire import encode_job
from runtime.gcp import pubsub_queue
from runtime.gcp.messages import SOURCE_DELIVERIES, SOURCE_SUBSCRIPTION, UNDELIVERED
from runtime.gcp.pubsub_queue import PubSubQueue
from tests.contracts.pubsub_case import PubSubWorld
from tests.decoding import eventually
from tests.flaky import FlakyStore
from tests.making import make_failure, make_job

LEASE_S = 60.0
JOB = make_job("pubsub")


@pytest.fixture
def world(tmp_path: Path) -> PubSubWorld:
    """Empty queues on the emulator."""
    return PubSubWorld(tmp_path)


def one(queue: PubSubQueue) -> Lease:
    """The one job there is."""
    [lease] = queue.lease(9, LEASE_S)
    return lease


def delivered_twice(world: PubSubWorld, queue: PubSubQueue, lease: Lease) -> None:
    """Let Pub/Sub deliver a message that somebody holds to others too, as it may."""
    [held] = [each for token, each in queue._held.items() if token == lease.token]
    world.clients.subscriber.modify_ack_deadline(
        subscription=queue._subscription, ack_ids=[held.ack_id], ack_deadline_seconds=0
    )


def test_two_workers_with_one_message_both_may_finish(world: PubSubWorld) -> None:
    """Delivered twice at once: each holds a lease of its own, and once one has finished the message is gone."""
    first, second = world.open("low", "first"), world.open("low", "second")
    first.put([JOB])
    mine = one(first)
    delivered_twice(world, first, mine)
    other = one(second)
    assert other.token != mine.token
    assert first.ack([mine]) == []
    assert second.ack([other]) == []
    world.clock.move(10 * LEASE_S)
    assert first.lease(9, LEASE_S) == []


def test_two_workers_with_one_message_spend_two_tries(world: PubSubWorld) -> None:
    """Each of two that fail at once is a try that was made; the job is not given to a fourth."""
    first, second, third = (world.open("low", name) for name in ("first", "second", "third"))
    first.put([JOB])
    mine = one(first)
    delivered_twice(world, first, mine)
    other = one(second)
    assert first.release(mine, failure=make_failure("timed_out"))
    assert second.release(other, failure=make_failure("model_crashed"))
    last = one(third)
    assert last.try_number == 3
    assert [(failure.try_number, failure.kind) for failure in last.history] == [(1, "timed_out"), (2, "model_crashed")]


def test_a_worker_is_given_a_message_once(world: PubSubWorld) -> None:
    """A second delivery to the worker that holds the message begins nothing."""
    queue = world.open("low")
    queue.put([JOB])
    mine = one(queue)
    delivered_twice(world, queue, mine)
    assert queue.lease(9, LEASE_S) == []
    assert queue.ack([mine]) == []


class Forgetful:
    """A subscriber whose server forgets how often it has delivered, as Pub/Sub says it may."""

    def __init__(self, subscriber: Any) -> None:
        """Wrap a subscriber."""
        self._subscriber = subscriber

    def pull(self, **arguments: Any) -> PullResponse:
        """Pull; everything is delivered for the first time."""
        response: PullResponse = self._subscriber.pull(**arguments)
        for each in response.received_messages:
            each.delivery_attempt = 1
        return response

    def __getattr__(self, name: str) -> Any:
        """Everything else as it is."""
        return getattr(self._subscriber, name)


@pytest.mark.parametrize("ends", [("fail", "fail", "fail"), ("lost", "lost", "lost"), ("fail", "lost", "fail")])
def test_tries_are_exact_though_the_count_of_deliveries_is_not(world: PubSubWorld, ends: tuple[str, ...]) -> None:
    """With every delivery said to be the first, a job is worked on three times and not once more."""
    world.open("low").put([JOB])
    for begun, end in enumerate(ends, 1):
        queue = world.open("low", f"worker {begun}")
        queue._subscriber = Forgetful(queue._subscriber)  # type: ignore[assignment]
        lease = one(queue)
        if end == "lost":
            world.clock.move(LEASE_S)
        elif begun < 3:
            assert lease.try_number < 3
            queue.release(lease, failure=make_failure())
        else:
            assert lease.try_number == 3
            return
    spent = one(world.open("low"))
    assert (spent.try_number, len(spent.history)) == (4, 3)


def test_a_drain_is_no_try_however_often(world: PubSubWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given back again and again a message is renewed before Pub/Sub buries it, its failures kept."""
    monkeypatch.setattr(pubsub_queue, "RENEW_DELIVERIES", 3)
    queue, other = world.open("low"), world.open("low", "other")
    queue.put([JOB])
    queue.release(one(queue), failure=make_failure())
    messages = set()
    for _ in range(8):
        lease = one(queue)
        messages.add(queue._held[lease.token].message_id)
        assert (lease.try_number, len(lease.history)) == (2, 1)
        assert queue.release(lease)
    assert len(messages) > 1
    lease = one(other)
    assert (lease.try_number, len(lease.history)) == (2, 1)
    assert other.release(lease, failure=make_failure())
    assert one(queue).try_number == 3


def test_what_pubsub_itself_buried_is_told_apart(world: PubSubWorld) -> None:
    """A letter without a history of ours says who gave up on it and when."""
    attributes = {SOURCE_DELIVERIES: "100", SOURCE_SUBSCRIPTION: "earmark-low"}
    world.clients.publisher.publish(
        topic=world.names.topic("dead"), messages=[PubsubMessage(data=encode_job(JOB), attributes=attributes)]
    )
    letter = one(world.open("dead"))
    assert letter.job == JOB
    [failure] = letter.history
    assert failure.kind == UNDELIVERED
    assert "100 deliveries from earmark-low" in failure.message
    assert failure.remedy


def test_the_backstop_is_set(world: PubSubWorld) -> None:
    """Lanes lead to the dead letters after the most deliveries Pub/Sub allows; nothing expires, all is kept a week."""
    for name in ("high", "low", "dead"):
        made = world.clients.subscriber.get_subscription(subscription=world.names.subscription(name))
        assert made.message_retention_duration.total_seconds() == 7 * 86_400
        assert not made.expiration_policy.ttl
        if name != "dead":
            assert made.dead_letter_policy.dead_letter_topic == world.names.topic("dead")
            assert made.dead_letter_policy.max_delivery_attempts == 100


@pytest.mark.parametrize("data", [b"", b"not json", b"{}", b'{"v":1,"history":[]}', b'{"v":9}', bytes(2000)])
def test_what_is_no_job_stops_nobody(world: PubSubWorld, data: bytes) -> None:
    """Foreign messages go to the dead letters as they are, once, and the jobs beside them are given out."""
    queue = world.open("low")
    world.clients.publisher.publish(
        topic=world.names.topic("low"), messages=[PubsubMessage(data=data, attributes={"from": "elsewhere"})]
    )
    queue.put([JOB])
    assert one(queue).job == JOB
    world.clock.move(10 * LEASE_S)
    assert [lease.job.id for lease in queue.lease(9, LEASE_S)] == [JOB.id]
    dead = world.names.subscription("dead")
    [letter] = world.clients.subscriber.pull(
        request={"subscription": dead, "max_messages": 9, "return_immediately": True}
    ).received_messages
    assert letter.message.data == data
    assert letter.message.attributes["kind"] == "malformed_job"
    assert letter.message.attributes["from"] == "elsewhere"


def test_no_try_begins_that_cannot_be_written_down(world: PubSubWorld) -> None:
    """While the bucket is out of reach nothing is leased, and what was pulled is there again at once."""
    queue = world.open("low")
    store = FlakyStore(queue._admissions._store)
    queue._admissions._store = store
    queue.put([JOB])
    store.faults.down = True
    with pytest.raises(Unavailable):
        queue.lease(9, LEASE_S)
    store.faults.down = False
    lease = one(queue)
    assert (lease.try_number, lease.history) == (1, ())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Requests of three messages or ids."""
    monkeypatch.setattr(pubsub_queue, "PULL_MAX", 3)
    monkeypatch.setattr("runtime.gcp.messages.MESSAGES_MAX", 3)
    return None


@pytest.mark.usefixtures("small")
def test_large_numbers_go_in_several_requests(world: PubSubWorld) -> None:
    """Put, extend and acknowledge take any number; a pull gives what one request may."""
    queue = world.open("low")
    jobs = [make_job(f"many {number}") for number in range(10)]
    assert queue.put(jobs) == 10
    leases: list[Lease] = []
    while some := queue.lease(99, LEASE_S):
        assert len(some) <= 3
        leases += some
    assert sorted(lease.job.id for lease in leases) == sorted(job.id for job in jobs)
    assert queue.extend(leases, LEASE_S) == []
    assert queue.ack(leases) == []


def test_finished_messages_leave_nothing_behind(world: PubSubWorld) -> None:
    """What was written down about tries is gone when the last of them has ended."""
    queue = world.open("low")
    jobs = [make_job(f"clean {number}") for number in range(6)]
    queue.put(jobs)
    leases = queue.lease(9, LEASE_S)
    queue.release(leases[0], failure=make_failure())
    queue.release(leases[1])
    queue.bury(leases[2], make_failure())
    assert queue.ack(leases[3:]) == []
    again = queue.lease(9, LEASE_S)
    assert sorted(lease.try_number for lease in again) == [1, 2]
    assert queue.ack(again) == []
    assert eventually(lambda: not list(world.state.scan()))


def test_a_stopped_worker_loses_its_lease_to_itself_too(world: PubSubWorld) -> None:
    """A worker that was stopped past its lease may be given the job again: as its next try."""
    queue = world.open("low", "sleepy")
    queue.put([JOB])
    late = one(queue)
    world.clock.move(LEASE_S)
    assert queue.ack([late]) == [late]
    again = one(queue)
    assert again.try_number == 2
    assert [(failure.kind, failure.worker) for failure in again.history] == [("worker_lost", "sleepy")]


@pytest.mark.slow
def test_deadlines_of_the_server_itself(tmp_path: Path) -> None:
    """With nobody's hand on the clock: a lease lasts as long as it is extended, and ends when its worker stops."""
    world = PubSubWorld(tmp_path, ack_deadline_s=10)
    first, second = (world.open_as_it_is("low", name) for name in ("first", "second"))
    first.put([JOB])
    [lease] = first.lease(1, 10.0)
    ends = time.monotonic() + 11.0
    while time.monotonic() < ends:
        assert second.lease(1, 10.0) == []
        assert first.extend([lease], 10.0) == []
        time.sleep(1.0)
    assert first.extend([lease], 2.0) == []  # the last that is heard of the worker
    ends = time.monotonic() + 30.0
    while not (found := second.lease(1, 10.0)):
        assert time.monotonic() < ends
        time.sleep(0.2)
    assert (found[0].try_number, found[0].history[0].kind) == (2, "worker_lost")
    assert first.ack([lease]) == [lease]
    assert second.ack(found) == []


@pytest.mark.slow
def test_the_length_of_a_lease_is_ours_whatever_the_subscription_says(tmp_path: Path) -> None:
    """A subscription made with another deadline, or one that may not be looked at, changes no lease."""
    world = PubSubWorld(tmp_path, ack_deadline_s=600)
    queue = world.open_as_it_is("low", "short")
    queue._ack_deadline_s = None
    queue.put([JOB])
    [lease] = queue.lease(1, 3.0)
    assert queue._ack_deadline_s == 600.0
    other = world.open_as_it_is("low", "other")
    ends = time.monotonic() + 30.0
    while not (found := other.lease(1, 10.0)):
        assert time.monotonic() < ends, "the lease lasts as long as the subscription says"
        time.sleep(0.2)
    assert found[0].try_number == 2
    assert queue.ack([lease]) == [lease]

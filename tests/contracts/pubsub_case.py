"""Pub/Sub under the contract suite: the real emulator, with time in the test's hands.

The subscriptions here have the longest deadline there is, and what is due by the test's clock is made due on the
server by setting its deadline to 0, which is what Pub/Sub does itself when a deadline passes.
"""

import atexit
import os
import threading
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from google.api_core.exceptions import ServiceUnavailable
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.types import PullResponse

from earmark.clock import utc_now
from runtime.gcp.admissions import Admissions
from runtime.gcp.clients import Clients
from runtime.gcp.names import Names
from runtime.gcp.pubsub_queue import PubSubQueue
from runtime.gcp.setup import make_queues
from runtime.gcp.tries import Tries
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock
from tests.servers.pubsub import PubSubServer

LONGEST_S = 600


@cache
def server() -> PubSubServer:
    """One emulator for the whole run; every case has topics of its own."""
    started = PubSubServer()
    started.start()
    atexit.register(started.stop)
    return started


class DrivenClock(ManualClock):
    """A clock that lets the server know when it moves."""

    def __init__(self) -> None:
        """Start at a fixed time."""
        super().__init__()
        self.subscriber: TimedSubscriber | None = None

    def move(self, seconds: float) -> None:
        """Let time pass here and there."""
        super().move(seconds)
        if self.subscriber is not None:
            self.subscriber.expire()


class TimedSubscriber:
    """Google's client, except that deadlines pass by the test's clock."""

    def __init__(self, client: SubscriberClient, clock: ManualClock) -> None:
        """Wrap a client."""
        self._client = client
        self._clock = clock
        self._due: dict[tuple[str, str], datetime] = {}
        self._lock = threading.Lock()
        self.down = False
        """While true, every call fails as when there is no route."""

    def pull(self, request: dict[str, Any], **options: Any) -> PullResponse:
        """Pull, and note until when."""
        self._check()
        response = self._client.pull(request=request, **options)
        with self._lock:
            for each in response.received_messages:
                self._note(request["subscription"], each.ack_id, LONGEST_S)
        return response

    def modify_ack_deadline(
        self, *, subscription: str, ack_ids: Sequence[str], ack_deadline_seconds: int, **options: Any
    ) -> None:
        """Set deadlines by the test's clock."""
        self._check()
        with self._lock:
            for ack_id in ack_ids:
                self._note(subscription, ack_id, ack_deadline_seconds)
        self._client.modify_ack_deadline(
            subscription=subscription,
            ack_ids=ack_ids,
            ack_deadline_seconds=LONGEST_S if ack_deadline_seconds else 0,
            **options,
        )

    def acknowledge(self, *, subscription: str, ack_ids: Sequence[str], **options: Any) -> None:
        """Acknowledge."""
        self._check()
        self._client.acknowledge(subscription=subscription, ack_ids=ack_ids, **options)
        with self._lock:
            for ack_id in ack_ids:
                self._due.pop((subscription, ack_id), None)

    def expire(self) -> None:
        """Let the deadlines pass that have passed."""
        now = self._clock()
        with self._lock:
            due = [key for key, at in self._due.items() if at <= now]
            for key in due:
                del self._due[key]
        for subscription, ack_id in due:
            self._client.modify_ack_deadline(subscription=subscription, ack_ids=[ack_id], ack_deadline_seconds=0)

    def _note(self, subscription: str, ack_id: str, seconds: int) -> None:
        if seconds:
            self._due[subscription, ack_id] = self._clock() + timedelta(seconds=seconds)
        else:
            self._due.pop((subscription, ack_id), None)

    def _check(self) -> None:
        if self.down:
            message = "told to be down"
            raise ServiceUnavailable(message)


class DownPublisher:
    """Google's client, except that it fails while the subscriber is told to."""

    def __init__(self, client: PublisherClient, subscriber: TimedSubscriber) -> None:
        """Wrap a client."""
        self._client = client
        self._subscriber = subscriber

    def publish(self, **arguments: Any) -> object:
        """Publish."""
        self._subscriber._check()
        return self._client.publish(**arguments)


class PubSubWorld:
    """The three queues of one test on the emulator."""

    def __init__(self, folder: Path, *, ack_deadline_s: int = LONGEST_S) -> None:
        """Make topics and subscriptions of a name that nobody else has."""
        self.ack_deadline_s = ack_deadline_s
        os.environ |= server().environment
        self.clock = DrivenClock()
        self.clients = Clients("test", "US")
        self.names = Names("test", f"t{uuid.uuid4().hex[:12]}")
        make_queues(self.clients, self.names, ack_deadline_s=ack_deadline_s)
        self.subscriber = TimedSubscriber(self.clients.subscriber, self.clock)
        self.clock.subscriber = self.subscriber
        self.publisher = DownPublisher(self.clients.publisher, self.subscriber)
        self.state = LocalObjectStore(folder, "state", clock=self.clock)

    def open(self, name: str = "low", worker: str = "w") -> PubSubQueue:
        """A connection as another process has it."""
        return PubSubQueue(
            name,
            publisher=self.publisher,  # type: ignore[arg-type]  # has the one method that is used
            subscriber=self.subscriber,  # type: ignore[arg-type]  # has the three methods that are used
            topic=self.names.topic(name),
            subscription=self.names.subscription(name),
            dead_topic=self.names.topic("dead"),
            admissions=Admissions(self.state, name, worker=worker, clock=self.clock),
            tries=Tries(self.state, name),
            clock=self.clock,
            ack_deadline_s=LONGEST_S,
        )

    def open_as_it_is(self, name: str, worker: str) -> PubSubQueue:
        """A connection with the real clients, by the real clock."""
        return PubSubQueue(
            name,
            publisher=self.clients.publisher,
            subscriber=self.clients.subscriber,
            topic=self.names.topic(name),
            subscription=self.names.subscription(name),
            dead_topic=self.names.topic("dead"),
            admissions=Admissions(self.state, name, worker=worker, clock=utc_now),
            tries=Tries(self.state, name),
            clock=utc_now,
            ack_deadline_s=self.ack_deadline_s,
        )

    def break_it(self) -> None:
        """Let every call fail from now on."""
        self.subscriber.down = True

"""``PubSubQueue``: one lane, or the dead letters, as a Pub/Sub topic with one subscription.

A message lives from ``put`` to ``ack`` or ``bury``: a try that failed, a drain and a delay leave it where it is and
only say when Pub/Sub may deliver it again.  What Pub/Sub cannot do is done beside it, in a bucket:

- Tries are counted by ``Admissions`` (begun) and ``Tries`` (ended in failure), for Pub/Sub's own count is approximate,
  cannot stop below five and counts drains as well.  Its dead-letter policy is set all the same, as a backstop.
- Whether a lease is lost is decided by the clock: Pub/Sub takes acknowledgements of expired leases without a word.

What it does not do, declared in the contract suite: a job put twice is delivered twice (the router asks ``Claims``
before it puts one), nothing is in order, and delays are whole seconds, 600 at most.
"""

import logging
import math
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from google.api_core import exceptions
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.types import PubsubMessage, PullResponse

from earmark.domain import Failure, Job, Lease
from earmark.errors import InputFault, InputRejected, Unavailable
from earmark.log import event
from earmark.lost import worker_lost
from earmark.ports import Clock
from earmark.wire import Letter
from runtime.backend import QueueDepth
from runtime.gcp.admissions import Admission, Admissions
from runtime.gcp.messages import batches, letter_of, message_of
from runtime.gcp.tries import Tries
from runtime.gcp.vendor_errors import calling

_log = logging.getLogger(__name__)
Item = TypeVar("Item")

PULL_MAX: Final = 1000
"""Messages of one pull, and ids of one request: Pub/Sub takes 512 KiB of ids at 200 to 300 bytes each."""
DELAY_MAX_S: Final = 600
BACKSTOP_DELIVERIES: Final = 100
"""After so many deliveries Pub/Sub itself moves a message to the dead letters: the most it allows, for it also counts
drains and outages, which spend no try.  What arrives that way has no history of ours and is of kind ``undelivered``."""
RENEW_DELIVERIES: Final = 50
"""A message given back after so many deliveries is replaced by a new one, so that no long outage trips the backstop."""
RPC_S: Final = 10.0
Received = Any
"""A ``ReceivedMessage`` as a plain protocol buffer.  Reading one through the client's own wrapper takes longer than
everything else that is done with it."""


@dataclass(slots=True)
class _Held:
    """A message that this process has a lease on."""

    ack_id: str
    message_id: str
    deliveries: int
    expires_at: datetime
    letter: Letter
    failed: bool
    """Whether there may be failures of it in ``Tries``."""


class PubSubQueue:
    """One topic with its subscription; see ``earmark.ports.Queue`` for what it promises."""

    def __init__(
        self,
        name: str,
        *,
        publisher: PublisherClient,
        subscriber: SubscriberClient,
        topic: str,
        subscription: str,
        dead_topic: str,
        admissions: Admissions,
        tries: Tries,
        clock: Clock,
        ack_deadline_s: float | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            name: ``high``, ``low`` or ``dead``.
            publisher: makes messages; both clients belong to this process.
            subscriber: pulls them.
            topic: full name.
            subscription: full name.
            dead_topic: full name of the topic that ``bury`` publishes to.
            admissions: where tries are noted that begin.
            tries: where tries are noted that failed.
            clock: decides which leases are lost.
            ack_deadline_s: the subscription's deadline, None = ask; a lease of another length costs one call more.
        """
        self.name = name
        self._publisher = publisher
        self._subscriber = subscriber
        self._topic = topic
        self._subscription = subscription
        self._dead_topic = dead_topic
        self._admissions = admissions
        self._tries = tries
        self._clock = clock
        self._ack_deadline_s = ack_deadline_s
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()

    def put(self, jobs: Sequence[Job]) -> int:
        """Publish jobs; all of them, or those of the first requests when Pub/Sub fails in between."""
        self._publish(self._topic, [message_of(Letter(job), job) for job in jobs])
        return len(jobs)

    def lease(self, limit: int, lease_s: float) -> list[Lease]:
        """Pull up to ``limit`` messages, as many as there is room for and never ahead."""
        if limit <= 0:
            return []
        expires_at = self._clock() + timedelta(seconds=lease_s)
        received = self._pull(min(limit, PULL_MAX))
        if not received:
            return []
        try:
            return self._admit(received, expires_at, lease_s)
        except Unavailable:
            self._deadline([each.ack_id for each in received], 0)
            raise

    def extend(self, leases: Sequence[Lease], lease_s: float) -> list[Lease]:
        """Move the deadlines of the leases that are not lost."""
        held, lost = self._sorted(leases)
        expires_at = self._clock() + timedelta(seconds=lease_s)
        self._deadline([each.ack_id for each in held.values()], math.ceil(lease_s))
        for each in held.values():
            each.expires_at = expires_at
        return lost

    def ack(self, leases: Sequence[Lease]) -> list[Lease]:
        """Acknowledge the messages of the leases that are not lost."""
        held, lost = self._sorted(leases)
        self._acknowledge([each.ack_id for each in held.values()])
        self._ended(held)
        return lost

    def release(self, lease: Lease, *, after_s: float = 0.0, failure: Failure | None = None) -> bool:
        """Let the message be delivered again after ``after_s`` seconds, rounded up, at most 600."""
        held, lost = self._sorted([lease])
        if lost:
            return False
        [each] = held.values()
        miscounted = False
        if failure is not None:
            failures = self._tries.add(each.message_id, lease.token, failure)
            miscounted = self._past(each.letter) + len(failures) > lease.try_number
            self._admissions.finish([lease.token])
        else:
            self._admissions.withdraw(lease.token)
        if miscounted or each.deliveries >= RENEW_DELIVERIES:
            self._renew(each)
        else:
            self._deadline([each.ack_id], min(math.ceil(after_s), DELAY_MAX_S))
        with self._lock:
            self._held.pop(lease.token, None)
        return True

    def bury(self, lease: Lease, failure: Failure) -> bool:
        """Publish the job with its history to the dead letters, wait until that is durable, then acknowledge it."""
        held, lost = self._sorted([lease])
        if lost:
            return False
        [each] = held.values()
        # A job that is found with its tries spent is buried with its last failure, which its history has already.
        letter = Letter(lease.job, lease.history if lease.history[-1:] == (failure,) else (*lease.history, failure))
        self._publish(self._dead_topic, [message_of(letter, lease.job)])
        self._acknowledge([each.ack_id])
        self._ended(held)
        return True

    def depth(self) -> QueueDepth:
        """How many jobs workers hold; how many wait Pub/Sub tells to nobody but Cloud Monitoring.

        Raises:
            Unavailable: Pub/Sub or the bucket cannot be reached.
            ConfigurationError: there is no such subscription.
        """
        calling(
            f"The subscription {self._subscription}",
            lambda: self._subscriber.get_subscription(subscription=self._subscription, timeout=RPC_S, retry=None),
        )
        return QueueDepth(waiting=None, delayed=None, leased=self._admissions.count(), oldest_age_s=None)

    def _pull(self, limit: int) -> list[Received]:
        # `return_immediately` is discouraged because an empty answer may come although messages wait.  A worker asks
        # again in a moment, whereas a pull that waits and is given up may take messages along that nobody then has.
        response = calling(
            f"The subscription {self._subscription}",
            lambda: self._subscriber.pull(
                request={"subscription": self._subscription, "max_messages": limit, "return_immediately": True},
                timeout=RPC_S,
                retry=None,
            ),
        )
        return list(PullResponse.pb(response).received_messages)

    def _admit(self, received: list[Received], expires_at: datetime, lease_s: float) -> list[Lease]:
        now = self._clock()
        with self._lock:
            self._held = {token: each for token, each in self._held.items() if each.expires_at > now}
            valid, busy = set(self._held), {each.message_id for each in self._held.values()}
        # A message that we hold already was delivered twice: its second delivery is left to run out.
        fresh = {each.message.message_id: each for each in received if each.message.message_id not in busy}
        if lease_s != self._server_deadline_s():
            self._deadline([each.ack_id for each in fresh.values()], math.ceil(lease_s))
        held: dict[str, _Held] = {}
        for message_id, each in fresh.items():
            try:
                letter = letter_of(each.message)
            except InputRejected as error:
                self._set_aside(each, error)
            else:
                deliveries = each.delivery_attempt
                held[message_id] = _Held(each.ack_id, message_id, deliveries, expires_at, letter, deliveries != 1)
        histories = self._histories(held, self._admissions.earlier(held, valid=valid))
        pull = uuid.uuid4().hex
        tokens = {f"{pull}{number:04x}": message_id for number, message_id in enumerate(held)}
        if tokens:
            self._admissions.admit(tokens, expires_at)
        leases = []
        for token, message_id in tokens.items():
            letter, history = held[message_id].letter, histories[message_id]
            number = self._past(letter) + len(history) + 1
            leases.append(Lease(letter.job, token, number, expires_at, (*letter.history, *history)))
        with self._lock:
            self._held.update((token, held[message_id]) for token, message_id in tokens.items())
        return leases

    def _server_deadline_s(self) -> float:
        """The deadline that Pub/Sub itself gives a message; 0 where this process may not ask."""

        def look() -> float:
            try:
                found = self._subscriber.get_subscription(subscription=self._subscription, timeout=RPC_S, retry=None)
            except exceptions.PermissionDenied:
                return 0.0
            return float(found.ack_deadline_seconds)

        if self._ack_deadline_s is None:
            self._ack_deadline_s = calling(f"The subscription {self._subscription}", look)
        return self._ack_deadline_s

    def _histories(self, held: dict[str, _Held], lost: list[Admission]) -> dict[str, tuple[Failure, ...]]:
        """The failures of each message, those of lost workers noted first."""
        for admission in lost:
            held[admission.message_id].failed = True
        histories: dict[str, tuple[Failure, ...]] = dict.fromkeys(held, ())
        histories |= self._tries.read([message_id for message_id, each in held.items() if each.failed])
        for admission in lost:
            histories[admission.message_id] = self._tries.add(
                admission.message_id, admission.token, worker_lost(1, worker=admission.worker, at=self._clock())
            )
        self._admissions.noted(lost)
        return histories

    def _past(self, letter: Letter) -> int:
        """Tries that a message brought along; those of a dead letter were in another queue and do not count."""
        return 0 if self._topic == self._dead_topic else len(letter.history)

    def _set_aside(self, received: Received, error: InputRejected) -> None:
        """Move a message that is no job to the dead letters, bytes untouched, so that it stops nobody."""
        event(_log, "job.malformed", level=logging.ERROR, queue=self.name, error=str(error))
        if self._topic == self._dead_topic:
            return  # it stays, for a person to look at, until its retention ends
        attributes = {**received.message.attributes, "kind": InputFault.MALFORMED_JOB, "lane": self.name}
        self._publish(self._dead_topic, [PubsubMessage(data=received.message.data, attributes=attributes)])
        self._acknowledge([received.ack_id])

    def _renew(self, held: _Held) -> None:
        """Replace a message by one that brings its failures along and that Pub/Sub has not counted deliveries of.

        Also where Pub/Sub forgot that it had delivered a message before, so that nobody looked for its failures.
        """
        failures = self._tries.read([held.message_id])[held.message_id]
        letter = Letter(held.letter.job, (*held.letter.history, *failures))
        self._publish(self._topic, [message_of(letter, letter.job)])
        self._acknowledge([held.ack_id])
        self._tries.forget(held.message_id)

    def _ended(self, held: dict[str, _Held]) -> None:
        """Forget messages that are gone."""
        with self._lock:
            for token in held:
                self._held.pop(token, None)
        self._admissions.finish(held)
        for each in held.values():
            if each.failed:
                self._tries.forget(each.message_id)

    def _sorted(self, leases: Sequence[Lease]) -> tuple[dict[str, _Held], list[Lease]]:
        """The messages by token of the leases that are ours, and the lost leases."""
        now = self._clock()
        held: dict[str, _Held] = {}
        lost: list[Lease] = []
        with self._lock:
            for lease in leases:
                each = self._held.get(lease.token)
                if each is None or each.expires_at <= now:
                    lost.append(lease)
                else:
                    held[lease.token] = each
        return held, lost

    def _deadline(self, ack_ids: list[str], seconds: int) -> None:
        self._in_chunks(
            ack_ids,
            lambda some: self._subscriber.modify_ack_deadline(
                subscription=self._subscription, ack_ids=some, ack_deadline_seconds=seconds, timeout=RPC_S, retry=None
            ),
        )

    def _acknowledge(self, ack_ids: list[str]) -> None:
        self._in_chunks(
            ack_ids,
            lambda some: self._subscriber.acknowledge(
                subscription=self._subscription, ack_ids=some, timeout=RPC_S, retry=None
            ),
        )

    def _in_chunks(self, ack_ids: list[str], call: Callable[[list[str]], None]) -> None:
        for start in range(0, len(ack_ids), PULL_MAX):
            chunk = ack_ids[start : start + PULL_MAX]
            calling(f"The subscription {self._subscription}", lambda chunk=chunk: call(chunk))  # type: ignore[misc]

    def _publish(self, topic: str, messages: Iterable[PubsubMessage]) -> None:
        for batch in batches(messages):
            calling(
                f"The topic {topic}",
                lambda batch=batch: self._publisher.publish(topic=topic, messages=batch, timeout=RPC_S, retry=None),  # type: ignore[misc]
            )

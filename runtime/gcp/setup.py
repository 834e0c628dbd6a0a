"""``earmark init``: makes what is missing of topics, subscriptions, buckets and tables, and leaves the rest alone.

For emulators and development; production uses Terraform, with the same names and numbers.
"""

import logging
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from google.api_core import exceptions
from google.pubsub_v1.types import DeadLetterPolicy, ExpirationPolicy, Subscription

from earmark.log import event
from runtime.gcp.buckets import described
from runtime.gcp.clients import STORAGE_EMULATOR, Clients
from runtime.gcp.names import BUCKETS, NOTICES, QUEUES, RESULTS, TOPICS, UPLOADS, Names
from runtime.gcp.pubsub_queue import BACKSTOP_DELIVERIES
from runtime.gcp.vendor_errors import calling

_log = logging.getLogger(__name__)

RETENTION: Final = timedelta(days=7)
"""How long an unacknowledged message is kept; dead letters too, and longer in their store."""
UPLOADS_ACK_DEADLINE_S: Final = 120
"""An upload is read before its notification is acknowledged; 2 GB take about 20 s."""
EVENTS: Final = ["OBJECT_FINALIZE", "OBJECT_DELETE", "OBJECT_METADATA_UPDATE"]
PUBLISHER: Final = "roles/pubsub.publisher"


def make_queues(clients: Clients, names: Names, *, ack_deadline_s: int) -> list[str]:
    """Make the topics and subscriptions; returns the names of those that were missing."""
    made = [names.topic(name) for name in TOPICS if _make_topic(clients, names.topic(name))]
    subscriptions = [_lane(names, name, ack_deadline_s) for name in QUEUES[:2]]
    subscriptions += [_plain(names, "dead", ack_deadline_s), _plain(names, UPLOADS, UPLOADS_ACK_DEADLINE_S)]
    subscriptions += [_plain(names, name, ack_deadline_s) for name in (RESULTS, NOTICES)]
    return made + [each.name for each in subscriptions if _make_subscription(clients, each)]


def make_buckets(clients: Clients, names: Names, location: str) -> list[str]:
    """Make the buckets, as ``runtime.gcp.buckets`` describes them; one that is there already is left as it is."""
    return [names.bucket(name) for name in BUCKETS if _make_bucket(clients, names.bucket(name), name, location)]


def make_notifications(clients: Clients, names: Names) -> list[str]:
    """Let Cloud Storage tell the topic ``uploads`` of new objects; returns the bucket if that is new.

    The emulator of Cloud Storage is told where to send notifications when it is started.
    """
    if os.environ.get(STORAGE_EMULATOR):
        return []
    bucket = clients.storage.bucket(names.bucket(UPLOADS))
    topic = f"{names.prefix}-{UPLOADS}"
    what = f"The notifications of the bucket {bucket.name}"
    present = calling(what, lambda: [each.topic_name for each in bucket.list_notifications(retry=None)])
    if topic in present:
        return []
    agent = calling(what, lambda: clients.storage.get_service_account_email(retry=None))
    _allow_publishing(clients, names.topic(UPLOADS), agent)
    notification = bucket.notification(
        topic_name=topic, topic_project=names.project, event_types=EVENTS, payload_format="JSON_API_V1"
    )
    calling(what, lambda: notification.create(retry=None))
    return [what]


def _allow_publishing(clients: Clients, topic: str, agent: str) -> None:
    """Let Cloud Storage's own account publish; without it the notification is refused."""

    def allow() -> None:
        policy = clients.publisher.get_iam_policy(request={"resource": topic}, retry=None)
        member = f"serviceAccount:{agent}"
        if all(each.role != PUBLISHER or member not in each.members for each in policy.bindings):
            policy.bindings.add(role=PUBLISHER, members=[member])
            clients.publisher.set_iam_policy(request={"resource": topic, "policy": policy}, retry=None)

    calling(f"The policy of the topic {topic}", allow)


def _make_bucket(clients: Clients, full_name: str, name: str, location: str) -> bool:
    bucket = described(clients.storage.bucket(full_name), name)

    def create() -> None:
        try:
            clients.storage.create_bucket(bucket, location=location, retry=None)
        except exceptions.Conflict as error:
            raise exceptions.AlreadyExists(str(error)) from error  # type: ignore[no-untyped-call]

    return _created(f"The bucket {full_name}", create)


def _make_topic(clients: Clients, name: str) -> bool:
    return _created(f"The topic {name}", lambda: clients.publisher.create_topic(name=name, retry=None))


def _make_subscription(clients: Clients, wanted: Subscription) -> bool:
    return _created(
        f"The subscription {wanted.name}",
        lambda: clients.subscriber.create_subscription(request=wanted, retry=None),
    )


def _created(what: str, create: Callable[[], object]) -> bool:
    """Whether it was missing and now is there."""

    def attempt() -> bool:
        try:
            create()
        except exceptions.AlreadyExists:
            return False
        return True

    made = calling(what, attempt)
    if made:
        event(_log, "resource.created", name=what)
    return made


def _plain(names: Names, name: str, ack_deadline_s: int) -> Subscription:
    """A subscription that never expires and keeps messages for seven days."""
    return Subscription(
        name=names.subscription(name),
        topic=names.topic(name),
        ack_deadline_seconds=ack_deadline_s,
        message_retention_duration=RETENTION,
        expiration_policy=ExpirationPolicy(),  # an empty one means never; the default is 31 idle days
    )


def _lane(names: Names, name: str, ack_deadline_s: int) -> Subscription:
    """A lane: what no worker comes to an end with goes to the dead letters, as a backstop."""
    lane = _plain(names, name, ack_deadline_s)
    lane.dead_letter_policy = DeadLetterPolicy(
        dead_letter_topic=names.topic("dead"), max_delivery_attempts=BACKSTOP_DELIVERIES
    )
    return lane

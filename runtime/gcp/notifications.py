"""``Notifications``: pulls what Cloud Storage tells about the upload bucket and hands each new object on."""

import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.types import ReceivedMessage

from earmark.errors import EarmarkError, InvalidName, Unavailable
from earmark.log import event
from runtime.gcp.vendor_errors import calling
from workers.outage import Outage

_log = logging.getLogger(__name__)
AT_ONCE: Final = 8
"""Objects read at the same time."""
POLL_S: Final = 0.5
AGAIN_S: Final = 10
"""Seconds after which a notification is delivered again whose object could not be read."""
RPC_S: Final = 10.0
FINALIZED: Final = "OBJECT_FINALIZE"
GENERATION_DIGITS: Final = 19
"""Of the largest number of 64 bits."""


class Notice(NamedTuple):
    """One object, or what is no notification."""

    bucket: str
    name: str
    generation: int | None


class Notifications:
    """The subscription of the topic ``uploads``."""

    def __init__(
        self,
        *,
        subscriber: SubscriberClient,
        subscription: str,
        arrive: Callable[[str, str, int | None], object],
    ) -> None:
        """Take the subscription's full name and what to call with bucket, name and generation.

        ``arrive`` may raise ``Unavailable``; the notification then comes again.
        """
        self._subscriber = subscriber
        self._subscription = subscription
        self._arrive = arrive
        self._outage = Outage("notifications", pause_s=1.0)

    def run(self, stop: threading.Event, *, until_empty: bool = False) -> None:
        """Route until told to stop (or, if asked, until nothing is waiting), and finish what is under way."""
        with ThreadPoolExecutor(AT_ONCE, "route") as pool:
            while not stop.is_set():
                if self._outage.resting:
                    stop.wait(POLL_S)
                elif not self.run_once(pool):
                    if until_empty and not self._outage.lasts:
                        return
                    stop.wait(POLL_S * random.uniform(0.5, 1.5))  # noqa: S311  # jitter, no secret

    def run_once(self, pool: ThreadPoolExecutor) -> int:
        """Pull up to ``AT_ONCE`` notifications and see them to their end; returns how many there were."""
        try:
            received = calling(f"The subscription {self._subscription}", self._pull)
        except Unavailable as error:
            self._outage.failed(error)
            return 0
        done = list(pool.map(self._routed, received))
        try:
            self._finish([each.ack_id for each, routed in zip(received, done, strict=True) if routed])
            self._again([each.ack_id for each, routed in zip(received, done, strict=True) if not routed])
        except Unavailable as error:
            self._outage.failed(error)
        if all(done):
            self._outage.over()
        return len(received)

    def _routed(self, received: ReceivedMessage) -> bool:
        """Whether the notification is done with."""
        notice = read_notice(received)
        if notice is None:
            return True
        try:
            self._arrive(*notice)
        except Unavailable as error:
            self._outage.failed(error)
            return False
        except InvalidName as error:
            event(_log, "upload.rejected", level=logging.WARNING, bucket=notice.bucket, name=notice.name,
                  kind="invalid_name", error=str(error))  # fmt: skip
        except EarmarkError as error:
            event(_log, "upload.failed", level=logging.ERROR, bucket=notice.bucket, name=notice.name, error=str(error))
            return False
        return True

    def _pull(self) -> list[ReceivedMessage]:
        response = self._subscriber.pull(
            request={"subscription": self._subscription, "max_messages": AT_ONCE, "return_immediately": True},
            timeout=RPC_S,
            retry=None,
        )
        return list(response.received_messages)

    def _finish(self, ack_ids: list[str]) -> None:
        if ack_ids:
            calling(
                f"The subscription {self._subscription}",
                lambda: self._subscriber.acknowledge(
                    subscription=self._subscription, ack_ids=ack_ids, timeout=RPC_S, retry=None
                ),
            )

    def _again(self, ack_ids: list[str]) -> None:
        if ack_ids:
            calling(
                f"The subscription {self._subscription}",
                lambda: self._subscriber.modify_ack_deadline(
                    subscription=self._subscription,
                    ack_ids=ack_ids,
                    ack_deadline_seconds=AGAIN_S,
                    timeout=RPC_S,
                    retry=None,
                ),
            )


def read_notice(received: ReceivedMessage) -> Notice | None:
    """What a notification says; None for one that is about no new object.

    The attributes are those of Cloud Storage (cloud.google.com/storage/docs/pubsub-notifications).
    """
    attributes = received.message.attributes
    kind, bucket, name = (attributes.get(key, "") for key in ("eventType", "bucketId", "objectId"))
    generation = attributes.get("objectGeneration", "")
    if not kind or not bucket or not name:
        event(_log, "notification.malformed", level=logging.ERROR, message_id=received.message.message_id)
        return None
    known = generation.isascii() and generation.isdigit() and len(generation) <= GENERATION_DIGITS
    return Notice(bucket, name, int(generation) if known else None) if kind == FINALIZED else None

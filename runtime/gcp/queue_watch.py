"""``QueueWatch``: how full the queues are, as Cloud Monitoring tells it, for Pub/Sub itself does not.

The numbers are some minutes late, and those of messages count leased ones too.  They need the role
``roles/monitoring.viewer``.  One request tells of all subscriptions; it is repeated every ``FRESH_S`` at most.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import google.auth
import requests
from google.api_core import exceptions
from google.auth.transport.requests import AuthorizedSession

from earmark.ports import Clock
from runtime.backend import QueueDepth
from runtime.gcp.vendor_errors import calling

ADDRESS: Final = "https://monitoring.googleapis.com/v3"
MESSAGES: Final = "pubsub.googleapis.com/subscription/num_undelivered_messages"
OLDEST: Final = "pubsub.googleapis.com/subscription/oldest_unacked_message_age"
SCOPE: Final = "https://www.googleapis.com/auth/monitoring.read"
FRESH_S: Final = 30.0
"""Cloud Monitoring has a new number once a minute."""
LOOK_BACK: Final = timedelta(minutes=10)
"""A number that is older than this is none."""
REQUEST_S: Final = 20.0

Session = Callable[[], requests.Session]


def signed_in() -> requests.Session:
    """A session with the credentials of this process."""
    credentials, _ = google.auth.default(scopes=[SCOPE])
    return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]


class QueueWatch:
    """Looks at the metrics of our subscriptions; safe to use from several threads."""

    def __init__(
        self,
        project: str,
        subscriptions: Mapping[str, str],
        clock: Clock,
        *,
        session: Session = signed_in,
        address: str = ADDRESS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the project, and the subscription of each queue; nothing is connected before it is used."""
        self._session, self._project, self._address = session, project, address
        self._subscriptions = {queue: path.rpartition("/")[2] for queue, path in subscriptions.items()}
        self._clock, self._monotonic = clock, monotonic
        self._lock = threading.Lock()
        self._asked_s = float("-inf")
        self._found: Mapping[str, tuple[int | None, float | None]] = {}

    def depth(self, queue: str) -> QueueDepth:
        """How full a queue is; what Cloud Monitoring has no number of is ``None``.

        Raises:
            Unavailable: it cannot be reached.
            ConfigurationError: this process may not ask it.
        """
        with self._lock:
            if self._monotonic() - self._asked_s >= FRESH_S:
                messages, ages = self._ask(MESSAGES), self._ask(OLDEST)
                self._found = {name: (messages.get(name), ages.get(name)) for name in self._subscriptions.values()}
                self._asked_s = self._monotonic()
            count, age_s = self._found.get(self._subscriptions[queue], (None, None))
        return QueueDepth(waiting=count, delayed=None, leased=0, oldest_age_s=None if age_s is None else float(age_s))

    def _ask(self, metric: str) -> dict[str, int]:
        """The latest number of each of our subscriptions."""
        now = self._clock()
        names = " OR ".join(f'resource.labels.subscription_id = "{name}"' for name in self._subscriptions.values())
        query = {
            "filter": f'metric.type = "{metric}" AND ({names})',
            "interval.startTime": (now - LOOK_BACK).isoformat(),
            "interval.endTime": now.isoformat(),
            "view": "FULL",
        }
        found = calling("Cloud Monitoring", lambda: self._get(query))
        return {
            series["resource"]["labels"]["subscription_id"]: latest
            for series in found
            if (latest := _latest(series.get("points", []))) is not None
        }

    def _get(self, query: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        address = f"{self._address}/projects/{self._project}/timeSeries"
        with self._session() as session, session.get(address, params=query, timeout=REQUEST_S) as response:
            if response.status_code != requests.codes.ok:
                raise exceptions.from_http_response(response)  # type: ignore[no-untyped-call]
            found: Sequence[Mapping[str, Any]] = response.json().get("timeSeries", [])
            return found


def _latest(points: Sequence[Mapping[str, Any]]) -> int | None:
    """The first point is the newest; 64-bit numbers come as text."""
    value = points[0]["value"].get("int64Value") if points else None
    return None if value is None else int(value)

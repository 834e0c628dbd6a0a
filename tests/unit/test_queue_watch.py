"""How full Pub/Sub's queues are, as Cloud Monitoring tells it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from earmark.errors import ConfigurationError, Unavailable
from runtime.gcp import queue_watch, vendor_errors
from runtime.gcp.queue_watch import FRESH_S, MESSAGES, OLDEST, QueueWatch
from tests.clock import ManualClock

SUBSCRIPTIONS = {"high": "projects/p/subscriptions/earmark-high", "low": "projects/p/subscriptions/earmark-low"}


def series(name: str, *values: int) -> dict[str, Any]:
    """A time series of one subscription, the newest point first, as the API writes it."""
    points = [{"interval": {"endTime": "2026-01-01T00:00:00Z"}, "value": {"int64Value": str(each)}} for each in values]
    return {"resource": {"type": "pubsub_subscription", "labels": {"subscription_id": name}}, "points": points}


class Answering(BaseHTTPRequestHandler):
    """Answers as Cloud Monitoring does."""

    asked: ClassVar[list[dict[str, list[str]]]] = []
    answers: ClassVar[dict[str, list[dict[str, Any]]]] = {}
    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        """One question."""
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        Answering.asked.append({**query, "path": [address.path]})
        metric = next(name for name in (MESSAGES, OLDEST) if name in query["filter"][0])
        found = {"timeSeries": self.answers[metric]} if self.answers.get(metric) else {}
        body = json.dumps(found if self.status == 200 else {"error": {"message": "no"}}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """A server that answers."""
    Answering.asked, Answering.answers, Answering.status = [], {}, 200
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v3"
        server.shutdown()
        thread.join()


class Watched:
    """A watch and its time."""

    def __init__(self, address: str) -> None:
        """Over the server."""
        self.now_s = 0.0
        self.watch = QueueWatch(
            "p", SUBSCRIPTIONS, ManualClock(), session=requests.Session, address=address, monotonic=lambda: self.now_s
        )


def test_the_newest_numbers_of_our_subscriptions(address: str) -> None:
    """Messages and age of each; one request for each metric; asked again only when there can be something new."""
    Answering.answers = {
        MESSAGES: [series("earmark-high", 3, 9), series("earmark-low", 5000)],
        OLDEST: [series("earmark-low", 71)],
    }
    watched = Watched(address)
    high, low = watched.watch.depth("high"), watched.watch.depth("low")
    assert (high.waiting, high.oldest_age_s) == (3, None)
    assert (low.waiting, low.oldest_age_s) == (5000, 71.0)
    assert len(Answering.asked) == 2
    asked = Answering.asked[0]
    assert asked["path"] == ["/v3/projects/p/timeSeries"]
    assert 'resource.labels.subscription_id = "earmark-low"' in asked["filter"][0]
    assert asked["interval.startTime"] == ["2025-12-31T23:50:00+00:00"]
    watched.now_s = FRESH_S - 1
    watched.watch.depth("low")
    assert len(Answering.asked) == 2
    watched.now_s = FRESH_S
    watched.watch.depth("low")
    assert len(Answering.asked) == 4


def test_no_number_is_not_zero(address: str) -> None:
    """A subscription without points has none, and so has a project without metrics."""
    Answering.answers = {MESSAGES: [series("earmark-low")]}
    watched = Watched(address)
    assert watched.watch.depth("low").waiting is None
    assert watched.watch.depth("high").oldest_age_s is None


@pytest.mark.parametrize(("status", "error"), [(403, ConfigurationError), (503, Unavailable), (500, Unavailable)])
def test_refusals_are_ours(address: str, status: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing role is ours to mend, an outage goes away; the next look asks again."""
    monkeypatch.setattr(vendor_errors, "ATTEMPTS", 1)
    watched = Watched(address)
    Answering.status = status
    with pytest.raises(error, match="Cloud Monitoring"):
        watched.watch.depth("low")
    Answering.status = 200
    assert watched.watch.depth("low").waiting is None


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is refused is an outage, and so is a process without credentials ours to mend."""
    monkeypatch.setattr(vendor_errors, "ATTEMPTS", 1)
    with pytest.raises(Unavailable):
        Watched("http://127.0.0.1:9").watch.depth("low")
    monkeypatch.setattr(queue_watch.google.auth, "default", _no_credentials)
    with pytest.raises(ConfigurationError):
        QueueWatch("p", SUBSCRIPTIONS, ManualClock()).depth("low")


def _no_credentials(**_: object) -> None:
    from google.auth.exceptions import DefaultCredentialsError  # noqa: PLC0415

    raise DefaultCredentialsError("none")  # type: ignore[no-untyped-call]  # noqa: EM101

"""The API on a port: clients that are slow, silent, endless or many, and an end that is clean."""

import asyncio
import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.requests import Request

from earmark.clock import utc_now
from earmark.errors import ConfigurationError
from earmark.vocabulary import Lane
from runtime.api import connections
from runtime.api.serving import serve
from runtime.wiring import open_worker
from tests.api_jobs import end, wav
from tests.api_world import ApiWorld
from workers.models.catalogue import ModelSpec

SOON_S = 20.0
MANY = 1500


class Served:
    """An API on a free port."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        """Serve in a thread of this process."""
        self.world = ApiWorld(folder, **{"drain_s": 5, **settings})
        self.world.clock = utc_now  # type: ignore[assignment]
        self._stop, self._there, self._failed = threading.Event(), threading.Event(), []
        self.world.use(stopping=self._stop.is_set)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._said = contextlib.ExitStack()
        self.url = ""

    def _serve(self) -> None:
        def ready(url: str) -> None:
            self.url = url
            self._there.set()

        serve(self.world.app, "127.0.0.1", 0, self._stop, ready=ready)

    def __enter__(self) -> Self:
        """Wait until it listens."""
        self._thread.start()
        assert self._there.wait(SOON_S)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it; it must come to an end."""
        self._said.close()
        self.stop()

    def stop(self) -> float:
        """Stop it; gives the seconds that took."""
        began = time.monotonic()
        self._stop.set()
        self._thread.join(SOON_S)
        assert not self._thread.is_alive()
        return time.monotonic() - began

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def client(self) -> httpx.Client:
        """A client with a key."""
        headers = {"Authorization": f"Bearer {self.world.key('acme')}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=SOON_S, trust_env=False)

    def say(self, *parts: bytes) -> socket.socket:
        """A connection on which something was said."""
        connection = self._said.enter_context(socket.create_connection(self.address, SOON_S))
        for part in parts:
            connection.sendall(part)
        return connection

    def head(self, line: str, *more: str, key: bool = True) -> bytes:
        """The head of a request."""
        own = [f"Authorization: Bearer {self.world.key('acme')}"] if key else []
        return "\r\n".join([f"{line} HTTP/1.1", "Host: api", *own, *more, "", ""]).encode()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts an API that ends with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Served(tmp_path, **settings))


def heard(connection: socket.socket) -> bytes:
    """Everything until the connection ends."""
    told = b""
    with contextlib.suppress(ConnectionError):
        while chunk := connection.recv(65_536):
            told += chunk
    return told


def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_clip_is_answered_by_a_worker_while_the_client_waits(start: Callable[..., Served]) -> None:
    """From the socket to the model and back."""
    served = start()
    stop, spec = threading.Event(), ModelSpec("scripted", "1", "tests.models:content", ())
    with open_worker(served.world.settings, served.world.backend, spec=spec) as worker:
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        try:
            with served.client() as acme:
                answer = acme.post(
                    "/v1/analyses", files={"file": ("a.wav", wav(size_bytes=8000))}, headers={"Prefer": "wait=60"}
                )
        finally:
            stop.set()
            thread.join()
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "done"
    until(lambda: served.world.parts.analyses.requests.find("acme", answer.json()["id"]) is None)


def test_a_request_is_answered_among_many_that_say_nothing(start: Callable[..., Served]) -> None:
    """1,500 connections that are silent or stop within their heads; beyond the limit the oldest go, all when late."""
    served = start(api_connections=1000, api_head_s=8)
    served.world.key("acme")

    async def run() -> tuple[list[float], int]:
        opened = [await asyncio.open_connection(*served.address) for _ in range(MANY)]
        for number, (_, writer) in enumerate(opened):
            if number % 2:
                writer.write(b"GET /v1/analyses HTTP/1.1\r\nX-Slow: ")
        took = []
        for _ in range(5):
            began = time.monotonic()
            assert (await asyncio.to_thread(ask)) == 200
            took.append(time.monotonic() - began)
        deadline = time.monotonic() + 6.0  # this process may be slow to hear of what the server has done
        while (early := sum(map(ended, opened))) < MANY - 1000 and time.monotonic() < deadline:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
        async with asyncio.timeout(SOON_S):
            for reader, writer in opened:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()
        return took, early

    def ask() -> int:
        with served.client() as acme:
            return acme.get("/v1/analyses").status_code

    def ended(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bool:
        """Ended in order, or reset, as a connection is that goes with bytes that nobody has read."""
        return connection[0].at_eof() or connection[0].exception() is not None

    took, early = asyncio.run(run())
    assert MANY - 1000 <= early < MANY
    assert sorted(took)[2] < 1.0, took


def test_it_is_said_to_listen_when_it_does(start: Callable[..., Served]) -> None:
    """Whoever reads the line may connect at once, as a health check does."""
    taken = list[bool]()

    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "api.listening":
                address = urlsplit(getattr(record, "fields", {}).get("address", "")).netloc
                host, _, port = address.partition(":")
                with contextlib.suppress(OSError), socket.create_connection((host, int(port)), SOON_S):
                    taken.append(True)

    logger, reader = logging.getLogger("runtime.api.serving"), Reader()
    level = logger.level
    logger.addHandler(reader)
    logger.setLevel(logging.INFO)
    try:
        start()
    finally:
        logger.removeHandler(reader)
        logger.setLevel(level)
    assert taken == [True]


def test_a_body_that_stops_is_answered_and_ended(start: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> None:
    """408 when its time is over, and the connection does not stay."""
    monkeypatch.setattr(connections, "LINGER_S", 0.05)
    served = start(api_body_s=0.2)
    head = served.head("POST /v1/analyses", "Content-Type: audio/wav", "Content-Length: 100000")
    told = heard(served.say(head, wav()))
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"urn:earmark:problem:too_slow" in told
    assert list(served.world.backend.scratch.rglob("*.body")) == []


@pytest.mark.parametrize(("key", "status"), [(False, b"401"), (True, b"422")])
def test_an_early_answer_is_read_before_the_end(
    start: Callable[..., Served], monkeypatch: pytest.MonkeyPatch, *, key: bool, status: bytes
) -> None:
    """Though most of the body is still to come; then nobody reads on."""
    monkeypatch.setattr(connections, "LINGER_S", 0.05)
    served = start()
    head = served.head("POST /v1/analyses", "Content-Type: audio/wav", "Content-Length: 100000000", key=key)
    told = heard(served.say(head, b"\0" * 200_000))
    assert told.startswith(b"HTTP/1.1 " + status)
    assert b"application/problem+json" in told


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600,
        b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000,
    ],
)
def test_what_is_no_http_is_answered_as_a_problem(start: Callable[..., Served], said: bytes) -> None:
    """And ended."""
    told = heard(start().say(said))
    assert told.startswith(b"HTTP/1.1 400 ")
    assert json.loads(told.partition(b"\r\n\r\n")[2])["type"] == "urn:earmark:problem:bad_request"


def test_a_request_with_two_lengths_ends_the_connection(start: Callable[..., Served]) -> None:
    """What a proxy may take for the body is never answered as the next request."""
    served = start()
    first = served.head("POST /v1/analyses", "Content-Length: 5", "Transfer-Encoding: chunked")
    said = heard(served.say(first + b"0\r\n\r\n" + served.head("GET /healthz")))
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1") == 1


def test_a_target_may_name_its_host(start: Callable[..., Served]) -> None:
    """As RFC 9112 demands in 3.2.2; the host of the target goes before that of the head."""
    served = start()
    said = heard(served.say(served.head("GET http://there:8080/healthz?x=1", "Connection: close")))
    assert said.startswith(b"HTTP/1.1 200 ")


def test_connections_are_used_again(start: Callable[..., Served]) -> None:
    """One request after another, also sent at once, and a head that stops after them is ended."""
    served = start(api_head_s=0.2)
    one = served.head("GET /healthz")
    connection, told = served.say(one + one), b""
    while told.count(b'{"status":"alive"}') < 2:
        told += connection.recv(65_536)
    connection.sendall(one[:20])
    assert heard(connection) == b""


def test_a_fault_of_ours_says_that_the_connection_ends(start: Callable[..., Served]) -> None:
    """It does, so nobody may send the next request on it."""
    served = start()

    def fail() -> None:
        raise ZeroDivisionError

    served.world.app.add_api_route("/fails", fail)
    told = heard(served.say(served.head("GET /fails")))
    assert told.startswith(b"HTTP/1.1 500 ")
    assert b"\r\nconnection: close\r\n" in told.lower()


@pytest.mark.parametrize(("proxies", "address"), [("10.0.0.0/8, 127.0.0.1", "198.51.100.7"), ("", "127.0.0.1")])
def test_a_proxy_says_who_calls(start: Callable[..., Served], proxies: str, address: str) -> None:
    """One that is known, by the last address that is none of a proxy; others are not believed."""
    served, seen = start(api_proxies=proxies), []

    def look(request: Request) -> None:
        seen.append(request.client and request.client.host)

    served.world.app.add_api_route("/look", look)
    with served.client() as acme:
        acme.get("/look", headers={"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 10.1.2.3"})
    assert seen == [address]


def test_events_come_as_they_happen(start: Callable[..., Served]) -> None:
    """Queued at once, settled when the job has ended; and the stream ends."""
    served = start()
    with served.client() as acme:
        where = acme.post("/v1/analyses", content=wav(), headers={"Content-Type": "audio/wav"}).headers["Location"]
        with acme.stream("GET", f"{where}/events") as stream:
            lines = stream.iter_lines()
            assert next(line for line in lines if line.startswith("event:")) == "event: queued"
            end(served.world, Lane.HIGH)
            rest = list(lines)
    assert "event: settled" in rest
    until(lambda: served.world.parts.analyses.streams.open == 0)


def test_a_stop_ends_what_would_go_on(start: Callable[..., Served]) -> None:
    """Streams and requests that wait, long before their time; who waits is told where to look."""
    served = start()
    answers: list[httpx.Response] = []
    with served.client() as acme:
        where = acme.post("/v1/analyses", content=wav(), headers={"Content-Type": "audio/wav"}).headers["Location"]

        def wait() -> None:
            with served.client() as other:
                answers.append(other.get(where, headers={"Prefer": "wait=60"}))

        thread = threading.Thread(target=wait)
        thread.start()
        with acme.stream("GET", f"{where}/events") as stream:
            until(lambda: served.world.parts.waiting.waiting == 2)
            assert served.stop() < 5
            assert "event: settled" not in "".join(stream.iter_text())
        thread.join(SOON_S)
    assert [answer.json()["status"] for answer in answers] == ["queued"]


def test_whoever_goes_is_not_waited_for(start: Callable[..., Served]) -> None:
    """The place of a client that closed its connection is free."""
    served = start()
    head = served.head(
        "POST /v1/analyses", "Content-Type: audio/wav", f"Content-Length: {len(wav())}", "Prefer: wait=60"
    )
    connection = served.say(head, wav())
    until(lambda: served.world.parts.waiting.waiting == 1)
    connection.close()
    until(lambda: served.world.parts.waiting.waiting == 0)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """With what to do."""
    with (
        ApiWorld(tmp_path) as world,
        contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken,
        pytest.raises(ConfigurationError, match="EARMARK_API_PORT"),
    ):
        serve(world.app, *taken.getsockname(), threading.Event())

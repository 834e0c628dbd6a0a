"""Notices by webhook, posted to real HTTP servers on this machine and judged by the specification's own library."""

import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from earmark.clock import utc_now
from earmark.errors import ConfigurationError, Unavailable
from retention.notice import Bounced, Channel, Contact
from runtime.posting import Posting
from runtime.retention.webhook import Webhook
from tests.servers import free_port, missing
from tests.servers.certificate import make_certificate
from tests.unit.test_retention_notice import WORDING, make_notice

try:
    from standardwebhooks.webhooks import Webhook as Verifier
    from standardwebhooks.webhooks import WebhookVerificationError
except ImportError:
    Verifier = None

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()

GOLDEN_ID = "msg_91317b63c480d58cf2d1d6d67e140e42"
GOLDEN_SIGNATURE = "v1,WX4nnjWLDZdCBUK4sUTbUkmb1FaUZGJ6QcLa6r9Wax0="


@dataclass
class Received:
    """What a customer's server got, and how it answers."""

    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    drip_s: float | None = None
    whole_head: bool = True
    drips: list[int] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(received: Received, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A real server; its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.calls.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
            if received.drip_s is not None:
                self.send_response(200)
                self.end_headers() if received.whole_head else self.flush_headers()
                while not received.over.wait(received.drip_s):
                    self.wfile.write(b"x-more: more\r\n" if len(received.drips) < 50 else b"x")
                    received.drips.append(1)
                return
            self.send_response(received.status)
            for name, value in received.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(received.body)))
            self.end_headers()
            self.wfile.write(received.body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # the library's name
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """The other side may leave early."""

    with Server(("127.0.0.1", 0), Answer) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            received.over.set()
            server.shutdown()
            thread.join()


def contact(address: str, secret: str = SECRET) -> Contact:
    """A webhook of acme."""
    return Contact(channel=Channel.WEBHOOK, address=address, secret=SecretStr(secret))


def hook(**settings: Any) -> Webhook:
    """As it is put together, with shorter waits, and allowed to call this machine."""
    clock = settings.pop("clock", utc_now)
    return Webhook(WORDING, clock, Posting(**{"timeout_s": 5.0, "private": True, **settings}))


def test_the_specifications_own_library_accepts_it() -> None:
    """And refuses it once a byte of it is changed, or with another secret."""
    if Verifier is None:
        missing("standardwebhooks", "Install the extra `dev`.")
    received, notice = Received(), make_notice("acme/Übung, 音楽.wav")
    with serving(received) as port:
        hook()(notice, contact(f"http://127.0.0.1:{port}/notices?of=acme"))
    [(path, headers, body)] = received.calls
    assert path == "/notices?of=acme"
    told = Verifier(SECRET).verify(body, headers)
    assert told["type"] == "retention.notice"
    assert told["data"]["notice"] == notice.id
    assert told["data"]["sample"][0]["name"] == "acme/Übung, 音楽.wav"
    assert headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body.replace(b"acme", b"acne", 1), headers)
    with pytest.raises(WebhookVerificationError):
        Verifier("whsec_" + base64.b64encode(bytes(32)).decode()).verify(body, headers)


def test_the_signature_is_that_of_the_specification() -> None:
    """A value computed once with the library `standardwebhooks` 1.1.0 for the same id, time stamp and body."""
    moment = datetime(2026, 1, 31, 2, tzinfo=UTC)
    headers = hook(clock=lambda: moment).headers(make_notice(), contact("https://a.example"), b'{"a":1}')
    assert headers["webhook-timestamp"] == "1769824800"
    assert headers["webhook-id"] == GOLDEN_ID
    assert headers["webhook-signature"] == GOLDEN_SIGNATURE


def test_called_again_it_has_the_same_id_and_body() -> None:
    """So that a receiver can tell; another notice has another."""
    received, notice = Received(), make_notice()
    with serving(received) as port:
        address = contact(f"http://127.0.0.1:{port}/")
        for each in (notice, notice, make_notice(id="acme/2026-02-01")):
            hook()(each, address)
    ids = [headers["webhook-id"] for _, headers, _ in received.calls]
    bodies = [body for *_, body in received.calls]
    assert ids[0] == ids[1] != ids[2]
    assert bodies[0] == bodies[1] != bodies[2]
    assert json.loads(bodies[0])["timestamp"] == notice.made_at.isoformat()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_accepts_it(status: int) -> None:
    """2xx."""
    received = Received(status=status)
    with serving(received) as port:
        hook()(make_notice(), contact(f"http://localhost:{port}/"))
    assert len(received.calls) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504])
def test_any_other_answer_is_tried_again(status: int) -> None:
    """The notice is not confirmed, and nothing is deleted meanwhile."""
    with serving(Received(status=status)) as port, pytest.raises(Unavailable, match=f"answers {status}"):
        hook()(make_notice(), contact(f"http://127.0.0.1:{port}/"))


def test_gone_is_a_bounce() -> None:
    """The specification says so of 410."""
    with serving(Received(status=410)) as port, pytest.raises(Bounced, match="410"):
        hook()(make_notice(), contact(f"http://127.0.0.1:{port}/"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    """What is signed for one server is shown to no other."""
    elsewhere = Received()
    with serving(elsewhere) as other:
        received = Received(status=status, headers={"Location": f"http://127.0.0.1:{other}/"})
        with serving(received) as port, pytest.raises(Unavailable, match="redirects are not followed"):
            hook()(make_notice(), contact(f"http://127.0.0.1:{port}/"))
    assert elsewhere.calls == []


def test_what_follows_the_status_does_not_matter() -> None:
    """A long body, or one that never ends: nothing of it is read."""
    for received in (Received(status=200, body=b"x" * 10_000_000), Received(drip_s=0.02)):
        with serving(received) as port:
            hook()(make_notice(), contact(f"http://127.0.0.1:{port}/"))


def test_an_answer_that_never_ends_is_cut_off() -> None:
    """However steadily it drips, the whole has a bound."""
    with serving(Received(drip_s=0.02, whole_head=False)) as port, pytest.raises(Unavailable):
        hook(whole_s=0.3)(make_notice(), contact(f"http://127.0.0.1:{port}/"))


def test_a_handshake_that_never_ends_is_cut_off() -> None:
    """A server that draws out TLS is bounded likewise."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KB begins
                while not over.wait(0.02):
                    connection.sendall(b"\x00")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with pytest.raises(Unavailable):
                hook(whole_s=0.3)(make_notice(), contact(f"https://127.0.0.1:{listener.getsockname()[1]}/"))
        finally:
            over.set()
            thread.join(10)


def test_nobody_there_is_tried_again() -> None:
    """A connection that is refused, and one that is never answered."""
    with pytest.raises(Unavailable, match="cannot be reached"):
        hook()(make_notice(), contact(f"http://127.0.0.1:{free_port()}/"))
    with serving(Received(drip_s=60, whole_head=False)) as port, pytest.raises(Unavailable):
        hook(timeout_s=0.2)(make_notice(), contact(f"http://127.0.0.1:{port}/"))


def test_tls_with_the_servers_name_checked(tmp_path: Path) -> None:
    """A certificate that nobody vouches for is refused before anything is said."""
    certificate, received = make_certificate(tmp_path), Received()
    with serving(received, certificate.server) as port:
        address = contact(f"https://localhost:{port}/")
        hook(context=certificate.client)(make_notice(), address)
        with pytest.raises(Unavailable, match=r"(?i)certificate"):
            hook()(make_notice(), address)
    assert len(received.calls) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "http://acme.example/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https:///path",
        "https://user:secret@acme.example/",
        "https://acme.example:port/",
        "https://[::1/",
        "https://ä.example/",
        "//acme.example",
        "acme.example",
    ],
)
def test_other_addresses_are_not_called(address: str) -> None:
    """HTTPS alone; `tests/unit/test_posting.py` has where it may lead."""
    with pytest.raises(ConfigurationError, match="https://") as caught:
        hook(private=False)(make_notice(), contact(address))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_?", "x" * 200, "whsec_ä"])
def test_without_a_proper_secret_nothing_is_sent(secret: str) -> None:
    """24 to 64 bytes in Base64; the secret is not told."""
    received = Received()
    with serving(received) as port, pytest.raises(ConfigurationError, match="whsec_ and the Base64") as caught:
        hook()(make_notice(), contact(f"http://127.0.0.1:{port}/", secret))
    assert received.calls == []
    assert secret in {"", "whsec_"} or secret not in str(caught.value)

"""``OpenAIServer``: chat completions with audio over real HTTP; it decodes what it is sent and answers by its content.

    python -m tests.servers.openai --port 8123 throttled_1s bad_json ok

serves until Ctrl-C; the first requests meet the faults that are named, the others get right answers.  Further faults:

    curl -d '["no_quota", "slow"]' http://127.0.0.1:8123/faults

It behaves as the models of that kind do: ``AUDIO`` refuses structured outputs, logprobs and requests without audio, as
OpenAI's audio models; ``OPEN`` takes all of them, as vLLM; ``TEXT`` refuses audio and mends JSON.
"""

import argparse
import contextlib
import json
import signal
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.servers import ears
from tests.servers.chat import MODELS, Kind, Refused, completion_of, samples_of
from tests.servers.faults import BY_NAME, OK, Fault, failing


@dataclass(frozen=True)
class Request:
    """One question that came."""

    body: dict[str, Any]
    headers: Mapping[str, str]
    """By their names in small letters."""
    heard: dict[str, Any] | None
    """What its audio was taken for; None = it had none that could be decoded."""
    seconds: float
    """Length of its audio."""
    fault: str


class OpenAIServer:
    """A provider on a free port of this machine."""

    def __init__(self, *, key: str = "", models: Mapping[str, Kind] = MODELS, port: int = 0) -> None:
        """Serve at once.

        Args:
            key: without which it refuses, and which, unlike any decent server, it repeats when it does; empty = none.
            models: it has, and what they can do.
            port: 0 = a free one.
        """
        self.key = key
        self.models = models
        self.requests: list[Request] = []
        """All questions, those that met a fault too, in the order they came."""
        self.always: Fault = OK
        """What requests meet when nothing is planned."""
        self.under_way = 0
        self.most_under_way = 0
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self._planned: deque[Fault] = deque()
        self._server = _Server(("127.0.0.1", port), _Answering)
        self._server.world = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def plan(self, *faults: Fault) -> None:
        """Let the next requests meet these, one each."""
        with self.lock:
            self._planned.extend(faults)

    def next_fault(self) -> Fault:
        """What the request that has just come meets."""
        with self.lock:
            return self._planned.popleft() if self._planned else self.always

    def asked(self, model: str) -> list[Request]:
        """The questions to one model."""
        return [request for request in self.requests if request.body.get("model") == model]

    def close(self) -> None:
        """Stop, and break off what is under way."""
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    world: OpenAIServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the library
        """Say nothing."""

    def do_GET(self) -> None:
        """The models."""
        if not self._welcome():
            return
        if self.path != "/v1/models":
            self._fail(failing(404, f"Unknown request URL: GET {self.path}", code="unknown_url"))
            return
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in self.server.world.models]
        self._send(200, json.dumps({"object": "list", "data": data}).encode())

    def do_POST(self) -> None:
        """A question, or faults for questions to come."""
        world = self.server.world
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/faults":
            world.plan(*(BY_NAME[name] for name in json.loads(body)))
            self._send(200, b"{}")
        elif self.path != "/v1/chat/completions":
            self._fail(failing(404, f"Unknown request URL: POST {self.path}", code="unknown_url"))
        elif self._welcome():
            with world.lock:
                world.under_way += 1
                world.most_under_way = max(world.most_under_way, world.under_way)
            try:
                self._answer(json.loads(body))
            finally:
                with world.lock:
                    world.under_way -= 1

    def _answer(self, body: dict[str, Any]) -> None:
        world = self.server.world
        fault = world.next_fault()
        samples, refused = None, None
        try:
            samples = samples_of(body)
            completion = completion_of(world.models, body, samples)
        except Refused as error:
            refused = error
        with world.lock:
            world.requests.append(
                Request(
                    body,
                    {name.lower(): value for name, value in self.headers.items()},
                    None if samples is None else ears.heard(samples),
                    0.0 if samples is None else len(samples) / ears.RATE_HZ,
                    fault.name,
                )
            )
        if fault.delay_s and world.stopped.wait(fault.delay_s):
            self.close_connection = True
        elif fault.error is not None:
            self._fail(fault)
        elif refused is not None:
            told = {"message": str(refused), "type": "invalid_request_error", "param": refused.param or None}
            self._send(404 if refused.param == "model" else 400, json.dumps({"error": told}).encode())
        else:
            if fault.change is not None:
                fault.change(completion)
            sent = json.dumps(completion).encode() if fault.body is None else fault.body
            self._send(fault.status, sent, fault)

    def _welcome(self) -> bool:
        world, said = self.server.world, self.headers.get("Authorization", "")
        if not world.key or said == f"Bearer {world.key}":
            return True
        self.rfile.read(0)
        key = said.removeprefix("Bearer ")
        self._fail(failing(401, f"Incorrect API key provided: {key}. You said: {said}", code="invalid_api_key"))
        return False

    def _fail(self, fault: Fault) -> None:
        self._send(fault.status, json.dumps({"error": dict(fault.error or {})}).encode(), fault)

    def _send(self, status: int, body: bytes, fault: Fault = OK) -> None:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))} | dict(fault.headers)
        if fault.cut_after_bytes == -1:
            self.close_connection = True
            return
        with contextlib.suppress(OSError):  # the client may have gone
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if fault.cut_after_bytes is not None:
                self.wfile.write(body[: fault.cut_after_bytes])
                self.close_connection = True
            elif fault.drip_s:
                for at in range(len(body)):
                    self.wfile.write(body[at : at + 1])
                    if self.server.world.stopped.wait(fault.drip_s):
                        break
            else:
                self.wfile.write(body)


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.openai", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 = a free one")
    parser.add_argument("--key", default="", help="without which it refuses")
    parser.add_argument("faults", nargs="*", choices=[*BY_NAME, []], metavar="FAULT", help=", ".join(BY_NAME))
    given = parser.parse_args()
    with OpenAIServer(key=given.key, port=given.port) as server:
        server.plan(*(BY_NAME[name] for name in given.faults))
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()

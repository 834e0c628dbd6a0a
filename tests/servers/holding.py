"""``HoldingServer``: one bucket of Cloud Storage that keeps holds and custom times, which fake-gcs-server does not.

Small on purpose: objects are written in one request, looked at, listed in one page, patched and deleted, each with the
preconditions, holds and answers that the documentation of the JSON API describes.
"""

import json
import threading
from dataclasses import dataclass, field
from email.parser import BytesParser
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

PATCHED = ("temporaryHold", "customTime")


@dataclass
class HoldingServer:
    """The objects, the requests that came, and what is to happen before the next ones."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Resources by name."""
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    """Method, parameters and, of a patch, what was to change."""
    before_patch: list[dict[str, Any]] = field(default_factory=list)
    """What somebody else changes of the object before each of the next patches."""
    forbidding: str = ""
    """Why deletes are refused; empty = they are not."""
    _generation: int = 1_700_000_000_000_000

    def __post_init__(self) -> None:
        """Listen on a free port."""
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            """Answers one request."""

            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer("GET")

            def do_POST(self) -> None:
                self._answer("POST")

            def do_PATCH(self) -> None:
                self._answer("PATCH")

            def do_DELETE(self) -> None:
                self._answer("DELETE")

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

            def _answer(self, method: str) -> None:
                length = self.headers.get("Content-Length")
                body = self.rfile.read(int(length)) if length else self._chunks()
                with outer._lock:
                    status, answer = outer._handle(method, self.path, body, self.headers.get("Content-Type", ""))
                content = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def _chunks(self) -> bytes:
                content = b""
                while self.headers.get("Transfer-Encoding") == "chunked" and (size := int(self.rfile.readline(), 16)):
                    content += self.rfile.read(size)
                    self.rfile.readline()
                return content

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        self._server.shutdown()
        self._server.server_close()

    def sent(self, method: str) -> list[tuple[dict[str, str], dict[str, Any]]]:
        """Parameters and changes of the requests of a method."""
        return [(parameters, changes) for sent, parameters, changes in self.requests if sent == method]

    def _handle(self, method: str, path: str, body: bytes, kind: str) -> tuple[int, dict[str, Any] | None]:
        parts = urlsplit(path)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        name = unquote(parts.path.partition("/o/")[2])
        changes = {key: value for key, value in json.loads(body).items() if key in PATCHED} if method == "PATCH" else {}
        self.requests.append((method, parameters, changes))
        if method == "POST":
            return self._insert(body, kind, parameters)
        if not name:
            return HTTPStatus.OK, {"items": [self.objects[each] for each in sorted(self.objects, key=str.encode)]}
        return self._reach(method, name, parameters, changes)

    def _reach(
        self, method: str, name: str, parameters: dict[str, str], changes: dict[str, Any]
    ) -> tuple[int, dict[str, Any] | None]:
        if method == "PATCH" and self.before_patch and name in self.objects:
            self._change(name, self.before_patch.pop(0))
        found = self.objects.get(name)
        if found is None:
            return _fault(HTTPStatus.NOT_FOUND, "No such object", "notFound")
        if not _fits(parameters, found):
            return _fault(HTTPStatus.PRECONDITION_FAILED, "A precondition does not hold", "conditionNotMet")
        if method == "DELETE":
            return self._delete(name)
        if changes.get("customTime", "~") < found.get("customTime", ""):
            return _fault(HTTPStatus.BAD_REQUEST, "A custom time only moves later", "invalid")
        if method == "PATCH":
            self._change(name, changes)
        return HTTPStatus.OK, self.objects[name]

    def _delete(self, name: str) -> tuple[int, dict[str, Any] | None]:
        if self.forbidding:
            return _fault(HTTPStatus.FORBIDDEN, "You may not", self.forbidding)
        if self.objects[name].get("temporaryHold"):
            return _held(name)
        del self.objects[name]
        return HTTPStatus.NO_CONTENT, None

    def _insert(self, body: bytes, kind: str, parameters: dict[str, str]) -> tuple[int, dict[str, Any]]:
        message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        metadata_part, content_part = message.get_payload()
        metadata = json.loads(metadata_part.get_payload(decode=True))  # type: ignore[union-attr, arg-type]
        content = content_part.get_payload(decode=True)  # type: ignore[union-attr]
        present = self.objects.get(metadata["name"], {"generation": "0"})
        if not _fits(parameters, present):
            return _fault(HTTPStatus.PRECONDITION_FAILED, "A precondition does not hold", "conditionNotMet")
        if present.get("temporaryHold"):
            return _held(metadata["name"])
        self._generation += 1
        self.objects[metadata["name"]] = {
            "generation": str(self._generation),
            "metageneration": "1",
            "size": str(len(content)),  # type: ignore[arg-type]
            "timeCreated": "2026-01-01T00:00:00.000000Z",
            **metadata,
        }
        return HTTPStatus.OK, self.objects[metadata["name"]]

    def _change(self, name: str, changes: dict[str, Any]) -> None:
        found = self.objects[name]
        self.objects[name] = {**found, "metageneration": str(int(found["metageneration"]) + 1), **changes}


def _fits(parameters: dict[str, str], found: dict[str, Any]) -> bool:
    wanted = (("ifGenerationMatch", "generation"), ("ifMetagenerationMatch", "metageneration"))
    return all(parameters.get(name, found.get(key)) == found.get(key) for name, key in wanted)


def _held(name: str) -> tuple[int, dict[str, Any]]:
    message = f"Object '{name}' is under active Temporary hold and cannot be deleted, overwritten or archived."
    return _fault(HTTPStatus.FORBIDDEN, message, "objectUnderActiveHold")


def _fault(status: HTTPStatus, message: str, reason: str) -> tuple[int, dict[str, Any]]:
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return status, {"error": {"code": status, "message": message, "errors": errors}}

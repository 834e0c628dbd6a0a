"""``Bodies``: takes what clients send, however large, slow or malformed, into files of ours.

Bytes are counted as they come, whatever the head of the request says; the first of them must be those of audio, or
nothing more is read.  A file is named by us, lies in a folder that is ours alone, and is removed whatever happens.
"""

import asyncio
import hashlib
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final, NoReturn, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from earmark.errors import InputFault, InputRejected, Unavailable
from earmark.sniff import SNIFF_BYTES, sniff
from runtime.endpoints.problem import Problem
from runtime.endpoints.small_bodies import lift
from workers.decode.scratch import Scratch

FILE: Final = "file"
"""Name of the part of a form that is the audio."""
_FLUSH_BYTES: Final = 512 * 1024
_FIELD_BYTES: Final = 1024
_PARTS: Final = 8
_TEXT_BYTES: Final = 64 * 1024
AT_ONCE: Final = 128
"""Bodies that come in at the same time; more are asked to come again."""
RETRY_S: Final = 2
_SMALLER: Final = "Split it, send it in a smaller format, or put it in place with POST /v1/uploads."


@dataclass(frozen=True, slots=True)
class Body:
    """Audio that came, in a file that goes when the request ends."""

    path: Path
    content_sha256: str
    size_bytes: int
    fields: Mapping[str, str]
    """Of a form, what came beside the file."""


class Bodies:
    """Takes bodies into the scratch folder."""

    def __init__(self, scratch: Path, *, most_bytes: int, within_s: float, at_once: int = AT_ONCE) -> None:
        """Take where files go, and what a body may have.

        Args:
            scratch: a folder that several processes may share.
            most_bytes: of one body.
            within_s: seconds in which a body must have come.
            at_once: bodies that may come at the same time.
        """
        self._root, self._most_bytes, self._within_s, self._at_once = scratch, most_bytes, within_s, at_once
        self._lock = threading.Lock()
        self._scratch: Scratch | None = None
        self._coming = 0

    @property
    def coming(self) -> int:
        """How many come now."""
        return self._coming

    @asynccontextmanager
    async def audio(self, request: Request, *, most_bytes: int | None = None) -> AsyncIterator[Body]:
        """The audio of a request: a form with a part ``file``, or the body itself.

        Args:
            request: it has not been read yet.
            most_bytes: of this file; ``None`` = what any body may have.

        Raises:
            InputRejected: it is empty, too large, or no audio.
            Problem: it is malformed, too slow, compressed, or there are too many.
            Unavailable: there is no room for it.
        """
        if self._coming >= self._at_once:
            raise _busy()
        self._coming += 1
        try:
            sink = await run_in_threadpool(self._open, min(most_bytes or self._most_bytes, self._most_bytes))
            try:
                form = _form(request, sink)
                async for chunk in self.chunks(request):
                    form.write(chunk)
                    if sink.pending >= _FLUSH_BYTES:
                        await run_in_threadpool(sink.flush)
                form.finish()
                await run_in_threadpool(sink.finish)
                yield Body(sink.path, sink.digest.hexdigest(), sink.size_bytes, form.fields)
            finally:
                await run_in_threadpool(sink.remove)
        finally:
            self._coming -= 1

    async def text(self, request: Request, most_bytes: int = _TEXT_BYTES) -> bytes:
        """A small body as it is.

        Raises:
            Problem: it is too large, too slow or compressed.
        """
        text = bytearray()
        async for chunk in self.chunks(request, most_bytes):
            text += chunk
        return bytes(text)

    def close(self) -> None:
        """Remove the folder."""
        with self._lock:
            if self._scratch is not None:
                self._scratch.close()
                self._scratch = None

    async def chunks(self, request: Request, most_bytes: int | None = None) -> AsyncIterator[bytes]:
        """A body as it comes, which is nowhere kept.

        Args:
            request: it has not been read yet.
            most_bytes: of the body; ``None`` = what any body may have.

        Raises:
            Problem: it is too large, too slow or compressed.
        """
        lift(request)
        most = self._most_bytes if most_bytes is None else most_bytes
        if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            remedy = "Send the bytes of the file as they are."
            raise Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compressed", "Compressed bodies are not unpacked.", remedy
            )
        told = request.headers.get("content-length", "")
        if told.isdecimal() and int(told[:20]) > most:
            raise _too_large(most)
        loop, came_bytes = asyncio.get_running_loop(), 0
        deadline, chunks = loop.time() + self._within_s, aiter(request.stream())
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                message = f"The body did not come within {self._within_s:g} seconds."
                raise Problem(HTTPStatus.REQUEST_TIMEOUT, "too_slow", message, _SMALLER) from None
            except ClientDisconnect:
                raise Problem(HTTPStatus.BAD_REQUEST, "disconnected", "The connection ended early.") from None
            if chunk is None:
                return
            came_bytes += len(chunk)
            if came_bytes > most:
                raise _too_large(most)
            yield chunk

    def _open(self, most_bytes: int) -> "_Sink":
        try:
            with self._lock:
                if self._scratch is None:
                    self._scratch = Scratch(self._root)
                folder = self._scratch.folder
            return _Sink(folder, most_bytes)
        except OSError as error:
            raise _no_room(error) from error


class _Sink:
    """A file being filled and hashed; its bytes must be those of audio."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._descriptor, name = tempfile.mkstemp(".body", "", folder)
        self.path, self._most_bytes = Path(name), most_bytes
        self.digest, self.size_bytes = hashlib.sha256(), 0
        self._head, self._known = bytearray(), False
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        return len(self._buffer)

    def feed(self, chunk: bytes | memoryview) -> None:
        self.size_bytes += len(chunk)
        if self.size_bytes > self._most_bytes:
            message = f"The audio has more than {self._most_bytes} bytes"
            raise InputRejected(InputFault.TOO_LARGE, message, _SMALLER)
        self._buffer += chunk
        if not self._known:
            self._head += chunk[: SNIFF_BYTES - len(self._head)]
            if len(self._head) >= SNIFF_BYTES:
                self._demand_audio()

    def flush(self) -> None:
        chunk, self._buffer = self._buffer, bytearray()
        self.digest.update(chunk)
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise _no_room(error) from error

    def finish(self) -> None:
        if not self.size_bytes:
            raise InputRejected(InputFault.EMPTY, "There are no bytes of audio in the request")
        self._demand_audio()
        self.flush()

    def remove(self) -> None:
        os.close(self._descriptor)
        self.path.unlink(missing_ok=True)

    def _demand_audio(self) -> None:
        if not self._known and sniff(bytes(self._head)) is None:
            raise InputRejected(InputFault.NOT_AUDIO, "The bytes are those of no audio format that is known")
        self._known = True


class _Reader(Protocol):
    fields: dict[str, str]

    def write(self, chunk: bytes) -> None: ...

    def finish(self) -> None: ...


@dataclass(slots=True)
class _Raw:
    """A body that is the file."""

    sink: _Sink
    fields: dict[str, str] = field(default_factory=dict)

    def write(self, chunk: bytes) -> None:
        self.sink.feed(chunk)

    def finish(self) -> None:
        pass


class _Form:
    """A body of parts, one of them the file."""

    def __init__(self, boundary: bytes, sink: _Sink) -> None:
        self.fields: dict[str, str] = {}
        self._sink, self._ended, self._parts, self._files = sink, False, 0, 0
        self._header, self._value = bytearray(), bytearray()
        self._disposition, self._name, self._text = b"", "", bytearray()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._grow(self._header, data[start:end]),
                "on_header_value": lambda data, start, end: self._grow(self._value, data[start:end]),
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._part,
                "on_part_end": self._end,
                "on_end": self._finished,
            },
        )

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError:
            _refuse_form("The form cannot be read.")

    def finish(self) -> None:
        if not self._ended:
            _refuse_form("The form ends before its last boundary.")
        if not self._files:
            _refuse_form(f"There is no part named {FILE}.")

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _PARTS:
            _refuse_form(f"There are more than {_PARTS} parts.")
        self._disposition, self._name = b"", ""
        self._text.clear()

    @staticmethod
    def _grow(what: bytearray, more: bytes) -> None:
        what += more
        if len(what) > 4 * _FIELD_BYTES:
            _refuse_form("The head of a part is too long.")

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._name == FILE:
            self._files += 1
            if self._files > 1:
                _refuse_form(f"There is more than one part named {FILE}.")

    def _part(self, data: bytes, start: int, end: int) -> None:
        if self._name == FILE:
            self._sink.feed(memoryview(data)[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > _FIELD_BYTES:
            _refuse_form("A field is too long.")

    def _end(self) -> None:
        if self._name != FILE:
            self.fields[self._name] = self._text.decode("utf-8", "replace")

    def _finished(self) -> None:
        self._ended = True


def _form(request: Request, sink: _Sink) -> _Reader:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        return _Raw(sink)
    try:
        boundary = options.get(b"boundary", b"")
        if not boundary:
            _refuse_form("The form names no boundary.")
        return _Form(boundary, sink)
    except FormParserError:
        _refuse_form("The boundary of the form is too long.")


def _refuse_form(detail: str) -> NoReturn:
    remedy = f"Send a form (multipart/form-data) with one part named {FILE}."
    raise Problem(HTTPStatus.BAD_REQUEST, "malformed_form", detail, remedy) from None


def _too_large(most_bytes: int) -> Problem:
    detail = f"The body has more than {most_bytes} bytes."
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, InputFault.TOO_LARGE, detail, _SMALLER)


def _busy() -> Problem:
    detail = "Too much audio is coming in at the moment."
    headers = {"Retry-After": str(RETRY_S)}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail, "Try again in a moment.", headers=headers)


def _no_room(error: OSError) -> Unavailable:
    return Unavailable(f"There is no room for what clients send: {error.strerror}")

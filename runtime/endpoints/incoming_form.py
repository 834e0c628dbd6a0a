"""``reader_of``: reads a body into a file, be it a form of parts or the file itself."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NoReturn, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from runtime.endpoints.incoming_audio import IncomingAudio
from runtime.endpoints.problem import Problem

FILE: Final = "file"
"""Name of the part of a form that is the audio."""
_FIELD_BYTES: Final = 1024
_PARTS: Final = 8


class BodyReader(Protocol):
    """Takes the bytes of a body, in whatever chunks."""

    fields: dict[str, str]
    """What came beside the file."""

    def write(self, chunk: bytes) -> None:
        """Take more; raises what is wrong with it."""
        ...

    def finish(self) -> None:
        """That was all; raises ``Problem`` where something is missing."""
        ...


@dataclass(slots=True)
class _Raw:
    """A body that is the file."""

    sink: IncomingAudio
    fields: dict[str, str] = field(default_factory=dict)

    def write(self, chunk: bytes) -> None:
        self.sink.feed(chunk)

    def finish(self) -> None:
        pass


class _Form:
    """A body of parts, one of them the file."""

    def __init__(self, boundary: bytes, sink: IncomingAudio) -> None:
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


def reader_of(request: Request, sink: IncomingAudio) -> BodyReader:
    """What reads the body of a request into a file.

    Raises:
        Problem: it is a form without a proper boundary.
    """
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

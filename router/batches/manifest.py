"""Manifests: their entries, one line after another, from any line on, with memory for one line."""

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from earmark.errors import InputFault, InputRejected
from router.batches.entry import MAX_LINE_BYTES, Entry
from router.batches.form import ManifestForm


class Cursor(NamedTuple):
    """Where in a manifest somebody is: all before it was read."""

    line: int = 0
    """Lines before it."""
    byte: int = 0


START: Final = Cursor()
_KEPT_BYTES: Final = MAX_LINE_BYTES + 3
"""Of a line that is too long, so much is looked at."""


def entries_of(
    chunks: Iterable[bytes], form: ManifestForm, start: Cursor = START
) -> Iterator[tuple[Cursor, Entry | None]]:
    """Each line of a manifest, with where the next one begins; ``None`` stands for lines that are no entry.

    Args:
        chunks: the manifest's bytes, all of them.
        form: how it is written.
        start: the end of a line that was read before.
    """
    line, byte = start
    end = form.line_end.encode()
    kept, taken = b"", 0
    for piece in _lines(_skip(chunks, byte), end):
        kept = piece if not kept else kept + piece[: max(0, _KEPT_BYTES - len(kept))]
        taken += len(piece)
        if piece.endswith(end):
            line, byte = line + 1, byte + taken
            yield Cursor(line, byte), form.entry(line, kept)
            kept, taken = b"", 0
    if taken:
        yield Cursor(line + 1, byte + taken), form.entry(line + 1, kept)


class LineCount:
    """Counts the lines of a manifest while it comes, and refuses more than may be."""

    def __init__(self, most: int) -> None:
        """Take the most entries a batch may have."""
        self._most = most
        self._feeds, self._returns = 0, 0

    @property
    def lines(self) -> int:
        """Ends of lines so far."""
        return self._feeds or self._returns

    @property
    def line_end(self) -> Literal["\n", "\r"]:
        """How lines of what came so far end: by a carriage return where there is no line feed."""
        return "\r" if self._returns and not self._feeds else "\n"

    def add(self, chunk: bytes) -> None:
        """Count a piece of the manifest.

        Raises:
            InputRejected: ``too_large``.
        """
        self._feeds += chunk.count(b"\n")
        self._returns += chunk.count(b"\r")
        if self.lines > self._most + 1:  # one may be a header
            message = f"The manifest has more than {self._most} lines"
            raise InputRejected(InputFault.TOO_LARGE, message, "Send it in several batches.")


def _skip(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    for chunk in chunks:
        if count >= len(chunk):
            count -= len(chunk)
            continue
        yield chunk[count:]
        count = 0


def _lines(chunks: Iterable[bytes], line_end: bytes) -> Iterator[bytes]:
    """Pieces that end with a line, or with a chunk."""
    for chunk in chunks:
        at = 0
        while (end := chunk.find(line_end, at)) >= 0:
            yield chunk[at : end + 1]
            at = end + 1
        if at < len(chunk):
            yield chunk[at:]

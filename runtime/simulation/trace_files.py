"""``opened_trace``: the text of a trace's file, packed by gzip or not; what is no UTF-8 text is refused by its name."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from earmark.errors import ConfigurationError

LINE_MOST: Final = 20_000
"""Characters of a line that are read at a time: a file without line ends does not fill the memory."""
HEAD_BYTES: Final = 4096
"""Of a file that are looked at to tell what it is."""
UNREADABLE_MOST: Final = 0.3
"""From a larger share of signs that are no text, it is none; a damaged line among good ones stays below."""
GZIP: Final = b"\x1f\x8b"
_KINDS: Final = (
    (GZIP, "packed by gzip twice", "unpack it with gunzip"),
    (b"BZh", "packed by bzip2", "unpack it with bunzip2"),
    (b"\xfd7zXZ", "packed by xz", "unpack it with unxz"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", "unpack it with unzstd"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "unpack it, or save the sheet as CSV"),
    (b"PAR1", "Parquet", "write it as CSV or JSON lines"),
)
_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


@contextmanager
def opened_trace(path: Path) -> Iterator[TextIO]:
    """The file's text; ``-`` = standard input.

    Raises:
        ConfigurationError: it cannot be read or unpacked, or it is no text in UTF-8; says what it is, and what to do.
    """
    standard = str(path) == "-"
    name = "standard input" if standard else f"the trace {path}"
    with ExitStack() as stack:
        try:
            file: BinaryIO = sys.stdin.buffer if standard else stack.enter_context(path.open("rb"))
            plain: BinaryIO | gzip.GzipFile = file
            head = _head(file)
            if head.startswith(GZIP):
                plain = stack.enter_context(gzip.GzipFile(fileobj=file))
                head = plain.peek(HEAD_BYTES)[:HEAD_BYTES]
            _refuse(head, name)
            text = TextIOWrapper(plain, encoding="utf-8", errors="replace")
            stack.callback(text.detach)  # standard input is not ours to close
            yield text
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            message = f"Cannot unpack {name}: {error}.  It is damaged or cut off: copy it anew, or unpack it by hand."
            raise ConfigurationError(message) from error
        except OSError as error:
            message = f"Cannot read {name}: {error.strerror or error}."
            raise ConfigurationError(message) from error


def lines_of(file: TextIO) -> Iterator[str]:
    """The lines; of one that is too long only the beginning."""
    while line := file.readline(LINE_MOST):
        if not line.endswith("\n") and len(line) == LINE_MOST:
            while (rest := file.readline(LINE_MOST)) and not rest.endswith("\n"):
                pass
        yield line


def _head(file: BinaryIO) -> bytes:
    """Its first bytes, which are read again; of a pipe as many as are there."""
    if file.seekable():
        begin = file.tell()
        head = file.read(HEAD_BYTES)
        file.seek(begin)
        return head
    return bytes(file.peek(HEAD_BYTES)[:HEAD_BYTES])  # type: ignore[attr-defined]  # of what reads a pipe


def _refuse(head: bytes, name: str) -> None:
    """Raise ``ConfigurationError`` for what does not begin as UTF-8 text."""
    kind = next(((what, remedy) for magic, what, remedy in _KINDS if head.startswith(magic)), None)
    text = head.decode(errors="replace")
    wide = UNREADABLE_MOST * len(text) < text.count("\x00") < (1 - UNREADABLE_MOST) * len(text)
    if kind is None and (head.startswith(_MARKS) or wide):
        kind = ("text in UTF-16", "write it as UTF-8, as with iconv -f UTF-16 -t UTF-8")
    elif kind is None and sum(map(_unreadable, text)) > UNREADABLE_MOST * len(text):
        kind = ("no text", "write it as CSV or JSON lines in UTF-8")
    if kind is not None:
        message = f"Cannot read {name}: it is {kind[0]}.  A trace is UTF-8 text, packed by gzip or not: {kind[1]}."
        raise ConfigurationError(message)


def _unreadable(sign: str) -> bool:
    return sign == "\ufffd" or (sign < " " and sign not in "\t\n\r\f")

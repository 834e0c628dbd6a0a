"""The plain text chunks of WAV and AIFF, beside ID3: much that reads these files knows no ID3 in them.

In WAV that is the list ``INFO``.  Its names are those of the RIFF specification of 1991, chapter 2: ``IGNR`` genre,
``ICMT`` comment, and ``IKEY`` for key *words*, which are joined by a semicolon and a blank; ``ILNG`` is language for
everybody since, and ``IBPM`` tempo for programs about music.  There is no name for the key of music.  In AIFF it is
``ANNO``, an annotation.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from runtime.exports.chunks import AIFF, RIFF, Chunk, chunks_of, content_of, pack, put, unpack

_LIST: Final = b"LIST"
_INFO: Final = b"INFO"
_ANNOTATION: Final = b"ANNO"
_BETWEEN: Final = "; "
_MOST_BYTES: Final = 16 * 2**20
"""Of a list that is read; none is as long."""
_TOLD: Final[Mapping[bytes, str]] = {
    b"IGNR": "genres",
    b"ICMT": "description",
    b"ILNG": "language",
    b"IBPM": "tempo_bpm",
}
"""What of the tags is told where."""


def told_there(file: Any, is_open: Callable[[list[str]], bool]) -> frozenset[str]:
    """Which of our tags the ``INFO`` list of a WAV file has already, by their names; see ``Tags``."""
    _, entries = _info_of(file)
    return frozenset(_TOLD[name] for name, value in entries or () if name in _TOLD and not is_open([_text(value)]))


def write_info(file: Any, tags: Any, is_open: Callable[[list[str]], bool]) -> None:
    """Tell in the ``INFO`` list of a WAV file what its ID3 frames tell; what somebody said there stays.

    A list that is there grows in its place; a new one comes last.  A file whose chunks do not fill it is left alone.

    Args:
        file: open for reading and writing.
        tags: its frames of ID3.
        is_open: whether texts say nothing.
    """
    chunks = chunks_of(file, RIFF)
    place, entries = _info_of(file)
    if chunks is None or entries is None:
        return
    texts = {name: text for name, text in _texts(tags).items() if text}
    kept = [(name, value) for name, value in entries if name not in texts or not is_open([_text(value)])]
    said = {name for name, _ in kept}
    ours = [(name, text.encode() + b"\0") for name, text in texts.items() if name not in said]
    if not ours:
        return
    listed = pack(RIFF, _LIST, _INFO + b"".join(pack(RIFF, name, value) for name, value in (*kept, *ours)))
    last = chunks[-1].end
    put(file, RIFF, place.start if place else last, place.end if place else last, listed)


def write_annotation(file: Any, tags: Any) -> None:
    """Tell in a chunk ``ANNO`` of an AIFF file what its ID3 comment tells, unless there is one."""
    chunks = chunks_of(file, AIFF)
    comment = _comment(tags)
    if chunks and comment and not any(each.name == _ANNOTATION for each in chunks):
        put(file, AIFF, chunks[-1].end, chunks[-1].end, pack(AIFF, _ANNOTATION, comment.encode()))


def _info_of(file: Any) -> tuple[Chunk | None, list[tuple[bytes, bytes]] | None]:
    """The first ``INFO`` list and what is in it: nothing where there is none, ``None`` where it cannot be read."""
    for chunk in chunks_of(file, RIFF) or ():
        if chunk.name == _LIST and content_of(file, chunk, 4) == _INFO:
            readable = chunk.size_bytes <= _MOST_BYTES
            return chunk, unpack(content_of(file, chunk)[4:], RIFF) if readable else None
    return None, []


def _texts(tags: Any) -> dict[bytes, str]:
    words = [text for name in ("TMOO", "TXXX:INSTRUMENT") for text in _all(tags.getall(name))]
    return {
        b"IGNR": _BETWEEN.join(genre for frame in tags.getall("TCON") for genre in frame.genres),
        b"ICMT": _comment(tags),
        b"ILNG": _BETWEEN.join(_all(tags.getall("TLAN"))),
        b"IBPM": _BETWEEN.join(_all(tags.getall("TBPM"))),
        b"IKEY": _BETWEEN.join(words),
    }


def _comment(tags: Any) -> str:
    return "\n".join(_all(frame for frame in tags.getall("COMM") if not frame.desc))


def _all(frames: Iterable[Any]) -> list[str]:
    return [text for frame in frames for text in frame.text if text]


def _text(value: bytes) -> str:
    return value.partition(b"\0")[0].decode("utf-8", "replace")

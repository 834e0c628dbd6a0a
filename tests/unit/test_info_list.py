"""The plain text chunks of tagged WAV and AIFF files, read by a walk of the test's own and by FFmpeg."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from runtime.exports.tags import Tags
from tests import audio_files
from tests.unit.test_tagging import TAGS, read_back, tagged

OURS = {b"IGNR": "hip hop; jazz", b"ICMT": "Calm hip hop.", b"ILNG": "eng", b"IBPM": "120", b"IKEY": "calm; drums"}
FORMAT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
DATA = bytes(range(256)) * 8 + b"odd"


def chunk(name: bytes, content: bytes) -> bytes:
    """One of RIFF."""
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)


def wav(*before_data: bytes) -> bytes:
    """A file with chunks before its sound, whose length is odd."""
    content = b"WAVE" + FORMAT + b"".join(before_data) + chunk(b"data", DATA)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def info(**entries: bytes) -> bytes:
    """A list as other programs write it."""
    return chunk(b"LIST", b"INFO" + b"".join(chunk(name.encode(), value) for name, value in entries.items()))


def within(content: bytes, order: str = "<") -> list[tuple[bytes, bytes]]:
    """The chunks that fill some bytes, to the last one."""
    found, at = [], 0
    while at < len(content):
        name, size_bytes = struct.unpack_from(f"{order}4sI", content, at)
        found.append((name, content[at + 8 : at + 8 + size_bytes]))
        at += 8 + size_bytes + size_bytes % 2
    assert at == len(content)
    return found


def chunks(file: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a whole file, whose head gives its length."""
    order = "<" if file[:4] == b"RIFF" else ">"
    assert struct.unpack_from(f"{order}I", file, 4)[0] == len(file) - 8
    return within(file[12:], order)


def listed(file: bytes) -> dict[bytes, str]:
    """What the one list of a file says."""
    [found] = [content for name, content in chunks(file) if name == b"LIST" and content[:4] == b"INFO"]
    entries = within(found[4:])
    assert len(dict(entries)) == len(entries)
    return {name: value.rstrip(b"\0").decode() for name, value in entries}


def test_a_list_is_made_and_the_sound_stays() -> None:
    """Behind the sound; a second export changes nothing."""
    file = tagged(wav())
    assert listed(file) == OURS
    assert dict(chunks(file))[b"data"] == DATA
    assert read_back(file)[1] == read_back(wav())[1]
    assert tagged(file) == file


def test_a_list_of_the_customers_is_extended_where_it_is() -> None:
    """Before the sound, with what it says; what says nothing gives way, and no frame of ID3 contradicts it."""
    own = info(INAM="Übung".encode() + b"\0", IGNR=b"Krautrock\0", ICMT=b"unknown")
    file = tagged(wav(chunk(b"junk", b"x"), own))
    assert listed(file) == OURS | {b"INAM": "Übung", b"IGNR": "Krautrock"}
    assert [name for name, _ in chunks(file)] == [b"fmt ", b"junk", b"LIST", b"data", b"id3 "]
    assert dict(chunks(file))[b"data"] == DATA
    assert b"hip hop\0jazz" not in dict(chunks(file))[b"id3 "]
    assert read_back(file)[0]["genre"] == "Krautrock"


@pytest.mark.parametrize("long", [True, False])
def test_a_shorter_and_a_longer_list(long: bool) -> None:  # noqa: FBT001
    """What comes after it moves either way, a block at a time."""
    comment = b" " * 4000 if long else b""
    file = wav(info(ICMT=comment), chunk(b"junk", bytes(range(256)) * 10_000))
    result = tagged(file)
    assert (len(dict(chunks(result))[b"LIST"]) < len(dict(chunks(file))[b"LIST"])) is long
    assert {name: content for name, content in chunks(result) if name in {b"junk", b"data", b"fmt "}} == {
        name: content for name, content in chunks(file) if name != b"LIST"
    }


def test_padding_that_was_forgotten_is_put_there() -> None:
    """Else whatever comes behind the sound cannot be found."""
    whole = wav()
    uncounted = whole[:4] + struct.pack("<I", len(whole) - 9) + whole[8:]
    for file in (uncounted, uncounted[:-1]):
        assert tagged(file) == tagged(whole)


def test_nothing_to_tell_makes_no_list_and_a_broken_one_is_left_alone() -> None:
    """Rather than guessed at."""
    assert [name for name, _ in chunks(tagged(wav(), Tags(analysis="a" * 32)))] == [b"fmt ", b"data", b"id3 "]
    broken = chunk(b"LIST", b"INFO" + struct.pack("<4sI", b"IGNR", 900) + b"Kraut\0")
    assert [content for name, content in chunks(tagged(wav(broken))) if name == b"LIST"] == [broken[8:]]


def test_aiff_has_an_annotation() -> None:
    """Once."""
    file = tagged(audio_files.example("aiff", 1.0))
    assert [content for name, content in chunks(file) if name == b"ANNO"] == [b"Calm hip hop."]
    assert tagged(file) == file


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="no ffprobe here")
def test_ffprobe_reads_them(tmp_path: Path) -> None:
    """Of any version: 5.1 passes over ID3 where there is a list."""
    path = tmp_path / "file.wav"
    path.write_bytes(tagged(audio_files.example("wav", 1.0), TAGS.model_copy(update={"description": "Ruhig, schön"})))
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format_tags=genre,comment,language", "-of", "flat", str(path)],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name, value in {"genre": "hip hop", "comment": "Ruhig, schön", "language": "eng"}.items():
        assert f'{name}="{value}' in told

"""Tags in copies of audio files, read back with FFmpeg's library, which shares nothing with what writes them."""

import io
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import mutagen
import numpy as np
import pytest
from mutagen import id3
from mutagen.mp4 import MP4

from earmark.errors import InputRejected, Unavailable
from earmark.sniff import sniff
from runtime.exports import tagging as module
from runtime.exports.tagging import Tagging
from runtime.exports.tags import Tags
from tests import audio_files

FRAMES: Any = id3
TAGS = Tags(
    analysis="a" * 32,
    genres=("hip hop", "jazz"),
    moods=("calm",),
    instruments=("drums",),
    tempo_bpm=120,
    key="C#m",
    language="eng",
    description="Calm hip hop.",
    lyrics="Hello, wörld\n音楽",
)
TAGGING = Tagging()
ID3 = {"genre": "hip hop", "tbpm": "120", "tkey": "C#m", "language": "eng", "tmoo": "calm", "comment": "Calm hip hop."}
COMMENTS = {"genre": "hip hop;jazz", "bpm": "120", "initialkey": "C#m", "language": "eng", "mood": "calm"}
ATOMS = {"genre": "hip hop", "initialkey": "C#m", "language": "eng", "mood": "calm", "description": "Calm hip hop."}
READ = {
    "mp3": {**ID3, "lyrics-eng": TAGS.lyrics},
    "wav": {**ID3, "lyrics-eng": TAGS.lyrics},
    "aiff": {**ID3, "lyrics-eng": TAGS.lyrics},
    "flac": {**COMMENTS, "lyrics": TAGS.lyrics, "comment": "Calm hip hop."},
    "ogg": {**COMMENTS, "lyrics": TAGS.lyrics, "comment": "Calm hip hop."},
    "opus": {**COMMENTS, "lyrics": TAGS.lyrics, "comment": "Calm hip hop."},
    "m4a": {**ATOMS, "lyrics": TAGS.lyrics},
}
"""What FFmpeg calls them, in small letters; it shows the first of several in ID3 and atoms, and no tempo of atoms."""


def tagged(content: bytes, tags: Tags = TAGS, tagging: Tagging = TAGGING, kind: str | None = None) -> bytes:
    """A file with tags; of the kind that it looks like unless one is named."""
    with tempfile.TemporaryFile() as copy:
        copy.write(content)
        copy.seek(0)
        tagging.write(copy, kind or sniff(content) or "mp3", tags)
        return copy.read()


def read_back(content: bytes) -> tuple[dict[str, str], bytes]:
    """What FFmpeg finds in a file: tags by their names in small letters, and samples."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.audio[0]
        found = {**stream.metadata, **container.metadata}
        samples = b"".join(frame.to_ndarray().tobytes() for frame in container.decode(stream))
    return {name.lower(): value for name, value in found.items()}, samples


@pytest.mark.parametrize("name", sorted(READ))
def test_another_tool_reads_them_and_the_same_sound(name: str) -> None:
    """Of every kind that bears tags; not a sample is changed."""
    content = audio_files.example(name, 1.0)
    found, samples = read_back(tagged(content))
    assert {key: found.get(key) for key in READ[name]} == READ[name]
    assert found["earmark_analysis"] == "a" * 32
    assert samples == read_back(content)[1]


@pytest.mark.parametrize("name", ["alac.m4a", "mp2"])
def test_rarer_ones_bear_them_too(name: str) -> None:
    """Other codecs in the same containers."""
    found, _ = read_back(tagged(audio_files.example(name, 1.0)))
    assert found["earmark_analysis"] == "a" * 32


@pytest.mark.parametrize("name", ["webm", "caf", "au", "wma", "mka", "w64", "aac"])
def test_kinds_without_tags_are_refused(name: str) -> None:
    """With what to do instead."""
    with pytest.raises(InputRejected, match="bears none") as caught:
        tagged(audio_files.example(name, 1.0))
    assert "format=json" in caught.value.remedy


def test_tempo_and_all_genres_are_in_atoms() -> None:
    """Which FFmpeg does not show."""
    tags = MP4(io.BytesIO(tagged(audio_files.example("m4a", 1.0)))).tags
    assert tags is not None
    assert tags["tmpo"] == [120]
    assert tags["\xa9gen"] == ["hip hop", "jazz"]


def theirs(content: bytes, *frames: Any) -> bytes:
    """A file with the customer's own frames."""
    file = io.BytesIO(content)
    audio = mutagen.File(fileobj=file)  # type: ignore[attr-defined]
    if audio.tags is None:
        audio.add_tags()
    for frame in frames:
        audio.tags.add(frame)
    file.seek(0)
    audio.save(fileobj=file)
    return file.getvalue()


@pytest.mark.parametrize("name", ["mp3", "wav"])
def test_what_the_customer_wrote_stays(name: str) -> None:
    """Title, genre, tempo and comment; ours fill up what is missing."""
    own = theirs(
        audio_files.example(name, 1.0),
        FRAMES.TIT2(encoding=3, text=["Übung"]),
        FRAMES.TCON(encoding=3, text=["Krautrock"]),
        FRAMES.TBPM(encoding=3, text=["98"]),
        FRAMES.COMM(encoding=3, lang="eng", desc="", text=["mine"]),
    )
    found, _ = read_back(tagged(own))
    wanted = {"title": "Übung", "genre": "Krautrock", "tbpm": "98", "comment": "mine", "tkey": "C#m"}
    assert {key: found[key] for key in wanted} == wanted


@pytest.mark.parametrize("word", ["Other", "unknown", "", "  "])
def test_words_that_say_nothing_give_way(word: str) -> None:
    """As programs write them where nobody said anything."""
    own = theirs(audio_files.example("mp3", 1.0), FRAMES.TCON(encoding=3, text=[word]))
    assert read_back(tagged(own))[0]["genre"] == "hip hop"


def test_comments_of_the_customer_stay() -> None:
    """Of Vorbis likewise."""
    file = io.BytesIO(audio_files.example("flac", 1.0))
    audio = mutagen.File(fileobj=file)  # type: ignore[attr-defined]
    audio["genre"] = ["Krautrock"]
    audio["title"] = ["Übung"]
    file.seek(0)
    audio.save(fileobj=file)
    found, _ = read_back(tagged(file.getvalue()))
    assert (found["genre"], found["title"], found["bpm"]) == ("Krautrock", "Übung", "120")


def test_what_is_not_known_is_not_written() -> None:
    """No empty frame."""
    found, _ = read_back(tagged(audio_files.example("mp3", 1.0), Tags(analysis="b" * 32)))
    assert not {*ID3, "lyrics-eng", "instrument"} & set(found)
    assert found["earmark_analysis"] == "b" * 32


def test_tagged_again_it_is_the_same() -> None:
    """Nothing grows with each export."""
    once = tagged(audio_files.example("mp3", 1.0))
    assert tagged(once) == once


@pytest.mark.parametrize("name", sorted(READ))
def test_hostile_ones_harm_the_child_alone(name: str) -> None:
    """Cut off, mixed up, and nothing but a head: refused or tagged, and never anything else."""
    content, rng = audio_files.example(name, 0.3), np.random.default_rng(7)
    for each in (content[:100], audio_files.mutated(content, rng), audio_files.flipped(content, rng, 0.02)):
        with suppress(InputRejected):
            assert len(tagged(each, kind=sniff(content))) >= len(each) // 2


def test_a_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And one that is killed is the file's fault, as far as anybody can tell."""
    (tmp_path / "hangs.py").write_text("import sys, threading\nsys.stdin.read()\nthreading.Event().wait()\n")
    monkeypatch.setattr(module, "PROGRAM", (str(tmp_path / "hangs.py"),))
    with pytest.raises(InputRejected):
        tagged(b"sound", tagging=Tagging(wall_s=0.5))


def test_a_child_that_dies_at_once_is_no_crash_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before it has read what it was told."""
    (tmp_path / "dies.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    monkeypatch.setattr(module, "PROGRAM", (str(tmp_path / "dies.py"),))
    with pytest.raises(InputRejected):
        tagged(b"sound", TAGS.model_copy(update={"lyrics": "x" * 1_000_000}))


def test_only_so_many_at_once() -> None:
    """Others wait for a while, and are told to come again."""
    tagging = Tagging(at_once=1, turn_s=0.01)
    tagging._places.acquire()
    with pytest.raises(Unavailable, match="Too many"):
        tagged(b"sound", tagging=tagging)

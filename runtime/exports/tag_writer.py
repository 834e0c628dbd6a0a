"""The program that writes tags into an audio file of a stranger's; ``tagging.py`` starts it, one for each file.

``python -m runtime.exports.tag_writer LIFELINE FILE CONTAINER``: descriptors of a pipe that closes when the parent dies
and of the file, which is changed in place, and what kind it is.  The tags come as JSON on standard input.  It gives up
the file system, the network and most of its memory before it looks at the first byte of the file.

What the customer wrote there stays: a tag is written where there is none, or only a word that says nothing.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import mutagen
from mutagen import aiff, flac, id3, mp3, mp4, oggflac, oggopus, oggspeex, oggvorbis, wave

from runtime.exports.chunks import RIFF, pad_last
from runtime.exports.info_list import told_there, write_annotation, write_info
from workers.decode import jail
from workers.decode.limits import CLIP_RATE_HZ, SAMPLE_BYTES, DecodeLimits

CPU_S: Final = 30.0
ROOM_BYTES: Final = 16 * 2**20
"""By which the file may grow."""
NOT_TAGGABLE: Final = 3
"""Exit status: it is none of the formats, or damaged."""
KINDS: Final[Mapping[str, Any]] = {
    "mp3": mp3.MP3,
    "flac": flac.FLAC,
    "mp4": mp4.MP4,
    "wav": wave.WAVE,
    "aiff": aiff.AIFF,
}
"""By container, as ``earmark.sniff`` calls it; of Ogg there are several."""
_OGG: Final = (oggvorbis.OggVorbis, oggopus.OggOpus, oggflac.OggFLAC, oggspeex.OggSpeex)
_SAYS_NOTHING: Final = frozenset({"", "other", "unknown", "none", "undefined", "und", "xxx", "0", "0.0"})
"""Words that programs write where nobody said anything."""
_UTF8: Final = 3
"""ID3v2.4's number of the encoding."""
_FRAMES: Final[Any] = id3
_ATOMS: Final[Any] = mp4
"""Untyped."""
_FREEFORM: Final = "----:com.apple.iTunes:"
_UNKNOWN: Final = "XXX"


def write_id3(tags: Any, told: Mapping[str, Any]) -> None:
    """Add frames of ID3v2.4 (id3.org/id3v2.4.0-frames)."""
    language = told["language"] or _UNKNOWN
    texts = {
        "TCON": told["genres"],
        "TMOO": told["moods"],
        "TBPM": _listed(told["tempo_bpm"]),
        "TKEY": _listed(told["key"]),
        "TLAN": _listed(told["language"]),
    }
    for name, values in texts.items():
        present = [text for frame in tags.getall(name) for text in getattr(frame, "genres", None) or frame.text]
        if values and _is_open(present):
            tags.setall(name, [getattr(_FRAMES, name)(encoding=_UTF8, text=list(values))])
    for name, values in (("INSTRUMENT", told["instruments"]), ("EARMARK_ANALYSIS", [told["analysis"]])):
        if values and (name == "EARMARK_ANALYSIS" or not tags.getall(f"TXXX:{name}")):
            tags.setall(f"TXXX:{name}", [_FRAMES.TXXX(encoding=_UTF8, desc=name, text=list(values))])
    comments = [frame for frame in tags.getall("COMM") if not frame.desc]
    if told["description"] and _is_open([text for frame in comments for text in frame.text]):
        tags.delall("COMM::eng")
        tags.add(_FRAMES.COMM(encoding=_UTF8, lang="eng", desc="", text=[told["description"]]))
    if told["lyrics"] and _is_open([frame.text for frame in tags.getall("USLT")]):
        tags.setall("USLT", [_FRAMES.USLT(encoding=_UTF8, lang=language, desc="", text=told["lyrics"])])


def write_comments(tags: Any, told: Mapping[str, Any]) -> None:
    """Add Vorbis comments (xiph.org/vorbis/doc/v-comment.html), by the names that taggers use."""
    values = {
        "GENRE": told["genres"],
        "MOOD": told["moods"],
        "INSTRUMENT": told["instruments"],
        "BPM": _listed(told["tempo_bpm"]),
        "INITIALKEY": _listed(told["key"]),
        "LANGUAGE": _listed(told["language"]),
        "DESCRIPTION": _listed(told["description"]),
        "LYRICS": _listed(told["lyrics"]),
    }
    for name, ours in values.items():
        if ours and _is_open(tags.get(name, [])):
            tags[name] = list(ours)
    tags["EARMARK_ANALYSIS"] = [told["analysis"]]


def write_atoms(tags: Any, told: Mapping[str, Any]) -> None:
    """Add atoms of iTunes' kind (developer.apple.com, QuickTime File Format, metadata)."""
    values = {
        "\xa9gen": told["genres"],
        "tmpo": [told["tempo_bpm"]] if told["tempo_bpm"] else [],
        "desc": _listed(told["description"]),
        "\xa9lyr": _listed(told["lyrics"]),
    }
    freeform = {
        "MOOD": told["moods"],
        "INSTRUMENT": told["instruments"],
        "initialkey": _listed(told["key"]),
        "LANGUAGE": _listed(told["language"]),
    }
    for name, ours in values.items():
        if ours and _is_open([str(each) for each in tags.get(name, [])]):
            tags[name] = list(ours)
    for name, ours in freeform.items():
        if ours and _is_open([bytes(each).decode("utf-8", "replace") for each in tags.get(_FREEFORM + name, [])]):
            tags[_FREEFORM + name] = [_ATOMS.MP4FreeForm(each.encode()) for each in ours]
    tags[_FREEFORM + "EARMARK_ANALYSIS"] = [_ATOMS.MP4FreeForm(told["analysis"].encode())]


def write(file: Any, container: str, told: Mapping[str, Any]) -> bool:
    """Write tags into an open file; whether it can bear any.

    Raises:
        mutagen.MutagenError: it is damaged.
    """
    kind = KINDS.get(container)
    if kind is wave.WAVE:
        pad_last(file, RIFF)
        file.seek(0)
    audio = mutagen.File(fileobj=file, options=_OGG) if kind is None else kind(fileobj=file)
    if audio is None:
        return False
    if audio.tags is None:
        audio.add_tags()
    match audio:
        case mp4.MP4():
            write_atoms(audio.tags, told)
        case wave.WAVE():
            there = told_there(file, _is_open)
            write_id3(audio.tags, {name: None if name in there else value for name, value in told.items()})
        case mp3.MP3() | aiff.AIFF():
            write_id3(audio.tags, told)
        case _:
            write_comments(audio.tags, told)
    file.seek(0)
    audio.save(fileobj=file)
    match audio:
        case wave.WAVE():
            write_info(file, audio.tags, _is_open)
        case aiff.AIFF():
            write_annotation(file, audio.tags)
    return True


def _listed(value: object) -> list[str]:
    return [] if value is None else [str(value)]


def _is_open(present: Sequence[str]) -> bool:
    """Whether nobody said anything there."""
    return all(each.strip().lower() in _SAYS_NOTHING for each in present)


def main() -> int:
    """Shut the door, write, say by the exit status what came of it."""
    lifeline, descriptor = int(sys.argv[1]), int(sys.argv[2])
    jail.die_with_parent(lifeline)
    jail.ignore_signals()
    told = json.load(sys.stdin)
    with os.fdopen(descriptor, "r+b") as file:
        longest = os.fstat(descriptor).st_size + ROOM_BYTES
        jail.limit_resources(DecodeLimits(max_duration_s=longest / (CLIP_RATE_HZ * SAMPLE_BYTES)))
        jail.allow_cpu(CPU_S)
        jail.confine()
        try:
            return 0 if write(file, sys.argv[3], told) else NOT_TAGGABLE
        except mutagen.MutagenError:
            return NOT_TAGGABLE


if __name__ == "__main__":
    sys.exit(main())

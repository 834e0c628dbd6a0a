"""``Tags``: what is written into a copy of an audio file, before any format of tags comes into it."""

from typing import Final

from earmark.domain import Analysis
from earmark.metadata import Frozen
from runtime.exports.languages import THREE_LETTERS
from runtime.exports.trusted import all_trusted, trusted

TAGGED: Final = frozenset({"mp3", "flac", "ogg", "mp4", "wav", "aiff"})
"""Containers that bear tags, as ``earmark.sniff`` calls them."""


class Tags(Frozen):
    """Facts about a recording; what is empty or ``None`` is not written."""

    analysis: str
    """Id of the analysis it comes from."""
    genres: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    tempo_bpm: int | None = None
    key: str | None = None
    """As ID3v2.4 writes keys: ``C``, ``F#m``, ``Db``."""
    language: str | None = None
    """Three letters of ISO 639-2."""
    description: str | None = None
    lyrics: str | None = None
    """The transcript."""


def tags_of(analysis: Analysis, threshold: float) -> Tags:
    """What of an analysis can be told as a fact; see ``trusted``.

    Args:
        analysis: what is known.
        threshold: confidence, 0 to 1, from which an answer counts.
    """
    metadata = analysis.metadata
    tempo = trusted(metadata.tempo_bpm, threshold)
    key = trusted(metadata.key, threshold)
    return Tags(
        analysis=analysis.job_id,
        genres=tuple(each.value for each in all_trusted(metadata.genres, threshold)),
        moods=tuple(each.value for each in all_trusted(metadata.moods, threshold)),
        instruments=tuple(each.value for each in all_trusted(metadata.instruments, threshold)),
        tempo_bpm=None if tempo is None else round(tempo),
        key=None if key is None else short_key(key),
        language=THREE_LETTERS.get(trusted(metadata.language, threshold) or ""),
        description=trusted(metadata.description, threshold) or None,
        lyrics=trusted(metadata.transcript, threshold) or None,
    )


def short_key(key: str) -> str:
    """``F# minor`` as ``F#m``: the frame TKEY of ID3v2.4 (id3.org/id3v2.4.0-frames, 4.2.3) holds three signs."""
    tonic, _, mode = key.partition(" ")
    return f"{tonic}m" if mode == "minor" else tonic

"""What "right" means for each field: the one place where an answer is held against the truth.

``docs/confidence.md`` says it in words.  ``None`` everywhere means that nothing can be said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BeforeValidator, Field

from earmark.metadata import KEYS, AudioMetadata, Frozen
from earmark.vocabulary import Basis, ContentType, Genre, Instrument, Mood, Vocals
from workers.wording import word_errors

TEMPO_SHARE: Final = 0.04
"""A tempo within 4 % is right, as accuracy 1 of Gouyon et al. 2006 has it."""
ROUNDING: Final = 1e-9
OCTAVES: Final = (1.0, 2.0, 0.5, 3.0, 1 / 3)
"""Accuracy 2 also takes twice, half, thrice and a third of the tempo."""
RIGHT_WER: Final = 0.2
"""A transcript counts as right when at most this share of the words is wrong."""
LIST_FIELDS: Final = ("genres", "moods", "instruments")
JUDGED: Final = ("content_type", *LIST_FIELDS, "vocals", "tempo_bpm", "key", "language", "transcript")
"""The fields that can be judged; a description and free tags are right when a person says so."""

_KEY = re.compile(r"(?P<letter>[A-Ga-g])\s*(?P<sign>[#♯b♭]?)\s*-?\s*(?P<mode>major|maj|minor|min|m|)", re.IGNORECASE)
_PITCHES: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


def key_named(text: str) -> str:
    """A key as ``KEYS`` spells it, whatever its enharmonic spelling: ``A# minor`` and ``Bbm`` are ``Bb minor``.

    Raises:
        ValueError: it names none of the 24 keys.
    """
    found = _KEY.fullmatch(text.strip())
    if found is None:
        message = f"{text!r} is none of the 24 keys; write it as 'F# minor'"
        raise ValueError(message)
    pitch = _PITCHES[found["letter"].lower()] + {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(found["sign"].lower(), 0)
    mode = found["mode"]
    minor = mode == "m" or mode.lower() in {"min", "minor"}
    return KEYS[pitch % 12 + 12 * minor]


def _word(value: object) -> object:
    """A word of a vocabulary as people type it: ``Hip-Hop`` and ``hip_hop`` are ``hip hop``."""
    return " ".join(value.lower().replace("-", " ").replace("_", " ").split()) if isinstance(value, str) else value


def _words(value: object) -> object:
    return [_word(each) for each in value] if isinstance(value, list | tuple) else value


def _code(value: object) -> object:
    """The language alone of a tag such as ``en-GB``."""
    return re.split(r"[-_]", value.strip().lower())[0] if isinstance(value, str) else value


class Truth(Frozen):
    """What is known of a recording; what is None is not known, and nothing is held against it."""

    content_type: Annotated[ContentType | None, BeforeValidator(_word)] = None
    genres: Annotated[tuple[Genre, ...] | None, BeforeValidator(_words)] = None
    """All that fit: an answer that is not among them is wrong; so are all answers where there are none."""
    moods: Annotated[tuple[Mood, ...] | None, BeforeValidator(_words)] = None
    instruments: Annotated[tuple[Instrument, ...] | None, BeforeValidator(_words)] = None
    vocals: Annotated[Vocals | None, BeforeValidator(_word)] = None
    tempo_bpm: Annotated[float | None, Field(gt=0, le=1000, allow_inf_nan=False)] = None
    key: Annotated[str | None, BeforeValidator(lambda value: key_named(value) if isinstance(value, str) else value)] = (
        None
    )
    language: Annotated[str | None, BeforeValidator(_code), Field(pattern=r"^[a-z]{2}$")] = None
    """ISO 639-1; a region behind it does not matter."""
    transcript: Annotated[str | None, Field(max_length=1_000_000)] = None
    """Empty = nothing is said."""


class Judgement(NamedTuple):
    """One answer, held against the truth."""

    field: str
    value: Any
    score: float | None
    confidence: float | None
    right: bool
    near: bool | None = None
    """Of a tempo: right but for the octave."""


def judge(metadata: AudioMetadata, truth: Truth) -> Iterator[Judgement]:
    """Every answer about which the truth says something; list entries one by one, and nothing that was measured."""
    for field in JUDGED:
        rated = getattr(metadata, field)
        for entry in rated if isinstance(rated, tuple) else (rated,):
            if entry.basis in {Basis.MEASURED, Basis.DERIVED}:
                continue
            right = is_right(field, entry.value, getattr(truth, field))
            if right is not None:
                near = same_but_octave(entry.value, truth.tempo_bpm) if field == "tempo_bpm" else None
                yield Judgement(field, entry.value, entry.score, entry.confidence, right, near)


def is_right(field: str, said: Any, wanted: Any) -> bool | None:
    """Whether an answer is right; None = there is no answer, or the truth does not tell.

    Args:
        field: one of ``AudioMetadata``.
        said: the value, of a list field one entry.
        wanted: the truth as ``Truth`` has it, of a list field all entries.
    """
    rule = _RULES.get(field)
    return None if said is None or wanted is None or rule is None else rule(said, wanted)


def same_but_octave(said: float | None, wanted: float | None) -> bool | None:
    """Whether a tempo is right, or would be at another metrical level."""
    if said is None or wanted is None:
        return None
    return any(_tempo(said, wanted * octave) for octave in OCTAVES)


def _vocals(said: Vocals, wanted: Vocals) -> bool | None:
    """``present`` is right for anybody; where the truth says no more than that, who it is cannot be judged."""
    if said is wanted:
        return True
    if wanted is Vocals.PRESENT:
        return False if said is Vocals.NONE else None
    return said is Vocals.PRESENT and wanted is not Vocals.NONE


def _tempo(said: float, wanted: float) -> bool:
    return abs(said / wanted - 1) <= TEMPO_SHARE + ROUNDING


def _transcript(said: str, wanted: str) -> bool:
    wrong, count = word_errors(wanted, said)
    return wrong / max(count, 1) <= RIGHT_WER


def _equal(said: object, wanted: object) -> bool:
    return said == wanted


def _listed(said: object, wanted: Collection[object]) -> bool:
    return said in wanted


_RULES: Final[Mapping[str, Callable[[Any, Any], bool | None]]] = {
    "content_type": _equal,
    **dict.fromkeys(LIST_FIELDS, _listed),
    "vocals": _vocals,
    "tempo_bpm": _tempo,
    "key": _equal,
    "language": _equal,
    "transcript": _transcript,
}

"""``AudioMetadata``: the one schema of what Earmark says about a recording.

The fallback's function parameters, the API page, the warehouse tables and the exports are derived from it.
Unknown is ``None``.
"""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from earmark.vocabulary import Basis, ContentType, Genre, Instrument, Mood, Vocals

Value = TypeVar("Value")
Probability = Annotated[float, Field(ge=0.0, le=1.0)]

KEYS: tuple[str, ...] = tuple(
    [f"{tonic} major" for tonic in ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")]
    + [f"{tonic} minor" for tonic in ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")]
)
"""The 24 keys as musicians spell them: for each pitch class the signature with the fewest accidentals."""


class Frozen(BaseModel):
    """An immutable value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Rated(Frozen, Generic[Value]):
    """A value and how far to trust it."""

    value: Value | None = None
    """The answer; ``None`` = unknown."""
    confidence: Probability | None = None
    """Probability, 0 to 1, that the value is right; ``None`` = unknown or uncalibrated."""
    basis: Basis = Basis.UNCALIBRATED
    score: float | None = None
    """The model's raw score, 0 to 1, beside a calibrated confidence too, which can be fitted anew from it."""


# Named here because a generic model made inside a class body cannot be pickled on its way between processes.
RatedContentType = Rated[ContentType]
RatedGenre = Rated[Genre]
RatedMood = Rated[Mood]
RatedInstrument = Rated[Instrument]
RatedVocals = Rated[Vocals]
RatedNumber = Rated[float]
RatedText = Rated[str]


class AudioMetadata(Frozen):
    """What a recording is."""

    content_type: RatedContentType = RatedContentType()
    genres: tuple[RatedGenre, ...] = ()
    """Most likely first."""
    moods: tuple[RatedMood, ...] = ()
    instruments: tuple[RatedInstrument, ...] = ()
    vocals: RatedVocals = RatedVocals()
    tempo_bpm: RatedNumber = RatedNumber()
    """Beats per minute."""
    key: RatedText = RatedText()
    """One of ``KEYS``."""
    language: RatedText = RatedText()
    """ISO 639-1 code of the language spoken."""
    transcript: RatedText = RatedText()
    description: RatedText = RatedText()
    """One or two sentences for a person."""
    tags: tuple[RatedText, ...] = ()
    """Free words that no closed vocabulary holds."""


REQUIRED: dict[ContentType, tuple[str, ...]] = {
    ContentType.MUSIC: ("content_type", "vocals", "tempo_bpm", "key"),
    ContentType.SPEECH: ("content_type", "language", "transcript"),
    ContentType.MIXED: ("content_type", "transcript"),
    ContentType.SOUND: ("content_type",),
    ContentType.SILENCE: ("content_type",),
}
"""The fields on which a record of each content type stands."""


def field_confidence(metadata: AudioMetadata, field: str) -> float | None:
    """The confidence of one field, 0 to 1: a list counts as its first entry; ``None`` = unknown or uncalibrated."""
    rated = getattr(metadata, field)
    if isinstance(rated, tuple):
        return rated[0].confidence if rated else None
    confidence: float | None = rated.confidence
    return confidence


def record_confidence(metadata: AudioMetadata) -> float | None:
    """The confidence of a whole record: the least confidence among the required fields that have one.

    A record is as good as its weakest required field.  The minimum is also the tightest upper bound on the
    probability that all of them are right that needs no assumption on how their errors depend on each other
    (Fréchet).  Fields without an answer and fields without a fitted calibrator are left out.

    Returns:
        0 to 1, or ``None`` when the content type itself is unknown.
    """
    if metadata.content_type.value is None:
        return None
    known = (field_confidence(metadata, field) for field in REQUIRED[metadata.content_type.value])
    return min((confidence for confidence in known if confidence is not None), default=None)


def record_score(metadata: AudioMetadata) -> float | None:
    """The raw score of a whole record: the least raw score among the required fields that have one.

    What ``record_confidence`` is to confidences; compared over time or between versions, never between models.
    """
    if metadata.content_type.value is None:
        return None
    entries = (getattr(metadata, field) for field in REQUIRED[metadata.content_type.value])
    scores = (entry[0].score if entry else None for entry in ((e if isinstance(e, tuple) else (e,)) for e in entries))
    return min((score for score in scores if score is not None), default=None)


def uncalibrated_fields(metadata: AudioMetadata) -> tuple[str, ...]:
    """The fields that have an answer and no fitted calibrator for it."""

    def entries(field: str) -> tuple[Rated[object], ...]:
        rated = getattr(metadata, field)
        return rated if isinstance(rated, tuple) else (rated,)

    return tuple(
        field
        for field in type(metadata).model_fields
        if any(entry.value is not None and entry.basis is Basis.UNCALIBRATED for entry in entries(field))
    )

"""Composes the description from the other fields, in plain words; nothing in it that no field says."""

from collections.abc import Sequence

from earmark.metadata import AudioMetadata, Rated
from earmark.vocabulary import Basis, ContentType, Instrument, Vocals

QUOTE_WORDS = 12
"""Words of the transcript that are quoted."""
SURE = 0.5
"""A field less likely right than this is left out."""

_VOCALS = {
    Vocals.NONE: "without vocals",
    Vocals.MALE: "with a male voice",
    Vocals.FEMALE: "with a female voice",
    Vocals.CHOIR: "with a choir",
    Vocals.PRESENT: "with vocals",
}
_TEMPI = ((60, "very slow"), (80, "slow"), (105, "moderate"), (130, "lively"), (160, "fast"))
_LANGUAGES = {
    "ar": "Arabic", "de": "German", "en": "English", "es": "Spanish", "fr": "French", "hi": "Hindi", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ru": "Russian",
    "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip


def describe(metadata: AudioMetadata, duration_s: float) -> Rated[str]:
    """One or two sentences; as likely right as the least likely field they are made of."""
    used: list[Rated[object]] = [metadata.content_type]  # type: ignore[list-item]  # a read-only view of any value
    kind = metadata.content_type.value
    length = _length(duration_s)
    if kind is None:
        return Rated()
    if kind is ContentType.SILENCE:
        text = f"Silence, {length}."
    elif kind is ContentType.SOUND:
        text = f"A sound that is neither music nor speech, {length}."
    elif kind is ContentType.SPEECH:
        text = f"{_language(metadata, used)}, {length}{_quote(metadata)}."
    elif kind is ContentType.MIXED:
        text = f"Speech and music, {length}{_quote(metadata)}."
    else:
        text = f"{_music(metadata, used)}, {length}."
    confidences = [rated.confidence for rated in used if rated.confidence is not None]
    return Rated(value=text, confidence=min(confidences, default=None), basis=Basis.DERIVED)


def _music(metadata: AudioMetadata, used: list[Rated[object]]) -> str:
    def take(rated: Rated[object]) -> bool:
        sure = rated.value is not None and (rated.confidence is None or rated.confidence >= SURE)
        if sure:
            used.append(rated)
        return sure

    genre = next((entry.value for entry in metadata.genres if take(entry)), None)  # type: ignore[arg-type]
    head = f"{str(genre).capitalize()} music" if genre else "Music"
    parts = [head]
    instruments = [entry.value for entry in metadata.instruments[:3] if entry.value and take(entry)]  # type: ignore[arg-type]
    if instruments:
        parts.append(f"with {_listed(instruments)}")
    if metadata.vocals.value is not None and take(metadata.vocals):  # type: ignore[arg-type]
        parts.append(_VOCALS[metadata.vocals.value])
    text = " ".join(parts[:2]) + (f", {parts[2]}" if len(parts) > 2 else "")  # noqa: PLR2004
    if metadata.tempo_bpm.value is not None and take(metadata.tempo_bpm):  # type: ignore[arg-type]
        bpm = metadata.tempo_bpm.value
        word = next((word for limit, word in _TEMPI if bpm < limit), "very fast")
        text += f", {word} at {bpm:.0f} beats per minute"
    if metadata.key.value is not None and take(metadata.key):  # type: ignore[arg-type]
        text += f" in {metadata.key.value}"
    return text


def _language(metadata: AudioMetadata, used: list[Rated[object]]) -> str:
    language = metadata.language
    if language.value is None or (language.confidence is not None and language.confidence < SURE):
        return "Speech"
    used.append(language)  # type: ignore[arg-type]
    return f"{_LANGUAGES.get(language.value, language.value)} speech"


def _quote(metadata: AudioMetadata) -> str:
    words = (metadata.transcript.value or "").split()
    if not words:
        return ""
    return f": “{' '.join(words[:QUOTE_WORDS])}{' …' if len(words) > QUOTE_WORDS else ''}”"


def _listed(names: Sequence[Instrument]) -> str:
    words = [str(name) for name in names]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _length(duration_s: float) -> str:
    if duration_s < 1:
        return "under a second"
    if duration_s < 120:  # noqa: PLR2004  # two minutes
        return f"{duration_s:.0f} seconds" if round(duration_s) != 1 else "1 second"
    minutes = round(duration_s / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"  # noqa: PLR2004

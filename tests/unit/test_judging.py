"""What counts as right, field by field."""

from typing import Any

import pytest
from pydantic import ValidationError

from earmark.metadata import KEYS, AudioMetadata, Rated
from earmark.vocabulary import Basis, ContentType, Genre, Vocals
from workers.judging import Truth, is_right, judge, key_named, same_but_octave

RULES: list[tuple[str, Any, Any, bool | None]] = [
    ("content_type", ContentType.MUSIC, ContentType.MUSIC, True),
    ("content_type", ContentType.MUSIC, ContentType.MIXED, False),
    ("genres", Genre.JAZZ, (Genre.BLUES, Genre.JAZZ), True),
    ("genres", Genre.JAZZ, (), False),
    ("vocals", Vocals.PRESENT, Vocals.FEMALE, True),
    ("vocals", Vocals.PRESENT, Vocals.NONE, False),
    ("vocals", Vocals.MALE, Vocals.FEMALE, False),
    ("vocals", Vocals.MALE, Vocals.PRESENT, None),
    ("vocals", Vocals.NONE, Vocals.PRESENT, False),
    ("tempo_bpm", 124.8, 120.0, True),
    ("tempo_bpm", 125.0, 120.0, False),
    ("tempo_bpm", 240.0, 120.0, False),
    ("key", "Bb minor", "Bb minor", True),
    ("key", "Db major", "Bb minor", False),
    ("language", "en", "en", True),
    ("language", "de", "en", False),
    ("transcript", "one two three four six", "one two three four five", True),
    ("transcript", "one two three", "one two three four", False),
    ("transcript", "thank you", "", False),
    ("transcript", "...", "", True),
    ("description", "Music.", "Music.", None),
    ("tags", "solo", ("solo",), None),
    ("key", None, "C major", None),
    ("key", "C major", None, None),
]


@pytest.mark.parametrize(("field", "said", "wanted", "right"), RULES)
def test_right_means_what_the_page_says(field: str, said: Any, wanted: Any, right: bool | None) -> None:  # noqa: FBT001
    """The table of docs/confidence.md."""
    assert is_right(field, said, wanted) is right


@pytest.mark.parametrize(("said", "near"), [(120, True), (60, True), (243, True), (358, True), (40, True), (90, False)])
def test_a_tempo_may_be_right_but_for_the_octave(said: float, near: bool) -> None:  # noqa: FBT001
    """Twice, half, thrice and a third are the same beat at another level."""
    assert same_but_octave(said, 120) is near
    assert same_but_octave(None, 120) is None


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_known_by_their_names(name: str) -> None:
    """As the records have them."""
    assert key_named(name) == name


@pytest.mark.parametrize(
    ("typed", "name"),
    [("A# minor", "Bb minor"), ("Bbm", "Bb minor"), ("c#maj", "Db major"), ("B", "B major"), ("Cb major", "B major"),
     ("b minor", "B minor"), ("F♯ min", "F# minor"), ("E-minor", "E minor"), ("AM", "A major"), ("Am", "A minor")],
)  # fmt: skip
def test_keys_are_known_by_other_spellings(typed: str, name: str) -> None:
    """Enharmonic ones and short ones."""
    assert key_named(typed) == name


@pytest.mark.parametrize("typed", ["H dur", "", "C lydian", "12", "C major major"])
def test_other_keys_are_refused(typed: str) -> None:
    """A misspelt truth would make right answers wrong."""
    with pytest.raises(ValueError, match="none of the 24"):
        key_named(typed)


def test_words_are_known_as_people_type_them() -> None:
    """Case, hyphens and regions do not matter; other words are refused."""
    truth = Truth.model_validate({"genres": ["Hip-Hop", "rhythm_and  blues"], "vocals": "None", "language": "en-GB"})
    assert truth.genres == (Genre.HIP_HOP, Genre.RHYTHM_AND_BLUES)
    assert (truth.vocals, truth.language) == (Vocals.NONE, "en")
    for wrong in (
        {"genres": ["shoegaze"]},
        {"tempo_bpm": 0},
        {"tempo_bpm": "nan"},
        {"language": "english"},
        {"key": 3},
    ):
        with pytest.raises(ValidationError):
            Truth.model_validate(wrong)


def test_what_was_measured_is_no_label() -> None:
    """Nor is a field that the truth does not tell; entries are judged one by one, with their scores."""
    metadata = AudioMetadata.model_validate(
        {
            "content_type": Rated(value=ContentType.SILENCE, confidence=1.0, basis=Basis.MEASURED),
            "genres": [Rated(value=Genre.JAZZ, score=0.7), Rated(value=Genre.POP, score=0.3)],
            "tempo_bpm": Rated(value=60.0, confidence=0.6, score=0.5, basis=Basis.CALIBRATED),
            "key": Rated(value="C major", score=0.4),
        }
    )
    truth = Truth(content_type=ContentType.SILENCE, genres=(Genre.POP,), tempo_bpm=120.0)
    judged = [
        (each.field, each.value, each.score, each.confidence, each.right, each.near) for each in judge(metadata, truth)
    ]
    assert judged == [
        ("genres", Genre.JAZZ, 0.7, None, False, None),
        ("genres", Genre.POP, 0.3, None, True, None),
        ("tempo_bpm", 60.0, 0.5, 0.6, False, True),
    ]

"""Genres, moods, instruments, vocals and tags."""

import numpy as np
import pytest

from earmark.vocabulary import Basis, Genre, Instrument, Mood, Vocals
from workers.models.listener import labels
from workers.models.listener.built_in import BuiltInCurves
from workers.models.listener.labels import GENRES, MOODS, TAGS, Labeller, averaged, vocal_answer
from workers.models.listener.speech import Voice
from workers.models.listener.tags import MSD_LABELS, MTT_LABELS, TagFrames

NO_VOICE = Voice(3.0, np.zeros(94, np.float32), ())
NO_EVENTS = np.zeros((300, 3), np.float32)


def tagged(*windows: dict[str, float]) -> TagFrames:
    """Windows with these tags and no features."""
    msd, mtt = np.zeros((len(windows), 50), np.float32), np.zeros((len(windows), 50), np.float32)
    for row, tags in enumerate(windows):
        for tag, value in tags.items():
            network, name = tag.split("/", 1)
            table, names = (msd, MSD_LABELS) if network == "msd" else (mtt, MTT_LABELS)
            table[row, names.index(name)] = value
    features = np.zeros((len(windows), 200), np.float32)
    return TagFrames(np.arange(len(windows)) * 3.0, msd, mtt, features, features)


@pytest.fixture(scope="module")
def labeller() -> Labeller:
    """The shipped models."""
    return Labeller(BuiltInCurves.load())


def test_every_group_names_real_tags() -> None:
    """No group waits for a tag that MusiCNN does not have."""
    known = set(averaged(tagged({})))
    for groups in (GENRES, MOODS, TAGS):
        for tags in groups.values():
            assert set(tags) <= known


def test_free_tags_repeat_no_field() -> None:
    """A free tag is not a word of a closed vocabulary, nor about tempo, loudness or voice."""
    closed = {word.value for words in (Genre, Mood, Instrument, Vocals) for word in words}
    assert not closed & set(TAGS)
    assert not {"slow", "fast", "loud", "quiet", "instrumental"} & set(TAGS)


def test_related_tags_are_one_genre(labeller: Labeller) -> None:
    """Rock under three names is rock once, and the likeliest comes first."""
    heard = tagged({"msd/classic rock": 0.6, "msd/hard rock": 0.4, "mtt/rock": 0.5, "msd/jazz": 0.3})
    genres = labeller.label(heard, NO_EVENTS, NO_VOICE).genres
    assert [genre.value for genre in genres] == [Genre.ROCK, Genre.JAZZ]
    assert genres[0].score == pytest.approx(0.6)


def test_unlabelled_words_have_scores_and_no_confidence(labeller: Labeller) -> None:
    """Genres, moods and tags carry no invented confidence."""
    heard = labeller.label(tagged({"msd/jazz": 0.5, "msd/happy": 0.5, "msd/80s": 0.5}), NO_EVENTS, NO_VOICE)
    for rated in (*heard.genres, *heard.moods, *heard.tags):
        assert rated.basis is Basis.UNCALIBRATED
        assert rated.confidence is None
        assert rated.score == pytest.approx(0.5)


def test_windows_are_averaged(labeller: Labeller) -> None:
    """A word heard in one window of four counts a quarter."""
    heard = tagged({"msd/jazz": 0.8}, {}, {}, {})
    assert averaged(heard)["msd/jazz"] == pytest.approx(0.2)
    assert [genre.value for genre in labeller.label(heard, NO_EVENTS, NO_VOICE).genres] == [Genre.JAZZ]


def test_little_is_left_out(labeller: Labeller) -> None:
    """Words below the floor are not given."""
    heard = labeller.label(tagged({"msd/jazz": 0.05, "msd/sad": 0.05, "msd/60s": 0.05}), NO_EVENTS, NO_VOICE)
    assert (heard.genres, heard.moods, heard.tags) == ((), (), ())


def test_instruments_are_never_none(labeller: Labeller) -> None:
    """The likeliest instrument is always given, with a calibrated confidence, and at most four are."""
    found = labeller.instruments(tagged({}))
    assert 1 <= len(found) <= labels.INSTRUMENT_MOST
    assert all(each.basis is Basis.CALIBRATED for each in found)
    confidences = [each.confidence for each in found if each.confidence is not None]
    assert confidences == sorted(confidences, reverse=True)


@pytest.mark.parametrize(
    ("shares", "expected", "score"),
    [
        ([0.7, 0.1, 0.1, 0.1], Vocals.NONE, 0.7),
        ([0.1, 0.2, 0.6, 0.1], Vocals.FEMALE, 0.6),
        ([0.3, 0.4, 0.2, 0.1], Vocals.PRESENT, 0.7),
        ([0.45, 0.2, 0.2, 0.15], Vocals.PRESENT, 0.55),
    ],
)
def test_an_unsure_singer_is_only_present(shares: list[float], expected: Vocals, score: float) -> None:
    """Nobody, a kind of singer, or, where no kind is sure, somebody."""
    said, rated = vocal_answer(np.array(shares))
    assert said is expected
    assert rated == pytest.approx(score)

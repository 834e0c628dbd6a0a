"""The cascade's rules: which fields go to the fallback, and whose answer stands."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import ConfigurationError
from earmark.metadata import REQUIRED, AudioMetadata, Rated
from earmark.vocabulary import Basis, ContentType, Instrument
from workers.cascade import (
    ALL_FIELDS,
    CascadeRules,
    Reason,
    Refusal,
    listed_fields,
    merge,
    weak_fields,
    worth,
)

RULES = CascadeRules(threshold=0.8, fields=frozenset(ALL_FIELDS), prior=0.7)


def sure(value: object, confidence: float) -> Rated[Any]:
    """A calibrated answer."""
    return Rated(value=value, confidence=confidence, basis=Basis.CALIBRATED)


def scored(value: object, score: float | None) -> Rated[Any]:
    """An uncalibrated answer."""
    return Rated(value=value, score=score, basis=Basis.UNCALIBRATED)


def metadata(**fields: object) -> AudioMetadata:
    """Answers by field."""
    return AudioMetadata.model_validate(fields)


SPEECH = metadata(
    content_type=sure(ContentType.SPEECH, 0.95), language=sure("en", 0.9), transcript=sure("one two", 0.6)
)

confidences = st.floats(0, 1)
entries = st.one_of(
    st.builds(sure, st.just("text"), confidences), st.builds(scored, st.just("text"), st.none() | confidences)
)
kinds = st.builds(sure, st.sampled_from(ContentType), confidences) | st.builds(
    scored, st.sampled_from(ContentType), confidences
)
answers = st.builds(
    lambda kind, language, transcript, description: metadata(
        content_type=kind, language=language, transcript=transcript, description=description
    ),
    kinds | st.just(Rated()),
    entries | st.just(Rated()),
    entries | st.just(Rated()),
    entries | st.just(Rated()),
)


def test_only_what_is_weak_is_asked() -> None:
    """A field below the threshold, and nothing else."""
    assert weak_fields(SPEECH, RULES) == {"transcript": Reason.WEAK}


def test_a_required_field_without_an_answer_is_asked_and_another_is_not() -> None:
    """Speech needs a language; nobody asks it for a tempo."""
    asked = weak_fields(metadata(content_type=sure(ContentType.SPEECH, 0.95), transcript=sure("x", 0.9)), RULES)
    assert asked == {"language": Reason.NO_ANSWER}


def test_a_weak_content_type_takes_everything_listed_along() -> None:
    """An answer about the wrong kind of sound is no answer."""
    rules = dataclasses.replace(RULES, fields=frozenset({"content_type", "transcript", "description"}))
    asked = weak_fields(metadata(content_type=sure(ContentType.SOUND, 0.5)), rules)
    assert asked == {
        "content_type": Reason.WEAK,
        "transcript": Reason.CONTENT_TYPE,
        "description": Reason.CONTENT_TYPE,
    }


def test_what_is_not_listed_is_never_asked() -> None:
    """However weak it is."""
    rules = dataclasses.replace(RULES, fields=frozenset({"language"}))
    assert weak_fields(metadata(content_type=sure(ContentType.MUSIC, 0.1), genres=[scored("jazz", 0.1)]), rules) == {}


def test_what_is_measured_or_derived_is_not_asked() -> None:
    """Silence is silence, and a description that follows from other fields is as good as they are."""
    silence = Rated(value=ContentType.SILENCE, confidence=0.5, basis=Basis.MEASURED)
    derived = Rated(value="Silence", confidence=0.5, basis=Basis.DERIVED)
    assert weak_fields(metadata(content_type=silence, description=derived), RULES) == {}


def test_a_score_routes_where_nothing_is_fitted() -> None:
    """At its word, and one that is missing is worth nothing."""
    said = metadata(
        content_type=scored(ContentType.SOUND, 0.9), tags=[scored("rain", 0.3)], description=scored("x", None)
    )
    assert weak_fields(said, RULES) == {"description": Reason.WEAK, "tags": Reason.WEAK}
    assert worth(said, "content_type") == 0.9
    assert worth(said, "description") is None


def test_the_better_answer_stands() -> None:
    """A calibrated answer of the fallback beats a weaker one, and loses against a better one."""
    asked = {"transcript": Reason.WEAK}
    better = merge(SPEECH, metadata(transcript=sure("one too", 0.75)), asked, prior=0.7, cost_usd=0.01)
    assert better.metadata.transcript.value == "one too"
    assert better.fallback_fields == ("transcript",)
    worse = merge(SPEECH, metadata(transcript=sure("won", 0.5)), asked, prior=0.7)
    assert worse.metadata == SPEECH
    [route] = worse.routes
    assert (route.chosen, route.primary_worth, route.fallback_worth) == ("primary", 0.6, 0.5)


@pytest.mark.parametrize(("prior", "taken"), [(0.59, False), (0.6, False), (0.61, True)])
def test_without_calibration_the_fallback_is_worth_the_prior(prior: float, taken: bool) -> None:  # noqa: FBT001
    """Whatever score it gives itself; on a tie the primary stays."""
    merged = merge(SPEECH, metadata(transcript=scored("else", 0.99)), {"transcript": Reason.WEAK}, prior=prior)
    assert (merged.metadata.transcript.value == "else") == taken


def test_answers_that_do_not_fit_the_content_type_that_stands_are_dropped() -> None:
    """Music that turns out to be speech has no tempo, and loses the description of music."""
    music = metadata(
        content_type=sure(ContentType.MUSIC, 0.4),
        tempo_bpm=sure(120.0, 0.99),
        instruments=[sure(Instrument.PIANO, 0.9)],
        description=sure("Piano", 0.9),
    )
    speech = metadata(content_type=sure(ContentType.SPEECH, 0.9), transcript=sure("hi", 0.9))
    asked = {"content_type": Reason.WEAK, "transcript": Reason.CONTENT_TYPE}
    merged = merge(music, speech, asked, prior=0.7).metadata
    assert (merged.content_type.value, merged.transcript.value) == (ContentType.SPEECH, "hi")
    assert (merged.tempo_bpm.value, merged.instruments, merged.description.value) == (None, (), None)
    kept = merge(
        music.model_copy(update={"content_type": sure(ContentType.MUSIC, 0.79)}),
        speech.model_copy(update={"content_type": sure(ContentType.SPEECH, 0.6)}),
        asked,
        prior=0.7,
    )
    assert kept.metadata.transcript.value is None
    assert kept.metadata.tempo_bpm.value == 120
    assert [route.chosen for route in kept.routes] == ["primary", "none"]


def test_a_transcript_of_a_part_is_worth_that_part() -> None:
    """Two minutes of ten are not better than a doubtful transcript of all ten, however sure of themselves."""
    asked = {"transcript": Reason.WEAK}
    part = metadata(transcript=scored("one", 0.99))
    kept = merge(SPEECH, part, asked, prior=0.9, coverage=0.2)
    assert kept.metadata.transcript.value == "one two"
    assert kept.routes[0].fallback_worth == pytest.approx(0.18)
    calibrated = merge(None, metadata(transcript=sure("one", 0.9)), asked, prior=0.9, coverage=0.5)
    assert calibrated.metadata.transcript.confidence == pytest.approx(0.45)
    whole = merge(SPEECH, part, asked, prior=0.9)
    assert whole.metadata.transcript.value == "one"


def test_what_does_not_fit_goes_though_both_agree() -> None:
    """Speech has no instruments, whoever heard them; without an answer of the fallback nothing changes."""
    speech = metadata(content_type=sure(ContentType.SPEECH, 0.5), instruments=[sure(Instrument.PIANO, 0.9)])
    asked = {"content_type": Reason.WEAK, "instruments": Reason.CONTENT_TYPE}
    agreed = metadata(content_type=sure(ContentType.SPEECH, 0.9))
    assert merge(speech, agreed, asked, prior=0.7).metadata.instruments == ()
    assert merge(speech, None, asked, prior=0.7, refused=Refusal.DAY).metadata == speech


@given(primary=answers | st.none(), fallback=answers | st.none(), prior=confidences)
def test_merging_never_makes_an_answer_worse(
    primary: AudioMetadata | None, fallback: AudioMetadata | None, prior: float
) -> None:
    """Each answer is one of the two, the better one where both fit, and every field that was asked has its route."""
    asked = weak_fields(primary, RULES) if primary else dict.fromkeys(ALL_FIELDS, Reason.NO_ANSWER)
    merged = merge(primary, fallback, asked, prior=prior, cost_usd=1.0)
    assert [route.field for route in merged.routes] == list(asked)
    assert sum(route.cost_usd for route in merged.routes) == pytest.approx(1.0 if asked else 0.0)
    ours, theirs = primary or AudioMetadata(), fallback or AudioMetadata()
    agreed = theirs.content_type.value in {None, ours.content_type.value} or ours.content_type.value is None
    for field in ALL_FIELDS:
        answer = getattr(merged.metadata, field)
        assert answer in (getattr(ours, field), getattr(theirs, field), getattr(AudioMetadata(), field))
        if field not in asked and agreed:
            assert answer == getattr(ours, field)
    for route in merged.routes:
        if agreed and route.chosen == "primary":
            assert (route.primary_worth or 0) >= (route.fallback_worth or 0)
        if route.chosen == "fallback" and agreed and route.primary_worth is not None:
            assert route.fallback_worth is not None
            assert route.fallback_worth > route.primary_worth


@given(answer=answers, threshold=confidences)
def test_a_higher_threshold_never_asks_less(answer: AudioMetadata, threshold: float) -> None:
    """And at 0 only what is missing is asked."""
    low = weak_fields(answer, dataclasses.replace(RULES, threshold=threshold / 2))
    high = weak_fields(answer, dataclasses.replace(RULES, threshold=threshold))
    assert set(low) <= set(high)
    none = weak_fields(answer, dataclasses.replace(RULES, threshold=0.0))
    if answer.content_type.value is not None:
        assert set(none) <= set(REQUIRED[answer.content_type.value])


def test_a_refusal_is_told_and_changes_nothing() -> None:
    """The record says why nobody was asked."""
    merged = merge(SPEECH, None, {"transcript": Reason.WEAK}, prior=0.7, refused=Refusal.REGION)
    assert merged.metadata == SPEECH
    assert [(route.refused, route.chosen) for route in merged.routes] == [("region", "primary")]


def test_fields_are_named_by_an_operator() -> None:
    """A list, all, nothing; one that does not exist is a clear error."""
    assert listed_fields(" transcript , language ") == {"transcript", "language"}
    assert listed_fields("all") == set(ALL_FIELDS)
    assert listed_fields("") == set()
    with pytest.raises(ConfigurationError, match="genre; there are content_type"):
        listed_fields("genre,vocals")

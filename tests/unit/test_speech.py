"""Where somebody talks, and what Whisper is given to hear."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from earmark.vocabulary import Basis
from workers.curves import Platt
from workers.models.listener import speech
from workers.models.listener.built_in import BuiltInCurves
from workers.models.listener.english import common_words
from workers.models.listener.speech import (
    FRAME,
    PIECE_S,
    WHOLE_S,
    Segment,
    Speech,
    Transcriber,
    Voice,
    pieces_of,
    rated_words,
    spans_of,
)

FRAME_S = FRAME / 16_000
probability_lists = st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 1.0]), max_size=4000)


@pytest.fixture(scope="module")
def transcriber() -> Transcriber:
    """The real models, loaded once."""
    return Transcriber(threads=1)


def voice_of(probabilities: NDArray[np.float32]) -> Voice:
    """A voice with these frame probabilities."""
    duration_s = len(probabilities) * FRAME_S
    return Voice(duration_s, probabilities, spans_of(probabilities, duration_s))


def said(text: str, logprob: float = -0.3) -> Speech:
    """A transcript of one segment over a second of voice."""
    voice = voice_of(np.ones(32, np.float32))
    segment = Segment(0.0, 1.0, text, logprob, 0.01, 1.0, len(text.split()))
    return Speech(voice, (segment,) if text else ())


def test_speech_between_pauses_is_one_span() -> None:
    """A pause shorter than 0.4 s does not split a span, a longer one does."""
    short, long = np.zeros(5, np.float32), np.zeros(30, np.float32)
    talk = np.ones(20, np.float32)
    assert len(spans_of(np.concatenate([talk, short, talk]), 2.0)) == 1
    assert len(spans_of(np.concatenate([talk, long, talk]), 3.0)) == 2


def test_a_click_is_no_speech() -> None:
    """Bursts of under 0.1 s are dropped."""
    assert spans_of(np.array([0, 0, 1, 1, 0, 0] + [0] * 40, np.float32), 1.5) == ()


@given(probability_lists)
@settings(max_examples=60, deadline=None)
def test_spans_are_ordered_and_inside_the_clip(probabilities: list[float]) -> None:
    """Spans never overlap, never run backwards and never leave the clip."""
    duration_s = len(probabilities) * FRAME_S
    edges = [edge for span in spans_of(np.array(probabilities, np.float32), duration_s) for edge in span]
    assert edges == sorted(edges)
    assert all(0.0 <= edge <= duration_s for edge in edges)


@given(probability_lists)
@settings(max_examples=60, deadline=None)
def test_pieces_cover_all_voice_and_fit_whisper(probabilities: list[float]) -> None:
    """Every span lies within pieces, in order and without overlap, and no piece is longer than Whisper's window."""
    voice = voice_of(np.array(probabilities, np.float32))
    pieces = pieces_of(voice)
    assert all(end - start <= WHOLE_S for start, end in pieces)
    assert all(left[1] <= right[0] for left, right in pairwise(pieces))
    covered = sum(max(0.0, min(end, stop) - max(start, begin)) for start, end in voice.spans for begin, stop in pieces)
    assert math.isclose(covered, voice.voiced_s if pieces else 0.0, abs_tol=1e-6)


def test_long_speech_is_cut_at_a_pause() -> None:
    """A stretch too long for one piece is cut where nobody speaks."""
    probabilities = np.ones(int(50 / FRAME_S), np.float32)
    pause = int(24 / FRAME_S)
    probabilities[pause : pause + 8] = 0.36
    pieces = pieces_of(voice_of(probabilities))
    assert len(pieces) == 2
    assert pieces[0][1] == pytest.approx(24.13, abs=0.15)
    assert all(end - start <= PIECE_S for start, end in pieces)


def test_without_voice_nothing_is_transcribed(transcriber: Transcriber) -> None:
    """Silence, noise and a tone have no transcript."""
    chance = np.random.default_rng(0)
    tone = np.sin(np.arange(48_000) / 16_000 * 2 * np.pi * 440).astype(np.float32)
    for samples in (np.zeros(48_000, np.float32), chance.normal(0, 0.1, 48_000).astype(np.float32), tone):
        heard = transcriber.listen(samples)
        assert heard.spans == ()
        assert heard.text == ""


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513])
def test_any_length_is_heard(transcriber: Transcriber, count: int) -> None:
    """Clips of any length, none included, give one probability per frame begun."""
    voice = transcriber.hear(np.zeros(count, np.float32))
    assert len(voice.probabilities) == -(-count // FRAME)


def test_blocks_change_nothing(transcriber: Transcriber, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A memory map heard in small blocks gives the probabilities of the whole array."""
    samples = np.random.default_rng(1).normal(0, 0.1, 40_000).astype(np.float32)
    whole = transcriber.hear(samples).probabilities
    samples.tofile(tmp_path / "clip.f32")
    monkeypatch.setattr(speech, "BLOCK_FRAMES", 7)
    mapped = np.memmap(tmp_path / "clip.f32", np.float32, "r")
    np.testing.assert_allclose(transcriber.hear(mapped).probabilities, whole, atol=1e-6)


def test_likely_english_is_rated() -> None:
    """Where English is likely, language and transcript carry their own confidences."""
    curves = BuiltInCurves({"language": Platt(0.0, {"log_words": 1.0}), "transcript": Platt(1.0, {})})
    language, transcript = rated_words(said("seven words are more than nothing here"), curves)
    assert (language.value, transcript.value) == ("en", "seven words are more than nothing here")
    assert language.confidence == pytest.approx(8 / 9)
    assert transcript.basis is Basis.CALIBRATED


@pytest.mark.parametrize(
    ("bias", "language", "text"), [(3.0, "en", "the the"), (-1.0, None, "the the"), (-3.0, None, None)]
)
def test_nonsense_is_withheld(bias: float, language: str | None, text: str | None) -> None:
    """What is likelier not to be English has no language; what almost certainly is not has no transcript either."""
    curves = BuiltInCurves({"language": Platt(bias, {}), "transcript": Platt(-2.0, {})})
    found = rated_words(said("the the"), curves)
    assert [each.value for each in found] == [language, text]


def test_english_is_made_of_common_words() -> None:
    """About half of an English sentence is common words; of what Whisper makes of Spanish, little is."""
    assert common_words("Please press one, or stay on the line and we will be with you.") > 0.7
    assert common_words("Este momento, Nadier libre para responder, a suyamada. Torus no estros.") < 0.2
    assert common_words("") == 0.0


def test_features_without_words_are_finite() -> None:
    """A clip without words has features that JSON can carry."""
    assert json.dumps(said("").features, allow_nan=False)

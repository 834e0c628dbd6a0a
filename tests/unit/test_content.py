"""Content type."""

import json
from pathlib import Path

import numpy as np
import pytest

from earmark.vocabulary import Basis, ContentType
from workers.models.listener.built_in import BuiltInCurves
from workers.models.listener.content import (
    FEATURES,
    SOUNDING,
    ContentJudge,
    clip_features,
    network,
    softmax,
    window_inputs,
)
from workers.models.listener.events import EventDetector
from workers.models.listener.speech import Transcriber, Voice
from workers.models.listener.tags import TagFrames, Tagger


def frames(count: int = 2) -> TagFrames:
    """Windows in which nothing was recognised."""
    return TagFrames(
        np.arange(count) * 3.0,
        np.zeros((count, 50), np.float32),
        np.zeros((count, 50), np.float32),
        np.zeros((count, 200), np.float32),
        np.zeros((count, 200), np.float32),
    )


def voice(probability: float, seconds: float = 6.0) -> Voice:
    """A voice of constant probability."""
    spans = ((0.0, seconds),) if probability > 0.5 else ()
    return Voice(seconds, np.full(int(seconds * 31.25), probability, np.float32), spans)


def events(speech: float, singing: float, music: float, seconds: float = 6.0) -> np.ndarray:
    """Events of constant probability."""
    return np.tile(np.array([speech, singing, music], np.float32), (int(seconds * 100), 1))


@pytest.fixture(scope="module")
def judge() -> ContentJudge:
    """The shipped models."""
    return ContentJudge(BuiltInCurves.load())


def test_silence_is_measured(judge: ContentJudge) -> None:
    """A clip measured as silent is silence whatever the networks imagine."""
    said = judge.judge(frames(), events(1, 0, 1), voice(1.0), silent=True)
    assert (said.value, said.confidence, said.basis) == (ContentType.SILENCE, 1.0, Basis.MEASURED)


@pytest.mark.parametrize(
    ("heard", "probability", "expected"),
    [
        ((0.02, 0.05, 0.98), 0.01, ContentType.MUSIC),
        ((0.95, 0.01, 0.01), 0.9, ContentType.SPEECH),
        ((0.9, 0.05, 0.95), 0.85, ContentType.MIXED),
    ],
)
def test_clear_events_decide(
    judge: ContentJudge, heard: tuple[float, float, float], probability: float, expected: ContentType
) -> None:
    """Unmistakable events give the content type that they stand for, with a calibrated confidence."""
    said = judge.judge(frames(), events(*heard), voice(probability), silent=False)
    assert said.value is expected
    assert said.basis is Basis.CALIBRATED


@pytest.mark.parametrize("kind", ["white", "brown"])
def test_noise_is_a_sound(judge: ContentJudge, kind: str) -> None:
    """Noise, heard by the real networks, is neither music nor speech."""
    samples = np.random.default_rng(0).normal(0, 0.1, 96_000)
    if kind == "brown":
        samples = np.cumsum(samples) - np.convolve(np.cumsum(samples), np.full(801, 1 / 801), mode="same")
    samples = (0.1 * samples / samples.std()).astype(np.float32)
    heard = Tagger(threads=1).listen(samples), EventDetector().listen(samples), Transcriber(threads=1).hear(samples)
    assert judge.judge(*heard, silent=False).value is ContentType.SOUND


def test_features_have_names() -> None:
    """Every feature has a name and a finite value, also for a clip too short for events and voice."""
    empty = np.zeros((0, 3), np.float32)
    found = clip_features(np.zeros((1, 3)), empty, Voice(0.0, np.zeros(0, np.float32), ()))
    assert found.shape == (len(FEATURES),)
    assert np.isfinite(found).all()


def test_probabilities_sum_to_one(judge: ContentJudge) -> None:
    """The classifier shares out one among the sounding content types."""
    shares = judge.probabilities(frames(), events(0.5, 0.5, 0.5), voice(0.5))
    assert shares.shape == (len(SOUNDING),)
    assert shares.sum() == pytest.approx(1.0)


def test_windows_show_both_networks() -> None:
    """The window model sees 200 features of each network."""
    assert window_inputs(frames(3)).shape == (3, 400)


def test_network_is_the_written_formula() -> None:
    """Standardise, rectify, weigh: checked on numbers small enough to do by hand."""
    weights = {
        "hidden_mean": np.array([1.0]),
        "hidden_scale": np.array([2.0]),
        "hidden_weight": np.array([[1.0, -1.0]]),
        "hidden_bias": np.array([0.0, 0.0]),
        "answer_weight": np.array([[3.0], [5.0]]),
        "answer_bias": np.array([0.5]),
    }
    np.testing.assert_allclose(network(np.array([[5.0], [-3.0]]), weights), [[6.5], [10.5]])
    np.testing.assert_allclose(softmax(np.array([[0.0, np.log(3.0)]])), [[0.25, 0.75]])


def test_shipped_networks_match_their_curves() -> None:
    """Models and curves come from the same corpus as the report beside them."""
    root = Path(__file__).resolve().parents[2]
    stored = json.loads((root / "workers/models/listener/weights/calibration.json").read_text())
    assert stored["made"]["corpus_sha256"][:16] in (root / "docs/calibration.md").read_text(encoding="utf-8")

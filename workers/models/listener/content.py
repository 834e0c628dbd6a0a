"""Content type: music, speech, both, another sound, or silence.

Two small models fitted by ``training.fit``: a linear one says of every 3 s window how much its MusiCNN features are
like music, speech or another sound; a second one weighs these, the events and the voice over the whole clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.metadata import Rated
from earmark.vocabulary import Basis, ContentType
from workers.models.listener.built_in import BuiltInCurves
from workers.models.listener.events import FRAMES_PER_S, MUSIC, SINGING, SPEECH
from workers.models.listener.speech import Voice
from workers.models.listener.tags import TagFrames

Floats = NDArray[np.float64]

WEIGHTS = Path(__file__).parent / "weights" / "content.npz"
SOUNDING = (ContentType.MUSIC, ContentType.SPEECH, ContentType.MIXED, ContentType.SOUND)
"""The columns of the classifier's answer; silence is measured, not guessed."""
WINDOW_KINDS = (ContentType.MUSIC, ContentType.SPEECH, ContentType.SOUND)
VOICE_FRAMES_PER_S = 31.25
SMOOTH_S = 1.0
"""Length of the moving average behind "the most" and "the least" of an event."""
PRESENT = 0.5
FEATURES = (
    "music_mean", "music_share", "music_most", "music_least", "music_apart_from_speech",
    "speech_mean", "speech_share", "speech_most", "speech_least", "speech_apart_from_music",
    "singing_mean", "singing_share", "singing_most", "speech_with_music",
    "voice_mean", "voice_share", "voice_most", "voice_spans_per_s",
    "window_music_mean", "window_music_most", "window_music_least",
    "window_speech_mean", "window_speech_most", "window_speech_least",
    "window_sound_mean", "window_sound_most", "window_sound_least",
    "log_duration",
)  # fmt: skip
"""What the classifier knows of a clip, in order."""


def window_inputs(frames: TagFrames) -> Floats:
    """What the window model sees: both networks' last layers, (w, 400)."""
    return np.hstack([frames.msd_features, frames.mtt_features]).astype(np.float64)


def clip_features(scores: Floats, events: NDArray[np.float32], voice: Voice) -> Floats:
    """``FEATURES`` of a clip.

    Args:
        scores: Log odds of ``WINDOW_KINDS`` per window, (w, 3).
        events: From ``EventDetector.listen``, (frames, 3).
        voice: From ``Transcriber.hear``.
    """
    seen = events.astype(np.float64) if len(events) else np.zeros((1, 3))
    speech, singing, music = seen[:, SPEECH], seen[:, SINGING], seen[:, MUSIC]
    talking, playing = speech > PRESENT, music > PRESENT
    heard = voice.probabilities.astype(np.float64) if len(voice.probabilities) else np.zeros(1)
    smooth_speech, smooth_music = _smooth(speech, FRAMES_PER_S), _smooth(music, FRAMES_PER_S)
    return np.array([
        music.mean(), playing.mean(), smooth_music.max(), smooth_music.min(), _mean_where(music, ~talking),
        speech.mean(), talking.mean(), smooth_speech.max(), smooth_speech.min(), _mean_where(speech, ~playing),
        singing.mean(), (singing > PRESENT).mean(), _smooth(singing, FRAMES_PER_S).max(), (talking & playing).mean(),
        heard.mean(), (heard > PRESENT).mean(), _smooth(heard, VOICE_FRAMES_PER_S).max(),
        len(voice.spans) / max(voice.duration_s, 1.0),
        *(value for column in scores.T for value in (column.mean(), column.max(), column.min())),
        np.log(max(voice.duration_s, 0.1)),
    ])  # fmt: skip


def _mean_where(values: Floats, chosen: NDArray[np.bool_]) -> float:
    return float(values[chosen].mean() if chosen.any() else values.mean())


def _smooth(values: Floats, rate_hz: float) -> Floats:
    width = min(len(values), max(1, int(SMOOTH_S * rate_hz)))
    sums = np.cumsum(np.concatenate([[0.0], values]))
    smooth: Floats = (sums[width:] - sums[:-width]) / width
    return smooth


class ContentJudge:
    """The fitted models, loaded."""

    def __init__(self, curves: BuiltInCurves) -> None:
        """Load the weights.

        Args:
            curves: Turn the classifier's probability into one that holds.
        """
        self._curves = curves
        self._weights = _weights()

    def judge(
        self, frames: TagFrames, events: NDArray[np.float32], voice: Voice, *, silent: bool
    ) -> Rated[ContentType]:
        """The content type of a clip.

        Args:
            frames: From ``Tagger.listen``.
            events: From ``EventDetector.listen``.
            voice: From ``Transcriber.hear``.
            silent: The clip was measured to be digital silence.
        """
        if silent:
            return Rated(value=ContentType.SILENCE, confidence=1.0, basis=Basis.MEASURED)
        probabilities = self.probabilities(frames, events, voice)
        best = int(np.argmax(probabilities))
        return self._curves.rated("content_type", SOUNDING[best], float(probabilities[best]))

    def probabilities(self, frames: TagFrames, events: NDArray[np.float32], voice: Voice) -> Floats:
        """Uncalibrated probabilities of ``SOUNDING``."""
        weights = self._weights
        scores = linear(window_inputs(frames), weights, "window")
        features = clip_features(scores, events, voice)
        shares: Floats = softmax(network(features[None], weights))[0]
        return shares


def linear(rows: Floats, weights: Mapping[str, Floats], name: str) -> Floats:
    """A standardised linear model: (n, inputs) to (n, outputs)."""
    standard = (rows - weights[f"{name}_mean"]) / weights[f"{name}_scale"]
    scores: Floats = standard @ weights[f"{name}_weight"] + weights[f"{name}_bias"]
    return scores


def network(rows: Floats, weights: Mapping[str, Floats]) -> Floats:
    """The clip model: standardise, one hidden layer of rectified units, log odds per content type."""
    hidden = np.maximum(linear(rows, weights, "hidden"), 0.0)
    answer: Floats = hidden @ weights["answer_weight"] + weights["answer_bias"]
    return answer


def softmax(scores: Floats) -> Floats:
    """Probabilities from log odds, row by row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


@cache
def _weights() -> dict[str, Floats]:
    with np.load(WEIGHTS) as stored:
        return {name: stored[name].astype(np.float64) for name in stored.files}

"""Labelled clips for the cascade: sounds the tiny model knows, others that it is wrong about, and what each truly is.

It is unsure of the content type of chords in noise.  It is sure of the content type of chords that are played at
another speed, and wrong about their key and tempo, for it was taught one of each.  The truth is what was mixed in, so
that a chord in noise is music however loud the noise; what no listener could tell (the words in bursts that are no
words, say) has no truth and is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from earmark.domain import CLIP_RATE_HZ, Clip
from earmark.metadata import KEYS
from tests.tiny_qwen import KEY, TEMPO_BPM, clip_of
from training.tiny_sounds import Samples, between, bursts, chord, noise
from workers.judging import Truth

TRUTHS: Final[Mapping[str, Truth]] = {
    "bursts": Truth.model_validate({"content_type": "speech", "language": "en"}),
    "noise": Truth.model_validate({"content_type": "sound"}),
}
LENGTHS_S: Final = (1.0, 2.0)
SEMITONES: Final = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)


class Labelled(NamedTuple):
    """A clip and what it is."""

    clip: Clip
    truth: Truth


class Mix(NamedTuple):
    """What a set is made of."""

    unclear: float = 0.25
    """Share of all clips that are chords in noise; the others are chords, bursts and noise alike."""
    transposed: float = 0.3
    """Share of the chords that are in another key and tempo than the model was taught."""


def labelled_clips(folder: Path, count: int, seed: int, mix: Mix) -> list[Labelled]:
    """So many clips of 1 to 2 s, whose samples are written into a folder; another seed gives others."""
    rng = np.random.default_rng(seed)
    clips = []
    for number in range(count):
        kind = "between" if rng.uniform() < mix.unclear else ("chord", "bursts", "noise")[number % 3]
        seconds = float(rng.uniform(*LENGTHS_S))
        semitones = int(rng.choice(SEMITONES)) if rng.uniform() < mix.transposed else 0
        if kind == "chord":
            samples = transposed(seconds, semitones, rng)
        elif kind == "between":
            samples, semitones = between(seconds, rng.uniform(), rng), 0
        else:
            samples = {"bursts": bursts, "noise": noise}[kind](seconds, rng)
        truth = TRUTHS[kind] if kind in TRUTHS else chord_truth(semitones)
        clips.append(Labelled(clip_of(folder, f"{seed}-{number}", samples), truth))
    return clips


def transposed(seconds: float, semitones: int, rng: np.random.Generator) -> Samples:
    """The chord played faster or slower, (samples,): so many semitones higher, and its pulse as much faster."""
    speed = 2.0 ** (semitones / 12)
    taught = chord(seconds * speed, rng)
    places = np.arange(round(seconds * CLIP_RATE_HZ)) * speed
    return np.asarray(np.interp(places, np.arange(len(taught)), taught), np.float32)


def chord_truth(semitones: int) -> Truth:
    """What a chord is that was played so many semitones higher."""
    tonic = (KEYS.index(KEY) + semitones) % 12 + 12
    return Truth.model_validate(
        {
            "content_type": "music", "vocals": "none", "tempo_bpm": TEMPO_BPM * 2.0 ** (semitones / 12),
            "key": KEYS[tonic],
        }
    )  # fmt: skip

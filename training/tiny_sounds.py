"""Sounds that even a tiny network can tell apart: a chord, bursts like syllables, and noise.

All are mono float32 at 16 kHz within -1..1, (samples,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RATE_HZ = 16_000
A_MINOR_HZ = (220.0, 261.63, 329.63)
"""A3, C4 and E4, equal temperament."""
BPM = 120.0
"""Of the chord's pulse."""


def chord(seconds: float, rng: np.random.Generator) -> Samples:
    """A minor, each tone in some octave with a few harmonics, swelling at ``BPM``."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tones = np.zeros(len(time_s))
    for tone_hz in A_MINOR_HZ:
        hz = tone_hz * 2.0 ** rng.integers(-1, 2)
        for harmonic in (1, 2, 3):
            tones += np.sin(2 * np.pi * hz * harmonic * time_s + rng.uniform(0, 2 * np.pi)) / harmonic**1.5
    return _levelled(tones * (0.8 + 0.2 * np.cos(2 * np.pi * BPM / 60 * time_s)), rng)


def bursts(seconds: float, rng: np.random.Generator) -> Samples:
    """A buzz with a little noise in it that comes and goes three to five times a second, as syllables do."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitch_hz = rng.uniform(100.0, 220.0)
    buzz = sum(np.sin(2 * np.pi * pitch_hz * harmonic * time_s) / harmonic for harmonic in range(1, 12))
    gate = np.sin(2 * np.pi * (rng.uniform(3.0, 5.0) * time_s + rng.uniform())) > 0
    return _levelled((buzz + 0.4 * rng.standard_normal(len(time_s))) * gate, rng)


def noise(seconds: float, rng: np.random.Generator) -> Samples:
    """White noise."""
    return _levelled(rng.standard_normal(round(seconds * RATE_HZ)), rng)


def between(seconds: float, share: float, rng: np.random.Generator) -> Samples:
    """A chord in noise, from 24 dB louder than the noise at share 0 to as loud as it at share 1."""
    tones, hiss = chord(seconds, rng), noise(seconds, rng)
    tones, hiss = (part / max(float(np.sqrt(np.mean(part**2))), 1e-9) for part in (tones, hiss))
    return _levelled(tones + hiss * 10.0 ** (-24.0 * (1.0 - share) / 20.0), rng)


def _levelled(samples: NDArray[np.floating], rng: np.random.Generator) -> Samples:
    """At a peak of 0.1 to 0.9."""
    return np.asarray(samples / max(float(np.abs(samples).max(initial=0.0)), 1e-9) * rng.uniform(0.1, 0.9), np.float32)

"""Sounds that are neither speech nor music, computed: noise, tones, beeps, clicks, hum."""

from __future__ import annotations

import numpy as np

from earmark.domain import CLIP_RATE_HZ
from training.sources import Samples

NOISES = ("white", "brown", "pink", "sine", "square", "sweep", "beeps", "clicks", "hum", "dial")


def noise(name: str, length_s: float, chance: np.random.Generator) -> Samples:
    """A sound of ``NOISES``, mono float32 at 16 kHz, RMS about 0.1."""
    count = int(length_s * CLIP_RATE_HZ)
    time_s = np.arange(count) / CLIP_RATE_HZ
    hertz = float(np.exp(chance.uniform(np.log(100), np.log(4000))))
    if name in {"white", "brown", "pink"}:
        spectrum = np.fft.rfft(chance.standard_normal(count))
        slope = {"white": 0.0, "pink": 0.5, "brown": 1.0}[name]
        out = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 1.0) ** slope, count)
    elif name == "sine":
        out = np.sin(2 * np.pi * hertz * time_s)
    elif name == "square":
        out = np.sign(np.sin(2 * np.pi * hertz * time_s))
    elif name == "sweep":
        out = np.sin(2 * np.pi * hertz * time_s * (1 + chance.uniform(0.2, 1.0) * time_s / length_s))
    elif name == "beeps":
        period_s = chance.uniform(0.15, 1.2)
        out = np.sin(2 * np.pi * hertz * time_s) * ((time_s % period_s) < period_s * chance.uniform(0.2, 0.6))
    elif name == "clicks":
        out = chance.standard_normal(count) * np.exp(-(time_s % chance.uniform(0.08, 0.9)) * chance.uniform(60, 600))
    elif name == "hum":
        mains_hz = float(chance.choice([50.0, 60.0]))
        out = np.sum([np.sin(2 * np.pi * mains_hz * step * time_s) / step for step in range(1, 9)], axis=0)
    else:
        out = np.sin(2 * np.pi * 350 * time_s) + np.sin(2 * np.pi * 440 * time_s)
    return (0.1 * out / (np.std(out) + 1e-9)).astype(np.float32)

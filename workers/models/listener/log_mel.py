"""The log-mel picture of a sound that the music tagger was trained on.

The same numbers as librosa gives for

    mel = librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=512, hop_length=256, n_mels=96)
    numpy.log10(1 + 10000 * mel.T)

without needing librosa: power spectra of periodic Hann windows, centred on every 256th sample, zeros beyond the
ends, weighted by triangles on Slaney's mel scale with Slaney's normalisation.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
TRANSFORM_SAMPLES = 512
HOP_SAMPLES = 256
BANDS = 96
COMPRESSION = 10_000.0
"""The factor before the logarithm; Pons and Serra, https://arxiv.org/abs/1909.06654."""

LOUDEST = 1e6
"""Samples beyond this magnitude (full scale is 1) are cut off, so that no power overflows float32."""

_REACH = TRANSFORM_SAMPLES // 2


def frame_count(sample_count: int) -> int:
    """How many frames a sound of this many samples has."""
    return 1 + sample_count // HOP_SAMPLES


def log_mel(samples: Samples, first: int = 0, count: int | None = None) -> NDArray[np.float32]:
    """Compute some frames of the log-mel picture of a sound.

    Args:
        samples: mono at 16 kHz, finite, any length; (samples,).
        first: the first frame wanted; frame i is centred on sample 256 * i.
        count: how many frames; all that remain when left out.

    Returns:
        log10(1 + 10000 * power) for each frame and band, (count, 96).

    Raises:
        ValueError: the sound does not have those frames.
    """
    available = frame_count(len(samples))
    count = available - first if count is None else count
    if first < 0 or count < 0 or first + count > available:
        message = f"frames {first} to {first + count} asked of a sound that has {available}"
        raise ValueError(message)
    start, stop = first * HOP_SAMPLES - _REACH, (first + count - 1) * HOP_SAMPLES + _REACH
    heard = np.clip(samples[max(start, 0) : max(stop, 0)], -LOUDEST, LOUDEST)
    missing_before = max(-start, 0)
    heard = np.pad(heard, (missing_before, max(stop - start - missing_before - len(heard), 0)))
    if count == 0:
        return np.empty((0, BANDS), np.float32)
    frames = sliding_window_view(heard, TRANSFORM_SAMPLES)[::HOP_SAMPLES]
    spectra = np.fft.rfft(frames * _hann_window())
    power = np.square(spectra.real) + np.square(spectra.imag)
    # Not `@`: its library would wake threads of its own for this small product and spend more on them than on it.
    mel = np.einsum("tf,fb->tb", power, mel_filters())
    return np.asarray(np.log10(1.0 + np.float32(COMPRESSION) * mel), dtype=np.float32)


@cache
def _hann_window() -> Samples:
    """The periodic Hann window, (512,)."""
    phase = 2.0 * np.pi * np.arange(TRANSFORM_SAMPLES) / TRANSFORM_SAMPLES
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


@cache
def mel_filters() -> NDArray[np.float32]:
    """Triangular weights from the transform's frequencies to bands of equal area, (257, 96).

    Neighbouring triangles share their corners, which lie evenly on the mel scale from 0 Hz to 8 kHz.  Slaney,
    "Auditory Toolbox" (1998): a triangle's area over frequency in Hz is 1.
    """
    frequencies_hz = np.linspace(0.0, SAMPLE_RATE_HZ / 2, TRANSFORM_SAMPLES // 2 + 1)
    highest = _mel_of_hz(SAMPLE_RATE_HZ / 2)
    corners_hz = _hz_of_mel(np.linspace(0.0, highest, BANDS + 2))
    low, centre, high = corners_hz[:-2], corners_hz[1:-1], corners_hz[2:]
    rising = (frequencies_hz[:, np.newaxis] - low) / (centre - low)
    falling = (high - frequencies_hz[:, np.newaxis]) / (high - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (high - low))).astype(np.float32)


_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_LINEAR_UNTIL_HZ = 1000.0
_LINEAR_UNTIL_MEL = _LINEAR_UNTIL_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0
"""Slaney's scale: linear below 1 kHz, then 27 steps for a factor of 6.4."""


def _mel_of_hz(frequency_hz: float) -> float:
    """Slaney's mel scale above 1 kHz."""
    return float(_LINEAR_UNTIL_MEL + np.log(frequency_hz / _LINEAR_UNTIL_HZ) / _LOG_STEP)


def _hz_of_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """The frequencies in Hz of points on Slaney's mel scale."""
    logarithmic = _LINEAR_UNTIL_HZ * np.exp(_LOG_STEP * (mel - _LINEAR_UNTIL_MEL))
    return np.where(mel < _LINEAR_UNTIL_MEL, mel * _LINEAR_HZ_PER_MEL, logarithmic)

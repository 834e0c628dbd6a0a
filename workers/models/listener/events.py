"""Speech, singing and music, every hundredth of a second: the audio event detector of FireRedVAD.

A DFSMN (feed-forward sequential memory network, Zhang et al. 2018, https://arxiv.org/abs/1803.05030) of 589,000
parameters, small enough for plain numpy.  ``weights/events.md`` says where its weights come from.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.domain import CLIP_RATE_HZ

Floats = NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "weights" / "fireredvad_aed.npz"
HOP, WIDTH, TRANSFORM = 160, 400, 512
"""Samples between frames (10 ms), in a frame (25 ms), and in its Fourier transform."""
FRAMES_PER_S = CLIP_RATE_HZ // HOP
BANDS = 80
LOW_HZ, HIGH_HZ = 20.0, 8000.0
BLOCKS = 8
"""Memory blocks of the network."""
TAPS = 20
"""Frames that each memory block remembers, and as many that it looks ahead."""
REACH = BLOCKS * TAPS
"""Frames to either side on which an answer can depend: 1.6 s."""
PIECE = 3000
"""Frames answered at a time: 30 s."""
FULL_SCALE = 32_768.0
"""The network was trained on 16-bit integers."""
QUIETEST, LOUDEST = 0.02, 0.5
"""Range into which the RMS of the loudest half-second is brought: -34 to -6 dBFS."""
MAX_GAIN = 100.0
"""Most amplification: 40 dB."""

SPEECH, SINGING, MUSIC = range(3)
"""The columns of an answer."""


class EventDetector:
    """The network, loaded."""

    def __init__(self) -> None:
        """Load the weights."""
        with np.load(WEIGHTS) as stored:
            self._arrays: dict[str, Floats] = {name: stored[name].astype(np.float32) for name in stored.files}

    def listen(self, samples: Floats) -> Floats:
        """Probabilities of speech, singing and music; they may overlap.

        Long sounds are answered in pieces with enough context that the cuts change nothing, so memory beyond the
        result does not grow with the length.

        Args:
            samples: Mono float32 at 16 kHz, shape (n,); may be a memory map.

        Returns:
            Shape (frames, 3), a frame every 10 ms; no rows for a sound shorter than 25 ms.
        """
        frames = max(0, 1 + (len(samples) - WIDTH) // HOP)
        gain = level_gain(samples)
        answers = [
            self._answer(samples, first, min(first + PIECE, frames), frames, gain) for first in range(0, frames, PIECE)
        ]
        return np.concatenate(answers) if answers else np.zeros((0, 3), np.float32)

    def _answer(self, samples: Floats, first: int, last: int, frames: int, gain: float) -> Floats:
        start, stop = max(0, first - REACH), min(frames, last + REACH)
        heard = np.asarray(samples[start * HOP : (stop - 1) * HOP + WIDTH], np.float32) * np.float32(gain)
        bands = filter_bank(heard)
        answer = self._network((bands - self._arrays["mean"]) * self._arrays["scale"])
        return answer[first - start : last - start]

    def _network(self, bands: Floats) -> Floats:
        hidden = np.maximum(self._dense(bands, 0), 0.0)
        memory = self._remember(np.maximum(self._dense(hidden, 1), 0.0), 0)
        for block in range(1, BLOCKS):
            hidden = np.maximum(self._dense(memory, 2 * block), 0.0)
            memory = memory + self._remember(self._dense(hidden, 2 * block + 1), block)
        hidden = np.maximum(self._dense(memory, 2 * BLOCKS), 0.0)
        logits = self._dense(hidden, 2 * BLOCKS + 1)
        return (1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))).astype(np.float32)

    def _dense(self, rows: Floats, layer: int) -> Floats:
        product: Floats = rows @ self._arrays[f"gemm_{layer}_weight"].T
        bias = self._arrays.get(f"gemm_{layer}_bias")
        return product if bias is None else product + bias

    def _remember(self, rows: Floats, block: int) -> Floats:
        """The rows plus a weighted sum of each channel's last 20 frames and of its next 20."""
        back = self._arrays[f"convdw1d_{53 + 2 * block}_weight"]
        ahead = self._arrays[f"convdw1d_{54 + 2 * block}_weight"]
        count = len(rows)
        padded = np.pad(rows, ((TAPS - 1, TAPS), (0, 0)))
        taps = np.hstack([back, ahead])
        taps[:, TAPS - 1] += 1.0  # the row itself
        total, term = np.zeros_like(rows), np.empty_like(rows)
        for tap in range(2 * TAPS):
            total += np.multiply(padded[tap : tap + count], taps[:, tap], out=term)
        return total


def filter_bank(samples: Floats) -> Floats:
    """Log mel energies as Kaldi computes them: 80 bands from 20 Hz to 8 kHz, 25 ms every 10 ms, no dither.

    Args:
        samples: Mono float32 at 16 kHz, at least 25 ms, shape (n,).

    Returns:
        Shape (frames, 80).
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples * np.float32(FULL_SCALE), WIDTH)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    # Kaldi's pre-emphasis: the first sample of a frame stands in for the one before it.
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    window, bands = _tables()
    power = np.abs(np.fft.rfft((frames - np.float32(0.97) * before) * window, TRANSFORM)) ** 2
    energy: Floats = np.log(np.maximum(power @ bands, np.finfo(np.float32).eps)).astype(np.float32)
    return energy


@cache
def _tables() -> tuple[Floats, NDArray[np.float64]]:
    """Kaldi's "povey" window, and its triangles on the mel scale, (257, 80)."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIDTH) / (WIDTH - 1))) ** 0.85
    edges = np.linspace(_mel(LOW_HZ), _mel(HIGH_HZ), BANDS + 2)
    centres = _mel(np.arange(TRANSFORM // 2 + 1) * (CLIP_RATE_HZ / TRANSFORM))[:, None]
    rising = (centres - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - centres) / (edges[2:] - edges[1:-1])
    return window.astype(np.float32), np.clip(np.minimum(rising, falling), 0.0, None)


def _mel(hertz: ArrayLike) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(np.asarray(hertz, np.float64) / 700.0)


def level_gain(samples: Floats) -> float:
    """Factor that brings a sound to a level that voice and event detectors know; 1 for most recordings.

    Args:
        samples: Mono float32 at 16 kHz, shape (n,); may be a memory map of any length.
    """
    size = CLIP_RATE_HZ // 2
    loudest = 0.0
    for start in range(0, len(samples), size):
        part = np.asarray(samples[start : start + size], np.float64)
        loudest = max(loudest, float(np.sqrt(np.mean(part * part))))
    return min(float(np.clip(loudest, QUIETEST, LOUDEST)) / loudest, MAX_GAIN) if loudest > 0.0 else 1.0

"""Sounds of known kinds and any length, written to clip files a block at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from earmark.domain import CLIP_RATE_HZ, Clip, Technical

Samples = NDArray[np.float64]

BLOCK_S: Final = 10
"""Seconds that are in memory at once."""
A_MINOR_HZ: Final = (220.0, 261.63, 329.63)
"""A3, C4 and E4, equal temperament."""
BEATS_HZ: Final = 2.0
"""120 beats a minute."""
PEAK: Final = 0.5


class Sounds:
    """Makes clips in a folder; the same kind, length and seed give the same samples everywhere."""

    def __init__(self, folder: Path, recording: Clip | None = None) -> None:
        """Write into ``folder``, which somebody else removes.

        Args:
            folder: for the files.
            recording: that programmes are made of, over and over; None = bursts like syllables.
        """
        self._folder = folder
        self._recording = recording

    def clip(self, kind: str, seconds: float, seed: int = 0) -> Clip:
        """A clip of one of ``KINDS``, as decoding would give it; made once.

        Raises:
            OSError: there is no room for it.
        """

        def block(start: int, stop: int) -> Samples:
            chance = np.random.default_rng([seed, start])
            return KINDS[kind](np.arange(start, stop) / CLIP_RATE_HZ, seed, chance)

        return self._written(f"{kind}-{seconds:g}-{seed}", seconds, block, silent=kind == "silence")

    def programme(self, seconds: float) -> Clip:
        """A clip of any length of the recording, or else of speech-like bursts; raises as ``clip``."""
        recording = self._recording
        if recording is None:
            return self.clip("speech", seconds)
        heard = np.memmap(recording.path, np.dtype("<f4"), "r", shape=(recording.samples,))

        def block(start: int, stop: int) -> Samples:
            return np.asarray(heard[np.arange(start, stop) % len(heard)], np.float64)

        return self._written(f"recording-{seconds:g}", seconds, block, silent=recording.technical.silent)

    def _written(self, name: str, seconds: float, block: Callable[[int, int], Samples], *, silent: bool) -> Clip:
        path = self._folder / f"{name}.f32"
        samples = max(1, round(seconds * CLIP_RATE_HZ))
        if not path.exists():
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                for start in range(0, samples, BLOCK_S * CLIP_RATE_HZ):
                    stop = min(samples, start + BLOCK_S * CLIP_RATE_HZ)
                    file.write(np.asarray(block(start, stop), "<f4").tobytes())
            part.replace(path)
        technical = Technical(
            duration_s=samples / CLIP_RATE_HZ,
            sample_rate_hz=CLIP_RATE_HZ,
            channels=1,
            codec="pcm_f32le",
            container="raw",
            size_bytes=4 * samples,
            silent=silent,
        )
        return Clip(path.stem, path, samples, technical)

    def discard(self, clip: Clip) -> None:
        """Remove a clip's file."""
        clip.path.unlink(missing_ok=True)


def _music(time_s: Samples, seed: int, _: np.random.Generator) -> Samples:
    """A minor, each tone with three harmonics in an octave drawn by the seed, swelling with the beat."""
    drawn = np.random.default_rng(seed)
    tones = np.zeros(len(time_s))
    for tone_hz in A_MINOR_HZ:
        hz = tone_hz * 2.0 ** drawn.integers(-1, 2)
        for harmonic in (1, 2, 3):
            tones += np.sin(2 * np.pi * hz * harmonic * time_s + drawn.uniform(0, 2 * np.pi)) / harmonic**1.5
    return PEAK / 5 * tones * (0.8 + 0.2 * np.cos(2 * np.pi * BEATS_HZ * time_s))


def _speech(time_s: Samples, seed: int, chance: np.random.Generator) -> Samples:
    """A hoarse buzz in syllables, three to five a second."""
    drawn = np.random.default_rng(seed)
    pitch_hz, syllables_hz, phase = drawn.uniform(100.0, 220.0), drawn.uniform(3.0, 5.0), drawn.uniform()
    buzz = np.pi * (0.5 - pitch_hz * time_s % 1.0)  # all harmonics, each as loud as 1 / its number
    gate = np.sin(2 * np.pi * (syllables_hz * time_s + phase)) > 0
    buzz += 0.4 * chance.standard_normal(len(time_s))
    return np.asarray(PEAK / 3 * buzz * gate, np.float64)


def _noise(time_s: Samples, _: int, chance: np.random.Generator) -> Samples:
    return PEAK / 4 * chance.standard_normal(len(time_s))


def _silence(time_s: Samples, _: int, __: np.random.Generator) -> Samples:
    return np.zeros(len(time_s))


def _clicks(time_s: Samples, _: int, __: np.random.Generator) -> Samples:
    """One sample at full scale every half second."""
    numbers = np.arange(len(time_s)) % (CLIP_RATE_HZ // 2)
    return np.asarray(numbers == CLIP_RATE_HZ // 4, np.float64)


def _constant(time_s: Samples, _: int, __: np.random.Generator) -> Samples:
    """A DC offset."""
    return np.full(len(time_s), PEAK)


def _overdriven(time_s: Samples, seed: int, chance: np.random.Generator) -> Samples:
    """Music clipped at full scale."""
    return np.clip(20 * _music(time_s, seed, chance), -1, 1)


def _faint(time_s: Samples, _: int, chance: np.random.Generator) -> Samples:
    """Noise at -80 dBFS, which is not yet silence."""
    return 1e-4 * chance.standard_normal(len(time_s))


KINDS: Final[dict[str, Callable[[Samples, int, np.random.Generator], Samples]]] = {
    "music": _music,
    "speech": _speech,
    "noise": _noise,
    "silence": _silence,
    "clicks": _clicks,
    "constant": _constant,
    "overdriven": _overdriven,
    "faint": _faint,
}
"""Each gives the samples of some moments in seconds; chance is drawn anew for each block."""

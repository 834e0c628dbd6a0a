"""Sung words: synthetic speech moved to the notes of a melody with the WORLD vocoder.

No freely available package of labelled singing was found; a vocoder that holds vowels on steady notes with vibrato
is a stand-in, and ``docs/calibration.md`` says so.
"""

from __future__ import annotations

import numpy as np
import pyworld

from earmark.domain import CLIP_RATE_HZ
from training.sources import Samples

FRAME_S = 0.005
MAJOR = np.array([0, 2, 4, 7, 9, 12])
"""Steps of a major pentatonic scale, in semitones."""


def sung(spoken: Samples, chance: np.random.Generator, *, female: bool) -> Samples:
    """Sing what was spoken, about 1.6 times slower, on a random melody.

    Args:
        spoken: Speech, mono at 16 kHz.
        chance: Where the melody comes from.
        female: Sing in a range around A4 rather than around A3.
    """
    heard = spoken.astype(np.float64)
    rough_hz, times = pyworld.dio(heard, CLIP_RATE_HZ, frame_period=FRAME_S * 1000)
    pitch_hz = pyworld.stonemask(heard, rough_hz, times, CLIP_RATE_HZ)
    envelope = pyworld.cheaptrick(heard, pitch_hz, times, CLIP_RATE_HZ)
    noise = pyworld.d4c(heard, pitch_hz, times, CLIP_RATE_HZ)
    # Vowels are stretched, consonants are not.
    repeats = np.where(pitch_hz > 0, 2, 1)
    index = np.repeat(np.arange(len(pitch_hz)), repeats)
    root_hz = (220.0 if not female else 370.0) * 2 ** (chance.uniform(-5, 3) / 12)
    note_frames = int(chance.uniform(0.3, 0.8) / FRAME_S)
    notes = chance.choice(MAJOR, size=len(index) // note_frames + 1)
    melody = np.repeat(notes, note_frames)[: len(index)]
    melody = np.convolve(np.pad(melody, 6, mode="edge"), np.full(13, 1 / 13), mode="valid")
    vibrato = 0.3 * np.sin(2 * np.pi * 5.5 * np.arange(len(index)) * FRAME_S)
    new_pitch = np.where(pitch_hz[index] > 0, root_hz * 2 ** ((melody + vibrato) / 12), 0.0)
    out = pyworld.synthesize(new_pitch, envelope[index], noise[index], CLIP_RATE_HZ, FRAME_S * 1000)
    return np.asarray(out, np.float32)

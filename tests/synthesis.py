"""A small synthesiser, so that tests can hear music of known tempo and key without sound fonts.

Times are in beats here: `song` turns them into seconds.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RATE_HZ = 16_000
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
MIDDLE_C = 60


@cache
def note(pitch: float, length_s: float, a4_hz: float = 440.0) -> Samples:
    """A plucked note: six harmonics that die away.

    Args:
        pitch: as MIDI counts, 69 is A4; fractions are allowed.
        length_s: how long it lasts, in seconds.
        a4_hz: what A4 is tuned to.
    """
    time_s = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    hz = a4_hz * 2 ** ((pitch - 69) / 12)
    harmonics = sum(np.sin(2 * np.pi * hz * number * time_s) / number**1.5 for number in range(1, 7))
    fade = np.minimum(1.0, np.minimum(time_s / 0.005, (length_s - time_s) / 0.02))
    return np.asarray(harmonics * np.exp(-2.5 * time_s) * fade, np.float32)


@cache
def drum(kind: str, seed: int = 0) -> Samples:
    """A "kick", a "snare" or a "hat"."""
    time_s = np.arange(int(0.15 * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(seed).standard_normal(len(time_s))
    if kind == "kick":
        turns = 50 * time_s + 4 * (1 - np.exp(-40 * time_s))
        return np.asarray(1.5 * np.sin(2 * np.pi * turns) * np.exp(-20 * time_s), np.float32)
    if kind == "snare":
        return np.asarray(0.5 * noise * np.exp(-25 * time_s), np.float32)
    return np.asarray(0.25 * np.diff(noise, prepend=0.0) * np.exp(-80 * time_s), np.float32)


def triad(degree: int, mode: str, tonic: int, *, raised: bool = False) -> tuple[int, ...]:
    """The pitches of a chord around middle C.

    Args:
        degree: 1 to 7 in the scale.
        mode: "major" or "minor".
        tonic: pitch class, C = 0.
        raised: whether the chord is major although the scale says minor, as a dominant is.
    """
    scale = MAJOR if mode == "major" else MINOR
    root, third, fifth = (scale[(degree - 1 + step) % 7] + 12 * ((degree - 1 + step) // 7) for step in (0, 2, 4))
    return tuple(MIDDLE_C - 12 + tonic + pitch for pitch in (root, root + 4 if raised else third, fifth))


def song(
    bpm: float, tonic: int = 0, mode: str = "major", *, bars: int = 12, drums: bool = True, beats: int = 4,
    a4_hz: float = 440.0, seed: int = 0,
) -> Samples:  # fmt: skip
    """A song of four-bar turns: I-IV-V-I in major, i-iv-V-i in minor, with bass, chords, a melody and drums.

    Args:
        bpm: beats a minute.
        tonic: pitch class, C = 0.
        mode: "major" or "minor".
        bars: how many bars.
        drums: whether kick, snare and hi-hat play.
        beats: beats a bar, 3 or 4.
        a4_hz: what A4 is tuned to.
        seed: of the melody.
    """
    beat_s = 60 / bpm
    mixed = np.zeros(int((bars * beats + 1) * beat_s * RATE_HZ) + RATE_HZ, np.float32)
    rng = np.random.default_rng(seed)

    def play(sound: Samples, at_beats: float, loud: float) -> None:
        start = int(at_beats * beat_s * RATE_HZ)
        mixed[start : start + len(sound)] += loud * sound[: len(mixed) - start]

    for bar in range(bars):
        degree = (1, 4, 5, 1)[bar % 4]
        chord = triad(degree, mode, tonic, raised=degree == 5)
        first = bar * beats
        for beat in range(beats):
            for pitch in chord:
                play(note(pitch, beat_s * 0.9, a4_hz), first + beat, 0.1)
            play(note(chord[0] - 12, beat_s * 0.9, a4_hz), first + beat, 0.25 if beat == 0 else 0.15)
            play(note(int(rng.choice(chord)) + 12, beat_s * 0.9, a4_hz), first + beat, 0.15)
            if drums:
                strong = beat in {0, 2} if beats == 4 else beat == 0
                play(drum("kick" if strong else "snare"), first + beat, 0.4)
                play(drum("hat"), first + beat, 0.3)
                play(drum("hat", 1), first + beat + 0.5, 0.2)
    return mixed * np.float32(0.8 / max(1e-9, float(np.abs(mixed).max())))

"""Key of music that the test itself plays."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.synthesis import RATE_HZ, note, song
from workers.models.listener import key
from workers.models.listener.key import FEATURES, MAJOR_TONICS, MINOR_TONICS, estimate_key
from workers.models.listener.tempo import WEIGHTS


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("mode", ["major", "minor"])
def test_every_key(tonic: int, mode: str) -> None:
    """A cadence in each of the 24 keys is named as that key."""
    found = estimate_key(song(120.0, tonic, mode, bars=8))
    names = MAJOR_TONICS if mode == "major" else MINOR_TONICS
    assert found is not None
    assert found.name == f"{names[tonic]} {mode}"


@pytest.mark.parametrize("a4_hz", [428.0, 432.0, 436.0, 444.0, 452.0])
def test_tuning(a4_hz: float) -> None:
    """Music tuned up to half a semitone away from 440 Hz keeps its key."""
    found = estimate_key(song(110.0, 7, "major", bars=8, a4_hz=a4_hz))
    assert found is not None
    assert found.name == "G major"


def overdriven_power_chords(roots: tuple[int, ...], bar_s: float = 1.6) -> NDArray[np.float32]:
    """Bars of a root and its fifth, sawtooths driven into saturation together, over a clean bass on the root."""
    time_s = np.arange(int(bar_s * RATE_HZ)) / RATE_HZ
    bars = []
    for root in roots:
        root_hz, bass_hz = (440.0 * 2 ** ((pitch - 69) / 12) for pitch in (root, root - 12))
        chord = sum(2 * (hz * time_s % 1.0) - 1 for hz in (root_hz, root_hz * 2 ** (7 / 12), 2 * root_hz))
        struck = 0.3 + np.exp(-8 * (time_s % (bar_s / 8)) / bar_s * 8)
        bass = sum(np.sin(2 * np.pi * number * bass_hz * time_s) / number for number in range(1, 6))
        bars.append(struck * (np.tanh(4 * chord) + 0.7 * bass))
    return (0.2 * np.concatenate(bars)).astype(np.float32)


@pytest.mark.parametrize("tonic", [0, 2, 4, 7, 9, 11])
@pytest.mark.parametrize("steps", [(0, 8, 10, 0), (0, 8, 3, 10), (0, 3, 10, 0)])
def test_distorted_power_chords_in_minor(tonic: int, steps: tuple[int, ...]) -> None:
    """The third that distortion adds to roots and fifths does not turn minor into the parallel major."""
    roots = tuple(40 + (tonic + step - 4) % 12 for step in (*steps, *steps, *steps, 0))
    found = estimate_key(overdriven_power_chords(roots))
    assert found is not None
    assert found.name == f"{MINOR_TONICS[tonic]} minor"


@pytest.mark.parametrize("tonic", [0, 2, 4, 7, 9, 11])
def test_distorted_power_chords_in_major(tonic: int) -> None:
    """Nor are power chords taken for minor whatever they move to."""
    roots = tuple(40 + (tonic + step - 4) % 12 for step in (*(0, 5, 7, 0) * 3, 0))
    found = estimate_key(overdriven_power_chords(roots))
    assert found is not None
    assert found.name == f"{MAJOR_TONICS[tonic]} major"


def test_spelling() -> None:
    """Tonics are spelled as musicians write key signatures."""
    assert set(MAJOR_TONICS) == {"C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"}
    assert set(MINOR_TONICS) == {"C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"}


def test_no_key() -> None:
    """Silence, a constant, noise and too little sound have no key."""
    noise = 0.1 * np.random.default_rng(1).standard_normal(20 * RATE_HZ)
    for samples in (np.zeros(0), np.ones(1), np.zeros(20 * RATE_HZ), np.full(20 * RATE_HZ, 0.5), noise, note(60, 1.5)):
        assert estimate_key(samples.astype(np.float32)) is None


def test_worn_music_keeps_its_key() -> None:
    """Gain, an offset, clipping and noise do not move the key."""
    heard = song(100.0, 9, "minor", bars=8)
    noise = np.random.default_rng(5).standard_normal(len(heard)).astype(np.float32)
    for worn in (heard * 0.02, heard + 0.3, np.clip(heard * 5, -1, 1), heard + 0.02 * noise):
        found = estimate_key(worn.astype(np.float32))
        assert found is not None
        assert found.name == "A minor"


def test_extreme_samples_are_finite() -> None:
    """Huge samples give finite evidence or none."""
    wild = np.random.default_rng(2).choice(np.array([-1e30, 1e30], np.float32), 10 * RATE_HZ)
    found = estimate_key(wild)
    assert found is None or np.isfinite([found.score, *found.features]).all()


def test_one_note_is_finite() -> None:
    """A single held pitch gives finite evidence."""
    time_s = np.arange(5 * RATE_HZ) / RATE_HZ
    found = estimate_key(np.sin(2 * np.pi * 440 * time_s).astype(np.float32))
    assert found is not None
    assert np.isfinite([found.score, *found.features]).all()


def test_same_answer_twice_and_input_untouched() -> None:
    """The estimate is deterministic and changes none of its input."""
    heard = song(101.0, 3)
    kept = heard.copy()
    assert estimate_key(heard) == estimate_key(heard)
    assert np.array_equal(heard, kept)


def test_turning_the_key_turns_the_evidence() -> None:
    """Transposing the pitches by a semitone moves every key's evidence to its neighbour."""
    pitches = np.zeros((64, 128), np.float32)
    pitches[:, 48:84] = np.random.default_rng(4).random((64, 36))
    higher = np.roll(pitches, 12, axis=1)
    assert np.allclose(key.describe(pitches).fit, key.describe(higher).fit, atol=1e-6)


def test_calibration_knows_the_features() -> None:
    """The calibration that ships has a weight for every feature."""
    found = estimate_key(song(120.0, bars=8))
    assert found is not None
    assert len(found.features) == len(FEATURES)
    stored = json.loads(WEIGHTS.with_name("tempo_key_calibration.json").read_text("utf-8"))
    assert set(stored["curves"]["key"]["weights"]) == set(FEATURES)

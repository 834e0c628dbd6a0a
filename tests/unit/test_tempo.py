"""Tempo of music that the test itself plays."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.synthesis import RATE_HZ, Samples, drum, song
from workers.models.listener import tempo
from workers.models.listener.tempo import FEATURES, estimate_tempo

NEAR = 0.04


@pytest.mark.parametrize("bpm", [72.0, 90.0, 100.0, 120.0, 133.0, 150.0])
def test_tempo_with_drums(bpm: float) -> None:
    """A song with drums is heard at its own tempo, not at half or double."""
    found = estimate_tempo(song(bpm))
    assert found is not None
    assert found.bpm == pytest.approx(bpm, rel=NEAR)


@pytest.mark.parametrize("bpm", [75.0, 96.0, 118.0, 140.0])
def test_tempo_without_drums(bpm: float) -> None:
    """Without drums the tempo is right up to an octave."""
    found = estimate_tempo(song(bpm, drums=False))
    assert found is not None
    assert any(found.bpm == pytest.approx(bpm * multiple, rel=NEAR) for multiple in (0.5, 1.0, 2.0))


def test_tempo_of_a_waltz() -> None:
    """Three beats a bar are counted as beats, not as bars."""
    found = estimate_tempo(song(120.0, beats=3, bars=16))
    assert found is not None
    assert found.bpm == pytest.approx(120.0, rel=NEAR)


@pytest.mark.parametrize("bpm", [93.0, 107.0, 124.0])
def test_tempo_is_fine(bpm: float) -> None:
    """The estimate is finer than the 4 % it is judged by."""
    found = estimate_tempo(song(bpm, bars=16))
    assert found is not None
    assert found.bpm == pytest.approx(bpm, rel=0.01)


def test_gain_and_offset_change_nothing() -> None:
    """Neither loudness nor a constant moves the tempo."""
    heard = song(110.0)
    reference = estimate_tempo(heard)
    assert reference is not None
    for changed in (heard * 0.02, heard * 8.0, heard + 0.3):
        found = estimate_tempo(changed.astype(np.float32))
        assert found is not None
        assert found.bpm == pytest.approx(reference.bpm, rel=0.01)


def test_clipping_and_noise_are_survived() -> None:
    """Overdriven and noisy music keeps its tempo."""
    heard = song(110.0)
    noise = np.random.default_rng(5).standard_normal(len(heard)).astype(np.float32)
    for worn in (np.clip(heard * 10, -1, 1), heard + 0.02 * noise):
        found = estimate_tempo(worn)
        assert found is not None
        assert found.bpm == pytest.approx(110.0, rel=NEAR)


def _nothing() -> dict[str, Samples]:
    time_s = np.arange(20 * RATE_HZ) / RATE_HZ
    drone = 0.2 * np.sin(2 * np.pi * np.array([[220.0], [277.0], [330.0]]) * time_s).sum(axis=0)
    click = np.zeros(20 * RATE_HZ)
    click[1000] = 1.0
    sounds = {
        "empty": np.zeros(0), "one sample": np.ones(1), "silence": np.zeros(20 * RATE_HZ), "drone": drone,
        "constant": np.full(20 * RATE_HZ, 0.5), "too short": song(120.0)[: 3 * RATE_HZ], "one click": click,
        "noise": 0.1 * np.random.default_rng(1).standard_normal(20 * RATE_HZ),
    }  # fmt: skip
    return {name: samples.astype(np.float32) for name, samples in sounds.items()}


@pytest.mark.parametrize("name", _nothing())
def test_no_beat(name: str) -> None:
    """What has no beat gets no tempo."""
    assert estimate_tempo(_nothing()[name]) is None


def test_extreme_samples_are_finite() -> None:
    """Huge samples give finite evidence or none."""
    wild = np.random.default_rng(2).choice(np.array([-1e30, 1e30], np.float32), 10 * RATE_HZ)
    found = estimate_tempo(wild)
    assert found is None or np.isfinite([found.bpm, found.score, *found.features]).all()


def test_same_answer_twice_and_input_untouched() -> None:
    """The estimate is deterministic and changes none of its input."""
    heard = song(101.0)
    kept = heard.copy()
    assert estimate_tempo(heard) == estimate_tempo(heard)
    assert np.array_equal(heard, kept)


def test_long_sound_is_read_in_the_middle() -> None:
    """Beyond ten minutes only the middle counts."""
    assert pytest.approx(600.0) == tempo.LONGEST_S
    heard = song(100.0, bars=8)
    middle = np.tile(heard, int(np.ceil(600 * RATE_HZ / len(heard))))[: 600 * RATE_HZ]
    silence = np.zeros(30 * RATE_HZ, np.float32)
    assert estimate_tempo(np.concatenate([silence, middle, silence])) == estimate_tempo(middle)


def test_features_have_names() -> None:
    """The calibration that ships uses features that there are, and a steady beat looks surer than a loose one."""
    steady = estimate_tempo(song(120.0, bars=16))
    assert steady is not None
    assert len(steady.features) == len(FEATURES)
    stored = json.loads(tempo.WEIGHTS.with_name("tempo_key_calibration.json").read_text("utf-8"))
    assert set(stored["curves"]["tempo_bpm"]["weights"]) <= set(FEATURES)
    rng = np.random.default_rng(3)
    loose = np.zeros(20 * RATE_HZ, np.float32)
    for start in rng.integers(0, 19 * RATE_HZ, 40):
        loose[start : start + len(drum("snare"))] += drum("snare")
    found = estimate_tempo(loose)
    assert found is None or found.features[2] < steady.features[2]

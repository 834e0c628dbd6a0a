"""The audio event detector."""

import numpy as np
import pytest

from workers.models.listener import events
from workers.models.listener.events import MUSIC, SPEECH, EventDetector, filter_bank, level_gain


@pytest.fixture(scope="module")
def detector() -> EventDetector:
    """The shipped weights, loaded once."""
    return EventDetector()


def chord(seconds: float) -> np.ndarray:
    """Plucked triads, a new one every half second."""
    time_s = np.arange(int(seconds * 16_000)) / 16_000
    root_hz = 220 * 2 ** (np.array([0, 5, 7, 4])[(time_s * 2).astype(int) % 4] / 12)
    tone = sum(np.sin(2 * np.pi * root_hz * step * time_s) / step for step in (1, 1.25, 1.5, 2, 3))
    return (0.1 * tone * np.exp(-3 * (time_s % 0.5))).astype(np.float32)


def test_pieces_change_nothing(detector: EventDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers in pieces equal the answer about the whole."""
    samples = chord(8) + np.random.default_rng(0).normal(0, 0.01, 128_000).astype(np.float32)
    whole = detector.listen(samples)
    monkeypatch.setattr(events, "PIECE", 130)
    np.testing.assert_allclose(detector.listen(samples), whole, atol=1e-5)


def test_chords_are_music_and_no_speech(detector: EventDetector) -> None:
    """Plucked chords are heard as music."""
    answer = detector.listen(chord(6)).mean(axis=0)
    assert answer[MUSIC] > 0.7
    assert answer[SPEECH] < 0.2


@pytest.mark.parametrize(("count", "frames"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2)])
def test_frames_begin_every_ten_milliseconds(detector: EventDetector, count: int, frames: int) -> None:
    """A frame needs 25 ms; the next begins 10 ms later."""
    assert detector.listen(np.zeros(count, np.float32)).shape == (frames, 3)


def test_level_does_not_matter_when_quiet(detector: EventDetector) -> None:
    """Very quiet music is heard as if it were louder."""
    np.testing.assert_allclose(detector.listen(chord(3) * 0.01), detector.listen(chord(3) * 0.02), atol=1e-3)


def test_gain_is_bounded() -> None:
    """Silence is left alone, near-silence is raised by 40 dB at most, and loud sounds are lowered."""
    assert level_gain(np.zeros(16_000, np.float32)) == 1.0
    assert level_gain(np.full(16_000, 1e-6, np.float32)) == 100.0
    assert level_gain(np.full(16_000, 5.0, np.float32)) == pytest.approx(0.1)
    assert level_gain(np.full(16_000, 0.1, np.float32)) == pytest.approx(1.0)


def test_a_tone_lies_in_its_band() -> None:
    """The loudest band of a tone is the one around its frequency, on the mel scale."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    edges = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700), 82)
    expected = int(np.argmin(np.abs(edges[1:-1] - 1127 * np.log1p(1000 / 700))))
    assert set(filter_bank(tone).argmax(axis=1)) == {expected}

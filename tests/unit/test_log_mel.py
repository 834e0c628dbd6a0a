"""The log-mel picture the music tagger looks at."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.models.listener.log_mel import BANDS, Samples, frame_count, log_mel, mel_filters


def sound(sample_count: int) -> Samples:
    """Two steady tones over seeded noise."""
    time_s = np.arange(sample_count) / 16_000
    tones = 0.2 * np.sin(2 * np.pi * 220.0 * time_s) + 0.1 * np.sin(2 * np.pi * 3_310.0 * time_s)
    return np.asarray(tones + 0.01 * np.random.default_rng(5).standard_normal(sample_count), np.float32)


def plain_log_mel(samples: Samples) -> NDArray[np.float64]:
    """The definition, frame by frame in float64: a slow transform and triangles drawn point by point."""

    def hz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)  # Slaney's scale

    top = 15 + 27 * np.log(8) / np.log(6.4)
    corners = [hz(top * index / 97) for index in range(98)]
    weights = np.zeros((257, BANDS))
    for band in range(BANDS):
        low, centre, high = corners[band : band + 3]
        for index in range(257):
            at = index * 31.25
            inside = (at - low) / (centre - low) if at <= centre else (high - at) / (high - centre)
            weights[index, band] = max(inside, 0.0) * 2 / (high - low)
    window = np.sin(np.pi * np.arange(512) / 512) ** 2
    wave = np.exp(-2j * np.pi * np.outer(np.arange(512), np.arange(257)) / 512)
    padded = np.pad(samples.astype(np.float64), 256)
    frames = np.stack([padded[start : start + 512] for start in range(0, len(padded) - 511, 256)])
    power: NDArray[np.float64] = np.abs((frames * window) @ wave) ** 2 @ weights
    return np.asarray(np.log10(1 + 10_000 * power))


@pytest.mark.parametrize("sample_count", [1, 255, 256, 511, 4_000, 16_128])
def test_log_mel_is_its_definition(sample_count: int) -> None:
    """The picture equals the definition for any length, edges included."""
    samples = sound(32_000)[:sample_count]
    expected = plain_log_mel(samples)
    assert expected.shape == (frame_count(sample_count), BANDS)
    np.testing.assert_allclose(log_mel(samples), expected, atol=2e-5)


def test_log_mel_is_librosas() -> None:
    """Where librosa is installed, it gives the same picture and the same filters."""
    librosa = pytest.importorskip("librosa")
    samples = sound(32_000)
    mel = librosa.feature.melspectrogram(y=samples, sr=16_000, n_fft=512, hop_length=256, n_mels=96)
    np.testing.assert_allclose(log_mel(samples), np.log10(1 + 10_000 * mel.T), atol=2e-5)
    np.testing.assert_allclose(mel_filters(), librosa.filters.mel(sr=16_000, n_fft=512, n_mels=96).T, atol=1e-8)


def test_log_mel_of_a_part_is_that_part() -> None:
    """Frames computed by themselves are the frames of the whole picture."""
    samples = sound(48_000)
    whole = log_mel(samples)
    for first, count in ((0, 1), (0, 50), (60, 100), (frame_count(len(samples)) - 2, 2), (5, 0)):
        np.testing.assert_array_equal(log_mel(samples, first, count), whole[first : first + count])


def test_log_mel_refuses_frames_that_do_not_exist() -> None:
    """Asking beyond the end is an error, not silence."""
    with pytest.raises(ValueError, match="frames 0 to 3 asked of a sound that has 2"):
        log_mel(np.zeros(256, np.float32), 0, 3)

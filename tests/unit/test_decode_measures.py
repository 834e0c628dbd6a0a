"""Loudness, true peak and levels against signals whose values are known from their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audio_files import Samples, tone
from workers.decode.levels import Levels
from workers.decode.loudness import Loudness
from workers.decode.true_peak import TruePeak, interpolator


def loudness_lufs(samples: Samples, rate_hz: int, layout: str, block: int = 65_536) -> float | None:
    """The loudness, heard in blocks."""
    meter = Loudness(rate_hz, layout)
    for start in range(0, samples.shape[1], block):
        meter.add(samples[:, start : start + block])
    return meter.integrated_lufs()


def true_peak_dbtp(samples: Samples, rate_hz: int, block: int = 65_536) -> float:
    """The true peak, heard in blocks."""
    meter = TruePeak(rate_hz, len(samples))
    for start in range(0, samples.shape[1], block):
        meter.add(samples[:, start : start + block])
    return 20 * float(np.log10(meter.peak()))


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize(("layout", "channels", "lufs"), [("mono", 1, -23.0), ("stereo", 2, -20.0)])
def test_a_sine_of_known_loudness(rate_hz: int, layout: str, channels: int, lufs: float) -> None:
    """BS.1770-4: 997 Hz at 0 dBFS in one front channel is -3.01 LKFS, so -20 dBFS is -23.0, and in two -20.0."""
    measured = loudness_lufs(tone(3.0, rate_hz, channels, hz=997, dbfs=-20), rate_hz, layout)
    assert measured == pytest.approx(lufs, abs=0.1)


def test_a_rate_too_low_for_the_filters() -> None:
    """At 6 kHz the sound is resampled before it is measured."""
    assert loudness_lufs(tone(3.0, 6_000, 1, hz=997, dbfs=-20), 6_000, "mono") == pytest.approx(-23.0, abs=0.1)


def test_channels_are_weighted_by_their_place() -> None:
    """EBU Tech 3341, case 6: front at -28 dBFS, centre at -24, surround at -30, all 1 kHz, make -23.0 LUFS."""
    samples = tone(20.0, 48_000, 6, hz=1_000, dbfs=0)
    samples *= np.array([[10 ** (level / 20)] for level in (-28, -28, -24, -200, -30, -30)], np.float32)
    assert loudness_lufs(samples, 48_000, "5.1") == pytest.approx(-23.0, abs=0.1)


def test_quiet_passages_are_gated() -> None:
    """EBU Tech 3341, case 3: 10 s at -36 dBFS, 60 s at -23, 10 s at -36, make -23.0 LUFS."""
    quiet, loud = (tone(seconds, 48_000, 2, hz=1_000, dbfs=level) for seconds, level in ((10, -36), (60, -23)))
    assert loudness_lufs(np.concatenate((quiet, loud, quiet), axis=1), 48_000, "stereo") == pytest.approx(-23, abs=0.1)


def test_too_short_or_too_quiet_for_a_loudness() -> None:
    """Below one block of 0.4 s or the gate of -70 LUFS there is none."""
    assert loudness_lufs(tone(0.39, 48_000), 48_000, "stereo") is None
    assert loudness_lufs(tone(0.41, 48_000), 48_000, "stereo") is not None
    assert loudness_lufs(tone(2.0, 48_000, dbfs=-75), 48_000, "stereo") is None


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000, 192_000])
def test_a_peak_between_the_samples(rate_hz: int) -> None:
    """EBU Tech 3341, cases 15 to 17: a quarter of the rate at 0, 45 and 60 degrees, all of -6 dBTP +0.2/-0.4."""
    for degrees in (0, 45, 60):
        steps = np.arange(rate_hz // 4)
        sine = 0.5 * np.sin(2 * np.pi * steps / 4 + np.radians(degrees))
        sine *= np.minimum(1, np.minimum(steps, steps[::-1]) / 500)  # a sudden start would have a peak of its own
        expected = -6.02 if rate_hz < 192_000 else 20 * np.log10(np.abs(sine).max())
        assert -0.4 < true_peak_dbtp(sine[np.newaxis].astype(np.float32), rate_hz) - expected < 0.2


def test_high_frequencies_are_not_misread() -> None:
    """Up to 0.45 of the rate a sine of any phase reads within 0.7 dB, the most that 4 times can miss."""
    fade = np.minimum(1, np.minimum(np.arange(8_000), np.arange(8_000)[::-1]) / 1_000)
    for share in (0.01, 0.1, 0.2, 0.3, 0.4, 0.45):
        for phase in (0.0, 0.3, 1.1):
            sine = fade * np.sin(2 * np.pi * share * np.arange(8_000) + phase)
            assert -0.7 < true_peak_dbtp(sine[np.newaxis].astype(np.float32), 48_000) < 0.2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3_000), st.integers(1, 700), st.sampled_from([44_100, 96_000]))
def test_skipping_changes_no_true_peak(seed: int, length: int, block: int, rate_hz: int) -> None:
    """Heard in blocks of any size and with hopeless places skipped, it equals plain interpolation of everything."""
    rng = np.random.default_rng(seed)
    samples = (rng.normal(size=(2, length)) * np.exp(rng.normal(size=length))).astype(np.float32)
    factor = 4 if rate_hz == 44_100 else 2
    taps = interpolator(factor).reshape(-1, 32, factor - 1)[:24, 0].astype(np.float64)
    plain = max(
        [float(np.abs(samples).max())]
        + [float(np.abs(np.convolve(row, phase[::-1])).max()) for row in samples for phase in taps.T]
    )
    assert true_peak_dbtp(samples, rate_hz, block) == pytest.approx(20 * np.log10(plain), abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 2_000), st.integers(1, 500))
def test_levels_do_not_depend_on_blocks(seed: int, length: int, block: int) -> None:
    """Silence, offset and finiteness are those of the whole signal."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0.02, 2e-5, (2, length)).astype(np.float32)
    samples[rng.random(samples.shape) < 0.01] = np.nan
    whole, parts = Levels(2), Levels(2)
    expected = whole.add(samples)
    heard = [parts.add(samples[:, start : start + block]) for start in range(0, length, block)]
    assert np.concatenate(heard, axis=1).tolist() == expected.tolist()
    assert (parts.silent, parts.not_finite) == (whole.silent, whole.not_finite)
    assert parts.dc_offset(1_000) == whole.dc_offset(1_000)

"""Windows cover a clip, cut in pauses, and hold what a model can hear."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from workers.models.windows import (
    SEARCH_S,
    SHORTEST_S,
    WINDOW_S,
    Window,
    covered_s,
    heard,
    speech_windows,
    spread_windows,
)

RATE_HZ = 16_000
FULL = 30 * RATE_HZ
PAUSE = RATE_HZ // 10


def noise(samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Noise whose loudness wanders, so that some places are quieter than others."""
    rng = np.random.default_rng(seed)
    loudness = np.repeat(rng.uniform(0.05, 0.5, samples // 1600 + 1), 1600)[:samples]
    return (rng.standard_normal(samples) * loudness).astype(np.float32)


@pytest.mark.parametrize("samples", [0, 1, 800, FULL - 1, FULL])
def test_what_fits_is_one_window(samples: int) -> None:
    """Up to 30 s there is one window with everything, for music and for speech."""
    assert spread_windows(samples, 4) == [Window(0, samples)]
    assert speech_windows(np.zeros(samples, np.float32)) == [Window(0, samples)]


def test_45_s_are_heard_wholly_in_two_windows() -> None:
    """The clip that the model's own processor would cut without a word."""
    windows = spread_windows(45 * RATE_HZ, 4)
    assert windows == [Window(0, FULL), Window(15 * RATE_HZ, 45 * RATE_HZ)]
    assert covered_s(windows) == 45.0


def test_25_min_get_as_many_windows_as_are_allowed() -> None:
    """They are spread, apart from each other, and leave out both ends."""
    samples = 25 * 60 * RATE_HZ
    windows = spread_windows(samples, 4)
    assert len(windows) == 4
    assert covered_s(windows) == 120.0
    assert windows[0].start >= 0.05 * samples
    assert windows[-1].stop <= 0.95 * samples
    gaps = [later.start - earlier.stop for earlier, later in itertools.pairwise(windows)]
    assert max(gaps) - min(gaps) <= 1
    assert [round(window.start / samples, 2) for window in windows] == [0.15, 0.38, 0.6, 0.83]


@given(st.integers(0, 40 * FULL), st.integers(1, 12))
def test_spread_windows_lie_in_the_clip(samples: int, most: int) -> None:
    """In order, none beyond the ends or longer than 30 s, none but full ones in a longer clip, all as allowed."""
    windows = spread_windows(samples, most)
    assert len(windows) <= most
    assert all(0 <= window.start <= window.stop <= samples for window in windows)
    assert [window.start for window in windows] == sorted({window.start for window in windows})
    if samples > FULL:
        assert all(window.stop - window.start == FULL for window in windows)
    if samples <= most * FULL:
        assert covered_s(windows) == samples / RATE_HZ
    else:
        assert len(windows) == most


@pytest.mark.parametrize(("samples", "most"), [(-1, 4), (10, 0), (10, -3)])
def test_impossible_windows_are_refused(samples: int, most: int) -> None:
    """A negative length, or no window at all."""
    with pytest.raises(ValueError, match="at least"):
        spread_windows(samples, most)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 130), st.integers(0, 2**32 - 1), st.sampled_from(["noise", "silence", "constant", "nan"]))
def test_speech_windows_cover_every_sample_once(seconds: float, seed: int, sound: str) -> None:
    """Side by side from the first sample to the last, none too long, none but a whole clip too short."""
    samples = int(seconds * RATE_HZ)
    clip = noise(samples, seed)
    if sound != "noise":
        clip[:] = {"silence": 0.0, "constant": 0.5, "nan": np.nan}[sound]
    windows = speech_windows(clip)
    assert windows[0].start == 0
    assert windows[-1].stop == samples
    assert all(earlier.stop == later.start for earlier, later in itertools.pairwise(windows))
    assert all(window.duration_s <= WINDOW_S for window in windows)
    assert all(window.duration_s >= WINDOW_S - SEARCH_S for window in windows[:-1])
    assert len(windows) == 1 or windows[-1].duration_s >= SHORTEST_S
    assert covered_s(windows) == samples / RATE_HZ


def test_a_cut_is_in_the_pause() -> None:
    """A pause of 200 ms in the last seconds of a window is where it ends."""
    clip = noise(50 * RATE_HZ)
    pause = int(26.3 * RATE_HZ)
    clip[pause : pause + 2 * PAUSE] = 0.0
    first, second = speech_windows(clip)
    assert pause + PAUSE // 2 <= first.stop <= pause + 2 * PAUSE - PAUSE // 2
    assert second.start == first.stop


@settings(max_examples=25, deadline=None)
@given(st.integers(FULL + 1, 60 * RATE_HZ), st.integers(0, 2**32 - 1), st.floats(-2, 2))
def test_nowhere_is_it_quieter(samples: int, seed: int, offset: float) -> None:
    """Around the cut are the quietest 100 ms of the stretch before the boundary, whatever constant lies under it."""
    clip = noise(samples, seed)
    cut = speech_windows(clip + np.float32(offset))[0].stop
    first, last = FULL - int(SEARCH_S * RATE_HZ), min(FULL, samples - int(SHORTEST_S * RATE_HZ))
    sums = np.concatenate([[0.0], np.cumsum(np.square(clip.astype(np.float64)))])
    energy = sums[first + PAUSE : last + 1] - sums[first : last + 1 - PAUSE]
    chosen = sums[cut + PAUSE // 2] - sums[cut - PAUSE // 2]
    on_the_grid = energy[(last - PAUSE - first) % 160 :: 160]
    assert chosen <= on_the_grid.min() * 1.05


def test_among_equally_quiet_pauses_the_last_is_taken() -> None:
    """Silence is not cut into more windows than needed."""
    assert len(speech_windows(np.zeros(4 * FULL - RATE_HZ, np.float32))) == 4


def test_four_hours_take_no_memory(tmp_path: Path) -> None:
    """A mapped file is read only where a cut is looked for."""
    samples = 4 * 3600 * RATE_HZ
    with (tmp_path / "long").open("wb") as file:
        file.truncate(4 * samples)
    clip = np.memmap(tmp_path / "long", np.dtype("<f4"), "r", shape=(samples,))
    tracemalloc.start()
    windows = speech_windows(clip)
    piece = heard(clip, windows[100])
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert covered_s(windows) == 4 * 3600
    assert 480 <= len(windows) <= 490
    assert len(piece) <= FULL
    assert most_bytes < 16 << 20


def test_a_short_piece_gets_silence_behind_it() -> None:
    """No model is given less than 0.1 s."""
    clip = np.full(100, 0.5, np.float32)
    piece = heard(clip, Window(0, 100))
    assert piece.shape == (1600,)
    assert np.array_equal(piece[:100], clip)
    assert not piece[100:].any()
    assert heard(clip, Window(0, 0)).shape == (1600,)


def test_a_piece_is_finite_and_within_full_scale() -> None:
    """Whatever a file of floats holds; and the clip itself stays as it is."""
    clip = np.array([np.nan, np.inf, -np.inf, 3e38, -2.0, 0.25], np.float32)
    kept = clip.copy()
    piece = heard(clip, Window(0, 6))
    assert np.isfinite(piece).all()
    assert np.abs(piece).max() <= 1.0
    assert np.array_equal(clip, kept, equal_nan=True)
    assert np.array_equal(heard(np.array([0.5, -1.0], np.float32), Window(0, 2))[:2], [0.5, -1.0])
    assert heard(clip.astype("<f4"), Window(5, 6)).dtype == np.float32


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=8))
def test_what_is_heard_twice_counts_once(pairs: list[tuple[int, int]]) -> None:
    """Covered seconds are those of the union, in whatever order the windows come."""
    windows = [Window(min(pair), max(pair)) for pair in pairs]
    union = {sample for window in windows for sample in range(window.start, window.stop)}
    assert covered_s(windows) == len(union) / RATE_HZ

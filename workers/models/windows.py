"""Windows: the pieces of a clip that a model hears one at a time.

Qwen2-Audio hears 30 s: more is cut away without a word, by its processor and by vLLM alike.  So a longer clip is cut
here, where it shows: ``covered_s`` says how much was heard.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.domain import CLIP_RATE_HZ

WINDOW_S: Final = 30.0
"""The most a window holds, in seconds: the encoder of Qwen2-Audio has 1500 positions of 20 ms."""
LEAST_S: Final = 0.1
"""What a model needs, in seconds: below about 0.065 s Qwen2-Audio's processor makes one audio token or none, which
its ``generate`` does not survive."""
EDGE_SHARE: Final = 0.05
"""Share of a long track, at either end, that is heard only where the rest does not fill the windows: fades, applause,
announcements."""
SEARCH_S: Final = 6.0
"""How far before the end of a full window a pause is looked for, in seconds: longer than most sentences."""
SHORTEST_S: Final = 3.0
"""The least a cut leaves for the last window, in seconds: what is said in less has too little around it."""
PAUSE_S: Final = 0.1
"""Length of a pause to cut in, in seconds; as in vLLM's speech to text (1600 samples)."""
STEP_S: Final = 0.01
"""How finely the quietest pause is looked for, in seconds."""

_WINDOW = round(WINDOW_S * CLIP_RATE_HZ)
_LEAST = round(LEAST_S * CLIP_RATE_HZ)
_SEARCH = round(SEARCH_S * CLIP_RATE_HZ)
_SHORTEST = round(SHORTEST_S * CLIP_RATE_HZ)
_STEP = round(STEP_S * CLIP_RATE_HZ)
_STEPS = round(PAUSE_S / STEP_S)


class Window(NamedTuple):
    """A piece of a clip, in samples at 16 kHz."""

    start: int
    stop: int
    """The first sample that is not in it any more."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return (self.stop - self.start) / CLIP_RATE_HZ


def spread_windows(samples: int, most: int) -> list[Window]:
    """Windows that give a fair view of music or sound.

    Up to 30 s: the whole.  As far as ``most`` windows of 30 s reach: the whole, in as few as possible, which overlap
    evenly.  Beyond, ``most`` windows, each in the middle of its share of what ``EDGE_SHARE`` leaves.

    Args:
        samples: Length of the clip at 16 kHz.
        most: The greatest number of windows, at least 1.

    Raises:
        ValueError: a negative length, or no window allowed.
    """
    if samples < 0 or most < 1:
        message = f"{most} windows of {samples} samples: there must be at least 1 and 0"
        raise ValueError(message)
    if samples <= _WINDOW:
        return [Window(0, samples)]
    needed = math.ceil(samples / _WINDOW)
    if needed <= most:
        starts = [index * (samples - _WINDOW) // (needed - 1) for index in range(needed)]
    else:
        share = (1.0 - 2.0 * EDGE_SHARE) * samples / most
        starts = [round(EDGE_SHARE * samples + (index + 0.5) * share - _WINDOW / 2) for index in range(most)]
    return [Window(start, start + _WINDOW) for start in starts]


def speech_windows(samples: NDArray[np.float32]) -> list[Window]:
    """Windows side by side over the whole clip, cut where the least is heard.

    Each cut is in the middle of the quietest 100 ms of the last ``SEARCH_S`` of a full window; where several are
    equally quiet, of the last of them.  Only the stretches that are searched are read: a mapped file of many hours
    takes no memory.

    Args:
        samples: Mono at 16 kHz, (n,); may be a mapped file.

    Returns:
        At least one window; none is longer than 30 s or, if there are several, shorter than ``SHORTEST_S``.
    """
    windows: list[Window] = []
    start, end = 0, len(samples)
    while end - start > _WINDOW:
        latest = min(start + _WINDOW, end - _SHORTEST)
        first = start + _WINDOW - _SEARCH
        stop = first + _quietest(samples[first:latest])
        windows.append(Window(start, stop))
        start = stop
    return [*windows, Window(start, end)]


def _quietest(stretch: NDArray[np.float32]) -> int:
    """The middle of the quietest pause of a stretch, as an offset in samples; at least ``PAUSE_S`` long."""
    steps = len(stretch) // _STEP
    heard = np.nan_to_num(np.asarray(stretch[-steps * _STEP :], np.float64), nan=0.0, posinf=1.0, neginf=-1.0)
    heard -= heard.mean()  # a constant is not heard
    energy = np.square(heard).reshape(steps, _STEP).sum(axis=1)
    pauses = np.lib.stride_tricks.sliding_window_view(energy, _STEPS).sum(axis=1)
    last = len(pauses) - 1 - int(np.argmin(pauses[::-1]))
    return len(stretch) - steps * _STEP + last * _STEP + _STEPS * _STEP // 2


def heard(samples: NDArray[Any], window: Window) -> NDArray[np.float32]:
    """The piece of a clip, ready for a model: a copy, finite, within full scale, at least ``LEAST_S`` long.

    What is not a number becomes 0.  A piece that goes beyond -1..1 is made quieter as a whole: absurd samples, which
    a file of floats may hold, would overflow the features.  A short piece gets silence behind it.

    Args:
        samples: Mono float32 at 16 kHz, (n,); may be a mapped file.
        window: Which piece.
    """
    piece = np.array(samples[window.start : window.stop], np.float32)
    np.nan_to_num(piece, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
    peak = np.abs(piece).max(initial=0.0)
    if peak > 1.0:
        piece /= peak
    return np.pad(piece, (0, max(0, _LEAST - len(piece))))


def covered_s(windows: Iterable[Window]) -> float:
    """Seconds of the clip that are in at least one window."""
    covered, reached = 0, 0
    for window in sorted(windows):
        covered += max(0, window.stop - max(window.start, reached))
        reached = max(reached, window.stop)
    return covered / CLIP_RATE_HZ

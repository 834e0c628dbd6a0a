"""Streams of jobs in two arms, for the simulations of ``benchmarks.ab_statistics``."""

import math
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ab_testing.evidence import BIN_OF_ZERO, BIN_RATIO, Moments
from ab_testing.statistics.mean_difference import Bins

SHARE: Final = 0.1
"""Of the treatment arm."""
ALPHA: Final = 0.05
JOBS: Final = 20_000
EACH: Final = 100
"""Jobs from look to look, where not after each event."""

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats]]
"""Values and seconds of audio of so many jobs."""


def latency(random: np.random.Generator, jobs: int) -> tuple[Floats, Floats]:
    """Inference times that follow the length of the audio, with scatter: log-normal both."""
    audio_s = random.lognormal(4.0, 1.0, jobs)
    return 0.05 * audio_s * random.lognormal(0.0, 0.4, jobs), audio_s


def cost(random: np.random.Generator, jobs: int) -> tuple[Floats, Floats]:
    """Costs that are zero for nine jobs in ten, and heavy-tailed for the others."""
    audio_s = random.lognormal(4.0, 1.0, jobs)
    return np.where(random.random(jobs) < 0.1, 0.001 * audio_s * random.lognormal(0.0, 0.8, jobs), 0.0), audio_s


def confidence(random: np.random.Generator, jobs: int) -> tuple[Floats, Floats]:
    """Confidences, most of them high."""
    return random.beta(8.0, 2.0, jobs), random.lognormal(4.0, 1.0, jobs)


def slower(draw: Draw, times: float) -> Draw:
    """The same with larger values."""

    def drawn(random: np.random.Generator, jobs: int) -> tuple[Floats, Floats]:
        values, audio_s = draw(random, jobs)
        return values * times, audio_s

    return drawn


def looks_at(
    control: Draw, treatment: Draw, random: np.random.Generator, *, jobs: int = JOBS, share: float = SHARE
) -> Iterator[tuple[int, Bins, Bins]]:
    """One experiment: the sums by bin of both arms, at each look."""
    treated = random.random(jobs) < share
    drawn = control(random, jobs), treatment(random, jobs)
    values, audio_s = (np.where(treated, drawn[1][i], drawn[0][i]) for i in range(2))
    with np.errstate(divide="ignore"):
        numbers = np.floor(np.log(values) / math.log(BIN_RATIO))
    numbers = np.where(values > 0, numbers, BIN_OF_ZERO).astype(np.int64)
    columns = (np.ones(jobs), values, values**2, audio_s, audio_s**2, values * audio_s)
    kinds, places = np.unique(numbers, return_inverse=True)
    sums = np.zeros((2, kinds.size, len(columns)))
    names: list[int] = kinds.tolist()
    moments: list[list[Moments | None]] = [[None] * kinds.size for _ in range(2)]
    for start in range(0, jobs, EACH):
        part = slice(start, start + EACH)
        for i, column in enumerate(columns):
            np.add.at(sums[:, :, i], (treated[part].astype(np.int64), places[part]), column[part])
        for arm, place in set(zip(treated[part].tolist(), places[part].tolist(), strict=True)):
            count, *others = sums[int(arm), place].tolist()
            moments[arm][place] = Moments(int(count), *others)
        arms = [{name: each for name, each in zip(names, arm, strict=True) if each is not None} for arm in moments]
        yield min(start + EACH, jobs), arms[0], arms[1]

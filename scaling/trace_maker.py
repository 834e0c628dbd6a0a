"""Made-up traces: diurnal, bursts, steady; the same seed gives the same trace."""

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from earmark.vocabulary import Lane

DAY_S: Final = 86_400.0


class Shape(StrEnum):
    """How arrivals go up and down."""

    DIURNAL = "diurnal"
    BURST = "burst"
    STEADY = "steady"


class Arrival(NamedTuple):
    """One arrival."""

    at_s: float
    lane: Lane
    audio_s: float


Rate = Callable[[float], float]
"""Jobs a second at a moment, as a share of the mean."""

BASE: Final = 0.6
"""Level between bursts."""
BURST_EVERY_S: Final = 7200.0
MOST: Final = {Lane.HIGH: 8.0, Lane.LOW: 6.0}
"""Of a burst: what the policy's caps can do."""
LENGTHS: Final = {Lane.HIGH: (12.0, 0.5, 30.0), Lane.LOW: (180.0, 0.9, 3600.0)}
"""Seconds of audio: mean and sigma of a lognormal, and the most.  Clips in real time; songs and talks in bulk."""


def make_trace(
    shape: Shape, seed: int, *, hours: float = 24.0, high_per_s: float = 2.0, low_per_s: float = 1.0
) -> Iterator[Arrival]:
    """Arrivals in order of time.

    Args:
        shape: how they go up and down.
        seed: what chance hangs on.
        hours: how long.
        high_per_s: high jobs a second, on average.
        low_per_s: the same of low ones.
    """
    chance = random.Random(f"{shape}:{seed}")  # noqa: S311  # chance that repeats
    end_s = hours * 3600.0
    means = {Lane.HIGH: high_per_s, Lane.LOW: low_per_s}
    courses = {lane: _course(shape, chance, end_s, lane) for lane in Lane}
    coming = {lane: _arrivals(random.Random(chance.random()), *courses[lane], means[lane], end_s) for lane in Lane}  # noqa: S311
    lengths = random.Random(chance.random())  # noqa: S311
    nexts = {lane: next(coming[lane], math.inf) for lane in Lane}
    while (at_s := min(nexts.values())) < math.inf:
        lane = min(nexts, key=nexts.__getitem__)
        yield Arrival(round(at_s, 3), lane, _length(lengths, lane))
        nexts[lane] = next(coming[lane], math.inf)


def _length(chance: random.Random, lane: Lane) -> float:
    mean_s, sigma, most_s = LENGTHS[lane]
    return round(min(most_s, chance.lognormvariate(math.log(mean_s) - sigma**2 / 2, sigma)), 2)


def _arrivals(chance: random.Random, rate: Rate, most: float, mean: float, end_s: float) -> Iterator[float]:
    """A Poisson process whose rate changes, by thinning (Lewis and Shedler, 1979)."""
    at_s = 0.0
    while mean > 0:
        at_s += chance.expovariate(mean * most)
        if at_s >= end_s:
            return
        if chance.random() * most < rate(at_s):
            yield at_s


def _course(shape: Shape, chance: random.Random, end_s: float, lane: Lane) -> tuple[Rate, float]:
    """The rate at a moment as a share of the mean, and the most it can be."""
    if shape is Shape.STEADY:
        return lambda _: 1.0, 1.0
    if shape is Shape.DIURNAL:
        swing, peak_s = chance.uniform(0.6, 0.9), chance.uniform(0.4, 0.7) * DAY_S
        return lambda at_s: 1 + swing * math.cos(2 * math.pi * (at_s - peak_s) / DAY_S), 1 + swing
    return _bursts(chance, end_s, lane)


def _bursts(chance: random.Random, end_s: float, lane: Lane) -> tuple[Rate, float]:
    """A low level, and every two hours or so a burst on it, minutes to half an hour long, several times as high."""
    begins, ends, heights, at_s = [0.0], [0.0], [0.0], 0.0
    most = MOST[lane]
    while (at_s := at_s + chance.expovariate(1 / BURST_EVERY_S)) < end_s:
        begins.append(at_s)
        at_s += min(chance.lognormvariate(math.log(300.0), 1.0), 1800.0)
        ends.append(at_s)
        heights.append(min(1.0 + chance.paretovariate(1.2), most))

    def rate(moment: float) -> float:
        place = bisect_right(begins, moment) - 1
        return BASE + (heights[place] if moment < ends[place] else 0.0)

    return rate, BASE + max(heights)

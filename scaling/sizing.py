"""How many workers a load and a backlog need: Little's law, with what will have piled up once a worker is there."""

import math
from dataclasses import dataclass
from typing import Final

from scaling.policy import LanePolicy

BOOST_MOST: Final = 2.0
"""By how much age may speed up working off: one message that is never done must not take every machine there is."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one lane has to do, and who does it."""

    load: float
    """Workers that are busy with what arrives (erlangs), for the time when a new worker would be there."""
    backlog_s: float
    """Seconds of a worker that wait now."""
    oldest_s: float | None
    """For how long the longest waiting has waited; ``None`` = nobody can tell."""
    there: int
    """Workers that are there."""
    coming: int
    """Workers that were asked for and start."""


def need(lane: LanePolicy, load: Load) -> float:
    """Workers that the lane needs, as a fraction: N = R + h √R + boost · (P - R b) / T.

    R is the load (arrivals times service time), h ``headroom``, b ``buffer_s`` and T ``drain_s``.  P is what will wait
    when a worker that is asked for now is there: B + R c - n c - m c / 2, for a backlog B, a cold start of c seconds,
    n workers there and m half started on average; not below zero, so that a burst that the present workers get
    through by then starts nobody.  Less than the buffer may wait: then N is below R, and no worker idles.

    h √R is what holds waits short at a fixed share of all loads (square-root staffing: Halfin and Whitt, Heavy-traffic
    limits for queues with many exponential servers, Operations Research 29, 1981).
    """
    piled_s = max(0.0, load.backlog_s + (load.load - load.there - load.coming / 2) * lane.cold_start_s)
    above_s = piled_s - load.load * lane.buffer_s
    boost = age_boost(lane, load.oldest_s) if above_s > 0 else 1.0
    return max(0.0, load.load + lane.headroom * math.sqrt(load.load) + boost * above_s / lane.drain_s)


def age_boost(lane: LanePolicy, oldest_s: float | None) -> float:
    """From 1, while the longest waiting has waited half the promise or less, to ``BOOST_MOST`` at all of it."""
    if oldest_s is None:
        return 1.0
    return 1.0 + (BOOST_MOST - 1.0) * min(1.0, max(0.0, 2 * oldest_s / lane.target_s - 1.0))


def wait_s(lane: LanePolicy, load: Load, most: int) -> float:
    """Seconds that a job waits that comes now, if as many workers as may be had are asked for now.

    Args:
        lane: the lane's policy.
        load: what it has to do, and who does it.
        most: workers that it may have.

    Returns:
        Seconds; infinite where nobody will ever come.
    """
    by_then_s = load.there * lane.cold_start_s
    if load.backlog_s <= 0:
        return 0.0 if load.there else (lane.cold_start_s if most else math.inf)
    if load.backlog_s <= by_then_s:
        return load.backlog_s / load.there
    then = max(most, load.there)
    return lane.cold_start_s + (load.backlog_s - by_then_s) / then if then else math.inf

"""``compare``: one trace under several ways to scale, all in the same weather."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from earmark.vocabulary import Lane
from scaling.controller import Controller
from scaling.desired import Desired
from scaling.outcome import Outcome
from scaling.policy import Policy
from scaling.scalers import DepthScaler, FixedFleet, Scaler
from scaling.seen import Seen
from scaling.simulation import HOUR_S, Simulation
from scaling.trace import Trace
from scaling.weather import Weather

OURS = "controller"
HELPED = "controller and fallback"
DEPTH = "depth"
MATCHED = "depth, matched"
FIXED = "fixed"
DEPTH_LEAST: Final = 0.05
DEPTH_MOST: Final = 5000.0
MATCH_STEPS: Final = 12
"""Depths are matched to one part in 300 of their own size."""

Progress = Callable[[str, float], None]
"""Is told what is being played, and the share of the trace that has passed."""


class Alone:
    """A controller whose lanes the fallback never helps."""

    def __init__(self, scaler: Scaler) -> None:
        """Take it."""
        self._scaler = scaler

    def step(self, now_s: float, seen: Mapping[Lane, Seen], *, money: bool = True) -> Mapping[Lane, Desired]:
        """The same without money."""
        del money
        return self._scaler.step(now_s, seen, money=False)


@dataclass(frozen=True, slots=True)
class Peers:
    """What the controller is compared with."""

    jobs_per_worker: Mapping[Lane, float] | None = None
    """For scaling by depth; ``None`` = as many jobs of the trace's mean length as a worker does in half the promise."""
    fixed: Mapping[Lane, int] = field(default_factory=dict)
    """A lane that is left out has as many as come nearest to the controller's GPU hours."""


def half_a_promise(trace: Trace, policy: Policy) -> dict[Lane, float]:
    """Jobs of the trace's mean length that a worker does in half the promise: a depth that a person would set."""
    found = {}
    for lane, arrivals in trace.lanes.items():
        own = policy.lanes[lane]
        mean_s = sum(arrivals.audio_s) / len(arrivals) if len(arrivals) else own.audio_s
        job_s = mean_s * own.service_s_per_audio_s
        found[lane] = max(1.0, own.target_s / 2 / job_s) if job_s > 0 else 1.0
    return found


def as_dear(outcome: Outcome, policy: Policy) -> dict[Lane, int]:
    """The fixed fleet of each lane that comes nearest to the GPU hours of an outcome.

    They differ by half a worker at most; by more where a lane needs less than half of one, for a lane with jobs has
    one, and where the fixed fleet is done earlier or later.
    """
    hours = max(outcome.seconds / HOUR_S, 1e-9)
    return {
        lane: min(policy.lanes[lane].cap, max(1 if each.jobs else 0, math.floor(each.gpu_hours / hours + 0.5)))
        for lane, each in outcome.lanes.items()
    }


def match_depth(
    trace: Trace, policy: Policy, weather: Weather, ours: Outcome, progress: Progress = lambda _name, _share: None
) -> tuple[dict[Lane, float], Outcome]:
    """The best that scaling by depth does at no more GPU hours than another outcome has, lane by lane.

    It is chosen with hindsight, by halving: whoever sets a depth knows less.

    Returns:
        Jobs that one worker is for, and what came of it.
    """
    low, high = dict.fromkeys(Lane, DEPTH_LEAST), dict.fromkeys(Lane, DEPTH_MOST)
    for step in range(MATCH_STEPS):
        tried = {lane: math.sqrt(low[lane] * high[lane]) for lane in Lane}
        found = Simulation(trace, policy, DepthScaler(policy, tried), weather).run(MATCHED)
        progress(MATCHED, (step + 1) / (MATCH_STEPS + 1))
        for lane in Lane:
            dearer = found.lanes[lane].gpu_hours > ours.lanes[lane].gpu_hours
            (low if dearer else high)[lane] = tried[lane]
    return high, Simulation(trace, policy, DepthScaler(policy, high), weather).run(MATCHED)


def compare(
    trace: Trace,
    policy: Policy,
    weather: Weather,
    peers: Peers | None = None,
    *,
    only: Sequence[str] = (OURS, HELPED, DEPTH, FIXED),
    progress: Progress = lambda _name, _share: None,
) -> Iterator[Outcome]:
    """Each in turn, the controller first."""
    peers = peers or Peers()

    def play(name: str, scaler: Scaler) -> Outcome:
        return Simulation(trace, policy, scaler, weather).run(name, lambda share: progress(name, share))

    ours = play(OURS, Alone(Controller(policy)))
    yield ours
    if HELPED in only:
        yield play(HELPED, Controller(policy))
    if DEPTH in only:
        yield play(DEPTH, DepthScaler(policy, peers.jobs_per_worker or half_a_promise(trace, policy)))
    if MATCHED in only:
        yield match_depth(trace, policy, weather, ours, progress)[1]
    if FIXED in only:
        yield play(FIXED, FixedFleet({**as_dear(ours, policy), **peers.fixed}))

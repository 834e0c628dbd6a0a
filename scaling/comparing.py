"""``compare``: one trace under several ways to scale, all in the same weather."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from earmark.vocabulary import Lane
from scaling.controller import Controller
from scaling.desired import Desired
from scaling.outcome import LaneOutcome, Outcome
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
FEWER_STEPS: Final = 8
"""So many are tried to find a larger one that lets no more jobs be late."""

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

    def stands_until_s(self, now_s: float) -> float:
        """The same."""
        return self._scaler.stands_until_s(now_s)


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
    trace: Trace,
    policy: Policy,
    weather: Weather,
    ours: Outcome,
    progress: Progress = lambda _name, _share: None,
    *,
    plain: Mapping[Lane, float] | None = None,
) -> tuple[dict[Lane, float], Outcome]:
    """The best that scaling by depth does at no more GPU hours than another outcome has, lane by lane.

    It is chosen with hindsight: whoever sets a depth knows less.  Fewest late jobs are best, of as many fewest GPU
    hours.  Lanes share GPUs and the end of the trace, and hours do not always fall while depths rise, so what is
    returned was played as it is.  Where lanes are at odds it is what is best for both together.  Where no depth takes
    so few hours, it is the one found that comes nearest to them.

    Args:
        trace: what arrives.
        policy: its floors, caps and GPUs.
        weather: what befalls the fleets.
        ours: whose GPU hours may be taken.
        progress: is told how far it is.
        plain: depths to try first; in a lane where they take no more hours no more jobs are late than with them, if
            that can be had.  ``None`` = those of ``half_a_promise``.

    Returns:
        Jobs that one worker is for, and what came of it.
    """
    tried = list[tuple[dict[Lane, float], Outcome]]()

    def attempt(depths: Mapping[Lane, float]) -> Mapping[Lane, LaneOutcome]:
        found = Simulation(trace, policy, DepthScaler(policy, depths), weather).run(MATCHED)
        tried.append((dict(depths), found))
        progress(MATCHED, min(1.0, len(tried) / (MATCH_STEPS + FEWER_STEPS + 3)))
        return found.lanes

    def best(lane: Lane) -> tuple[float, LaneOutcome]:
        own = ((depths[lane], found.lanes[lane]) for depths, found in tried)
        return min(own, key=lambda each: _rank(each[1], ours.lanes[lane]))

    attempt(plain or half_a_promise(trace, policy))
    low, high = dict.fromkeys(Lane, DEPTH_LEAST), dict.fromkeys(Lane, DEPTH_MOST)
    for _ in range(MATCH_STEPS):
        middle = {lane: math.sqrt(low[lane] * high[lane]) for lane in Lane}
        for lane, each in attempt(middle).items():
            (low if each.gpu_hours > ours.lanes[lane].gpu_hours else high)[lane] = middle[lane]
    target = {lane: best(lane) for lane in Lane}
    low, high = {lane: depth for lane, (depth, _) in target.items()}, dict.fromkeys(Lane, DEPTH_MOST)
    for _ in range(FEWER_STEPS):
        middle = {lane: math.sqrt(low[lane] * high[lane]) for lane in Lane}
        for lane, each in attempt(middle).items():
            (low if each.late <= target[lane][1].late else high)[lane] = middle[lane]
    for lane in Lane:  # each with the best depth of the other one, which shares the GPUs and the end of the trace
        depths = {each: best(each)[0] for each in Lane}
        below, above = depths[lane], DEPTH_MOST
        dearer = attempt(depths)[lane].gpu_hours > ours.lanes[lane].gpu_hours
        for _ in range(FEWER_STEPS if dearer else 0):
            depth = math.sqrt(below * above)
            if attempt({**depths, lane: depth})[lane].gpu_hours > ours.lanes[lane].gpu_hours:
                below = depth
            else:
                above = depth
    first = tried[0][1]
    return min(tried, key=lambda each: _rank_of_all(each[1], ours, first))


def _rank_of_all(found: Outcome, ours: Outcome, plain: Outcome) -> tuple[float, int, int, float]:
    """The same of all lanes; those go first that let no more be late than a plain one that takes no more hours."""
    ranks = {lane: _rank(found.lanes[lane], ours.lanes[lane]) for lane in Lane}
    worse = sum(
        plain.lanes[lane].gpu_hours <= ours.lanes[lane].gpu_hours and rank[1] > plain.lanes[lane].late
        for lane, rank in ranks.items()
    )
    dearer, late, hours = (sum(each) for each in zip(*ranks.values(), strict=True))
    return dearer, worse, int(late), hours


def _rank(found: LaneOutcome, ours: LaneOutcome) -> tuple[float, int, float]:
    """The least is best: hours more than ours, late jobs, hours."""
    return max(0.0, found.gpu_hours - ours.gpu_hours), found.late, found.gpu_hours


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
        yield match_depth(trace, policy, weather, ours, progress, plain=peers.jobs_per_worker)[1]
    if FIXED in only:
        yield play(FIXED, FixedFleet({**as_dear(ours, policy), **peers.fixed}))

"""How our controller scales beside scaling by depth: ``python -m benchmarks.scaling`` writes docs/scaling.md's tables.

Depth is given every chance: for each trace the depth is chosen in hindsight, lane by lane, so that it lets as few jobs
be late as it can at no more GPU hours than our controller takes with the policy that ships, and takes as few hours for
that as it can.  The seeds are others than those that the policy was chosen on (101 and 102).
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.page import write_between
from earmark.vocabulary import Lane
from scaling.comparing import Alone, half_a_promise, match_depth
from scaling.controller import Controller
from scaling.outcome import Outcome
from scaling.policy import Policy, load_policy
from scaling.scalers import DepthScaler
from scaling.simulation import Simulation
from scaling.trace import Gathering, Trace
from scaling.trace_maker import Arrival, Shape, make_trace
from scaling.weather import Span, Weather

PAGE: Final = Path("docs/scaling.md")
HOURS: Final = 12.0
SEEDS: Final = range(1, 6)
STORM: Final = 0.5
"""Losses of a spot machine an hour."""
CLOSE: Final = 0.001
"""Shares of late jobs that differ by less are alike."""

Change = Callable[[Iterator[Arrival]], Iterator[Arrival]]


def longer_later(arrivals: Iterator[Arrival]) -> Iterator[Arrival]:
    """Low jobs of a third of the length first, then as few of twelve times that: talks after jingles."""
    for place, each in enumerate(arrivals):
        if each.lane is Lane.HIGH:
            yield each
        elif each.at_s < HOURS * 1800:
            yield each._replace(audio_s=each.audio_s / 3)
        elif place % 4 == 0:
            yield each._replace(audio_s=each.audio_s * 4)


def uploads_of_libraries(arrivals: Iterator[Arrival]) -> Iterator[Arrival]:
    """Every two hours 4000 low jobs within a minute, besides a fifth of what comes otherwise."""
    for place, each in enumerate(arrivals):
        if each.lane is Lane.HIGH or place % 5 == 0:
            yield each
    for begin in range(3600, int(HOURS * 3600), 7200):
        for place in range(4000):
            yield Arrival(begin + place * 0.015, Lane.LOW, 180.0)


def same(arrivals: Iterator[Arrival]) -> Iterator[Arrival]:
    """As they are."""
    return arrivals


class Case(NamedTuple):
    """One kind of trace in one kind of weather."""

    name: str
    shape: Shape
    change: Change = same
    weather: Weather = Weather()
    spot: float | None = None


CASES: Final = (
    Case("steady", Shape.STEADY),
    Case("diurnal", Shape.DIURNAL),
    Case("bursts", Shape.BURST),
    Case("lengths change", Shape.STEADY, longer_later),
    Case("libraries", Shape.STEADY, uploads_of_libraries),
    Case("bursts, spot storm", Shape.BURST, spot=STORM),
    Case(
        "diurnal, a region lost", Shape.DIURNAL, weather=Weather(regions_lost=(Span(14_400, 3600), Span(30_000, 600)))
    ),
    Case("bursts, depths 2 min late", Shape.BURST, weather=Weather(late_s=120.0)),
    Case("bursts, lengths unseen", Shape.BURST, weather=Weather(hides_length=True)),
)


def trace_of(case: Case, seed: int) -> Trace:
    """A trace of a case."""
    gathering = Gathering()
    for each in case.change(make_trace(case.shape, seed, hours=HOURS)):
        gathering.add(each.lane, each.at_s, each.audio_s)
    return gathering.trace()


def ours(trace: Trace, policy: Policy, weather: Weather) -> Outcome:
    """The controller, without the fallback."""
    return Simulation(trace, policy, Alone(Controller(policy)), weather).run("controller")


def measured(case: Case, seeds: Sequence[int]) -> dict[str, Any]:
    """Sums over the seeds, and on how many traces who was better, by lane."""
    policy = load_policy()
    if case.spot is not None:
        policy = policy.model_copy(
            update={"simulation": policy.simulation.model_copy(update={"spot_losses_per_hour": case.spot})}
        )
    found: dict[str, Any] = {lane: dict.fromkeys(("jobs", "late", "hours", "depth_late", "depth_hours", "better",
                                                  "alike", "worse", "fewest", "most"), 0) for lane in Lane}  # fmt: skip
    for seed in seeds:
        trace, weather = trace_of(case, seed), replace(case.weather, seed=seed)
        own = ours(trace, policy, weather)
        depths, depth = match_depth(trace, policy, weather, own)
        for lane in Lane:
            mine, theirs, sums = own.lanes[lane], depth.lanes[lane], found[lane]
            sums["jobs"] += mine.jobs
            sums["late"] += mine.late
            sums["hours"] += mine.gpu_hours
            sums["depth_late"] += theirs.late
            sums["depth_hours"] += theirs.gpu_hours
            gain = theirs.late_share - mine.late_share
            sums["better" if gain > CLOSE else "worse" if gain < -CLOSE else "alike"] += 1
            sums["fewest"] = min(sums["fewest"] or depths[lane], depths[lane])
            sums["most"] = max(sums["most"], depths[lane])
        print(f"   seed {seed}: " + "; ".join(
            f"{lane} {own.lanes[lane].late_share:.2%} in {own.lanes[lane].gpu_hours:.1f} h, depth "
            f"{depth.lanes[lane].late_share:.2%} in {depth.lanes[lane].gpu_hours:.1f} h" for lane in Lane
        ), flush=True)  # fmt: skip
    return found


def foresight(case: Case, seeds: Sequence[int], depths: dict[Lane, float]) -> dict[str, Any]:
    """Late jobs of one depth for all traces of a case, and the GPU hours it took."""
    policy = load_policy()
    found: dict[str, Any] = {lane: {"late": 0, "jobs": 0, "hours": 0.0} for lane in Lane}
    for seed in seeds:
        outcome = Simulation(trace_of(case, seed), policy, DepthScaler(policy, depths), Weather(seed)).run("depth")
        for lane in Lane:
            found[lane]["late"] += outcome.lanes[lane].late
            found[lane]["jobs"] += outcome.lanes[lane].jobs
            found[lane]["hours"] += outcome.lanes[lane].gpu_hours
    return found


def speed() -> dict[str, float]:
    """Seconds that a million arrivals take under our controller, without reading them."""
    gathering = Gathering()
    for each in make_trace(Shape.DIURNAL, 1, hours=93.0):
        gathering.add(each.lane, each.at_s, each.audio_s)
    trace = gathering.trace()
    began = time.perf_counter()
    ours(trace, load_policy(), Weather())
    return {"arrivals": len(trace), "seconds": time.perf_counter() - began}


def table(found: dict[str, Any], seeds: int) -> str:
    """All cases as Markdown."""
    head = ("late, ours", "late, depth", "GPU hours, ours", "GPU hours, depth", "ours better / alike / worse", "depths")
    lines = [
        f"| {seeds} traces of {HOURS:g} hours | lane | {' | '.join(head)} |",
        f"| --- | --- |{' ---: |' * len(head)}",
    ]
    for name, case in found.items():
        for lane in Lane:
            each = case[lane]
            jobs = max(each["jobs"], 1)
            cells = (
                f"{each['late'] / jobs:.2%}",
                f"{each['depth_late'] / jobs:.2%}",
                f"{each['hours']:,.0f}",
                f"{each['depth_hours']:,.0f}",
                f"{each['better']} / {each['alike']} / {each['worse']}",
                f"{each['fewest']:,.3g} to {each['most']:,.3g}",
            )
            lines.append(f"| {name} | {lane} | {' | '.join(cells)} |")
    return "\n".join(lines)


def foresight_table(depths: dict[Lane, float], found: dict[str, Any]) -> str:
    """One depth for all, as Markdown."""
    head = ("late, high", "GPU hours, high", "late, low", "GPU hours, low")
    first = f"one depth for all: {depths[Lane.HIGH]:.3g} high, {depths[Lane.LOW]:.3g} low"
    lines = [f"| {first} | {' | '.join(head)} |", f"| --- |{' ---: |' * len(head)}"]
    for name, case in found.items():
        cells = [f"{case[lane]['late'] / max(case[lane]['jobs'], 1):.2%} | {case[lane]['hours']:,.0f}" for lane in Lane]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="traces of each kind")
    parser.add_argument("--json", type=Path, help="write the figures there, and not into the page")
    arguments = parser.parse_args()
    seeds = range(1, arguments.seeds + 1)
    found = {}
    for case in CASES:
        print(f"== {case.name}", flush=True)
        found[case.name] = measured(case, seeds)
    depths = half_a_promise(trace_of(CASES[0], seeds[0]), load_policy())
    plain = [case for case in CASES if case.weather == Weather() and case.spot is None]
    at_once = {case.name: foresight(case, seeds, depths) for case in plain}
    quick = speed()
    if arguments.json:
        arguments.json.write_text(
            json.dumps({**found, "one depth": at_once, "speed": quick}, indent=1), encoding="utf-8"
        )
        return
    write_between(PAGE, "figures", table(found, len(seeds)))
    write_between(PAGE, "one depth", foresight_table(depths, at_once))
    write_between(
        PAGE,
        "speed",
        f"{quick['arrivals']:,} arrivals of four made-up days take {quick['seconds']:.1f} s once they are read.",
    )


if __name__ == "__main__":
    main()

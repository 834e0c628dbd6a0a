"""``earmark ab plan``: how long until a difference of a size is seen."""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ab_testing.experiment import Experiment
from ab_testing.metrics import METRICS
from ab_testing.plan_change import HALF_HALF, NINETY_TEN
from ab_testing.planning import Plan, Reach, Smallest, SplitPlan, make_plan
from ab_testing.report_words import DASH, count, days, difference, figure, percent, relative, shown
from earmark.named_file import printable

WIDTH = 100
"""Columns of a table that goes to a file or a pipe."""


def show_plan(
    experiment: Experiment | None,
    metric: str,
    baseline: float,
    change: float,
    per_day: float | None,
    power: float,
    alpha: float | None,
    deviation: float | None,
    as_json: bool,  # noqa: FBT001  # as the command has it
    stream: TextIO | None = None,
) -> int:
    """Print a plan; returns the exit status.

    Args:
        experiment: whose split, ramp and alpha are meant; None = all jobs are covered.
        metric: a name from ``METRICS``.
        baseline: what the control has, as 0.03 for 3 %.
        change: what the treatment has, in the same unit, as 0.05 for 5 %.
        per_day: jobs a day that can take part; None = no days are told.
        power: wanted chance that it is seen.
        alpha: chance of a false alarm; None = the experiment's, or 0.05.
        deviation: standard deviation of single jobs' values; for means.
        as_json: whether for scripts.
        stream: to print to; None = standard output.

    Raises:
        ConfigurationError: there is no such metric, or one of the numbers makes no plan.
    """
    stream = stream or sys.stdout
    plan = make_plan(
        metric,
        baseline,
        change,
        experiment=experiment,
        per_day=per_day,
        power=power,
        alpha=alpha,
        deviation=deviation,
    )
    if as_json:
        stream.write(json.dumps(plan_content(plan, experiment), indent=1, allow_nan=False) + "\n")
        return 0
    width = None if stream.isatty() or os.environ.get("COLUMNS") else WIDTH
    console = Console(file=stream, width=width, highlight=False)
    for part in _parts(plan, experiment):
        console.print(part)
    return 0


def plan_content(plan: Plan, experiment: Experiment | None = None) -> dict[str, Any]:
    """The plan as JSON has it; jobs and days are numbers, None where there are none."""
    change = plan.change
    return {
        "experiment": None if experiment is None else {"name": experiment.name, "version": experiment.version},
        "metric": plan.metric,
        "kind": str(change.kind),
        "baseline": change.baseline,
        "changed": change.changed,
        "difference": float(f"{change.difference:.12g}"),
        "relative": float(f"{change.difference / change.baseline:.12g}") if change.baseline else None,
        "deviation": change.deviation or None,
        "deviation_assumed": plan.deviation_assumed,
        "power": plan.power,
        "alpha": plan.alpha,
        "jobs_per_day": plan.per_day,
        "splits": [_split_content(each) for each in plan.splits],
        "notes": list(plan.notes),
    }


def _split_content(each: SplitPlan) -> dict[str, Any]:
    return {
        "split": each.split.words,
        "of_experiment": each.own,
        "control_share": each.split.control,
        "treatment_share": each.split.treatment,
        "one_look": _reach_content(each.one_look),
        "every_look": {"half": _reach_content(each.half), "power": _reach_content(each.most)},
        "smallest": [
            {
                "days": smallest.days,
                "jobs": smallest.jobs,
                "one_look": smallest.one_look,
                "every_look": smallest.every_look,
            }
            for smallest in each.smallest
        ],
    }


def _reach_content(reach: Reach | None) -> dict[str, Any] | None:
    if reach is None:
        return None
    return {
        "jobs": reach.jobs,
        "control_jobs": reach.control_jobs,
        "treatment_jobs": reach.treatment_jobs,
        "days": reach.days,
    }


def _parts(plan: Plan, experiment: Experiment | None) -> Iterator[Text | Table]:
    metric, change = METRICS[plan.metric], plan.change
    of = "" if experiment is None else f" for {experiment.name}, version {experiment.version}"
    yield Text(printable(f"Plan{of}: {metric.title} ({metric.name})"), style="bold")
    moved = relative(change.difference / change.baseline) if change.baseline else DASH
    yield Text(
        f"from {shown(metric, change.baseline)} to {shown(metric, change.changed)}, that is "
        f"{difference(metric, change.difference)} or {moved}; false alarms {percent(plan.alpha)}"
    )
    if plan.per_day is not None:
        yield Text(f"{count(plan.per_day)} jobs a day, of which are covered: {_coverage(experiment)}")
    yield Text()
    yield _jobs_table(plan)
    yield Text("")
    yield from _sentences(plan)
    if plan.per_day is not None:
        yield Text()
        yield Text(f"Smallest change that {percent(plan.power)} of such experiments show", style="bold")
        yield _smallest_table(plan)
    for note in plan.notes:
        yield Text()
        yield Text(printable(note))


def _coverage(experiment: Experiment | None) -> str:
    if experiment is None:
        return "all"
    if not experiment.ramp:
        return percent(experiment.coverage)
    return ", then ".join(f"{percent(step.coverage)} from hour {figure(step.after_h)}" for step in experiment.ramp)


def _jobs_table(plan: Plan) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("split")
    table.add_column("seen by")
    for name in ("covered jobs", "control", "treatment", *(["takes"] if plan.per_day is not None else [])):
        table.add_column(name, justify="right", no_wrap=True)
    power = percent(plan.power)
    for each in plan.splits:
        rows = (
            (f"{power}, looking once, at the end", each.one_look),
            ("half, looking all the time", each.half),
            (f"{power}, looking all the time", each.most),
        )
        for place, (words, reach) in enumerate(rows):
            name = f"{each.split.words}{', as it is' if each.own else ''}" if place == 0 else ""
            cells = (
                [DASH] * 4
                if reach is None
                else [*map(count, (reach.jobs, reach.control_jobs, reach.treatment_jobs)), _time(reach)]
            )
            last = place == len(rows) - 1
            table.add_row(name, words, *cells[: 4 if plan.per_day is not None else 3], end_section=last)
    return table


def _time(reach: Reach) -> str:
    return "never" if reach.days is None else days(reach.days)


def _sentences(plan: Plan) -> Iterator[Text]:
    by_split = {each.split: each.one_look.jobs for each in plan.splits}
    times = by_split[NINETY_TEN] / by_split[HALF_HALF]
    yield Text(f"90/10 takes {figure(times, 2)} times the jobs of 50/50, and puts a tenth of them at risk, not half.")
    if any(each.most is None for each in plan.splits):
        yield Text(f"{DASH}: more than is simulated; so small a change is not worth waiting for.")


def _smallest_table(plan: Plan) -> Table:
    metric = METRICS[plan.metric]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("split")
    table.add_column("looking")
    for smallest in plan.splits[0].smallest:
        table.add_column(f"in {figure(smallest.days)} day{'s' * (smallest.days != 1)}", justify="right", no_wrap=True)
    for each in plan.splits:
        once = [_moved(plan, found, found.one_look) for found in each.smallest]
        always = [_moved(plan, found, found.every_look) for found in each.smallest]
        table.add_row(each.split.words, "once, at the end", *once)
        table.add_row("", "all the time", *always, end_section=True)
    table.caption = f"differences from {shown(metric, plan.change.baseline)}"
    if any(cell.startswith(">") for column in table.columns for cell in map(str, column.cells)):
        limit = difference(metric, plan.change.largest_told).lstrip("+")
        table.caption += f"; > {limit}: only larger changes than any that is likely would be seen"
    table.caption_justify = "left"
    return table


def _moved(plan: Plan, found: Smallest, value: float | None) -> str:
    if value is None or found.jobs <= 0:
        return DASH
    moved = value - plan.change.baseline
    if abs(moved) > plan.change.largest_told:
        return f"> {difference(METRICS[plan.metric], plan.change.largest_told).lstrip('+')}"
    return difference(METRICS[plan.metric], moved)

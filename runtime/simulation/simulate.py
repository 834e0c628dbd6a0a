"""``earmark simulate``: reads or makes a trace, plays it, and says how it went."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from earmark.errors import ConfigurationError
from earmark.settings import load
from earmark.vocabulary import Lane
from runtime import exit_status
from runtime.simulation.options import Options
from runtime.simulation.prices import Priced, priced
from runtime.simulation.trace_files import lines_of, opened_trace
from scaling.comparing import DEPTH, FIXED, HELPED, MATCHED, OURS, Peers, compare
from scaling.outcome import LaneOutcome, Outcome
from scaling.simulation import AFTER_S, HOUR_S
from scaling.trace_maker import Shape, make_trace
from scaling.trace_reader import Read, read_trace

Note = Callable[[str, float | None], None]
"""What is being done, and the share of it that is; ``None`` = nobody knows."""


def write_trace(
    shape: Shape, options: Options, *, trace: Path | None, hours: float, rates: tuple[float, float]
) -> None:
    """Write a made-up trace to standard output, one JSON object a line.

    Raises:
        ConfigurationError: a trace was named as well.
    """
    if trace is not None:
        message = "Name a trace to play or a shape to make, not both."
        raise ConfigurationError(message)
    for each in make_trace(shape, options.seed, hours=hours, high_per_s=rates[0], low_per_s=rates[1]):
        sys.stdout.write(f'{{"at_s": {each.at_s}, "lane": "{each.lane}", "audio_s": {each.audio_s}}}\n')


def play(path: Path | None, options: Options, *, as_json: bool, quiet: bool) -> int:
    """Play a trace under several ways to scale, and print what came of it; returns the exit status.

    Raises:
        ConfigurationError: there is no trace, it has no arrivals, or the policy cannot be used.
    """
    if path is None:
        message = "Name a trace with --trace FILE (- = standard input), or make one: --make diurnal > trace.jsonl."
        raise ConfigurationError(message)
    settings = load().settings
    reckoned = priced(options.applied(settings.scaling_policy), settings, datetime.now(UTC).date())
    policy, weather = reckoned.policy, options.weather()
    with _noting(quiet=quiet) as note:
        with opened_trace(path) as file:
            read = read_trace(lines_of(file), lambda line: note(f"reading, line {line:,}", None))
        peers = options.peers(read.trace, policy)
        only = (OURS, HELPED, DEPTH, *((MATCHED,) if options.match else ()), FIXED)
        outcomes = list(compare(read.trace, policy, weather, peers, only=only, progress=note))
    _tell_faults(read)
    done_s = max(each.seconds for each in outcomes)
    sys.stderr.writelines(f"{each}\n" for each in (*options.vain(read.trace.end_s, done_s), *reckoned.warnings))
    if as_json:
        _print_json(read, reckoned, peers, outcomes)
    else:
        _print_table(read, peers, outcomes)
        _print_prices(reckoned)
    return exit_status.SOME_NOT_DONE if read.faulty else 0


@contextmanager
def _noting(*, quiet: bool) -> Iterator[Note]:
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _what, _share: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def note(what: str, share: float | None) -> None:
            if share is None:
                bar.update(task, description=what)
            else:
                bar.update(task, description=what, total=1.0, completed=share)

        yield note


def _tell_faults(read: Read) -> None:
    for fault in read.faults:
        sys.stderr.write(f"line {fault.line}: {fault.why}\n")
    if read.faulty > len(read.faults):
        sys.stderr.write(f"and {read.faulty - len(read.faults):,} more\n")
    if read.faulty:
        sys.stderr.write(f"{read.faulty:,} lines were left out; {len(read.trace):,} arrivals were played.\n")


def _print_json(read: Read, reckoned: Priced, peers: Peers, outcomes: Sequence[Outcome]) -> None:
    found: dict[str, Any] = {
        "arrivals": len(read.trace),
        "left_out": read.faulty,
        "seconds": round(read.trace.end_s, 3),
        "jobs_per_worker": {lane: round(each, 2) for lane, each in (peers.jobs_per_worker or {}).items()},
        "targets_s": {lane: each.target_s for lane, each in reckoned.policy.lanes.items()},
        "machine": reckoned.policy.simulation.machine,
        "prices": {
            name: {"usd": each.usd, "as_of": each.as_of and str(each.as_of), "source": each.source}
            for name, each in reckoned.prices.items()
        },
        "scalers": [_as_json(each) for each in outcomes],
    }
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "scaler": outcome.scaler,
        "late": outcome.late,
        "unanswered": outcome.unanswered,
        "gpu_hours": round(outcome.gpu_hours, 3),
        "usd": round(outcome.usd, 2),
        "lanes": {
            lane: {
                "jobs": each.jobs,
                "late": each.late,
                "late_share": round(each.late_share, 6),
                "unanswered": each.unanswered,
                "p50_s": _rounded(each.p50_s),
                "p95_s": _rounded(each.p95_s),
                "p99_s": _rounded(each.p99_s),
                "gpu_hours": round(each.gpu_hours, 3),
                "gpu_usd": round(each.gpu_usd, 2),
                "fallback_jobs": each.fallback_jobs,
                "fallback_usd": round(each.fallback_usd, 2),
                "most_workers": each.most_workers,
                "lost_workers": each.lost_workers,
            }
            for lane, each in outcome.lanes.items()
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _print_table(read: Read, peers: Peers, outcomes: Sequence[Outcome]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("scaled by")
    for lane in Lane:
        for name in (f"{lane}: late", "p99", "GPU h"):
            table.add_column(name, justify="right")
    for name in ("by fallback", "GPU hours", "dollars"):
        table.add_column(name, justify="right")
    for outcome in outcomes:
        cells = [outcome.scaler]
        for lane in Lane:
            each = outcome.lanes[lane]
            cells += [f"{each.late_share:.2%}", _p99(each), f"{each.gpu_hours:,.1f}"]
        helped = sum(each.fallback_jobs for each in outcome.lanes.values())
        table.add_row(*cells, f"{helped:,}", f"{outcome.gpu_hours:,.1f}", f"{outcome.usd:,.2f}")
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    depths = ", ".join(f"{each:,.4g} {lane}" for lane, each in (peers.jobs_per_worker or {}).items())
    console.print(
        f"{len(read.trace):,} arrivals in {read.trace.end_s / 3600:,.1f} hours.  Depth: a worker for so many jobs: "
        f"{depths}.  {_fixed(outcomes)}",
        soft_wrap=True,
        highlight=False,
    )
    for line in _exceptions(outcomes):
        console.print(line, soft_wrap=True, highlight=False)


def _exceptions(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What the table cannot say of itself."""
    ended = f"{AFTER_S / HOUR_S:g} hours after the last arrival, and GPU hours are counted until then"
    left = [
        f"{each.unanswered:,} {lane} by {outcome.scaler}"
        for outcome in outcomes
        for lane, each in outcome.lanes.items()
        if each.unanswered
    ]
    if left:
        yield f"Not answered, and late: {'; '.join(left)}.  The simulation ended {ended}."
    named = {each.scaler: each for each in outcomes}
    if MATCHED in named:
        ours, depth = named[OURS].lanes, named[MATCHED].lanes
        dearer = [lane for lane in Lane if depth[lane].gpu_hours > ours[lane].gpu_hours]
        if dearer:
            yield f"No depth was found that takes as few GPU hours as the controller in {' and '.join(dearer)}."


def _print_prices(reckoned: Priced) -> None:
    """What the dollars stand on."""
    said = [
        f"{name} {each.usd:.4g}" + (f" ({each.source}, {each.as_of})" if each.as_of else f" ({each.source})")
        for name, each in reckoned.prices.items()
    ]
    sys.stdout.write(f"Dollars of {reckoned.policy.simulation.machine}: {'; '.join(said)}.\n")


def _fixed(outcomes: Sequence[Outcome]) -> str:
    """How many workers the fixed fleet has, and how far its GPU hours are from the controller's."""
    named = {each.scaler: each for each in outcomes}
    ours, fixed = named[OURS], named[FIXED]
    workers = ", ".join(f"{each.most_workers} {lane}" for lane, each in fixed.lanes.items())
    more = fixed.gpu_hours / ours.gpu_hours - 1 if ours.gpu_hours else 0.0
    return f"Fixed: {workers}; {abs(more):.1%} {'fewer' if more < 0 else 'more'} GPU hours than the controller's."


def _p99(found: LaneOutcome) -> str:
    """What it is, or what it is more than where one in a hundred was not answered."""
    left_out = found.p99_s is None and found.unanswered
    return f"> {AFTER_S:,.0f} s" if left_out else _seconds(found.p99_s)


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.3f} s" if value < 10 else f"{value:,.0f} s"  # noqa: PLR2004  # as JSON has it, or whole ones

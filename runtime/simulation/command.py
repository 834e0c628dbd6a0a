"""``earmark simulate``: its arguments; ``runtime.simulation.simulate`` does the work."""

import math
from pathlib import Path
from typing import Annotated

import typer

from runtime.simulation.options import Options
from scaling.trace_maker import Shape


def _finite(value: float | None) -> float | None:
    """A number as it was given; limits let NaN through, and infinity where there is no highest value."""
    if value is not None and not math.isfinite(value):
        message = f"{value} is no number that can be reckoned with."
        raise typer.BadParameter(message)
    return value


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command(
        epilog="Examples:\n\n`earmark simulate --make diurnal --seed 7 > trace.jsonl`\n\n"
        "`earmark simulate --trace trace.jsonl`\n\n"
        "`earmark simulate --trace trace.jsonl --lose-region 3600:1800 --unseen 7200:600 --json`\n\n"
        "`earmark simulate --trace trace.csv --policy mine.toml --usd-per-gpu-hour 1.10`"
    )(simulate)


def simulate(
    trace: Annotated[
        Path | None,
        typer.Option(
            help="Arrivals: lines of JSON or CSV with `at_s` (or `at`), `lane`, `audio_s`; `-` = standard input.",
            show_default=False,
        ),
    ] = None,
    *,
    make: Annotated[Shape | None, typer.Option(help="Write a made-up trace to standard output.")] = None,
    policy: Annotated[
        Path | None, typer.Option(help="The scaling policy, instead of EARMARK_SCALING_POLICY.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="What chance hangs on.")] = 0,
    hours: Annotated[float, typer.Option(callback=_finite, min=0.01, max=8784, help="Of a made-up trace.")] = 24.0,
    high_per_s: Annotated[
        float, typer.Option(callback=_finite, min=0, max=1000, help="Of it, high jobs a second.")
    ] = 2.0,
    low_per_s: Annotated[
        float, typer.Option(callback=_finite, min=0, max=1000, help="Of it, low jobs a second.")
    ] = 1.0,
    high_jobs_per_worker: Annotated[
        float | None,
        typer.Option(
            callback=_finite, min=0.01, max=1e6, help="For scaling by depth; default: what it does in half the promise."
        ),
    ] = None,
    low_jobs_per_worker: Annotated[
        float | None, typer.Option(callback=_finite, min=0.01, max=1e6, help="The same of low.")
    ] = None,
    high_fixed: Annotated[
        int | None,
        typer.Option(min=0, max=100_000, help="Workers of the fixed fleet; default: nearest to the GPU hours of ours."),
    ] = None,
    low_fixed: Annotated[int | None, typer.Option(min=0, max=100_000, help="The same of low.")] = None,
    usd_per_gpu_hour: Annotated[
        float | None, typer.Option(callback=_finite, min=0, max=1e6, help="Instead of the price list's.")
    ] = None,
    spot_usd_per_gpu_hour: Annotated[
        float | None, typer.Option(callback=_finite, min=0, max=1e6, help="The same, spot.")
    ] = None,
    spot_losses_per_hour: Annotated[
        float | None, typer.Option(callback=_finite, min=0, max=60, help="Of one spot machine.")
    ] = None,
    cold_start_s: Annotated[
        float | None, typer.Option(callback=_finite, min=0.1, max=86_400, help="Of all lanes.")
    ] = None,
    service_s_per_audio_s: Annotated[
        float | None,
        typer.Option(
            callback=_finite, min=1e-6, max=1000, help="Seconds of a worker for a second of audio, all lanes."
        ),
    ] = None,
    lose_region: Annotated[
        list[str] | None, typer.Option(help="`AT:FOR` in seconds: one region is gone for a while; may be repeated.")
    ] = None,
    unseen: Annotated[
        list[str] | None, typer.Option(help="`AT:FOR`: nothing can be looked into for a while; may be repeated.")
    ] = None,
    late_s: Annotated[
        float, typer.Option(callback=_finite, min=0, max=3600, help="By which the depth of queues is behind.")
    ] = 0.0,
    hide_lengths: Annotated[
        bool, typer.Option("--hide-lengths", help="Nobody sees how long waiting jobs are, only how many.")
    ] = False,
    hide_queue: Annotated[bool, typer.Option("--hide-queue", help="Nobody sees what waits: only rows.")] = False,
    match: Annotated[
        bool, typer.Option("--match", help="Also the best depth, in hindsight, at no more GPU hours; takes longer.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Play arrivals through simulated fleets: our controller, scaling by depth, and a fixed fleet.

    The controller is the one that runs in production.  Says how many jobs were late in each lane, GPU hours and
    dollars.  The same trace, policy and seed give the same figures.  Lines that are no arrivals are named and left out,
    and the exit status is 3.
    """
    from runtime.simulation import simulate as simulating  # noqa: PLC0415  # keeps `earmark --help` quick

    options = Options(
        policy=policy,
        seed=seed,
        jobs_per_worker=(high_jobs_per_worker, low_jobs_per_worker),
        fixed=(high_fixed, low_fixed),
        usd_per_gpu_hour=usd_per_gpu_hour,
        spot_usd_per_gpu_hour=spot_usd_per_gpu_hour,
        spot_losses_per_hour=spot_losses_per_hour,
        cold_start_s=cold_start_s,
        service_s_per_audio_s=service_s_per_audio_s,
        lose_region=tuple(lose_region or ()),
        unseen=tuple(unseen or ()),
        late_s=late_s,
        hide_lengths=hide_lengths,
        hide_queue=hide_queue,
        match=match,
    )
    if make is not None:
        simulating.write_trace(make, options, trace=trace, hours=hours, rates=(high_per_s, low_per_s))
        return
    raise typer.Exit(simulating.play(trace, options, as_json=as_json, quiet=quiet))

"""What ``earmark dlq replay`` does: puts letters in lanes that somebody serves, and tells how they fare."""

import threading
import time
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from earmark.settings import Settings
from router.dead_letters.collector import Collector
from router.dead_letters.letter import State
from router.dead_letters.pace import Pace
from router.dead_letters.replayer import Progress, Replayer, Replaying
from router.dead_letters.selection import grouped
from runtime import exit_status
from runtime.dlq import output as dlq_output
from runtime.dlq.desk import Desk, meant_ids, open_desk, say
from runtime.dlq.filters import Filters
from runtime.dlq.worker import Served, serving
from runtime.signals import stoppable
from runtime.wiring import connect_existing

LOOK_S = 0.5
"""Seconds between looks at what became of replayed jobs."""
LINE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How to replay."""

    dry_run: bool = False
    rate: float | None = None
    canary: int = 5
    canary_timeout_s: float = 600.0
    include_quarantined: bool = False
    model: str = ""
    wait: bool = False


def replay_some(settings: Settings, filters: Filters, options: ReplayOptions, *, as_json: bool) -> int:
    """Replay letters; returns the exit status."""
    backend = connect_existing(settings)
    with open_desk(settings, backend) as desk, stoppable() as stop:
        states = {State.OPEN, State.QUARANTINED} if options.include_quarantined else {State.OPEN}
        if filters.states is not None:
            states = {State(state) for state in filters.states}
        meant = meant_ids(desk.office, filters, states)
        if options.dry_run:
            found = (letter for letter in desk.office.look_all(meant) if letter and letter.state in states)
            dlq_output.print_plan("replayed", grouped(found), as_json=as_json)
            return 0
        with serving(settings, backend, options.model, stop) as served:
            replayer = _replayer(settings, desk, options, served, states, stop)
            try:
                progress = replayer.run(meant)
            finally:
                if served.own:
                    served.end()
                    replayer.give_back()
        return _told(progress, options, stopped=stop.is_set(), named=bool(filters.ids), as_json=as_json)


def _replayer(
    settings: Settings,
    desk: Desk,
    options: ReplayOptions,
    served: Served,
    states: AbstractSet[State],
    stop: threading.Event,
) -> Replayer:
    watch: list[Replayer] = []
    shown_at = time.monotonic()

    def pause(seconds: float | None) -> bool:
        nonlocal shown_at
        served.check()
        if watch and time.monotonic() - shown_at > LINE_EVERY_S:
            shown_at = time.monotonic()
            say(_line(watch[0].progress))
        return stop.wait(LOOK_S if seconds is None else seconds) if seconds != 0 else stop.is_set()

    plan = Replaying(
        canary=options.canary,
        canary_timeout_s=options.canary_timeout_s,
        follow=options.wait or served.own,
        at_once=2 * settings.batch_jobs if served.own else None,
        model=options.model or None,
        states=states,
    )
    collector = desk.collector
    if served.own:
        collector = Collector(
            dead=served.dead,
            letters=desk.letters,
            audit=desk.audit,
            terms=desk.terms,
            clock=desk.clock,
            actor=desk.actor,
            erased=desk.erased,
        )
    replayer = Replayer(
        letters=desk.letters,
        office=desk.office,
        collector=collector,
        audit=desk.audit,
        lanes=served.lanes,
        terms=desk.terms,
        clock=desk.clock,
        monotonic=time.monotonic,
        actor=desk.actor,
        pace=Pace(options.rate, monotonic=time.monotonic),
        pause=pause,
        plan=plan,
        erased=desk.erased,
    )
    watch.append(replayer)
    return replayer


def _told(progress: Progress, options: ReplayOptions, *, stopped: bool, named: bool, as_json: bool) -> int:
    """Say what came of a replay; returns the exit status."""
    counts = {
        "wanted": progress.wanted,
        "put": progress.put,
        "passed_over": progress.passed_over,
        "done": progress.done,
        "failed_again": progress.failed,
        "interrupted": progress.interrupted,
        "awaited": progress.awaited,
    }
    dlq_output.print_counts(counts, as_json=as_json, end=progress.end)
    left = progress.wanted - progress.put - progress.passed_over
    match progress.end:
        case "canary_failed":
            say(f"Stopped: {progress.failed} of the first {progress.put} failed again.  {left} were not put.")
        case "canary_silent":
            say(
                f"Stopped: {progress.awaited} of the first {progress.put} have not ended in "
                f"{options.canary_timeout_s:g} s.  {left} were not put.  Is a worker running?  "
                "--canary-timeout waits longer, --canary 0 not at all."
            )
        case "stopped":
            say(f"Interrupted.  {left} were not put; run the same command again to go on.")
        case "put":
            pass
    if progress.passed_over:
        say(
            f"{progress.passed_over} passed over: answered, under way, discarded, erased or quarantined by now "
            "(--include-quarantined, --state)."
        )
    for fingerprint, count in progress.newcomers.items():
        say(f"Warning: {count} new letters joined the group {fingerprint} meanwhile; its cause is not gone.")
    if stopped:
        return exit_status.INTERRUPTED
    bad = progress.end != "put" or progress.failed or progress.interrupted or (named and progress.passed_over)
    return exit_status.SOME_NOT_DONE if bad else 0


def _line(progress: Progress) -> str:
    return (
        f"{progress.put} of {progress.wanted} put, {progress.done} done, {progress.failed} failed again, "
        f"{progress.awaited} awaited"
    )

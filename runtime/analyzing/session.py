"""What the commands that route or work have in common: a worker beside a person who watches."""

import io
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from earmark.errors import ConfigurationError
from earmark.named_file import writable
from earmark.settings import Settings
from earmark.vocabulary import Lane, Origin
from router.dead_letters.letters import Letters
from router.intake import display
from runtime import exit_status
from runtime.analyzing.analyze import Analyzer, Progress
from runtime.analyzing.inputs import expand
from runtime.analyzing.output import Format, writer
from runtime.chores import doing, every
from runtime.dlq.desk import make_collector
from runtime.ordering import order
from runtime.signals import handled
from runtime.watching import watching
from runtime.wiring import connect, make_intake, make_router, open_worker
from workers.worker import Worker

REFRESH_HZ = 8
LINE_EVERY_S = 5.0
COLLECT_S = 30.0
"""Seconds between looks at the dead queue, whose letters a worker takes into their store."""


def analyze_paths(
    settings: Settings,
    paths: Sequence[Path],
    *,
    tenant: str,
    output: Format,
    out: Path | None,
    quiet: bool,
    explain: bool = False,
) -> int:
    """Analyse inputs with a worker of our own; returns the exit status."""
    began = time.monotonic()
    backend = connect(settings)
    upload = make_intake(settings, backend, tenant, Origin.COMMAND)
    order(settings, backend, "uploads.analyze", tenant=tenant, detail=f"{len(paths)} paths")
    stop = threading.Event()
    crash: list[BaseException] = []

    def working() -> None:
        if crash:
            raise crash[0]

    analyzer = Analyzer(router=make_router(settings, backend), results=backend.results, upload=upload, working=working)
    console = Console(stderr=True, highlight=False)
    interrupted = False
    with (
        _destination(out) as stream,
        doing(backend.chores),
        open_worker(settings, backend, on_settled=analyzer.settled) as worker,
        _signals(stop, worker, interrupt=True),
    ):
        thread = threading.Thread(target=_work, args=(worker, stop, crash), name="worker")
        thread.start()
        try:
            with writer(output, stream, explain=explain) as lines, _shown(analyzer, console, show=not quiet):
                for result in analyzer.run(expand(paths)):
                    lines.write(result)
            worker.hurry()  # our inputs are settled; what else the worker took goes back untouched
        except KeyboardInterrupt:
            interrupted = True
        except BaseException:
            worker.hurry()
            raise
        finally:
            stop.set()
            thread.join()
        if interrupted and out is not None:
            raise KeyboardInterrupt
    if not quiet:
        _summarise(
            analyzer.progress,
            console,
            time.monotonic() - began,
            display(out) if out else f"{backend.results_place}/{tenant}",
        )
    if interrupted:
        console.print("Interrupted.  Run the same command again: what is finished is kept.", markup=False)
        return exit_status.INTERRUPTED
    return exit_status.SOME_NOT_DONE if analyzer.progress.rejected or analyzer.progress.failed else 0


def _summarise(progress: Progress, console: Console, seconds: float, place: str) -> None:
    parts = [f"{progress.known} already known, {progress.done} analysed"]
    parts += [f"{progress.rejected} rejected"] if progress.rejected else []
    parts += [f"{progress.failed} failed"] if progress.failed else []
    for reason, remedy in (("not audio", ""), ("linked folder", " (name it to include it)")):
        count = progress.skipped[reason]
        parts += [f"{count} skipped: {reason}{remedy}"] if count else []
    console.print(f"{', '.join(parts)} in {seconds:.1f} s", markup=False)
    console.print(f"Results: {place}", markup=False, soft_wrap=True)


def work_lanes(settings: Settings, lanes: frozenset[Lane], *, until_empty: bool, warm: bool = False) -> int:
    """Run a worker until it is told to stop; returns the exit status."""
    backend = connect(settings)
    stop = threading.Event()
    with (
        Letters(backend.state) as letters,
        doing([*backend.chores, every(COLLECT_S, make_collector(settings, backend, letters).run_once)]),
        watching(settings, backend, lanes) as watchers,
        open_worker(settings, backend, lanes=lanes, warm=warm, observers=watchers.observers) as worker,
        _signals(stop, worker, interrupt=False),
    ):
        watchers.begin(worker)
        worker.run(stop, until_empty=until_empty)
    return 0


def _work(worker: Worker, stop: threading.Event, crash: list[BaseException]) -> None:
    try:
        worker.run(stop)
    except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits for results
        crash.append(error)


@contextmanager
def _signals(stop: threading.Event, worker: Worker, *, interrupt: bool) -> Iterator[None]:
    """SIGTERM and Ctrl-C ask the worker to drain; the second one tells it to hurry."""

    def drain() -> None:
        if stop.is_set():
            worker.hurry()
            return
        stop.set()
        if interrupt:
            raise KeyboardInterrupt

    with handled(drain):
        yield


@contextmanager
def _destination(out: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that appears under its name only when it is complete."""
    if out is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        yield sys.stdout
        return
    out = writable(out, "--out")
    try:
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115  # kept open across the yield
            "w",
            encoding="utf-8",
            errors="backslashreplace",
            newline="",
            dir=out.parent,
            prefix=f".{out.name}.",
            delete=False,
        )
    except OSError as error:
        message = f"Cannot write {display(out)}: {error.strerror}.  Choose another --out."
        raise ConfigurationError(message) from error
    try:
        with file:
            yield file  # type: ignore[misc]  # the wrapper has the methods of TextIO
        umask = os.umask(0)
        os.umask(umask)
        Path(file.name).chmod(0o666 & ~umask)
        Path(file.name).replace(out)
    except BaseException:
        Path(file.name).unlink(missing_ok=True)
        raise


@contextmanager
def _shown(analyzer: Analyzer, console: Console, *, show: bool) -> Iterator[None]:
    """Progress on standard error: a bar at a terminal, a line now and then elsewhere."""
    done = threading.Event()
    target = _draw_bar if console.is_terminal else _print_lines
    thread = threading.Thread(target=target, args=(analyzer, console, done), name="progress", daemon=True)
    if show:
        thread.start()
    try:
        yield
    finally:
        done.set()
        if show:
            thread.join()


def _draw_bar(analyzer: Analyzer, console: Console, done: threading.Event) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, refresh_per_second=REFRESH_HZ) as bar:
        task = bar.add_task("Listening", total=None)
        while not done.wait(1 / REFRESH_HZ):
            bar.update(task, completed=analyzer.progress.ended, total=max(analyzer.progress.found, 1))


def _print_lines(analyzer: Analyzer, console: Console, done: threading.Event) -> None:
    while not done.wait(LINE_EVERY_S):
        progress = analyzer.progress
        more = "" if not progress.walking else ", still looking for more"
        console.print(f"{progress.ended} of {progress.found} done{more}", markup=False)

"""Hoarding: messages that a busy worker holds and has not begun, and how soon a second worker gets its first.

A worker is busy with jobs of half a second each while hundreds wait; then a second one starts.  Ours are real workers
on the backend ``gcp``, with one job at a time and with the default batch.  Beside them: Google's streaming pull with
its default flow control (1000 messages, ten threads), whose count of held messages is its own.
"""

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.scripted import SPAWN, Plan, end_all, job_of, read_journal, work
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.wiring import connect, initialise

JOBS: Final = 600
PREDICT_S: Final = 0.5
BUSY_S: Final = 4.0
GIVE_UP_S: Final = 15.0
START_S: Final = 60.0
SAMPLE_S: Final = 0.01
STREAM_THREADS: Final = 10
"""Callbacks that Google's client runs at the same time by default."""


@dataclass(frozen=True, slots=True)
class Hoard:
    """What came of it."""

    held: int
    """Most messages held that were not being worked on."""
    first_s: float | None
    """Seconds from the second worker's beginning to its first job; None = none came in ``GIVE_UP_S``."""

    def __str__(self) -> str:
        """For a person."""
        came = f"after {self.first_s:.2f} s" if self.first_s is not None else f"not within {GIVE_UP_S:.0f} s"
        return f"held {self.held} beyond those it was at; the second worker's first job came {came}"


def stream(subscription: str, plan: Plan, ready: "multiprocessing.Queue[float]") -> None:
    """A process that takes messages by streaming pull and sleeps over each."""
    import os  # noqa: PLC0415  # in the child

    os.environ |= dict(plan.environment)
    from google.cloud.pubsub_v1 import SubscriberClient  # type: ignore[import-untyped]  # noqa: PLC0415  # in the child

    busy = threading.Semaphore(STREAM_THREADS)
    client = SubscriberClient()
    lock = threading.Lock()

    def hear(message: Any) -> None:
        with busy:
            with lock, plan.journal.open("a") as journal:
                journal.write(f"{time.monotonic():.6f} {message.message_id} message\n")
            time.sleep(PREDICT_S)
            message.ack()

    future = client.subscribe(subscription, callback=hear)
    ready.put(time.monotonic())
    manager = getattr(future, "_StreamingPullFuture__manager")  # noqa: B009  # private, but nothing public tells
    while True:
        if plan.sample is not None and manager.leaser is not None:
            with plan.sample.open("a") as samples:
                samples.write(f"{time.monotonic():.6f} {manager.leaser.message_count}\n")
        time.sleep(SAMPLE_S)


def hoard_of(start: Any, plan: Plan, folder: Path, *, working_on: int) -> Hoard:
    """Start a worker, and when it is busy a second one."""
    ready: multiprocessing.Queue[float] = SPAWN.Queue()
    samples = folder / "samples"
    first = start(replace(plan, journal=folder / "first", sample=samples), ready)
    second = start(replace(plan, journal=folder / "second"), ready)
    try:
        first.start()
        ready.get(timeout=START_S)
        time.sleep(BUSY_S)
        second.start()
        began = ready.get(timeout=START_S)
        held = max(int(line.split()[1]) for line in samples.read_text().splitlines()[:-1])
        ends = time.monotonic() + GIVE_UP_S
        while not (heard := read_journal(folder / "second")) and time.monotonic() < ends:
            time.sleep(0.02)
        return Hoard(max(held - working_on, 0), heard[0].at_s - began if heard else None)
    finally:
        end_all([each for each in (first, second) if each.pid is not None])


def measure_hoarding(*, quick: bool) -> dict[str, float]:
    """Measure and print; gives the figures."""
    from tests.servers.cloud import Cloud  # noqa: PLC0415  # needs Google's clients

    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as top, Cloud(root=Path(top) / "objects") as cloud:
        leads = {name: value for name, value in cloud.environment.items() if not name.startswith("EARMARK_")}
        contests: Mapping[str, int] = (
            {"one": 1} if quick else {"one": 1, "batch": Settings().batch_jobs, "streaming": 0}
        )
        for name, batch_jobs in contests.items():
            folder = Path(top) / name
            folder.mkdir()
            hoard = _contest(name, batch_jobs, folder, leads)
            print(f"hoarding, {name}: {hoard}", flush=True)
            figures[f"hoard_{name}_held"] = hoard.held
            figures[f"hoard_{name}_first_s"] = GIVE_UP_S if hoard.first_s is None else hoard.first_s
    return figures


def _contest(name: str, batch_jobs: int, folder: Path, leads: Mapping[str, str]) -> Hoard:
    import os  # noqa: PLC0415

    os.environ |= dict(leads)
    settings = Settings(
        backend="gcp",
        data=folder / "data",
        gcp_project="test",
        gcp_prefix=f"hoard-{name}",
        batch_jobs=batch_jobs or 1,
        predict_timeout_s=60,
    )
    initialise(settings)
    lane = connect(settings).lanes[Lane.LOW]
    lane.put([job_of(f"good-{number}") for number in range(JOBS)])
    plan = Plan(settings, folder / "journal", folder / "log", PREDICT_S, environment=dict(leads))
    if not batch_jobs:
        subscription = f"projects/test/subscriptions/{settings.gcp_prefix}-{Lane.LOW}"
        return hoard_of(
            lambda plan, ready: SPAWN.Process(target=stream, args=(subscription, plan, ready)),
            plan,
            folder,
            working_on=STREAM_THREADS,
        )
    return hoard_of(
        lambda plan, ready: SPAWN.Process(target=work, args=(plan, ready)), plan, folder, working_on=batch_jobs
    )

"""Queue overhead: jobs put and drained per second, beside huey on SQLite and litequeue.

``python -m benchmarks.queue [--jobs N]``.  Two processes put all jobs, then two processes drain them; every
queue runs with the same ``synchronous`` setting on the same disk, the queues take turns within each round, and
the figures are medians over the rounds.  Each job must have run exactly once, or the benchmark fails.

Earmark puts, leases and acknowledges in batches as the router and the worker do, and a batch is one commit:
puts of ``ROUTED_AT_ONCE`` jobs, leases and acknowledgements of ``batch_jobs`` (see ``docs/settings.md``).  Huey
and litequeue have no batches.  Their jobs are 300 bytes; ours are real jobs, a little longer, checked field by
field when leased.  Huey removes a job before it runs it, so a crash loses the job: at most once.  Litequeue and
Earmark remove it afterwards: at least once.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Literal, Protocol

from earmark.domain import Job, Upload, job_id
from earmark.settings import Settings
from earmark.vocabulary import Lane, Origin, Tier
from earmark.wire import encode_job
from runtime.analyzing.analyze import ROUTED_AT_ONCE
from runtime.local.queue import LocalQueue

JOBS = 20_000
ROUNDS = 1
PROCESSES = 2
JOB_BYTES = 300
LEASE_S = 600.0
LOCK_WAIT_S = 60.0

Synchronous = Literal["FULL", "NORMAL"]
LEVEL: dict[Synchronous, int] = {"NORMAL": 1, "FULL": 2}


class Contestant(Protocol):
    """A queue under measurement, opened anew in every process."""

    def prepare(self, numbers: Sequence[int]) -> None:
        """Make the jobs to put, which is not measured."""

    def put(self) -> None:
        """Put them."""

    def drain(self) -> list[int]:
        """Run jobs until there are none; gives their numbers."""


class Ours:
    """``LocalQueue``, used as the router and the worker use it."""

    def __init__(self, folder: Path, synchronous: Synchronous) -> None:
        """Open the queue."""
        self._queue = LocalQueue(folder / "ours.sqlite", "low", worker=str(os.getpid()), synchronous=synchronous)
        self._batch_jobs = Settings().batch_jobs
        self._jobs: list[Job] = []

    def prepare(self, numbers: Sequence[int]) -> None:
        """Make jobs as the router has them."""
        self._jobs = [job_of(number) for number in numbers]

    def put(self) -> None:
        """Put in batches."""
        for first in range(0, len(self._jobs), ROUTED_AT_ONCE):
            self._queue.put(self._jobs[first : first + ROUTED_AT_ONCE])

    def drain(self) -> list[int]:
        """Lease a batch, run it, acknowledge it."""
        ran: list[int] = []
        while leases := self._queue.lease(self._batch_jobs, LEASE_S):
            ran += [lease.job.upload.size_bytes for lease in leases]
            if self._queue.ack(leases):
                message = "a lease was lost"
                raise RuntimeError(message)
        return ran


class Huey:
    """Huey on SQLite, with the sync it is told to do."""

    def __init__(self, folder: Path, synchronous: Synchronous) -> None:
        """Open the queue."""
        from huey import SqliteHuey  # noqa: PLC0415  # a peer, installed for benchmarks only
        from huey.storage import SqliteStorage  # noqa: PLC0415

        level = LEVEL[synchronous]

        class Storage(SqliteStorage):  # type: ignore[misc]  # it has no types
            def _create_connection(self) -> object:
                connection = super()._create_connection()
                connection.execute(f"pragma synchronous={level}")
                return connection

        self._ran: list[int] = []
        self._texts: list[str] = []
        self._huey = SqliteHuey(
            "bench", filename=str(folder / "huey.sqlite"), timeout=LOCK_WAIT_S, results=False, storage_class=Storage
        )
        self._task = self._huey.task()(self._run)

    def _run(self, text: str) -> None:
        self._ran.append(int(text[:8]))

    def prepare(self, numbers: Sequence[int]) -> None:
        """Make texts."""
        self._texts = [text_of(number) for number in numbers]

    def put(self) -> None:
        """Put one by one."""
        for text in self._texts:
            self._task(text)

    def drain(self) -> list[int]:
        """Take one, run it."""
        while (task := self._huey.dequeue()) is not None:
            self._huey.execute(task)
        return self._ran


class Litequeue:
    """Litequeue."""

    def __init__(self, folder: Path, synchronous: Synchronous) -> None:
        """Open the queue."""
        from litequeue import LiteQueue  # noqa: PLC0415  # a peer, installed for benchmarks only

        self._queue = LiteQueue(folder / "lite.sqlite", timeout=LOCK_WAIT_S)
        self._texts: list[str] = []
        self._queue.conn.execute(f"PRAGMA synchronous={LEVEL[synchronous]}")

    def prepare(self, numbers: Sequence[int]) -> None:
        """Make texts."""
        self._texts = [text_of(number) for number in numbers]

    def put(self) -> None:
        """Put one by one."""
        for text in self._texts:
            self._queue.put(text)

    def drain(self) -> list[int]:
        """Take one, run it, mark it done."""
        ran: list[int] = []
        while (message := self._queue.pop()) is not None:
            ran.append(int(message.data[:8]))
            self._queue.done(message.message_id)
        return ran


CONTESTANTS: dict[str, Callable[[Path, Synchronous], Contestant]] = {
    "earmark": Ours,
    "huey": Huey,
    "litequeue": Litequeue,
}


@dataclass(frozen=True, slots=True)
class Rates:
    """What one round of one queue came to, in jobs per second."""

    put: float
    drained: float


def text_of(number: int) -> str:
    """The job a peer carries: its number and enough to make it 300 bytes."""
    return f"{number:08}".ljust(JOB_BYTES, "x")


def job_of(number: int) -> Job:
    """The job Earmark carries; its number is the upload's size."""
    now = datetime.now(UTC)
    digest = hashlib.sha256(b"%d" % number).hexdigest()
    upload = Upload(
        uri=f"file:///{number}",
        tenant="bench",
        tier=Tier.FREE,
        origin=Origin.BATCH,
        content_sha256=digest,
        size_bytes=number,
        received_at=now,
    )
    return Job(id=job_id("bench", digest, "1"), upload=upload, lane=Lane.LOW, pipeline="1", enqueued_at=now)


def work(
    name: str,
    folder: Path,
    synchronous: Synchronous,
    numbers: Sequence[int] | None,
    start: Barrier,
    answers: "multiprocessing.Queue[tuple[float, float, list[int]]]",
) -> None:
    """One process: put these jobs, or drain when there are none to put; answers when it began, ended and what ran."""
    contestant = CONTESTANTS[name](folder, synchronous)
    contestant.prepare(numbers or [])
    start.wait()
    began = time.monotonic()
    ran: list[int] = []
    if numbers is None:
        ran = contestant.drain()
    else:
        contestant.put()
    answers.put((began, time.monotonic(), ran))


def together(
    name: str, folder: Path, synchronous: Synchronous, parts: Sequence[Sequence[int] | None]
) -> tuple[float, list[int]]:
    """Run one process for each part at the same time; gives wall seconds from the first start to the last end."""
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(len(parts))
    answers: multiprocessing.Queue[tuple[float, float, list[int]]] = spawn.Queue()
    arguments = [(name, folder, synchronous, part, start, answers) for part in parts]
    processes = [spawn.Process(target=work, args=each) for each in arguments]
    for process in processes:
        process.start()
    told = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    return max(end for _, end, _ in told) - min(begin for begin, _, _ in told), [n for _, _, ran in told for n in ran]


def measure(name: str, folder: Path, synchronous: Synchronous, jobs: int) -> Rates:
    """Put and drain all jobs once.

    Raises:
        RuntimeError: a job ran twice or not at all.
    """
    CONTESTANTS[name](folder, synchronous)  # makes the tables, so that no process pays for it
    put_s, _ = together(name, folder, synchronous, [range(part, jobs, PROCESSES) for part in range(PROCESSES)])
    drained_s, ran = together(name, folder, synchronous, [None] * PROCESSES)
    if sorted(ran) != list(range(jobs)):
        message = f"{name}: {jobs} jobs were put, {len(ran)} ran, {len(set(ran))} of them once"
        raise RuntimeError(message)
    return Rates(jobs / put_s, jobs / drained_s)


def sync_ms(folder: Path, times: int = 50) -> float:
    """What one sync of a small write costs on this disk: the median, in milliseconds."""
    spent: list[float] = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            began = time.monotonic()
            os.fdatasync(file.fileno())
            spent.append(time.monotonic() - began)
    return statistics.median(spent) * 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--synchronous", choices=tuple(LEVEL), default="FULL")
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure; default: the system's temporary")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    rates: dict[str, list[Rates]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory(dir=options.folder) as top:
        print(
            f"{options.jobs} jobs, {PROCESSES} processes, synchronous {options.synchronous},"
            f" one sync {sync_ms(Path(top)):.2f} ms; earmark's jobs have {len(encode_job(job_of(12345)))} bytes,"
            f" put by {ROUTED_AT_ONCE}, leased and acknowledged by {Settings().batch_jobs}"
        )
        for number in range(options.rounds):
            for name in CONTESTANTS:
                folder = Path(top) / f"{name}-{number}"
                folder.mkdir()
                rates[name].append(measure(name, folder, options.synchronous, options.jobs))
                last = rates[name][-1]
                print(f"round {number + 1}  {name:10} put {last.put:8,.0f}/s   drained {last.drained:8,.0f}/s")
    put = {name: statistics.median(each.put for each in found) for name, found in rates.items()}
    drained = {name: statistics.median(each.drained for each in found) for name, found in rates.items()}
    for name in CONTESTANTS:
        print(f"median   {name:10} put {put[name]:8,.0f}/s   drained {drained[name]:8,.0f}/s")
    put_ratio, drain_ratio = (
        each["earmark"] / max(value for name, value in each.items() if name != "earmark") for each in (put, drained)
    )
    print(f"earmark ÷ the fastest peer: put {put_ratio:.1f}, drained {drain_ratio:.1f}")
    if options.json:
        figures = {"jobs": options.jobs, "put_ratio": put_ratio, "drain_ratio": drain_ratio}
        figures |= {f"{name}_put_per_s": value for name, value in put.items()}
        figures |= {f"{name}_drained_per_s": value for name, value in drained.items()}
        options.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()

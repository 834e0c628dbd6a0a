"""Queue and both stores together, beside the bare writes of those stores.

Ours leases, composes an empty model's answers, and lets the real ``Settler`` write a record each to fake-gcs-server
and rows to bqemulator, and acknowledge; admissions go to the same fake-gcs-server.  The bare loop writes the very same
bytes under other names and the very same rows, in the same batches with as many threads, and does nothing else.  With
several threads the waiting of one overlaps with the work of another, as it does with several workers.
"""

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.scripted import clip_of, job_of, prediction_of
from earmark.clock import utc_now
from earmark.domain import Done, Lease, Settlement
from earmark.ports import ObjectInfo
from earmark.rows import Row
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.backend import Backend
from runtime.wiring import connect, initialise
from workers.compose import compose_analysis
from workers.keeper import Keeper
from workers.settle import WRITERS, Settler

ROUNDS: Final = 12
JOBS: Final = 600
BATCH: Final = 100
THREADS: Final = 2
LEASE_S: Final = 60.0


@dataclass
class Written:
    """Stands for both stores, and keeps what the settler writes."""

    records: list[tuple[str, bytes]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def write(self, name: str, content: bytes, **_: Any) -> ObjectInfo:
        """Keep a record."""
        self.records.append((name, content))
        return ObjectInfo(name, 1, len(content), utc_now(), "application/json")

    def append(self, rows: Sequence[Row]) -> None:
        """Keep rows."""
        self.rows += rows


class NoQueue:
    """Acknowledges everything."""

    def ack(self, _: Sequence[Lease]) -> list[Lease]:
        """Nothing is lost."""
        return []


def settlement_of(lease: Lease) -> Settlement:
    """A lease with the answer of an empty model."""
    clip, now = clip_of(lease.job), utc_now()
    analysis = compose_analysis(
        lease,
        clip,
        prediction_of(clip),
        model="scripted",
        model_version="1",
        leased_at=now,
        decode_s=0.0,
        now=now,
        threshold=0.8,
    )
    return Settlement(lease, Done(analysis), 1.0)


def batches_of(words: Sequence[str]) -> list[Written]:
    """What the settler writes for jobs of these words, batch for batch."""
    batches = []
    for first in range(0, len(words), BATCH):
        leases = [Lease(job_of(word), word, 1, utc_now()) for word in words[first : first + BATCH]]
        written = Written()
        settler = Settler(
            lanes={Lane.LOW: NoQueue()},  # type: ignore[dict-item]  # it has what is used
            results=written,  # type: ignore[arg-type]  # same
            warehouse=written,  # type: ignore[arg-type]  # same
            keeper=holding(leases),
            max_tries=3,
            clock=utc_now,
        )
        settler.settle([settlement_of(lease) for lease in leases])
        batches.append(written)
    return batches


def holding(leases: list[Lease]) -> Keeper:
    """A keeper that holds leases and extends none."""
    keeper = Keeper({}, lease_s=LEASE_S)
    keeper.hold(leases)
    return keeper


def in_threads(step: Callable[[int], None]) -> float:
    """Seconds that ``THREADS`` threads take over a step each; raises what one of them raises."""
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(step, range(THREADS)))
    return time.monotonic() - began


def bare(backend: Backend, batches: list[Written]) -> float:
    """Seconds for the bare writes of all batches: a batch's records side by side, then its rows in one call."""
    with ThreadPoolExecutor(WRITERS * THREADS) as writers:

        def write(record: tuple[str, bytes]) -> None:
            backend.results.write(record[0], record[1], content_type="application/json", if_generation=0)

        def step(number: int) -> None:
            for batch in batches[number::THREADS]:
                list(writers.map(write, batch.records))
                backend.warehouse.append(batch.rows)

        return in_threads(step)


def ours(backend: Backend, jobs: int) -> float:
    """Seconds to lease, settle and acknowledge all jobs."""
    lane, lock = backend.lanes[Lane.LOW], threading.Lock()
    found = 0

    def step(_: int) -> None:
        nonlocal found
        keeper = Keeper({}, lease_s=LEASE_S)
        settler = Settler(
            lanes=backend.lanes,
            results=backend.results,
            warehouse=backend.warehouse,
            keeper=keeper,
            max_tries=3,
            clock=utc_now,
        )
        while found < jobs:
            leases = lane.lease(BATCH, LEASE_S)
            with lock:
                found += len(leases)
            keeper.hold(leases)
            settler.settle([settlement_of(lease) for lease in leases])

    return in_threads(step)


@contextmanager
def cloud() -> Iterator[Backend]:
    """All three servers and the backend on them."""
    from tests.servers.cloud import Cloud  # noqa: PLC0415  # needs Google's clients

    with ExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = stack.enter_context(Cloud(root=top / "objects"))  # in memory it slows down with every object
        leads = {name: value for name, value in servers.environment.items() if not name.startswith("EARMARK_")}
        os.environ |= leads
        settings = Settings(backend="gcp", gcp_project="test", data=top / "data", lease_s=LEASE_S)
        initialise(settings)
        yield connect(settings)


def measure_stores(*, quick: bool) -> dict[str, float]:
    """Measure and print; gives the figures."""
    rounds, jobs = (1, 300) if quick else (ROUNDS, JOBS)
    rates: dict[str, list[float]] = {"bare": [], "ours": []}
    with cloud() as backend:
        sample = batches_of(["good-sample"])[0]
        print(
            f"stores: {jobs} jobs a round by {BATCH} in {THREADS} threads,"
            f" a record of {len(sample.records[0][1])} bytes and {len(sample.rows)} rows each"
        )
        bare(backend, batches_of([f"warm-{number}" for number in range(BATCH * THREADS)]))
        for number in range(rounds):
            lane = backend.lanes[Lane.LOW]
            batches = batches_of([f"bare-{number}-{each}" for each in range(jobs)])
            for first in range(0, jobs, BATCH):
                lane.put([job_of(f"ours-{number}-{each}") for each in range(first, min(first + BATCH, jobs))])
            contests = {"bare": partial(bare, backend, batches), "ours": partial(ours, backend, jobs)}
            for name in sorted(contests, reverse=number % 2 == 1):
                rates[name].append(jobs / contests[name]())
            print(
                f"round {number + 1}: bare {rates['bare'][-1]:6,.0f}/s   ours {rates['ours'][-1]:6,.0f}/s", flush=True
            )
    ratios = [mine / plain for mine, plain in zip(rates["ours"], rates["bare"], strict=True)]
    seconds = {name: sum(jobs / each for each in found) for name, found in rates.items()}
    print(
        f"median: {statistics.median(ratios):.2f} of the bare writes ({min(ratios):.2f} to {max(ratios):.2f}),"
        f" {seconds['bare']:.0f} s and {seconds['ours']:.0f} s in all"
    )
    figures = {f"stores_{name}_per_s": statistics.median(found) for name, found in rates.items()}
    figures |= {"stores_ratio": statistics.median(ratios)}
    return figures | {"stores_ratio_least": min(ratios), "stores_ratio_most": max(ratios)}

"""The wait of high jobs while 10,000 low ones are queued, and what low gets while high never stops.

``python -m benchmarks.lanes [--quick] [--on local,pubsub]``.  Two worker processes, 5 ms a job; a wait is from the
moment before a job is put to the moment its model begins with it.  Measured in turns:

- Earmark's two lanes, with the settings recommended for short waits, and with the default ones;
- the same with a third worker that serves high alone;
- the same jobs in one lane, first come, first served;
- Celery and Dramatiq on Redis (see ``lane_peers.py``).

On ``pubsub`` the queues are on the Pub/Sub emulator, records and admissions on fake-gcs-server and rows on bqemulator,
which all share these cores.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.lane_peers import PEERS, missing, peer_workers, redis_server
from benchmarks.scripted import Heard, Plan, job_of, read_journal, workers
from earmark.ports import Queue
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.wiring import connect, initialise

LOW_JOBS = 10_000
HIGH_PER_S = {"local": 20.0, "pubsub": 4.0}
"""High jobs that come a second, a small part of what two workers can do there, so that they do not queue for each
other."""
SECONDS = 12.0
SHARE_SECONDS = 10.0
FIFO_JOBS = 50
"""High jobs put at once behind the low ones when there is only one queue."""
FIFO_S = 300.0
WORKERS = 2
PREDICT_S = 0.005
ROUNDS = 3
PUT = 500
RECOMMENDED: dict[str, Any] = {"batch_jobs": 1, "poll_s": 0.02}
"""For waits of milliseconds: the model is never busy with more than one low job when a high one comes, and a worker
that has nothing to do looks fifty times a second."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Milliseconds that high jobs waited, in one round."""

    p50_ms: float
    p99_ms: float
    worst_ms: float
    jobs: int
    low_per_s: float
    """Low jobs begun a second meanwhile."""

    def __str__(self) -> str:
        """For a person."""
        return (
            f"p50 {self.p50_ms:8.1f} ms   p99 {self.p99_ms:8.1f} ms   worst {self.worst_ms:8.1f} ms"
            f"   of {self.jobs} high jobs, beside {self.low_per_s:4.0f} low jobs/s"
        )


@dataclass(frozen=True, slots=True)
class Load:
    """How much of it."""

    low_jobs: int
    seconds: float
    fifo_jobs: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where queues and stores are."""

    name: str
    environment: dict[str, str]

    @contextmanager
    def folder(self, **more: Any) -> Iterator[tuple[Plan, dict[Lane, Queue]]]:
        """Empty queues and stores, a plan for workers, and queues to put into."""
        with tempfile.TemporaryDirectory() as folder:
            values: dict[str, Any] = {"data": Path(folder) / "data", **more}
            if self.name != "local":
                values |= {"backend": "gcp", "gcp_project": "test", "gcp_prefix": f"b{uuid.uuid4().hex[:12]}"}
            settings = Settings(**values)
            initialise(settings)
            plan = Plan(
                settings, Path(folder) / "journal", Path(folder) / "log", PREDICT_S, environment=self.environment
            )
            yield plan, dict(connect(settings).lanes)


@contextmanager
def places(names: Sequence[str]) -> Iterator[list[Place]]:
    """This machine's disk, and the emulators if asked for."""
    found = [Place("local", {})] if "local" in names else []
    if "pubsub" not in names:
        yield found
        return
    from tests.servers.cloud import Cloud  # noqa: PLC0415  # needs Google's clients

    with tempfile.TemporaryDirectory() as folder, Cloud(root=Path(folder)) as cloud:
        leads = {name: value for name, value in cloud.environment.items() if not name.startswith("EARMARK_")}
        os.environ |= leads
        yield [*found, Place("pubsub", leads)]


def fill(queue: Queue, words: Sequence[str], lane: Lane, *, age_s: float = 0.0) -> None:
    """Put jobs, as if ``age_s`` seconds ago."""
    jobs = [job_of(word, lane) for word in words]
    if age_s:
        jobs = [job.model_copy(update={"enqueued_at": job.enqueued_at - timedelta(seconds=age_s)}) for job in jobs]
    for first in range(0, len(jobs), PUT):
        queue.put(jobs[first : first + PUT])


def send_high(send: Callable[[str], None], seconds: float, per_s: float) -> dict[str, float]:
    """Put high jobs at random moments; gives when each was put, by word."""
    sent: dict[str, float] = {}
    ends, next_at = time.monotonic() + seconds, time.monotonic()
    while (now := time.monotonic()) < ends:
        if now < next_at:
            time.sleep(next_at - now)
        word = f"high-{len(sent)}"
        sent[word] = time.monotonic()
        send(word)
        next_at += random.expovariate(per_s)
    return sent


def wait_for(done: Callable[[], bool], seconds: float) -> bool:
    """Whether it came to be in time."""
    ends = time.monotonic() + seconds
    while not done():
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


def waits_of(sent: dict[str, float], heard: Sequence[Heard], began_s: float, ended_s: float) -> Waits:
    """The waits of all jobs that were sent; raises ``RuntimeError`` when one was never heard."""
    first: dict[str, float] = {}
    for each in heard:
        first.setdefault(each.word, each.at_s)
    if lost := [word for word in sent if word not in first]:
        message = f"{len(lost)} of {len(sent)} high jobs never began"
        raise RuntimeError(message)
    waits_ms = sorted((first[word] - at) * 1e3 for word, at in sent.items())
    low = sum(began_s <= each.at_s <= ended_s for each in heard if each.word.startswith("low"))
    return Waits(
        statistics.median(waits_ms),
        waits_ms[min(int(len(waits_ms) * 0.99), len(waits_ms) - 1)],
        waits_ms[-1],
        len(waits_ms),
        low / (ended_s - began_s),
    )


def lanes(place: Place, load: Load, *, reserved: bool = False, **settings: Any) -> Waits:
    """One round of Earmark's lanes."""
    with place.folder(**settings) as (plan, queues):
        fill(queues[Lane.LOW], [f"low-{number}" for number in range(load.low_jobs)], Lane.LOW)
        plans = [plan] * WORKERS + [replace(plan, lanes=frozenset({Lane.HIGH}))] * reserved
        with workers(plans):
            wait_for(lambda: len(read_journal(plan.journal)) > WORKERS * 4, 30)
            began = time.monotonic()
            high, per_s = queues[Lane.HIGH], HIGH_PER_S[place.name]
            sent = send_high(lambda word: note(high.put([job_of(word, Lane.HIGH)])), load.seconds, per_s)
            ended = time.monotonic()
            wait_for(lambda: set(sent) <= {each.word for each in read_journal(plan.journal)}, 30)
        return waits_of(sent, read_journal(plan.journal), began, ended)


def note(_: object) -> None:
    """Take no notice of a result."""


def one_queue(place: Place, load: Load) -> Waits:
    """One round of a single lane: high jobs come behind the low ones, and wait for all of them."""
    with place.folder() as (plan, queues), workers([plan] * WORKERS):
        fill(queues[Lane.LOW], [f"low-{number}" for number in range(load.low_jobs)], Lane.LOW)
        words = [f"high-{number}" for number in range(load.fifo_jobs)]
        began = time.monotonic()
        fill(queues[Lane.LOW], words, Lane.LOW)
        wait_for(lambda: set(words) <= {each.word for each in read_journal(plan.journal)}, FIFO_S)
        ended = time.monotonic()
        return waits_of(dict.fromkeys(words, began), read_journal(plan.journal), began, ended)


def peer(name: str, socket: str, load: Load) -> Waits:
    """One round of a peer."""
    import redis  # noqa: PLC0415  # a peer's, installed for benchmarks only

    redis.Redis(unix_socket_path=socket).flushall()
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal"
        with peer_workers(name, socket, journal, PREDICT_S, WORKERS) as send:
            for number in range(load.low_jobs):
                send(f"low-{number}", False)  # noqa: FBT003  # urgent or not
            wait_for(lambda: len(read_journal(journal)) > WORKERS * 4, 30)
            began = time.monotonic()
            sent = send_high(lambda word: send(word, True), load.seconds, HIGH_PER_S["local"])  # noqa: FBT003  # same
            ended = time.monotonic()
            wait_for(lambda: set(sent) <= {each.word for each in read_journal(journal)}, 30)
        return waits_of(sent, read_journal(journal), began, ended)


def low_share(place: Place, jobs: int, seconds: float, *, age_s: float) -> float:
    """The share of starts that low jobs get while high ones never stop."""
    with place.folder(**RECOMMENDED) as (plan, queues):
        fill(queues[Lane.LOW], [f"low-{number}" for number in range(jobs)], Lane.LOW, age_s=age_s)
        fill(queues[Lane.HIGH], [f"high-{number}" for number in range(jobs)], Lane.HIGH)
        with workers([plan] * WORKERS):
            wait_for(lambda: len(read_journal(plan.journal)) > WORKERS * 4, 30)
            time.sleep(seconds)
            heard = read_journal(plan.journal)
        if sum(each.word.startswith("high") for each in heard) == jobs:
            message = f"{jobs} high jobs were too few for {seconds} s"
            raise RuntimeError(message)
        return sum(each.word.startswith("low") for each in heard) / len(heard)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--on", default="local,pubsub", help="local, pubsub, or both with a comma")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--quick", action="store_true", help="a smoke run of one short round on this machine's disk")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    load = Load(LOW_JOBS, options.seconds, FIFO_JOBS)
    rounds, share_jobs, share_seconds, names = options.rounds, 4000, SHARE_SECONDS, options.on.split(",")
    if options.quick:
        load, rounds, share_jobs, share_seconds, names = Load(600, 1.5, 5), 1, 400, 1.0, ["local"]
    random.seed(3)
    figures: dict[str, float] = {"low_jobs": load.low_jobs}
    with places(names) as found, redis_server() as socket:
        contests: dict[str, Callable[[], Waits]] = {}
        for place in found:
            contests |= contests_of(place, load)
        if not options.quick and not missing(socket):
            contests |= {name: partial(peer, name, str(socket), load) for name in PEERS}
        figures |= take_turns(contests, rounds)
        for place in found:
            for what, age_s in (("low_share", 0.0), ("low_share_aged", 2 * Settings().low_max_wait_s)):
                figures[f"{place.name}_{what}"] = low_share(place, share_jobs, share_seconds, age_s=age_s)
                print(f"{place.name}: {what.replace('_', ' ')} {figures[f'{place.name}_{what}']:.3f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures))


def take_turns(contests: dict[str, Callable[[], Waits]], rounds: int) -> dict[str, float]:
    """Measure each in every round and print; gives the figures."""
    measured: dict[str, list[Waits]] = {name: [] for name in contests}
    for number in range(rounds):
        for name, contest in contests.items():
            if number and name.endswith("one queue"):
                continue  # a minute each, and nothing to be learnt from another
            measured[name].append(contest())
            print(f"round {number + 1}  {name:24} {measured[name][-1]}", flush=True)
    figures: dict[str, float] = {}
    for name, each in measured.items():
        key = name.replace(", ", "_").replace(" ", "_")
        for quantile in ("p50_ms", "p99_ms"):
            values = [getattr(waits, quantile) for waits in each]
            figures[f"{key}_{quantile}"] = statistics.median(values)
            figures[f"{key}_{quantile}_least"], figures[f"{key}_{quantile}_most"] = min(values), max(values)
        print(
            f"median   {name:24} p50 {figures[f'{key}_p50_ms']:8.1f} ms   p99 {figures[f'{key}_p99_ms']:8.1f} ms"
            f"   (p99 {figures[f'{key}_p99_ms_least']:.1f} to {figures[f'{key}_p99_ms_most']:.1f})"
        )
    return figures


def contests_of(place: Place, load: Load) -> dict[str, Callable[[], Waits]]:
    """What is measured in one place, by name."""
    fewer = replace(load, low_jobs=load.low_jobs // 5)  # minutes each, on emulators
    return {
        f"{place.name}": lambda: lanes(place, load, **RECOMMENDED),
        f"{place.name}, reserved": lambda: lanes(place, load, reserved=True, **RECOMMENDED),
        f"{place.name}, defaults": lambda: lanes(place, load),
        f"{place.name}, one queue": lambda: one_queue(place, load if place.name == "local" else fewer),
    }


if __name__ == "__main__":
    main()

"""Is every job accounted for, whoever dies?  Workers under load are killed, stopped past their leases and orphaned.

``python -m benchmarks.chaos [--minutes M] [--backend local|gcp] [--quick]``, one backend after the other by default.
At random moments a worker is killed (SIGKILL), or its model's process is, or the worker is stopped (SIGSTOP) until its
leases have run out and then let go on.  Some jobs are poison: they raise, have no answer, or kill the model whenever
they are heard.  At the end every job is looked up in all places where it may have left something.  What must hold, or
the command fails:

- each job has one record, its rows count once, no lane holds it, and nobody else's record or row is there;
- a poison job failed exactly three tries and is among the dead letters, with those three;
- a sound job is done; the one way to lose all three tries is that each of its workers or models was killed under it,
  which is the rule for poison too, is counted apart, and so seldom that it should not be seen here.

Duplicates are hearings of sound jobs beyond one each: what a killed worker had begun has to be begun again.
"""

import argparse
import json
import logging
import os
import random
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.crew import Crew
from benchmarks.scripted import TENANT, Plan, job_of
from earmark.domain import Job, Lease, Record
from earmark.errors import Unavailable
from earmark.ports import Queue
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.backend import Backend
from runtime.wiring import connect, initialise
from workers.settle import read_record

MINUTES: Final = 2.0
WORKERS: Final = 3
TRIES: Final = 3
POISON: Final = ("raise", "none", "crash")
POISON_SHARE: Final = 0.02
HIGH_SHARE: Final = 0.2
BACKLOG: Final = 200
PUT: Final = 20
ATTACK_EVERY_S: Final = 2.0
SETTLE_S: Final = 180.0
LEASE_S: Final = {"local": 4.0, "gcp": 10.0}
QUICK_LEASE_S: Final = 1.5
QUICK_MINUTES: Final = 0.05
WORKER_KINDS: Final = {"worker_lost", "model_crashed"}
"""What a sound job's failed try may be, here where nothing else goes wrong."""


@dataclass
class Journal:
    """What the models of all workers heard, read bit by bit."""

    path: Path
    hearings: Counter[str] = field(default_factory=Counter)
    _offset: int = 0

    def read(self) -> None:
        """Take in what is new; a line cut short by a kill is nobody's hearing."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        self.hearings.update(line.split(" ")[2] for line in whole.decode().splitlines())


def new_word(number: int) -> str:
    """The word of a job: mostly sound, sometimes poison."""
    return f"{random.choice(POISON) if random.random() < POISON_SHARE else 'good'}-{number}"


def is_poison(word: str) -> bool:
    """Whether a word's job always fails."""
    return word.startswith(POISON)


def put_some(lanes: dict[Lane, Queue], jobs: dict[str, Job]) -> None:
    """Queue some new jobs in both lanes, again where a queue could not be reached, as a router would."""
    fresh: dict[Lane, list[Job]] = {lane: [] for lane in Lane}
    for number in range(len(jobs), len(jobs) + PUT):
        lane = Lane.HIGH if random.random() < HIGH_SHARE else Lane.LOW
        fresh[lane].append(job_of(new_word(number), lane))
    for lane, some in fresh.items():
        while True:
            try:
                lanes[lane].put(some)
            except Unavailable:
                continue
            break
        jobs.update({job.upload.uri.rpartition("/")[2]: job for job in some})


class Producer(threading.Thread):
    """Keeps the lanes full from a thread of its own, for a worker that is stopped may hold a lock that it waits for."""

    def __init__(self, lanes: dict[Lane, Queue], journal: Journal) -> None:
        """Put nothing yet."""
        super().__init__(name="producer", daemon=True)
        self._lanes = lanes
        self._journal = journal
        self._ended = threading.Event()
        self.jobs: dict[str, Job] = {}
        """By word."""

    def run(self) -> None:
        """Put jobs until told to end; the journal is this thread's alone meanwhile."""
        while not self._ended.is_set():
            self._journal.read()
            if len(self.jobs) - len(self._journal.hearings) < BACKLOG:
                put_some(self._lanes, self.jobs)
            else:
                self._ended.wait(0.02)

    def end(self) -> dict[str, Job]:
        """Put no more; gives all jobs."""
        self._ended.set()
        self.join()
        return self.jobs


def run(plan: Plan, backend: Backend, minutes: float, workers: int) -> tuple[dict[str, Job], Journal, Crew]:
    """Load and attacks for a while, then peace until every job has its record."""
    journal, crew = Journal(plan.journal), Crew(plan, workers)
    producer = Producer(dict(backend.lanes), journal)
    try:
        producer.start()
        began = time.monotonic()
        attack_at, told_at = began + 2.0, began + 10.0
        while (now := time.monotonic()) < began + minutes * 60:
            crew.tend()
            if now >= attack_at:
                crew.attack()
                attack_at = now + random.expovariate(1 / ATTACK_EVERY_S)
            if now >= told_at:
                told_at = now + 10.0
                attacks = ", ".join(f"{count} times {what}" for what, count in crew.attacks.items())
                print(f"{now - began:5.0f} s: {len(producer.jobs)} jobs put, {attacks}", flush=True)
            time.sleep(0.02)
        crew.relent()
        jobs = producer.end()
        _settle(crew, backend, len(jobs), plan.settings.lease_s)
        journal.read()
    finally:
        crew.close()
    return jobs, journal, crew


def _settle(crew: Crew, backend: Backend, wanted: int, lease_s: float) -> None:
    """Wait until there are as many records as jobs, and then for what still has to be acknowledged."""
    ends = time.monotonic() + SETTLE_S
    while time.monotonic() < ends:
        crew.tend()
        found = sum(1 for _ in backend.results.scan(f"analyses/{TENANT}/"))
        if found >= wanted:
            break
        print(f"       peace: {found} of {wanted} have their record", flush=True)
        time.sleep(min(lease_s, 2.0))
    ends = time.monotonic() + 2 * lease_s + 2
    while time.monotonic() < ends:
        crew.tend()
        time.sleep(0.1)


def drained(queue: Queue) -> Iterator[Lease]:
    """Everything that is in a queue now; an empty answer is believed the third time."""
    empty = 0
    while empty < 3:
        leases = queue.lease(100, 600.0)
        empty = 0 if leases else empty + 1
        yield from leases
        if not leases:
            time.sleep(0.2)


def faults_of_job(word: str, job: Job, record: Record | None, letters: list[Lease], figures: Counter[str]) -> list[str]:
    """What is wrong with how a job ended."""
    if record is None:
        return ["has no record"]
    kinds = [failure.kind for failure in record.failures]
    if record.status == "done":
        if is_poison(word):
            return ["is poison and has an answer"]
        return ["is done and a dead letter"] if letters else []
    found = []
    if record.status != "failed" or len(kinds) != TRIES:
        found.append(f"ended as {record.status} after {len(kinds)} tries: {kinds}")
    if not is_poison(word):
        figures["unlucky"] += 1
        if set(kinds) - WORKER_KINDS:
            found.append(f"is sound and was buried for {kinds}")
    if not letters:
        found.append("is not among the dead letters")
    # A job found spent is buried with its last failure named twice, as all who read letters know.
    tries = [len(dict.fromkeys(each.history)) for each in letters]
    found += [f"is a letter with {number} tries" for number in tries if number != TRIES]
    found += [f"is a letter of lane {each.job.lane}" for each in letters if each.job.lane != job.lane]
    figures["letters_beyond_one"] += max(len(letters) - 1, 0)
    return found


def examine(jobs: dict[str, Job], journal: Journal, backend: Backend) -> tuple[Counter[str], list[str]]:
    """Look every job up everywhere; gives counts, and faults as sentences."""
    figures: Counter[str] = Counter()
    letters: dict[str, list[Lease]] = {}
    for lease in drained(backend.dead):
        letters.setdefault(lease.job.id, []).append(lease)
    faults = [
        f"{lease.job.upload.uri} is still in lane {lane}"
        for lane, queue in backend.lanes.items()
        for lease in drained(queue)
    ]
    for word, job in jobs.items():
        record = read_record(backend.results, TENANT, job.id)
        found = faults_of_job(word, job, record, letters.pop(job.id, []), figures)
        faults += [f"{word} {fault}" for fault in found]
        figures[record.status if record else "lost"] += 1
        if not is_poison(word):
            figures["good"] += 1
            figures["duplicates"] += max(journal.hearings[word] - 1, 0)
    faults += [f"a letter about {identity}, which is no job" for identity in letters]
    found_records = sum(1 for _ in backend.results.scan(f"analyses/{TENANT}/"))
    if found_records != len(jobs):
        faults.append(f"there are {found_records} records of {len(jobs)} jobs")
    rows = backend.warehouse.query("jobs_by_hour", {"tenant": TENANT})
    for column, wanted in (("jobs", len(jobs)), ("done", figures["done"]), ("failed", figures["failed"])):
        if (counted := sum(int(str(row[column])) for row in rows)) != wanted:
            faults.append(f"the warehouse counts {counted} {column}, not {wanted}")
    return figures, faults


@contextmanager
def place(backend: str, lease_s: float) -> Iterator[tuple[Plan, Backend]]:
    """Empty queues and stores."""
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        values: dict[str, Any] = {"data": folder / "data", "backend": backend, "lease_s": lease_s}
        values |= {"max_tries": TRIES, "retry_delay_s": 0.2, "poll_s": 0.05, "batch_jobs": 4}
        if backend == "local":
            settings = Settings(**values)
            yield Plan(settings, folder / "journal", folder / "log"), connect(settings)
            return
        from tests.servers.cloud import Cloud  # noqa: PLC0415  # needs Google's clients

        with Cloud(root=folder / "objects") as cloud:
            leads = {name: value for name, value in cloud.environment.items() if not name.startswith("EARMARK_")}
            os.environ |= leads
            settings = Settings(**values, gcp_project="test")
            initialise(settings)
            yield Plan(settings, folder / "journal", folder / "log", environment=leads), connect(settings)


def main() -> None:
    """Run, look everything up, print, and fail on a fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--backend", choices=("local", "gcp"), help="default: one after the other")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--seed", type=int, default=None, help="of the moments and kinds of attacks")
    parser.add_argument("--quick", action="store_true", help="a smoke run of three seconds")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore", "The return_immediately flag")  # on purpose: see runtime/gcp/pubsub_queue.py
    kept: dict[str, float] = {}
    for backend in [options.backend] if options.backend else ["local"] if options.quick else ["local", "gcp"]:
        seed = options.seed if options.seed is not None else random.randrange(10**6)
        random.seed(seed)
        minutes = QUICK_MINUTES if options.quick else options.minutes
        print(f"{minutes:g} minutes on {backend}, {options.workers} workers, --seed {seed}", flush=True)
        lease_s = QUICK_LEASE_S if options.quick else LEASE_S[backend]
        found = measure(backend, minutes, lease_s, options.workers)
        kept |= {f"{backend}_{name}": value for name, value in found.items()}
    if options.json:
        options.json.write_text(json.dumps(kept))
    if faults := sum(value for name, value in kept.items() if name.endswith("_faults")):
        sys.exit(f"{faults:.0f} faults")


def measure(backend_name: str, minutes: float, lease_s: float, workers: int) -> dict[str, float]:
    """Run on one backend, look everything up and print; gives the figures."""
    with place(backend_name, lease_s) as (plan, backend):
        jobs, journal, crew = run(plan, backend, minutes, workers)
        figures, faults = examine(jobs, journal, backend)
    attacks = ", ".join(f"{count} times {what}" for what, count in crew.attacks.items())
    poison = len(jobs) - figures["good"]
    per_10000 = figures["duplicates"] / max(figures["good"], 1) * 10_000
    print(f"{len(jobs)} jobs, {poison} of them poison; {attacks}")
    print(f"{figures['done']} done, {figures['failed']} failed, {figures['lost']} lost")
    print(
        f"{figures['unlucky']} sound jobs killed three times, {figures['letters_beyond_one']} letters beyond one each"
    )
    print(f"{figures['duplicates']} hearings of sound jobs beyond one each: {per_10000:.0f} per 10,000")
    print("\n".join(faults[:50]) if faults else "every job is accounted for", flush=True)
    counts = {name: float(figures[name]) for name in ("done", "failed", "lost", "unlucky", "duplicates")}
    told = {"jobs": len(jobs), "poison": poison, "minutes": minutes, "attacks": crew.attacks.total()}
    return {**counts, **told, "duplicates_per_10000": per_10000, "faults": len(faults)}


if __name__ == "__main__":
    main()

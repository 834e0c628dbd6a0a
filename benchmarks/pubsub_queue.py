"""The queue alone: jobs put by the router, leased and acknowledged in one process, beside a bare loop.

The bare loop pulls a hundred messages with a unary call, acknowledges them with another, and looks at none.  Ours reads
and checks every job, and writes down before it gives them out that their tries began: one object for each pull, in

- ``gcs``: fake-gcs-server, as it is with the backend ``gcp``, on the same cores;
- ``gcs_256``: the same, with the most jobs a batch may have, hence 256 messages a pull;
- ``disk``: a folder on disk, synced;
- ``memory``: a folder in memory, which shows what the rest costs.

Every round has an emulator of its own, warmed up, for it never forgets a message and slows down over them.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from google.pubsub_v1.types import PubsubMessage

from benchmarks.scripted import job_of, upload_of
from earmark.clock import utc_now
from earmark.domain import Record, Upload
from earmark.ports import ObjectStore
from earmark.vocabulary import Lane
from earmark.wire import Letter
from router.lanes import load_rules
from router.router import Router
from runtime.gcp.admissions import Admissions
from runtime.gcp.clients import Clients
from runtime.gcp.messages import message_of
from runtime.gcp.names import Names
from runtime.gcp.object_store import GcsObjectStore
from runtime.gcp.pubsub_queue import PubSubQueue
from runtime.gcp.setup import make_queues
from runtime.gcp.tries import Tries
from runtime.local.object_store import LocalObjectStore

ROUNDS: Final = 7
JOBS: Final = 40_000
"""Of one round and contestant; seven rounds of them are ten seconds for the fastest."""
WARM_UP: Final = 20_000
PULL: Final = 100
PUT: Final = 500
LEASE_S: Final = 60.0
PULLS: Final = {"gcs": PULL, "gcs_256": 256, "disk": PULL, "memory": PULL}


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages a second, of one round."""

    put: float
    drained: float


class Lanes:
    """The low lane on a fresh emulator."""

    def __init__(self, clients: Clients, names: Names) -> None:
        """Make topics and subscriptions."""
        self._clients = clients
        self._names = names
        make_queues(clients, names, ack_deadline_s=int(LEASE_S))

    def queue(self, store: ObjectStore) -> PubSubQueue:
        """The lane, with its admissions in a store."""
        return PubSubQueue(
            Lane.LOW,
            publisher=self._clients.publisher,
            subscriber=self._clients.subscriber,
            topic=self._names.topic("low"),
            subscription=self._names.subscription("low"),
            dead_topic=self._names.topic("dead"),
            admissions=Admissions(store, Lane.LOW, worker="bench", clock=utc_now),
            tries=Tries(store, Lane.LOW),
            clock=utc_now,
            ack_deadline_s=LEASE_S,
        )

    def bare(self, messages: Sequence[PubsubMessage]) -> Rates:
        """Publish in batches, then pull and acknowledge until there is nothing more."""
        topic, subscription = self._names.topic("low"), self._names.subscription("low")
        began = time.monotonic()
        for first in range(0, len(messages), PUT):
            self._clients.publisher.publish(topic=topic, messages=list(messages[first : first + PUT]), retry=None)
        put_s, began, found = time.monotonic() - began, time.monotonic(), 0
        request = {"subscription": subscription, "max_messages": PULL, "return_immediately": True}
        while found < len(messages):
            received = self._clients.subscriber.pull(request=request, retry=None).received_messages
            if received:
                ids = [each.ack_id for each in received]
                self._clients.subscriber.acknowledge(subscription=subscription, ack_ids=ids, retry=None)
                found += len(ids)
        return Rates(len(messages) / put_s, found / (time.monotonic() - began))

    def ours(self, uploads: Sequence[Upload], store: ObjectStore, pull: int) -> Rates:
        """Route in batches, then lease and acknowledge until there is nothing more."""
        queue = self.queue(store)
        known: dict[str, Record] = {}
        router = Router(
            lanes={Lane.LOW: queue},
            find_record=lambda _, job: known.get(job),
            rules=load_rules(),
            pipeline="bench",
            clock=utc_now,
        )
        began = time.monotonic()
        for first in range(0, len(uploads), PUT):
            router.route(uploads[first : first + PUT])
        put_s, began, found = time.monotonic() - began, time.monotonic(), 0
        while found < len(uploads):
            leases = queue.lease(pull, LEASE_S)
            if lost := queue.ack(leases):
                message = f"{len(lost)} leases were lost"
                raise RuntimeError(message)
            found += len(leases)
        return Rates(len(uploads) / put_s, found / (time.monotonic() - began))


@contextmanager
def stores() -> Iterator[dict[str, ObjectStore]]:
    """Where admissions may be kept."""
    from tests.servers.storage import StorageServer  # noqa: PLC0415  # needs its package

    memory = Path("/dev/shm")  # noqa: S108  # a folder in memory on Linux; elsewhere the disk has to do
    with (
        StorageServer() as server,
        tempfile.TemporaryDirectory() as disk,
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as shared,
    ):
        os.environ |= server.environment
        client = Clients("test", "US").storage
        client.create_bucket("state")
        gcs = GcsObjectStore(client, "state")
        folders = {"disk": disk, "memory": shared}
        local = {name: LocalObjectStore(Path(folder), "state") for name, folder in folders.items()}
        yield {"gcs": gcs, "gcs_256": gcs, **local}


@contextmanager
def emulator() -> Iterator[Lanes]:
    """The low lane on an emulator that has just been started."""
    from tests.servers.pubsub import PubSubServer  # noqa: PLC0415  # needs its package

    server = PubSubServer()
    server.start()
    try:
        os.environ |= server.environment
        yield Lanes(Clients("test", "US"), Names("test", "bench"))
    finally:
        server.stop()


def measure_queue(*, quick: bool) -> dict[str, float]:
    """Measure and print; gives the figures."""
    rounds, jobs, warm_up = (1, 4000, 2000) if quick else (ROUNDS, JOBS, WARM_UP)
    uploads = [upload_of(f"good-{number}") for number in range(jobs)]
    template = job_of("good-0")
    message = message_of(Letter(template), template)
    messages = [message] * jobs
    found: dict[str, list[Rates]] = {name: [] for name in ("bare", *PULLS)}
    print(f"queue: {jobs} jobs of {len(message.data)} bytes a round, {PULL} a pull, put by {PUT}")
    with stores() as places:
        contests: dict[str, Callable[[Lanes], Rates]] = {"bare": lambda lanes: lanes.bare(messages)}
        for name, pull in PULLS.items():
            contests[name] = partial(Lanes.ours, uploads=uploads, store=places[name], pull=pull)
        for number in range(rounds):
            order = list(contests)[number % len(contests) :] + list(contests)[: number % len(contests)]
            with emulator() as lanes:
                lanes.bare(messages[:warm_up])
                for name in order:
                    found[name].append(contests[name](lanes))
            each = "   ".join(f"{name} {found[name][-1].drained:7,.0f}/s" for name in contests)
            print(f"round {number + 1}: drained {each}", flush=True)
    figures: dict[str, float] = {}
    for name, rates in found.items():
        figures[f"queue_{name}_per_s"] = statistics.median(each.drained for each in rates)
        figures[f"queue_{name}_put_per_s"] = statistics.median(each.put for each in rates)
        seconds = sum(jobs / each.drained for each in rates)
        ratios = [each.drained / bare.drained for each, bare in zip(rates, found["bare"], strict=True)]
        figures[f"queue_{name}_ratio"] = statistics.median(ratios)
        figures[f"queue_{name}_ratio_least"], figures[f"queue_{name}_ratio_most"] = min(ratios), max(ratios)
        put_ratios = [each.put / bare.put for each, bare in zip(rates, found["bare"], strict=True)]
        put_ratio = figures[f"queue_{name}_put_ratio"] = statistics.median(put_ratios)
        put_s, drained_s = figures[f"queue_{name}_put_per_s"], figures[f"queue_{name}_per_s"]
        print(
            f"median {name:7} put {put_s:7,.0f}/s ({put_ratio:.2f})   drained {drained_s:7,.0f}/s,"
            f" {statistics.median(ratios):.2f} of the bare loop ({min(ratios):.2f} to {max(ratios):.2f}),"
            f" {seconds:.0f} s in all"
        )
    return figures

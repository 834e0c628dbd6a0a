"""Celery and Dramatiq on Redis, with two workers and two priorities, as peers of the lanes.

Celery: one queue with priority steps, acknowledged late, one message fetched ahead, two workers of one process each.
Dramatiq: a queue for each priority, two workers of one thread each.  Redis keeps everything in memory here; Earmark's
local queue syncs every put and every acknowledgement to the disk.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.scripted import SPAWN, end_all

START_S = 20.0
HIGHEST, LOWEST = 0, 9
"""Priorities of Celery on Redis, where less is more."""
Send = Callable[[str, bool], None]
"""Queues a word, urgent or not."""


@contextmanager
def redis_server() -> Iterator[str | None]:
    """The address of a Redis of our own; None where none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "redis"
        command = [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            ends = time.monotonic() + START_S
            while not socket.exists() and time.monotonic() < ends:
                time.sleep(0.02)
            yield str(socket)
        finally:
            process.terminate()
            process.wait()


def hear(journal: Path, word: str, predict_s: float) -> None:
    """What the scripted model does."""
    with journal.open("ab", buffering=0) as file:
        file.write(f"{time.monotonic():.6f} {word} {word}\n".encode())
    time.sleep(predict_s)


def _celery(socket: str, journal: Path, predict_s: float) -> tuple[Any, Any]:
    from celery import Celery  # noqa: PLC0415  # a peer, installed for benchmarks only

    app = Celery("peer", broker=f"redis+socket://{socket}?virtual_host=0")
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "priority_steps": [HIGHEST, LOWEST],
            "queue_order_strategy": "priority",
            "sep": ":",
        },
    )

    def task(word: str) -> None:
        hear(journal, word, predict_s)

    return app, app.task(task, name="hear")


def celery_worker(socket: str, journal: Path, predict_s: float) -> None:
    """One Celery worker of one process, without its banner."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")  # that it runs as root, where it does
    app, _ = _celery(socket, journal, predict_s)
    name = f"--hostname=peer{os.getpid()}@here"
    flags = ["--without-mingle", "--without-gossip", "--without-heartbeat"]
    app.worker_main(["worker", "--concurrency=1", "--loglevel=error", name, *flags])


def celery_sender(socket: str, journal: Path) -> Send:
    """What queues words for Celery."""
    _, task = _celery(socket, journal, 0.0)
    return lambda word, urgent: task.apply_async((word,), priority=HIGHEST if urgent else LOWEST)


def _dramatiq(socket: str, journal: Path, predict_s: float) -> tuple[Any, dict[bool, Any]]:
    import dramatiq  # noqa: PLC0415  # a peer, installed for benchmarks only
    import redis  # noqa: PLC0415
    from dramatiq.brokers.redis import RedisBroker  # noqa: PLC0415

    broker = RedisBroker(client=redis.Redis(unix_socket_path=socket, db=1), middleware=[])

    def task(word: str) -> None:
        hear(journal, word, predict_s)

    actors = {
        urgent: dramatiq.Actor(
            task,
            broker=broker,
            actor_name="high" if urgent else "low",
            queue_name="high" if urgent else "low",
            priority=HIGHEST if urgent else LOWEST,
            options={},
        )
        for urgent in (True, False)
    }
    return broker, actors


def dramatiq_worker(socket: str, journal: Path, predict_s: float) -> None:
    """One Dramatiq worker of one thread."""
    from dramatiq import Worker  # noqa: PLC0415  # a peer, installed for benchmarks only

    os.environ["dramatiq_queue_prefetch"] = "1"  # noqa: SIM112  # its own spelling
    broker, _ = _dramatiq(socket, journal, predict_s)
    Worker(broker, worker_threads=1).start()
    threading.Event().wait()


def dramatiq_sender(socket: str, journal: Path) -> Send:
    """What queues words for Dramatiq."""
    _, actors = _dramatiq(socket, journal, 0.0)
    return lambda word, urgent: actors[urgent].send(word)


PEERS: dict[str, tuple[Callable[[str, Path, float], None], Callable[[str, Path], Send]]] = {
    "celery": (celery_worker, celery_sender),
    "dramatiq": (dramatiq_worker, dramatiq_sender),
}


@contextmanager
def peer_workers(name: str, socket: str, journal: Path, predict_s: float, count: int) -> Iterator[Send]:
    """Workers of a peer; gives what queues words for them."""
    worker, sender = PEERS[name]
    processes = [SPAWN.Process(target=worker, args=(socket, journal, predict_s)) for _ in range(count)]
    try:
        send = sender(socket, journal)
        for process in processes:
            process.start()
        yield send
    finally:
        end_all(processes)


def missing(socket: str | None) -> list[str]:
    """What keeps the peers from being measured here."""
    from importlib.util import find_spec  # noqa: PLC0415

    absent = [name for name in ("celery", "dramatiq", "redis") if find_spec(name) is None]
    if socket is None:
        absent.append("redis-server")
    if absent:
        sys.stderr.write(f"Not measured here, for want of {', '.join(absent)}: Celery and Dramatiq\n")
    return absent

"""Several processes at once on one data folder, and processes killed at any moment."""

import contextlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from earmark.domain import Lease
from earmark.errors import ObjectMissing, PreconditionFailed
from earmark.rows import LabelRow
from runtime.local.object_store import LocalObjectStore
from runtime.local.queue import LocalQueue
from runtime.local.warehouse import LocalWarehouse
from tests.making import make_failure, make_job

AT = datetime(2026, 1, 1, tzinfo=UTC)
LEASE_S = 3600.0

Task = Callable[[Path, Connection], None]


@contextlib.contextmanager
def running(task: Task, folder: Path) -> Iterator[tuple[BaseProcess, Connection]]:
    """A process of its own that runs the task; killed at the end if it is still there."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=task, args=(folder, there), daemon=True)
    process.start()
    there.close()
    try:
        yield process, here
    finally:
        process.kill()
        process.join()
        here.close()


def told(connection: Connection) -> Iterator[object]:
    """Everything a process says until it ends, also if that is in the middle of a word."""
    with contextlib.suppress(EOFError, ConnectionResetError):
        while True:
            yield connection.recv()


def jobs_said(word: str, messages: Iterable[object]) -> list[str]:
    """The ids of the jobs of which a process said a word."""
    return [job for message in messages if isinstance(message, tuple) and message[0] == word for job in message[1]]


def queue_of(folder: Path, name: str = "low") -> LocalQueue:
    """The queue all processes share."""
    return LocalQueue(folder / "queues.sqlite", name, worker=str(os.getpid()), synchronous="NORMAL")


def put_on(folder: Path, say: Connection) -> None:
    """Put batches of jobs for ever; say each number once it is acknowledged."""
    queue, number = queue_of(folder), 0
    while True:
        batch = range(number, number + 3)
        assert queue.put([make_job(f"put {each}") for each in batch]) == 3
        say.send(list(batch))
        number += 3


def drain(folder: Path, say: Connection) -> None:
    """Hold one batch, wait for the word, then drain; say the ids once leased and once acknowledged."""
    queue = queue_of(folder)
    leases = queue.lease(7, LEASE_S)
    say.send("ready")
    say.recv()
    while leases:
        ids = [lease.job.id for lease in leases]
        say.send(("leased", ids))
        assert queue.ack(leases) == []
        say.send(("acked", ids))
        leases = queue.lease(7, LEASE_S)
    say.close()


def bury_on(folder: Path, say: Connection) -> None:
    """Lease jobs and bury them, one by one."""
    queue = queue_of(folder)
    for lease in queue.lease(1000, LEASE_S):
        assert queue.bury(lease, make_failure())
        say.send(lease.job.id)


def append_on(folder: Path, say: Connection) -> None:
    """Append rows for ever, in batches."""
    warehouse, number = LocalWarehouse(folder / "warehouse.sqlite", synchronous="NORMAL"), 0
    while True:
        number += 1
        warehouse.append([label_row(f"{number} {part}") for part in range(20)])
        say.send(number)


def write_on(folder: Path, say: Connection) -> None:
    """Write one object again and again, each time wholly of one letter."""
    store, number = LocalObjectStore(folder, "results"), 0
    while True:
        number += 1
        letter = b"%d" % (number % 10)
        store.write("a/b.txt", letter * 200_000, content_type="text/plain")
        say.send(number)


def add_up(folder: Path, say: Connection) -> None:
    """Add one to a number in an object, 25 times, against others who do the same."""
    store = LocalObjectStore(folder, "results")
    for _ in range(25):
        while True:
            with contextlib.suppress(PreconditionFailed, ObjectMissing):  # the other one was faster
                info = store.stat("sum.txt")
                before = int(b"".join(store.read("sum.txt", generation=info.generation))) if info else 0
                store.write(
                    "sum.txt",
                    str(before + 1).encode(),
                    content_type="text/plain",
                    if_generation=info.generation if info else 0,
                )
                break
    say.send("done")


def label_row(value: str) -> LabelRow:
    """A row about one label."""
    return LabelRow(
        row_id=value, tenant="acme", at=AT, job_id="j", field="tags", value=value, confidence=None, score=None
    )


def leases_of(queue: LocalQueue) -> list[Lease]:
    """Everything that is due now."""
    return queue.lease(100_000, LEASE_S)


def kill_after(process: BaseProcess, messages: Iterator[object], count: int) -> list[object]:
    """Let a process say a number of things, kill it some moment later, and return all it ever said."""
    said = [next(messages) for _ in range(count)]
    time.sleep(random.uniform(0, 0.005))  # somewhere inside the next step
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return said + list(messages)


@pytest.mark.parametrize("count", [1, 5, 40])
def test_acknowledged_puts_survive_a_kill(tmp_path: Path, count: int) -> None:
    """Every batch whose ``put`` returned is there, and of the one under way all or nothing."""
    with running(put_on, tmp_path) as (process, say):
        said = kill_after(process, told(say), count)
    numbers = {number for batch in said for number in batch}  # type: ignore[attr-defined]
    found = {lease.job.id for lease in leases_of(queue_of(tmp_path))}
    assert {make_job(f"put {number}").id for number in numbers} <= found
    assert len(found) - len(numbers) in {0, 3}


@pytest.mark.parametrize("count", [2, 7, 20])
def test_a_killed_worker_loses_and_repeats_nothing(tmp_path: Path, count: int) -> None:
    """What it acknowledged never comes back; what it held or never had comes when its leases run out."""
    jobs = [make_job(f"drain {number}") for number in range(140)]
    queue = queue_of(tmp_path)
    queue.put(jobs)
    with running(drain, tmp_path) as (process, say):
        assert say.recv() == "ready"
        say.send("go")
        said = kill_after(process, told(say), count)
    acked, leased = set(jobs_said("acked", said)), set(jobs_said("leased", said))
    waiting = {lease.job.id for lease in leases_of(queue)}
    depth = queue.depth()
    held = depth.leased - len(waiting)
    assert not waiting & leased
    assert held in {0, 7}
    assert len(waiting) + held + len(acked) in {len(jobs), len(jobs) - 7}


def test_a_killed_worker_buries_wholly(tmp_path: Path) -> None:
    """A job is in its lane or dead, never both and never neither."""
    jobs = [make_job(f"bury {number}") for number in range(60)]
    low, dead = queue_of(tmp_path), queue_of(tmp_path, "dead")
    low.put(jobs)
    with running(bury_on, tmp_path) as (process, say):
        said = kill_after(process, told(say), 20)
    buried = {lease.job.id for lease in leases_of(dead)}
    assert set(said) <= buried
    assert len(buried) + low.depth().leased == len(jobs)


def test_two_workers_never_share_a_job(tmp_path: Path) -> None:
    """Two processes that drain one queue at the same time have no job in common and leave none."""
    jobs = [make_job(f"share {number}") for number in range(400)]
    queue = queue_of(tmp_path)
    queue.put(jobs)
    with running(drain, tmp_path) as (_, one), running(drain, tmp_path) as (_, two):
        for say in (one, two):
            assert say.recv() == "ready"
        for say in (one, two):
            say.send("go")
        taken = [jobs_said("acked", told(say)) for say in (one, two)]
    assert sorted(taken[0] + taken[1]) == sorted(job.id for job in jobs)
    assert all(taken)
    assert queue.depth().leased == 0


def test_reports_go_on_during_heavy_writes(tmp_path: Path) -> None:
    """A report beside a process that never stops writing never fails, and sees whole batches only."""
    warehouse = LocalWarehouse(tmp_path / "warehouse.sqlite", synchronous="NORMAL")
    with running(append_on, tmp_path) as (process, say):
        messages = told(say)
        next(messages)
        counts = []
        for _ in range(60):
            counts.append(len(warehouse.query("labels_by_field")))
            warehouse.append([label_row("mine")])
        said = kill_after(process, messages, 1)
    assert counts == sorted(counts)
    assert {count % 20 for count in counts} <= {0, 1}
    assert counts[-1] > counts[0]
    assert len(warehouse.query("labels_by_field")) >= 20 * len(said)


def test_depth_is_known_during_heavy_writes(tmp_path: Path) -> None:
    """Asking how full a queue is never fails while another process puts without end."""
    queue = queue_of(tmp_path)
    with running(put_on, tmp_path) as (_, say):
        say.recv()
        waiting = [queue.depth().waiting for _ in range(200)]
    assert waiting == sorted(waiting)
    assert all(count % 3 == 0 for count in waiting)


def test_a_killed_writer_leaves_whole_objects(tmp_path: Path) -> None:
    """A reader in another process sees whole objects all along; the half-written one goes at the next start."""
    with running(write_on, tmp_path) as (process, say):
        messages = told(say)
        next(messages)
        store = LocalObjectStore(tmp_path, "results")
        for _ in range(30):
            content = b"".join(store.read("a/b.txt"))
            assert len(content) == 200_000
            assert len(set(content)) == 1
        kill_after(process, messages, 1)
    reopened = LocalObjectStore(tmp_path, "results")
    assert list((tmp_path / ".earmark" / "results" / "new").iterdir()) == []
    assert [info.size_bytes for info in reopened.scan()] == [200_000]


def test_processes_take_turns_at_one_object(tmp_path: Path) -> None:
    """Preconditions hold between processes: two that add to one number lose no addition."""
    with running(add_up, tmp_path) as (_, one), running(add_up, tmp_path) as (_, two):
        assert (one.recv(), two.recv()) == ("done", "done")
    assert b"".join(LocalObjectStore(tmp_path, "results").read("sum.txt")) == b"50"

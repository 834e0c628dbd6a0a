"""What the SQLite adapters add to the contracts: errors, waits, sharing."""

import inspect
import multiprocessing
import multiprocessing.process
import sqlite3
import threading
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError, EarmarkError, Unavailable
from runtime.local.database import VENDOR_ERRORS, Database
from runtime.local.queue import LocalQueue
from tests.making import make_job


def nothing(_: Database) -> None:
    """Prepare no tables."""


def counting(database: Database) -> None:
    """Prepare a table with one number."""
    database.write(lambda c: c.execute("CREATE TABLE IF NOT EXISTS counts (n INTEGER)"))
    database.write(lambda c: c.execute("INSERT INTO counts SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counts)"))


def count_up(path: Path, times: int) -> None:
    """Add one again and again, by reading and writing in one transaction."""
    database = Database(path, counting, synchronous="NORMAL")

    def work(connection: sqlite3.Connection) -> None:
        (number,) = connection.execute("SELECT n FROM counts").fetchone()
        connection.execute("UPDATE counts SET n = ?", (number + 1,))

    for _ in range(times):
        database.write(work)


def test_every_vendor_error_is_mapped() -> None:
    """When ``sqlite3`` grows an exception class, somebody must decide what it means."""
    vendor = {kind for _, kind in inspect.getmembers(sqlite3, inspect.isclass) if issubclass(kind, Exception)}
    assert vendor == set(VENDOR_ERRORS)
    assert all(issubclass(ours, EarmarkError) for ours in VENDOR_ERRORS.values())


@pytest.mark.parametrize("vendor", VENDOR_ERRORS, ids=lambda kind: kind.__name__)
def test_no_vendor_error_gets_out(tmp_path: Path, vendor: type[Exception]) -> None:
    """Whatever SQLite raises inside a transaction comes out as one of our errors and leaves nothing behind."""
    database = Database(tmp_path / "d.sqlite", counting)

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE counts SET n = 7")
        message = "on purpose"
        raise vendor(message)

    with pytest.raises(VENDOR_ERRORS[vendor], match=r"d\.sqlite failed: on purpose"):
        database.write(work)
    assert database.read(lambda c: c.execute("SELECT n FROM counts").fetchone()) == (0,)


def test_wait_is_bounded(tmp_path: Path) -> None:
    """Somebody who holds the database too long makes others fail, cleanly, and only until they let go."""
    path = tmp_path / "d.sqlite"
    database = Database(path, counting, wait_s=0.05)
    hog = sqlite3.connect(path, isolation_level=None)
    hog.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        database.write(lambda c: c.execute("UPDATE counts SET n = 1"))
    assert database.read(lambda c: c.execute("SELECT n FROM counts").fetchone()) == (0,)
    hog.close()
    database.write(lambda c: c.execute("UPDATE counts SET n = 1"))
    database.close()


def test_waits_for_its_turn(tmp_path: Path) -> None:
    """A writer that finds another at work waits, and then does its work."""
    path = tmp_path / "d.sqlite"
    database = Database(path, counting)
    hog = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    hog.execute("BEGIN IMMEDIATE")
    letting_go = threading.Timer(0.05, hog.close)
    letting_go.start()
    database.write(lambda c: c.execute("UPDATE counts SET n = 1"))
    letting_go.join()
    assert database.read(lambda c: c.execute("SELECT n FROM counts").fetchone()) == (1,)


def test_turns_are_whole(tmp_path: Path) -> None:
    """Three processes and two threads that read, add one and write lose no count, first opening included."""
    path = tmp_path / "d.sqlite"
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=count_up, args=(path, 60)) for _ in range(3)]
    threads = [threading.Thread(target=count_up, args=(path, 60)) for _ in range(2)]
    workers: list[multiprocessing.process.BaseProcess | threading.Thread] = [*processes, *threads]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    database = Database(path, counting)
    assert database.read(lambda c: c.execute("SELECT n FROM counts").fetchone()) == (300,)
    assert [process.exitcode for process in processes] == [0, 0, 0]


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    """An error of the caller's own passes through, and what was done before it is undone."""
    database = Database(tmp_path / "d.sqlite", counting)

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE counts SET n = 7")
        message = "ours"
        raise KeyError(message)

    with pytest.raises(KeyError, match="ours"):
        database.write(work)
    assert database.read(lambda c: c.execute("SELECT n FROM counts").fetchone()) == (0,)


def test_a_child_takes_no_connection_along(tmp_path: Path) -> None:
    """A forked child opens its own connection: SQLite's break when used on both sides of a fork."""
    database = Database(tmp_path / "d.sqlite", counting)
    (mine,) = database._idle
    database._owner -= 1  # as a child finds it
    assert database.read(lambda c: c.execute("SELECT n FROM counts").fetchone()) == (0,)
    assert mine not in database._idle
    assert mine.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
def test_synchronous_is_set(tmp_path: Path, synchronous: str) -> None:
    """Every connection has the setting that makes its commits durable."""
    database = Database(tmp_path / "d.sqlite", nothing, synchronous=synchronous)  # type: ignore[arg-type]
    level = database.read(lambda c: c.execute("PRAGMA synchronous").fetchone()[0])
    assert level == {"FULL": 2, "NORMAL": 1}[synchronous]
    assert database.read(lambda c: c.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"


def test_the_default_syncs_every_commit(tmp_path: Path) -> None:
    """What a queue acknowledged survives a power cut unless somebody chose otherwise."""
    queue = LocalQueue(tmp_path / "q.sqlite", "low")
    assert queue._database.read(lambda c: c.execute("PRAGMA synchronous").fetchone()[0]) == 2


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """A file of another kind is a mistake to mend, not a fault to wait for; it is left as it is."""
    path = tmp_path / "d.sqlite"
    path.write_bytes(b"my diary" * 1000)
    with pytest.raises(ConfigurationError, match=r"d\.sqlite"):
        LocalQueue(path, "low")
    assert path.read_bytes() == b"my diary" * 1000


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file where the folder should be makes the queue unavailable, by name."""
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="file"):
        LocalQueue(tmp_path / "file" / "q.sqlite", "low")


def test_use_after_close(tmp_path: Path) -> None:
    """A closed queue is unavailable; closing twice is fine."""
    queue = LocalQueue(tmp_path / "q.sqlite", "low")
    queue.close()
    queue.close()
    with pytest.raises(Unavailable, match="closed"):
        queue.put([make_job()])


def test_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python whose SQLite lacks what we need says so at start."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 0))
    with pytest.raises(ConfigurationError, match="too old"):
        LocalQueue(tmp_path / "q.sqlite", "low")

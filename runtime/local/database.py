"""``Database``: one SQLite file that several threads and processes use at once.

Write-ahead logging lets readers go on while somebody writes; writers take turns.  Every turn is one ``BEGIN
IMMEDIATE`` transaction, so nobody finds out half way that another was first, and every wait for a turn is
bounded and jittered.  A transaction counts as done when ``COMMIT`` returned: with ``synchronous`` FULL the
log was then synced to the disk and survives a power cut, with NORMAL it survives a crash of any process.
"""

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, TypeVar

from earmark.errors import ConfigurationError, EarmarkError, Unavailable

Synchronous = Literal["FULL", "NORMAL"]
Result = TypeVar("Result")

OLDEST_SQLITE: Final = (3, 38, 0)
"""Has STRICT tables (3.37) and the JSON functions built in (3.38)."""
WAIT_S: Final = 30.0
"""Seconds to wait for a turn before the database counts as unavailable."""
_FIRST_PAUSE_S: Final = 0.0002
_LONGEST_PAUSE_S: Final = 0.02
_CACHE_KIB: Final = 8192
_CHECKPOINT_PAGES: Final = 4000
"""Pages in the log (of 4 KiB each) after which a commit also moves them into the main file."""

VENDOR_ERRORS: Final[dict[type[Exception], type[EarmarkError]]] = {
    sqlite3.Warning: Unavailable,
    sqlite3.Error: Unavailable,
    sqlite3.InterfaceError: Unavailable,
    sqlite3.DatabaseError: ConfigurationError,  # raised as itself only for a damaged file or one of another kind
    sqlite3.OperationalError: Unavailable,  # locked, disk full, I/O error, cannot open
    sqlite3.InternalError: Unavailable,
    sqlite3.DataError: ConfigurationError,
    sqlite3.IntegrityError: ConfigurationError,
    sqlite3.ProgrammingError: Unavailable,  # above all: used after close
    sqlite3.NotSupportedError: ConfigurationError,
}
"""What each exception class of ``sqlite3`` becomes."""

_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_WRONG_SQL: Final = sqlite3.SQLITE_ERROR
_inherited: list[sqlite3.Connection] = []
"""Connections of a parent process, kept from the garbage collector: closing them here could harm its files."""


def translated(error: sqlite3.Error | sqlite3.Warning, path: Path) -> EarmarkError:
    """The error of ours that a vendor error means."""
    meaning = VENDOR_ERRORS.get(type(error), Unavailable)
    if _code(error) == _WRONG_SQL:
        meaning = ConfigurationError  # a missing table or column does not come by waiting
    return meaning(f"The database {path} failed: {error}")


def _code(error: Exception) -> int | None:
    """SQLite's primary result code, which the lowest byte of the extended one holds."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


class Database:
    """Runs transactions; keeps one open connection for each that runs at the same time."""

    def __init__(
        self,
        path: Path,
        prepare: Callable[["Database"], None],
        *,
        synchronous: Synchronous = "FULL",
        wait_s: float = WAIT_S,
        late: bool = False,
    ) -> None:
        """Open or create the file, and let ``prepare`` bring its tables up to date; with ``late``, at its first use.

        Raises (or its first use does):
            Unavailable: the file cannot be opened or written.
            ConfigurationError: the file is no SQLite database, or SQLite is too old.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            needed = ".".join(map(str, OLDEST_SQLITE))
            message = f"SQLite {sqlite3.sqlite_version} is too old; install a Python with SQLite {needed} or newer."
            raise ConfigurationError(message)
        self.path = path.absolute()
        self._synchronous = synchronous
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._owner = os.getpid()
        self._closed = False
        self._prepare, self._preparing = prepare, threading.RLock()
        self._prepared = self._under_way = False
        if not late:
            self._make_ready()

    def _make_ready(self) -> None:
        """Prepare the file unless that was done; what fails is tried again at the next use."""
        with self._preparing:
            if self._prepared or self._under_way:  # under way: ``prepare`` itself asks; other threads wait at the lock
                return
            self._under_way = True
            try:
                self._open_folder()
                self._prepare(self)
                self._prepared = True
            finally:
                self._under_way = False

    def _open_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"Cannot make the folder {self.path.parent}: {error.strerror}"
            raise Unavailable(message) from error

    def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run ``work`` on one unchanging state of the database; it may be run again and must write nothing."""
        return self._run("BEGIN", work)

    def write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run ``work`` alone and commit all it did or nothing; it may be run again after a failed attempt.

        Raises:
            Unavailable: no turn came within the wait, or the disk failed.
        """
        return self._run("BEGIN IMMEDIATE", work)

    def stream(
        self, begin: Callable[[sqlite3.Connection], Iterable[tuple[object, ...]]]
    ) -> Iterator[tuple[object, ...]]:
        """The rows that ``begin`` finds in one unchanging state, given one after another; memory stays flat.

        ``begin`` writes nothing but temporary tables, which are files without a name.  A connection is held until the
        last row was given or the iterator is closed; writers go on meanwhile.

        Raises:
            Unavailable: the file cannot be read.
        """
        connection = self._run("BEGIN", lambda _: self._open())
        try:
            connection.execute("PRAGMA temp_store=FILE")  # a sort may be larger than the memory
            connection.execute("BEGIN")
            yield from begin(connection)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise translated(error, self.path) from error
        finally:
            connection.close()

    def close(self) -> None:
        """Close the idle connections; later use raises ``Unavailable``."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        """Close what the garbage collector would, but never a parent's connections in a child."""
        if getattr(self, "_owner", None) == os.getpid():
            self.close()

    def _run(self, begin: str, work: Callable[[sqlite3.Connection], Result]) -> Result:
        if not self._prepared:
            self._make_ready()
        deadline, pause_s = time.monotonic() + self._wait_s, _FIRST_PAUSE_S
        while True:
            try:
                with self._connection() as connection:
                    connection.execute(begin)
                    try:
                        result = work(connection)
                        connection.execute("COMMIT")
                    except BaseException:
                        if connection.in_transaction:
                            connection.execute("ROLLBACK")
                        raise
                    return result
            except (sqlite3.Error, sqlite3.Warning) as error:
                if _code(error) not in _BUSY or time.monotonic() >= deadline:
                    raise translated(error, self.path) from error
            time.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311  # jitter, no secret
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection nobody else uses; one that failed is closed, not used again."""
        connection = self._take()
        try:
            yield connection
        except BaseException as error:
            if _code_allows_reuse(error) and not connection.in_transaction:
                self._give(connection)
            else:
                connection.close()
            raise
        self._give(connection)

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                message = "it was closed"
                raise sqlite3.ProgrammingError(message)
            if self._owner != os.getpid():
                _inherited.extend(self._idle)
                self._idle, self._owner = [], os.getpid()
            if self._idle:
                return self._idle.pop()
        return self._open()

    def _give(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _open(self) -> sqlite3.Connection:
        # Ours is the only waiting: SQLite's own busy handler neither jitters nor wakes within a millisecond.
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
            connection.execute("PRAGMA temp_store=MEMORY")
        except BaseException:
            connection.close()
            raise
        return connection


def _code_allows_reuse(error: BaseException) -> bool:
    """Whether the connection is sound after this error: it only had to wait, or the error is not SQLite's."""
    return not isinstance(error, sqlite3.Error | sqlite3.Warning) or _code(error) in _BUSY

"""``SeenContents``: which contents a batch has had, on disk, so that memory stays flat however many there are."""

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from earmark.errors import Unavailable

_CACHE_KIB: Final = 2048


class SeenContents:
    """The first entry of each job of one batch; its file has no name and goes with it."""

    def __init__(self) -> None:
        """Make the file, in the folder for temporary ones."""
        self._lock = threading.Lock()
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("PRAGMA journal_mode=OFF")
        self._connection.execute("CREATE TABLE seen (job BLOB PRIMARY KEY, entry INTEGER NOT NULL) WITHOUT ROWID")

    def add(self, entries: Iterable[tuple[str, int]]) -> None:
        """Take ids of jobs and the numbers of their entries; the lowest number of each counts.

        Raises:
            Unavailable: there is no room on the disk.
        """
        rows = [(bytes.fromhex(job), entry) for job, entry in entries]
        try:
            with self._lock:
                self._connection.executemany(
                    "INSERT INTO seen VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET entry = min(entry, excluded.entry)",
                    rows,
                )
        except sqlite3.Error as error:
            message = f"No room for a temporary file: {error}"
            raise Unavailable(message) from error

    def first(self, jobs: Sequence[str]) -> Mapping[str, int]:
        """The number of the first entry of each of these jobs that was taken."""
        select = "SELECT entry FROM seen WHERE job = ?"
        with self._lock:
            found = {job: self._connection.execute(select, (bytes.fromhex(job),)).fetchone() for job in jobs}
        return {job: row[0] for job, row in found.items() if row}

    def close(self) -> None:
        """Remove the file."""
        with self._lock:
            self._connection.close()

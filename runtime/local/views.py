"""``LocalViews``: the views of ``earmark/views`` in a SQLite file, and the roll-ups that make them quick.

They are made by the first query that reads one, so that whoever runs no experiment pays nothing for them, and anew
after a change of their text.  From then on the file holds them for every reader; those that compute buckets need
functions that only this program gives.
"""

import hashlib
import logging
import math
import os
import sqlite3
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Final

from earmark import view
from earmark.errors import Unavailable
from earmark.log import event
from earmark.view import View, sources, views_over
from runtime.local import rollups
from runtime.local.database import Database
from runtime.local.rollups import (
    ROLLED_UP,
    ChangedHour,
    RollUp,
    changed_hours,
    hour_rows,
    hour_text,
    keep_hour,
    roll_up_of,
)

_log = logging.getLogger(__name__)

THREADS_MAX: Final = 4
"""Of a query that rolls up; each needs some megabytes."""
WAIT_S: Final = 2.0
"""How long a finished hour waits to be kept; it can be computed again."""
_DIGEST: Final = "view_definitions"


class LocalViews:
    """The views of one database; safe to use from several threads and processes."""

    def __init__(self, path: Path, tables: Collection[str], *, folder: Path = view.SHIPPED, wait_s: float) -> None:
        """Touch nothing yet.

        Args:
            path: the database of the warehouse.
            tables: what it holds; a view that reads anything else is left out.
            folder: of the views.
            wait_s: seconds to wait for a turn to make the views.
        """
        self._tables = frozenset(tables)
        self._folder = folder
        self._path = path
        self._wait_s = wait_s
        self._ready = False

    def reads_views(self, sql: str) -> bool:
        """Whether a query reads any."""
        return not self._views.keys().isdisjoint(sources(sql))

    def make(self) -> None:
        """Make the views if they are missing or of another version.

        Raises:
            Unavailable: no turn to write came within the wait.
        """
        if self._ready:
            return
        database = Database(self._path, _prepare_nothing, synchronous="NORMAL", wait_s=self._wait_s)
        try:
            if not database.read(self._is_made):
                roll_ups = self._roll_ups  # computed before the turn begins
                database.write(lambda connection: self._is_made(connection) or self._make(connection, roll_ups))
        finally:
            database.close()
        self._ready = True

    def roll_up(self, *, limit_s: float, before: datetime) -> int:
        """Keep the hours before the one of this moment that changed, the longest past first; returns how many.

        Args:
            limit_s: seconds after which no further hour is begun; one is always tried.
            before: of its hour, and of later ones, nothing is kept: more is to come.

        Raises:
            Unavailable: no turn to write came within two seconds.
        """
        self.make()
        ends = time.monotonic() + limit_s
        done = 0
        for changed in self._changed(hour_text(before)):
            done += self._roll_hour(changed)
            if time.monotonic() >= ends:
                break
        return done

    def catch_up(self) -> None:
        """Keep all hours that changed, so that a query has few rows to read; one that cannot be kept is no harm.

        Uses several cores, for after an import there may be a month to do, and somebody waits for the answer.
        """
        self.make()
        changed = self._changed(None)
        pool = ThreadPoolExecutor(max(1, min(len(changed), THREADS_MAX, len(os.sched_getaffinity(0)))))
        try:
            for _ in pool.map(self._roll_hour, changed):
                pass
        except Unavailable as error:
            event(_log, "roll_up.postponed", level=logging.DEBUG, error=str(error))
        finally:
            pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Close the file."""
        if "_rolling_database" in self.__dict__:
            self._rolling_database.close()

    def _changed(self, before: str | None) -> list[ChangedHour]:
        return self._rolling_database.read(lambda connection: changed_hours(connection, before))

    def _roll_hour(self, changed: ChangedHour) -> bool:
        roll_ups = self._roll_ups

        def compute(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]] | None:
            add_functions(connection)
            spill(connection)
            return hour_rows(connection, changed, roll_ups) if self._is_made(connection) else None

        rows = self._rolling_database.read(compute)
        if rows is None:
            return False
        return self._rolling_database.write(
            lambda connection: self._is_made(connection) and keep_hour(connection, changed, rows, roll_ups)
        )

    @cached_property
    def _rolling_database(self) -> Database:
        """Connections of its own: what is lost in a power cut is computed again, and a report waits for no writer."""
        return Database(self._path, _prepare_nothing, synchronous="NORMAL", wait_s=min(WAIT_S, self._wait_s))

    @cached_property
    def _views(self) -> dict[str, View]:
        return views_over(self._tables, self._folder)

    @cached_property
    def _digest(self) -> str:
        """Of all that the views are made from."""
        text = "\n".join(f"{name}\n{each.sql}" for name, each in self._views.items())
        return hashlib.sha256(f"{rollups.VERSION}\n{text}".encode()).hexdigest()

    @cached_property
    def _roll_ups(self) -> list[RollUp]:
        from runtime.local.dialect import to_sqlite  # noqa: PLC0415  # sqlglot takes a tenth of a second

        return [roll_up_of(self._views[name], to_sqlite) for name in ROLLED_UP if name in self._views]

    def _is_made(self, connection: sqlite3.Connection) -> bool:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [_DIGEST]).fetchone()
        found = known and connection.execute(f"SELECT digest FROM {_DIGEST}").fetchone()  # noqa: S608  # the name is ours
        return bool(found) and found[0] == self._digest

    def _make(self, connection: sqlite3.Connection, roll_ups: list[RollUp]) -> bool:
        from runtime.local.dialect import to_sqlite  # noqa: PLC0415  # same

        for name in reversed(self._views):
            connection.execute(f'DROP VIEW IF EXISTS "{name}"')
        rollups.prepare(connection, roll_ups)
        rolled_up = {each.name: each.view_sql for each in roll_ups}
        for name, each in self._views.items():
            connection.execute(f'CREATE VIEW "{name}" AS {rolled_up.get(name) or to_sqlite(each.sql)}')
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_DIGEST} (digest TEXT NOT NULL) STRICT")
        connection.execute(f"DELETE FROM {_DIGEST}")  # noqa: S608  # the name is ours
        connection.execute(f"INSERT INTO {_DIGEST} VALUES (?)", [self._digest])  # noqa: S608  # same
        return True


def add_functions(connection: sqlite3.Connection) -> None:
    """The functions that views and queries use and SQLite lacks."""
    connection.create_function("SHA256", 1, _sha256, deterministic=True)
    connection.create_function("HEX_NUMBER", 1, _hex_number, deterministic=True)
    if not _has_mathematics():
        connection.create_function("LN", 1, math.log, deterministic=True)
        connection.create_function("FLOOR", 1, math.floor, deterministic=True)


def spill(connection: sqlite3.Connection) -> None:
    """Let large sorts go to a file, not to memory."""
    connection.execute("PRAGMA temp_store=FILE")


@cache
def _has_mathematics() -> bool:
    """Whether SQLite was built with its mathematical functions."""
    try:
        sqlite3.connect(":memory:").execute("SELECT LN(1.0), FLOOR(1.0)").close()
    except sqlite3.OperationalError:
        return False
    return True


def _sha256(text: str | None) -> bytes | None:
    return None if text is None else hashlib.sha256(text.encode()).digest()


def _hex_number(text: str | None) -> int | None:
    return None if text is None else int(text, 16)


def _prepare_nothing(_: Database) -> None:
    """The warehouse has made its tables."""

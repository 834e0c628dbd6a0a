"""``LocalWarehouse``: rows for analysts in a SQLite file, one table for each row type.

A row's id is the table's primary key, so a table holds each row once and needs no view to say so.  Times are
text of fixed width in UTC, which sorts as time does.  Queries run on connections that cannot write and read
the state of one moment, so that a long report and the workers do not wait for each other.  Queries and views are
BigQuery's, turned into SQLite's (``runtime.local.dialect``).
"""

import json
import sqlite3
import types
import typing
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime

from earmark.errors import ConfigurationError
from earmark.named_query import SHIPPED, load_query
from earmark.row import Index, check_purge
from earmark.rows import TABLES, Row
from runtime.local.database import WAIT_S, Database, Synchronous
from runtime.local.views import LocalViews, add_functions, spill

ROLL_UP_S: Final = 1.0
"""Seconds after which ``roll_up`` begins no further hour."""
_PURGE_ROWS: Final = 5000
"""Rows deleted in one transaction, so that a large purge lets the workers in between."""
_REQUIRED: Final = frozenset({"row_id", "tenant", "at"})
_AFFINITY: Final[dict[type, str]] = {str: "TEXT", int: "INTEGER", float: "REAL", bool: "INTEGER", AwareDatetime: "TEXT"}


class LocalWarehouse:
    """See ``earmark.ports.Warehouse`` for what it promises."""

    def __init__(
        self,
        database: Path,
        *,
        queries: Path = SHIPPED,
        tables: Mapping[str, type[Row]] = TABLES,
        synchronous: Synchronous = "FULL",
        wait_s: float = WAIT_S,
        late: bool = False,
    ) -> None:
        """Open the file, made if need be; a table whose row type grew gets the new columns, empty in old rows.

        Args:
            database: The file.
            queries: Folder of the named queries.
            tables: Table name to row type.
            synchronous: FULL: what was appended survives a power cut; NORMAL: the death of any process.
            wait_s: Seconds to wait for other writers before a call raises ``Unavailable``.
            late: Whether the file is opened at the first call and not now.
        """
        self._queries = queries
        self._tables = tables
        self._upserts = {name: _upsert(name, row) for name, row in tables.items()}
        self._database = Database(database, self._prepare, synchronous=synchronous, wait_s=wait_s, late=late)
        self._views = LocalViews(self._database.path, tables, wait_s=wait_s)

    @property
    def database(self) -> Database:
        """The file, for adapters that read its tables in ways of their own."""
        return self._database

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows in one transaction; of two versions of a row the one with the later ``at`` stays."""
        if not rows:
            return
        batches: dict[str, list[tuple[object, ...]]] = {}
        for row in rows:
            known = self._tables.get(row.table)
            if known is None or not isinstance(row, known):
                message = f"The warehouse has no table {row.table!r} for a {type(row).__name__}"
                raise ConfigurationError(message)
            values = tuple(stored(getattr(row, name)) for name in known.model_fields)
            batches.setdefault(row.table, []).append(values)

        def work(connection: sqlite3.Connection) -> None:
            for table, batch in batches.items():
                connection.executemany(self._upserts[table], batch)

        self._database.write(work)

    def query(self, name: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        """Run a named query on one state of the tables; views that it reads are brought up to date first."""
        from runtime.local.dialect import to_sqlite  # noqa: PLC0415  # sqlglot takes a tenth of a second

        query = load_query(name, self._queries)
        values = {key: stored(value) for key, value in query.values(parameters or {}).items()}
        sql = to_sqlite(query.sql)
        if self._views.reads_views(query.sql):
            self._views.catch_up()

        def work(connection: sqlite3.Connection) -> list[dict[str, object]]:
            add_functions(connection)
            spill(connection)
            connection.execute("PRAGMA query_only=ON")
            try:
                cursor = connection.execute(sql, values)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor]
            finally:
                connection.execute("PRAGMA query_only=OFF")

        return self._database.read(work)

    def purge(
        self,
        table: str,
        *,
        before: datetime,
        tenant: str | None = None,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> int:
        """Remove rows, some thousands at a time; raises ``ConfigurationError`` for a table or column there is not."""
        check_purge(self._tables, table, only)
        condition, values = "at < ?", [stored(before)]
        if tenant is not None:
            condition, values = condition + " AND tenant = ?", [*values, tenant]
        for column, wanted in (only or {}).items():
            condition += f' AND "{column}" IN (SELECT value FROM json_each(?))'  # noqa: S608  # a field of the row type
            values.append(json.dumps(list(wanted)))
        old = f'SELECT rowid FROM "{table}" WHERE {condition} LIMIT {_PURGE_ROWS}'  # noqa: S608  # the name is ours
        sql = f'DELETE FROM "{table}" WHERE rowid IN ({old})'  # noqa: S608  # same
        removed = 0
        while True:
            count = self._database.write(lambda connection: connection.execute(sql, values).rowcount)
            removed += count
            if count < _PURGE_ROWS:
                return removed

    def roll_up(self, now: datetime, limit_s: float = ROLL_UP_S) -> int:
        """Keep figures of the hours before this one that changed, so that reports are quick; returns how many hours.

        A bounded step, for a worker to take now and then; reports are right without it.

        Raises:
            Unavailable: others were writing all the time.
        """
        if not self._database.read(_has_trials):
            return 0
        return self._views.roll_up(limit_s=limit_s, before=now.astimezone(UTC))

    def close(self) -> None:
        """Close the file; later calls raise ``Unavailable``."""
        self._views.close()
        self._database.close()

    def _prepare(self, database: Database) -> None:
        """Bring the tables up to date; where they are, the file is only read."""
        if database.read(self._missing):
            database.write(lambda connection: [connection.execute(sql) for sql in self._missing(connection)])

    def _missing(self, connection: sqlite3.Connection) -> list[str]:
        """The statements that are needed before every row type fits its table."""
        statements: list[str] = []
        for table, row in self._tables.items():
            present = {column[1] for column in connection.execute(f'PRAGMA table_info("{table}")')}
            wanted = {name: _column(name, row) for name in row.model_fields}
            if not present:
                statements += [
                    f'CREATE TABLE "{table}" ({", ".join(wanted.values())}) STRICT',
                    f'CREATE INDEX "{table}_at" ON "{table}" (at, tenant)',
                ]
            else:
                columns = [column for name, column in wanted.items() if name not in present]
                statements += [f'ALTER TABLE "{table}" ADD COLUMN {column}' for column in columns]
            indexes = {index[1] for index in connection.execute(f'PRAGMA index_list("{table}")')}
            statements += [_index(table, each) for each in row.indexes if each.name not in indexes]
        return statements


def _column(name: str, row: type[Row]) -> str:
    """The definition of one column, from the type of the field: ``float | None`` is REAL."""
    annotation = row.model_fields[name].annotation
    kinds = {kind for kind in _members(annotation) if kind is not types.NoneType}
    kind = kinds.pop() if len(kinds) == 1 else None
    affinity = next((text for known, text in _AFFINITY.items() if kind is known), None)
    if affinity is None:
        message = f"The warehouse has no column type for {row.__name__}.{name}: {annotation}"
        raise ConfigurationError(message)
    if name == "row_id":
        return f'"{name}" TEXT PRIMARY KEY NOT NULL'
    return f'"{name}" {affinity}{" NOT NULL" if name in _REQUIRED else ""}'


def _index(table: str, index: Index) -> str:
    columns = ", ".join(f'"{column}"' for column in index.columns)
    return f'CREATE INDEX "{index.name}" ON "{table}" ({columns}){f" WHERE {index.where}" if index.where else ""}'


def _members(annotation: object) -> tuple[object, ...]:
    """The types a union allows; any other type alone."""
    is_union = typing.get_origin(annotation) in {types.UnionType, typing.Union}
    return typing.get_args(annotation) if is_union else (annotation,)


def _upsert(table: str, row: type[Row]) -> str:
    """The statement that adds a row or replaces an older version of it."""
    names = [f'"{name}"' for name in row.model_fields]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names)
    return (
        f'INSERT INTO "{table}" ({", ".join(names)}) VALUES ({", ".join("?" * len(names))})'  # noqa: S608  # names are ours
        f' ON CONFLICT (row_id) DO UPDATE SET {changes} WHERE excluded.at >= "{table}".at'
    )


def stored(value: object) -> object:
    """A value as the tables hold it: times as text like ``2026-01-02T03:04:05.000006Z``."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            message = f"A time without a zone means nothing: {value}"
            raise ValueError(message)
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return value


def _has_trials(connection: sqlite3.Connection) -> bool:
    """Whether there was ever anything of experiments to roll up."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'ab_trials'").fetchone()
    return bool(found) and connection.execute("SELECT 1 FROM ab_trials LIMIT 1").fetchone() is not None

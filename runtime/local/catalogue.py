"""``LocalCatalogue``: the rows about objects, read from the table of ``LocalWarehouse`` through indexes made for it.

``catalogue_age`` holds the live objects by customer, class and age, with their sizes, so that counting and finding what
is due read nothing else; ``catalogue_name`` holds all by place.

Rows lie in the file in the order in which they came, a customer's all over it.  What is due is therefore found in the
index first, then read from the front of the file to its end, and then sorted on the disk: three quick passes in place
of a million jumps.
"""

# All that is put into the SQL here are names of ours:
# ruff: noqa: S608

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from earmark.retention_rows import LIVE_STATES
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass
from retention.catalogue import Count, Cutoff, Group
from runtime.local.warehouse import LocalWarehouse, stored

PAGE_ROWS: Final = 1000
"""Rows of a scan read at a time; a transaction that lasts as long as a scan would keep the log from being emptied."""
_NAMES: Final = tuple(CatalogueRow.model_fields)
_GIVEN: Final = set(_NAMES)
_TIMES: Final = ("at", "created_at", "expires_at", "delete_after")
_TIMES_AT: Final = tuple(map(_NAMES.index, _TIMES))
_PACKED_AT: Final = _NAMES.index("packed")
_COLUMNS: Final = ", ".join(_NAMES)
_LIVE: Final = f"state IN {LIVE_STATES}"
_GROUPS: Final = (
    "SELECT tenant, object_class, COUNT(*), SUM(size_bytes), MIN(created_at), MAX(created_at)"
    f" FROM catalogue INDEXED BY catalogue_age WHERE {_LIVE}"
    " GROUP BY tenant, object_class ORDER BY tenant, object_class"
)
_TIER: Final = (
    f"SELECT tier FROM catalogue INDEXED BY catalogue_age WHERE {_LIVE}"
    " AND tenant = ? AND object_class = ? AND created_at = ? ORDER BY at DESC LIMIT 1"
)
_OF_CUTOFF: Final = (
    f"FROM catalogue INDEXED BY catalogue_age WHERE {_LIVE} AND tenant = ? AND object_class = ? AND created_at <= ?"
)
_ASKED: Final = "CREATE TEMP TABLE asked (tenant TEXT, object_class TEXT, until TEXT)"
_CHOSEN: Final = "CREATE TEMP TABLE chosen (place INTEGER PRIMARY KEY)"
_CHOOSE: Final = (
    "INSERT OR IGNORE INTO chosen SELECT c.rowid FROM asked AS a CROSS JOIN catalogue AS c INDEXED BY catalogue_age"
    f" WHERE c.{_LIVE} AND c.tenant = a.tenant AND c.object_class = a.object_class AND c.created_at <= a.until"
    " ORDER BY c.rowid"  # keeps a table of millions from being filled at random places
)
_DUE: Final = (
    f"SELECT {_COLUMNS} FROM chosen CROSS JOIN catalogue ON catalogue.rowid = chosen.place"
    " ORDER BY tenant, bucket, name, generation"
)
SORT_KIB: Final = 65_536
"""Sorted in memory at a time, by a connection that reads what is due; twice that with its thread."""
_SORT_THREADS: Final = 1
"""Sort what was read while more is read."""
_COUNT: Final = f"SELECT COUNT(*), COALESCE(SUM(size_bytes), 0) {_OF_CUTOFF}"
_FIND: Final = (
    f"SELECT {_COLUMNS} FROM catalogue INDEXED BY catalogue_name WHERE bucket = ? AND name = ? ORDER BY generation DESC"
)
_SCAN: Final = (
    f"SELECT {_COLUMNS} FROM catalogue INDEXED BY catalogue_name WHERE {_LIVE} AND bucket = ?"
    " AND (name, generation) > (?, ?) AND (? IS NULL OR tenant = ?) ORDER BY name, generation LIMIT ?"
)
_LAST_GENERATION: Final = (1 << 63) - 1


class LocalCatalogue:
    """See ``retention.catalogue.Catalogue`` for what it promises."""

    def __init__(self, warehouse: LocalWarehouse, *, page_rows: int = PAGE_ROWS) -> None:
        """Read from the warehouse's file."""
        self._page_rows = page_rows
        self._warehouse = warehouse
        self._database = warehouse.database

    def record(self, rows: Sequence[CatalogueRow]) -> None:
        """Add rows in one transaction; they are seen at once."""
        self._warehouse.append(rows)

    def find(self, bucket: str, name: str) -> list[CatalogueRow]:
        """Every generation of an object, the latest first."""
        return self._database.read(lambda connection: list(map(_row, connection.execute(_FIND, [bucket, name]))))

    def groups(self) -> list[Group]:
        """What live objects there are; the tier is that of the youngest."""

        def work(connection: sqlite3.Connection) -> list[Group]:
            found = connection.execute(_GROUPS).fetchall()
            return [
                Group(
                    tenant,
                    ObjectClass(object_class),
                    objects,
                    size_bytes,
                    datetime.fromisoformat(oldest),
                    connection.execute(_TIER, [tenant, object_class, youngest]).fetchone()[0],
                )
                for tenant, object_class, objects, size_bytes, oldest, youngest in found
            ]

        return self._database.read(work)

    def due(self, cutoffs: Sequence[Cutoff]) -> Iterator[CatalogueRow]:
        """Live objects at or before their cutoffs, from one state of the table."""

        def begin(connection: sqlite3.Connection) -> Iterable[tuple[object, ...]]:
            connection.execute(f"PRAGMA cache_size=-{SORT_KIB}")
            connection.execute(f"PRAGMA threads={_SORT_THREADS}")
            connection.execute(_ASKED)
            connection.executemany("INSERT INTO asked VALUES (?, ?, ?)", map(_values, cutoffs))
            connection.execute(_CHOSEN)
            connection.execute(_CHOOSE)
            return connection.execute(_DUE)

        yield from map(_row, self._database.stream(begin))

    def count(self, cutoffs: Sequence[Cutoff]) -> list[Count]:
        """How many there are for each cutoff, from one state of the table."""

        def work(connection: sqlite3.Connection) -> list[Count]:
            return [Count(each, *connection.execute(_COUNT, _values(each)).fetchone()) for each in cutoffs]

        return self._database.read(work)

    def scan(
        self, bucket: str, *, prefix: str = "", start_after: str = "", tenant: str | None = None
    ) -> Iterator[CatalogueRow]:
        """Live objects in pages; what is recorded meanwhile may be seen or not."""
        after = (start_after, _LAST_GENERATION) if start_after.encode() >= prefix.encode() else (prefix, -1)
        while True:
            values = [bucket, *after, tenant, tenant, self._page_rows]
            page = self._database.read(lambda connection, values=values: connection.execute(_SCAN, values).fetchall())  # type: ignore[misc]
            for row in map(_row, page):
                if not row.name.startswith(prefix):
                    return
                yield row
                after = (row.name, row.generation)
            if len(page) < self._page_rows:
                return


def _values(cutoff: Cutoff) -> list[object]:
    return [cutoff.tenant, str(cutoff.object_class), stored(cutoff.until)]


def _row(values: Sequence[object]) -> CatalogueRow:
    """A row from its columns.

    What is in the table was checked when it was written.  Checking it again would take longer than reading it, and so
    would ``model_construct``, which looks at every field; hence it comes back the way a pickled row does.
    """
    given: list[Any] = list(values)
    for place in _TIMES_AT:
        if given[place] is not None:
            given[place] = datetime.fromisoformat(given[place])
    given[_PACKED_AT] = bool(given[_PACKED_AT])  # no column for it in an older table: NULL
    row = CatalogueRow.__new__(CatalogueRow)
    row.__setstate__(
        {
            "__dict__": dict(zip(_NAMES, given, strict=True)),
            "__pydantic_fields_set__": _GIVEN,
            "__pydantic_extra__": None,
            "__pydantic_private__": None,
        }
    )
    return row

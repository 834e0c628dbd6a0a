"""Roll-ups: hours of the views over experiments that are kept, so that a report does not read millions of rows.

A rolled-up view has a column ``hour`` and reads one table.  Its hours are computed once, by the view's own SQL, and
kept in a table beside it; what a reader sees is the kept hours and, for every other hour, that SQL over the rows.  So a
figure is right whether or not somebody rolled up, and rolling up only makes it quick.

- Triggers mark the hour of every row that is added, changed or removed in ``ab_changed_hours``, with a stamp that is
  new each time.  A marked hour is not read from what is kept.
- Rolling up computes a marked hour on a state of the database that stands still, which hinders nobody, and keeps it
  in a short transaction, unless the mark has another stamp by then.  So processes that roll up at the same time, and
  rows that arrive meanwhile, do no harm.
- A purge removes rows, and so marks their hours: the figures of an hour are always those of the rows that are left,
  on this engine as on BigQuery.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from earmark.view import View, with_sources

ROLLED_UP: Final[Mapping[str, str]] = {
    "ab_assigned_hours": "ab_assignments",
    "ab_bins": "ab_trials",
    "ab_cells": "ab_trials",
    "ab_hour_quantiles": "ab_trials",
    "ab_shadow_field_hours": "ab_agreements",
    "ab_shadow_hours": "ab_pairs",
}
"""Each rolled-up view and the table it reads; nothing is changed here without a new ``VERSION``."""
VERSION: Final = 1
"""Of how hours are kept; a database that has another one is rolled up anew."""

CHANGED: Final = "ab_changed_hours"
_HOUR: Final = "SUBSTR({}, 1, 13) || ':00:00.000000Z'"
_WITHIN: Final = "at >= {since} AND at < SUBSTR({since}, 1, 13) || ';'"
"""Whether a time lies in an hour: ``;`` is the character after ``:``."""
_MARK: Final = (
    f"INSERT INTO {CHANGED} VALUES ('{{source}}', {{hour}}, RANDOM())"  # noqa: S608  # names are ours
    " ON CONFLICT (source, hour) DO UPDATE SET stamp = excluded.stamp;"
)


@dataclass(frozen=True, slots=True)
class ChangedHour:
    """An hour of a table that has to be rolled up."""

    source: str
    hour: str
    stamp: int


@dataclass(frozen=True, slots=True)
class RollUp:
    """One rolled-up view in SQLite."""

    name: str
    source: str
    hour_sql: str
    """Computes one hour, ``:hour``."""
    view_sql: str
    """What a reader sees."""

    @property
    def kept(self) -> str:
        """The table that holds the finished hours."""
        return f"{self.name}_kept"


def roll_up_of(view: View, to_sqlite: Callable[[str], str]) -> RollUp:
    """The SQL of a rolled-up view."""
    source = ROLLED_UP[view.name]
    one = f"(SELECT * FROM {source} WHERE {_WITHIN.format(since=':hour')}) AS {source}"  # noqa: S608  # names are ours
    changed = (
        f"(SELECT {source}.* FROM {CHANGED} CROSS JOIN {source} ON {_WITHIN.format(since='hour')} "  # noqa: S608  # same
        f"WHERE source = '{source}') AS {source}"
    )
    sql = to_sqlite(view.sql)
    kept = f"SELECT * FROM {view.name}_kept WHERE hour NOT IN (SELECT hour FROM {CHANGED} WHERE source = '{source}')"  # noqa: S608  # same
    return RollUp(
        view.name,
        source,
        with_sources(sql, {source: one}.get),
        f"{kept} UNION ALL {with_sources(sql, {source: changed}.get)}",
    )


def prepare(connection: sqlite3.Connection, roll_ups: Sequence[RollUp]) -> None:
    """Make the tables and triggers, in place of older ones, and mark every hour there is."""
    connection.execute(f"DROP TABLE IF EXISTS {CHANGED}")
    connection.execute(
        f"CREATE TABLE {CHANGED} (source TEXT NOT NULL, hour TEXT NOT NULL, stamp INTEGER NOT NULL,"
        " PRIMARY KEY (source, hour)) STRICT, WITHOUT ROWID"
    )
    for each in roll_ups:
        names = [column[0] for column in connection.execute(each.hour_sql, {"hour": ""}).description]
        connection.execute(f"DROP TABLE IF EXISTS {each.kept}")
        connection.execute(f"CREATE TABLE {each.kept} ({', '.join(names)})")
        connection.execute(f"CREATE INDEX {each.kept}_hours ON {each.kept} (hour)")
        connection.execute(f"CREATE INDEX {each.kept}_experiments ON {each.kept} (experiment, version, hour)")
    for source in sorted({each.source for each in roll_ups}):
        for event, times in {"INSERT": ["NEW.at"], "DELETE": ["OLD.at"], "UPDATE": ["OLD.at", "NEW.at"]}.items():
            marks = " ".join(_MARK.format(source=source, hour=_HOUR.format(at)) for at in times)
            name = f"{source}_{event.lower()}_marks"
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
            connection.execute(f"CREATE TRIGGER {name} AFTER {event} ON {source} BEGIN {marks} END")
        mark_all(connection, source)


def mark_all(connection: sqlite3.Connection, source: str) -> None:
    """Mark every hour that a table has rows of: a leap through the index for each, not a scan."""
    connection.execute(
        f"INSERT OR REPLACE INTO {CHANGED} WITH RECURSIVE hours (hour) AS ("  # noqa: S608  # names are ours
        f"SELECT {_HOUR.format('MIN(at)')} FROM {source} UNION ALL "
        f"SELECT (SELECT {_HOUR.format('MIN(at)')} FROM {source} WHERE at >= SUBSTR(hour, 1, 13) || ';') "
        f"FROM hours WHERE hour IS NOT NULL) SELECT '{source}', hour, RANDOM() FROM hours WHERE hour IS NOT NULL"
    )


def changed_hours(connection: sqlite3.Connection, before: str | None = None) -> list[ChangedHour]:
    """What has to be rolled up, the longest past first."""
    return [
        ChangedHour(*row)
        for row in connection.execute(
            f"SELECT source, hour, stamp FROM {CHANGED} WHERE ?1 IS NULL OR hour < ?1 ORDER BY hour, source",  # noqa: S608
            [before],
        )
    ]


def hour_rows(
    connection: sqlite3.Connection, changed: ChangedHour, roll_ups: Sequence[RollUp]
) -> dict[str, list[tuple[object, ...]]] | None:
    """The rows of an hour by view; None = it was marked anew or is done, and nobody needs them."""
    if not _is_current(connection, changed):
        return None
    return {
        each.name: connection.execute(each.hour_sql, {"hour": changed.hour}).fetchall()
        for each in roll_ups
        if each.source == changed.source
    }


def keep_hour(
    connection: sqlite3.Connection,
    changed: ChangedHour,
    rows: Mapping[str, Sequence[tuple[object, ...]]],
    roll_ups: Sequence[RollUp],
) -> bool:
    """Keep the rows of an hour, unless it changed since they were computed."""
    if not _is_current(connection, changed):
        return False
    for each in roll_ups:
        if each.source == changed.source:
            connection.execute(f"DELETE FROM {each.kept} WHERE hour = ?", [changed.hour])  # noqa: S608  # names are ours
            if batch := rows[each.name]:
                marks = ", ".join("?" * len(batch[0]))
                connection.executemany(f"INSERT INTO {each.kept} VALUES ({marks})", batch)  # noqa: S608  # same
    connection.execute(f"DELETE FROM {CHANGED} WHERE source = ? AND hour = ?", [changed.source, changed.hour])  # noqa: S608
    return True


def hour_text(at: datetime) -> str:
    """The beginning of a moment's hour, as the tables have times; the moment must be in UTC."""
    return at.strftime("%Y-%m-%dT%H:00:00.000000Z")


def _is_current(connection: sqlite3.Connection, changed: ChangedHour) -> bool:
    found = connection.execute(
        f"SELECT stamp FROM {CHANGED} WHERE source = ? AND hour = ?",  # noqa: S608  # names are ours
        [changed.source, changed.hour],
    ).fetchone()
    return found is not None and found[0] == changed.stamp

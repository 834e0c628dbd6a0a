"""What ``LocalWarehouse`` adds to the contract: tables that grow, SQL for two engines, reports in nobody's way."""

import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import AwareDatetime

from earmark.errors import ConfigurationError
from earmark.named_query import SHIPPED, load_query, query_names
from earmark.rows import TABLES, LabelRow, Row
from runtime.local.warehouse import LocalWarehouse

AT = datetime(2026, 1, 1, tzinfo=UTC)


class NoteRow(Row):
    """A row type as it was once."""

    table = "notes"
    text: str


class GrownNoteRow(Row):
    """The same row type later."""

    table = "notes"
    text: str
    stars: int | None
    useful: bool | None = None
    seen_at: AwareDatetime | None = None


class OddRow(Row):
    """A row type that no table can hold."""

    table = "odd"
    parts: list[str]


def notes(path: Path) -> list[tuple[object, ...]]:
    """All there is in the table."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT * FROM notes ORDER BY row_id").fetchall()
    connection.close()
    return rows


def test_a_row_type_that_grew(tmp_path: Path) -> None:
    """New columns are added, empty in old rows; old code still appends beside new code, and opening again is fine."""
    path = tmp_path / "w.sqlite"
    old = LocalWarehouse(path, tables={"notes": NoteRow})
    old.append([NoteRow(row_id="1", tenant="t", at=AT, text="one")])
    for _ in range(2):
        new = LocalWarehouse(path, tables={"notes": GrownNoteRow})
    new.append([GrownNoteRow(row_id="2", tenant="t", at=AT, text="two", stars=5, useful=True, seen_at=AT)])
    old.append([NoteRow(row_id="3", tenant="t", at=AT, text="three")])
    at = "2026-01-01T00:00:00.000000Z"
    assert notes(path) == [
        ("1", "t", at, "one", None, None, None),
        ("2", "t", at, "two", 5, 1, at),
        ("3", "t", at, "three", None, None, None),
    ]


def test_a_type_without_a_column(tmp_path: Path) -> None:
    """A field that no column can hold fails at start, by name."""
    with pytest.raises(ConfigurationError, match=r"OddRow\.parts"):
        LocalWarehouse(tmp_path / "w.sqlite", tables={"odd": OddRow})


def test_a_row_without_a_table(tmp_path: Path) -> None:
    """A row of a type that is not in the warehouse is refused with all rows beside it."""
    path = tmp_path / "w.sqlite"
    warehouse = LocalWarehouse(path, tables={"notes": NoteRow})
    label = LabelRow(row_id="1", tenant="t", at=AT, job_id="j", field="f", value="v", confidence=None, score=None)
    with pytest.raises(ConfigurationError, match="labels"):
        warehouse.append([NoteRow(row_id="1", tenant="t", at=AT, text="one"), label])
    assert notes(path) == []


def test_every_row_type_has_its_columns(tmp_path: Path) -> None:
    """Each field of each row type is a column of its table."""
    LocalWarehouse(tmp_path / "w.sqlite")
    connection = sqlite3.connect(tmp_path / "w.sqlite")
    for table, row in TABLES.items():
        columns = [column[1] for column in connection.execute(f"PRAGMA table_info({table})")]
        assert columns == list(row.model_fields)
    connection.close()


def test_a_purge_lets_others_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than fit in one transaction are removed in several, and all counted."""
    monkeypatch.setattr("runtime.local.warehouse._PURGE_ROWS", 3)
    path = tmp_path / "w.sqlite"
    warehouse = LocalWarehouse(path, tables={"notes": NoteRow}, synchronous="NORMAL")
    warehouse.append([NoteRow(row_id=str(number), tenant="t", at=AT, text="") for number in range(10)])
    assert warehouse.purge("notes", before=datetime(2027, 1, 1, tzinfo=UTC)) == 10
    assert notes(path) == []


def test_a_query_cannot_write(tmp_path: Path) -> None:
    """SQL that writes fails as a query and changes nothing."""
    queries = tmp_path / "queries"
    queries.mkdir()
    (queries / "wipe.sql").write_text("-- Wipes.\n\nDELETE FROM jobs RETURNING row_id\n")
    warehouse = LocalWarehouse(tmp_path / "w.sqlite", queries=queries)
    with pytest.raises(Exception, match="readonly"):
        warehouse.query("wipe")
    warehouse.purge("jobs", before=AT)


def test_a_report_waits_for_no_writer(tmp_path: Path) -> None:
    """While somebody writes a query reads what was there before, at once."""
    warehouse = LocalWarehouse(tmp_path / "w.sqlite")
    hog = sqlite3.connect(tmp_path / "w.sqlite", isolation_level=None)
    hog.execute("BEGIN IMMEDIATE")
    assert warehouse.query("cost_by_model") == []
    hog.close()


@pytest.mark.parametrize("name", query_names())
def test_shipped_queries_keep_to_the_rules(name: str) -> None:
    """Each says what it tells, takes a window and a tenant or an experiment, and uses what both engines have."""
    query = load_query(name)
    assert (SHIPPED / f"{name}.sql").read_text().startswith("-- ")
    of_experiments = name.startswith("ab_")
    assert ({"experiment"} if of_experiments else {"since", "until", "tenant"}) <= set(query.parameters)
    only_one_engine_has = (
        r"\b(strftime|julianday|ifnull|group_concat|total|iif|glob|rowid|TIMESTAMP_\w+|STRUCT|UNNEST|WITH|QUALIFY)\b"
    )
    assert not re.findall(only_one_engine_has, query.sql, re.IGNORECASE)
    assert not re.findall(r"(?<![`\w])at(?![`\w])", query.sql), "a keyword in BigQuery"
    assert "::" not in query.sql


def test_a_head_that_does_not_fit(tmp_path: Path) -> None:
    """A parameter that is used and not described fails, before any engine sees it."""
    (tmp_path / "odd.sql").write_text("-- Odd.\n\nSELECT @number\n")
    with pytest.raises(ConfigurationError, match="head"):
        load_query("odd", tmp_path)


def test_parameters_of_every_type(tmp_path: Path) -> None:
    """Defaults and given values are checked against the types in the head."""
    (tmp_path / "all.sql").write_text(
        "-- All.\n-- @s STRING = 'a b'    text\n-- @i INT64 = 3    number\n-- @f FLOAT64 = 0.5    number\n"
        "\nSELECT @s, @i, @f\n"
    )
    query = load_query("all", tmp_path)
    assert query.values({}) == {"s": "a b", "i": 3, "f": 0.5}
    assert query.values({"f": 2, "i": 4}) == {"s": "a b", "i": 4, "f": 2}
    for wrong in ({"i": 1.5}, {"i": True}, {"f": "x"}, {"s": 1}, {"f": None}):
        with pytest.raises(ConfigurationError, match="must be"):
            query.values(wrong)

"""The views' files, and the translation of BigQuery's SQL into SQLite's."""

import math
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ab_testing.evidence import BINNED, COUNTS, Evidence, bin_of
from ab_testing.evidence_rows import read_evidence, read_history, read_pairs, read_segments
from earmark.errors import ConfigurationError
from earmark.rows import TABLES
from earmark.view import load_views, sources, views_over, with_sources
from runtime.local import views
from runtime.local.dialect import to_sqlite
from runtime.local.rollups import ROLLED_UP
from tests.experiment_rows import bucket


def answer(sql: str, **values: object) -> object:
    """What SQLite makes of a query of BigQuery."""
    connection = sqlite3.connect(":memory:")
    views.add_functions(connection)
    try:
        [[found]] = connection.execute(to_sqlite(sql), values).fetchall()
    finally:
        connection.close()
    return found


def test_every_view_is_described() -> None:
    """Each file opens with what the view shows, and names only tables and views that there are."""
    found = load_views()
    for name, view in found.items():
        assert len(view.description) > 40, name
        assert view.sources <= {*TABLES, *found}
    assert list(views_over(TABLES)) == list(found)
    assert {found[name].sources for name in ROLLED_UP} == {frozenset({source}) for source in ROLLED_UP.values()}


def test_views_come_behind_what_they_read() -> None:
    """Made in this order no view is missing what it reads."""
    known = set(TABLES)
    for name, view in load_views().items():
        assert view.sources <= known
        known.add(name)


def test_views_without_their_tables() -> None:
    """Where a table is missing, the views over it and over those are left out."""
    assert list(views_over({"failures"})) == ["failure_analytics"]
    assert "ab_hours" not in views_over({"ab_assignments"})
    assert views_over(()) == {}


def test_views_in_a_circle(tmp_path: Path) -> None:
    """Views that read each other are told of by name."""
    (tmp_path / "one.sql").write_text("-- One.\nSELECT a FROM two")
    (tmp_path / "two.sql").write_text("-- Two.\nSELECT a FROM one")
    with pytest.raises(ConfigurationError, match="one, two"):
        load_views(tmp_path)


def test_sources_are_replaced() -> None:
    """Only what stands behind FROM or JOIN is another name."""
    sql = "SELECT jobs FROM jobs JOIN other ON jobs = 'FROM x'"
    assert sources(sql) == ["jobs", "other", "x"]
    assert with_sources(sql, {"jobs": "`p`.`d`.`jobs`"}.get) == sql.replace("FROM jobs", "FROM `p`.`d`.`jobs`")


def test_nothing_is_counted_as_none() -> None:
    """``COUNTIF`` over no rows is 0, as in BigQuery, and not NULL."""
    assert answer("SELECT COUNTIF(a > 1) AS n FROM (SELECT 1 AS a) AS t WHERE a > 1") == 0


def test_division() -> None:
    """Whole numbers divide as in BigQuery, and by zero there is no answer."""
    assert answer("SELECT 1 / 4 AS n") == 0.25
    assert answer("SELECT SAFE_DIVIDE(1, 4) AS n") == 0.25
    assert answer("SELECT SAFE_DIVIDE(1, 0) AS n") is None
    assert answer("SELECT SAFE_DIVIDE(NULL, 2) AS n") is None


AT = "2026-01-01T12:59:59.999999Z"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', @at)", "2026-01-01T12:59:59Z"),
        ("FORMAT_TIMESTAMP('%Y-%m-%dT%H:00:00Z', @at)", "2026-01-01T12:00:00Z"),
        ("FORMAT_TIMESTAMP('%Y-%m-%d', @at)", "2026-01-01"),
        ("FORMAT_TIMESTAMP('%Y', @at)", "2026"),
        ("TIMESTAMP_TRUNC(@at, HOUR)", "2026-01-01T12:00:00.000000Z"),
        ("TIMESTAMP_TRUNC(@at, DAY)", "2026-01-01T00:00:00.000000Z"),
        ("UNIX_SECONDS(@at)", 1767272399),
    ],
)
def test_times_are_cut_exactly(sql: str, expected: object) -> None:
    """A microsecond before the hour belongs to it; what is unknown stays so."""
    assert answer(f"SELECT {sql} AS found", at=AT) == expected
    assert answer(f"SELECT {sql} AS found", at=None) is None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT FORMAT_TIMESTAMP('%H:%M', at)",
        "SELECT FORMAT_TIMESTAMP('%Y-%j', at)",
        "SELECT TIMESTAMP_TRUNC(at, WEEK)",
        "SELECT FROM FROM",
    ],
)
def test_what_cannot_be_translated(sql: str) -> None:
    """What SQLite would answer wrongly is refused, not guessed."""
    with pytest.raises(ConfigurationError):
        to_sqlite(sql)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_a_bucket_in_sqlite(unit: str) -> None:
    """SQL finds the bucket that Python's SHA-256 gives, whatever the unit is called."""
    sql = "MOD(CAST(CONCAT('0x', SUBSTR(TO_HEX(SHA256(CONCAT('e:1:arm:', @unit))), 1, 15)) AS INT64), 10000)"
    assert answer(f"SELECT {sql} AS bucket", unit=unit) == bucket("e", 1, "arm", unit)


@given(st.floats(1e-12, 1e12))
def test_a_bin_in_sqlite(value: float) -> None:
    """SQL finds the bin that Python finds."""
    assert answer("SELECT CAST(FLOOR(LN(@value) / LN(1.05)) AS INT64) AS bin", value=value) == bin_of(value)


def test_sqlite_without_mathematics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite was built without logarithms Python's are used."""
    monkeypatch.setattr(views, "_has_mathematics", lambda: False)
    assert answer("SELECT CAST(FLOOR(LN(0.5) / LN(1.05)) AS INT64) AS bin") == math.floor(
        math.log(0.5) / math.log(1.05)
    )


def test_the_views_know_all_metrics() -> None:
    """A count or a metric that is added to the evidence is missed here in the views' SQL."""
    cells, bins = load_views()["ab_cells"].sql, load_views()["ab_bins"].sql
    assert all(f" AS {name},\n" in cells for name in COUNTS)
    assert all(f" AS {metric}_sum,\n" in cells and f"'{metric}' AS metric" in bins for metric in BINNED)


def test_nothing_is_known() -> None:
    """Queries that find no rows give empty answers."""
    assert read_evidence(lambda *_: [], "e", 1) == Evidence()
    assert read_segments(lambda *_: [], "e", 1) == {}
    assert read_history(lambda *_: [], "e", 1) == []
    assert read_pairs(lambda *_: [], "e", 1) == {}

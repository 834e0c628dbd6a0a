"""What the catalogue in SQLite does beside what every catalogue does: indexes, old files, long readings."""

import pickle
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from pydantic import AwareDatetime, ValidationError

from earmark.errors import Unavailable
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectState
from runtime.local import catalogue as subject
from runtime.local.catalogue import LocalCatalogue
from runtime.local.warehouse import LocalWarehouse
from tests.contracts.test_catalogue import AT, cutoff, names, row


@pytest.fixture(name="path")
def fixture_path(tmp_path: Path) -> Path:
    """A file that has its tables."""
    path = tmp_path / "warehouse.sqlite"
    LocalWarehouse(path).close()
    return path


@pytest.mark.parametrize("sql", [subject._GROUPS, subject._COUNT], ids=["groups", "count"])
def test_counting_reads_the_index_alone(path: Path, sql: str) -> None:
    """Ten million objects are counted without reading their rows."""
    connection = sqlite3.connect(path)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", ["a"] * sql.count("?")).fetchall()
    connection.close()
    assert [step[3].split(" (")[0] for step in plan if "catalogue" in step[3]] in (
        ["SEARCH catalogue USING COVERING INDEX catalogue_age"],
        ["SCAN catalogue USING COVERING INDEX catalogue_age"],
    )


def test_only_what_is_there_is_in_the_index(path: Path) -> None:
    """Rows of what is gone cost those nothing who ask for what is there."""
    catalogue = LocalCatalogue(LocalWarehouse(path))
    catalogue.record([row(f"acme/{state}", state=state) for state in ObjectState])
    connection = sqlite3.connect(path)
    found = connection.execute(
        "SELECT COUNT(*) FROM catalogue INDEXED BY catalogue_age WHERE state IN ('active', 'noticed')"
    ).fetchone()
    connection.close()
    assert found == (2,)


def test_an_older_file_gets_what_it_lacks(path: Path) -> None:
    """Indexes are made where they are missing, and a row from before there was a column has its default."""
    LocalCatalogue(LocalWarehouse(path)).record([row("acme/1", packed=True), row("acme/2")])
    connection = sqlite3.connect(path, isolation_level=None)
    for index in CatalogueRow.indexes:
        connection.execute(f"DROP INDEX {index.name}")
    connection.execute("ALTER TABLE catalogue DROP COLUMN packed")
    connection.close()
    catalogue = LocalCatalogue(LocalWarehouse(path))
    assert [each.packed for each in catalogue.scan("uploads")] == [False, False]
    assert names(catalogue.due([cutoff(0)])) == ["acme/1", "acme/2"]


def test_every_time_is_read_as_one() -> None:
    """Columns are turned back by name: none with a time in it is forgotten, and no other needs turning."""
    kinds: dict[str, set[object]] = {}
    for name, field in CatalogueRow.model_fields.items():
        for kind in {*get_args(field.annotation), field.annotation} & {AwareDatetime, bool, float}:
            kinds.setdefault(name, set()).add(kind)
    assert kinds == {"packed": {bool}} | {name: {AwareDatetime} for name in subject._TIMES}


def test_a_row_that_was_not_checked_is_like_one_that_was(path: Path) -> None:
    """What is read can be compared, written, copied and sent to another process, and cannot be changed."""
    catalogue = LocalCatalogue(LocalWarehouse(path))
    checked = [row("acme/1", packed=True, delete_after=AT, expires_at=AT, notice="acme/2026-01-31"), row("acme/2")]
    catalogue.record(checked)
    found = list(catalogue.due([cutoff(0)]))
    assert found == checked
    assert [each.model_dump_json() for each in found] == [each.model_dump_json() for each in checked]
    assert [each.__getstate__().keys() for each in found] == [each.__getstate__().keys() for each in checked]
    assert [each.model_fields_set for each in found] == [set(CatalogueRow.model_fields)] * 2
    assert pickle.loads(pickle.dumps(found)) == checked  # noqa: S301  # our own
    assert found[1].model_copy(update={"tier": "pro"}) == checked[1].model_copy(update={"tier": "pro"})
    with pytest.raises(ValidationError, match="frozen"):
        found[0].tier = "pro"


def test_a_sort_larger_than_its_memory_is_in_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit in the memory is sorted on the disk and comes in order, of several customers."""
    monkeypatch.setattr(subject, "SORT_KIB", 64)
    catalogue = LocalCatalogue(LocalWarehouse(path))
    rows = [row(f"{number % 7}/{number:06d}", tenant=str(number % 7)) for number in range(5000)]
    catalogue.record(rows)
    found = list(catalogue.due([cutoff(0, str(tenant)) for tenant in range(7)]))
    assert found == sorted(rows, key=lambda each: (each.tenant, each.name))


def test_a_long_reading_sees_one_state(path: Path) -> None:
    """What is due is read from the state that was there when the reading began, while others write."""
    catalogue = LocalCatalogue(LocalWarehouse(path))
    catalogue.record([row(f"{tenant}/1", tenant=tenant) for tenant in "abc"])
    due = catalogue.due([cutoff(1, tenant) for tenant in "abc"])
    first = next(due)
    gone = [row(f"{tenant}/1", tenant=tenant, state="deleted", at=AT + timedelta(days=1)) for tenant in "abc"]
    LocalCatalogue(LocalWarehouse(path)).record(gone)
    assert [first.tenant, *(each.tenant for each in due)] == ["a", "b", "c"]
    assert list(catalogue.due([cutoff(1, tenant) for tenant in "abc"])) == []


def test_a_reading_that_nobody_ends_holds_no_file(path: Path) -> None:
    """Left alone half way, a reading is closed; after the warehouse was closed there is none."""
    warehouse = LocalWarehouse(path)
    catalogue = LocalCatalogue(warehouse)
    catalogue.record([row("acme/1"), row("acme/2")])
    next(catalogue.due([cutoff(1)]))
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()
    warehouse.close()
    with pytest.raises(Unavailable):
        next(catalogue.due([cutoff(1)]))


def test_a_damaged_query_is_told_as_ours(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No error of SQLite's leaves a reading, also not in the middle of it."""
    catalogue = LocalCatalogue(LocalWarehouse(path))
    monkeypatch.setattr(subject, "_DUE", "SELECT 1 FROM no_such_table")
    with pytest.raises(Exception, match="no_such_table") as error:
        next(catalogue.due([cutoff(1)]))
    assert not isinstance(error.value, sqlite3.Error)

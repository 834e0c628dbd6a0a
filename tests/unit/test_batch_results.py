"""Results of batches: every entry in order, in three forms, with the reasons of those without an analysis."""

import csv
import io
import json
import threading
from pathlib import Path
from typing import Any

import arro3.core
import arro3.io
import pytest

from earmark.errors import ConfigurationError, Unavailable
from router.batches.batch import Batch
from runtime.batches import parquet as batch_parquet
from runtime.batches import results as batch_results
from runtime.batches.formats import ALL_COLUMNS, as_bytes
from runtime.batches.result_format import ResultFormat
from runtime.batches.results import BatchResults, EntryResult
from tests.batch_world import TENANT, BatchWorld


@pytest.fixture
def world(tmp_path: Path) -> BatchWorld:
    """Empty stores."""
    return BatchWorld(tmp_path)


@pytest.fixture
def mixed(world: BatchWorld) -> Batch:
    """A batch with an entry of each kind: done, failed, duplicate, rejected, known, deleted, pending."""
    names = world.put("=1.wav", "2.wav", "3.wav", "4.wav", "5.wav")
    world.make(names[2:4])
    world.feed()
    world.settle()
    batch = world.make(
        [
            {"uri": names[0], "id": "=HYPERLINK(1)"},
            names[1],
            names[0],
            "uploads/other/1.wav",
            *names[2:],
        ]
    )
    world.feed()
    world.clock.move(1)
    world.settle(2, fail=lambda job: job.upload.uri.endswith("2.wav"))
    [gone] = [row["job_id"] for row in world.rows(batch) if row["source"] == names[3]]
    info = world.backend.results.stat(f"analyses/{TENANT}/{gone}.json")
    assert info is not None
    world.backend.results.delete(info.name, if_generation=info.generation)
    return batch


STATUSES = ["done", "rejected", "done", "rejected", "done", "deleted", "pending"]


def results(world: BatchWorld, batch: Batch, **options: Any) -> list[EntryResult]:
    """All of a batch."""
    found = BatchResults(world.backend.results, world.backend.warehouse, **options)
    return list(found.all(world.now(batch)))


def stream(world: BatchWorld, batch: Batch, form: ResultFormat) -> bytes:
    """All of a batch in some form."""
    return b"".join(as_bytes(iter(results(world, batch)), form))


def test_every_entry_has_a_result(world: BatchWorld, mixed: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the lines, across pages, and those without an analysis say why."""
    monkeypatch.setattr(batch_results, "PAGE", 2)
    found = results(world, mixed)
    assert [each.entry for each in found] == [1, 2, 3, 4, 5, 6, 7]
    assert [each.status for each in found] == STATUSES
    assert [each.duplicate for each in found] == [False, False, True, False, False, False, False]
    assert found[2].record == found[0].record is not None
    kinds = [each.error[0] if each.error else None for each in found]
    assert kinds == [None, "not_audio", None, "not_found", None, "deleted", "pending"]
    assert all(each.error is None or all(each.error[:2]) for each in found)


def test_a_page_of_failures(world: BatchWorld, mixed: Batch) -> None:
    """Those that were rejected or failed, from behind one of them."""
    found = BatchResults(world.backend.results, world.backend.warehouse)
    first = found.page(world.now(mixed), only="failed", most=1)
    rest = found.page(world.now(mixed), only="failed", after=first[0].entry)
    assert [each.entry for each in (*first, *rest)] == [2, 4]


def test_a_cancelled_batch_says_so(world: BatchWorld, mixed: Batch) -> None:
    """What was not analysed by then."""
    world.batches.cancel(TENANT, mixed.id)
    assert results(world, mixed)[-1].status == "cancelled"


def test_lines_of_json(world: BatchWorld, mixed: Batch) -> None:
    """One a line, the analysis as everywhere else."""
    lines = [json.loads(line) for line in stream(world, mixed, ResultFormat.JSONL).splitlines()]
    assert [line["status"] for line in lines] == STATUSES
    assert (lines[0]["id"], lines[0]["source"]) == ("=HYPERLINK(1)", "uploads/acme/=1.wav")
    assert lines[0]["analysis"]["metadata"]["transcript"]["value"] == "=Hello, wörld\n音楽"
    assert lines[0]["analysis"]["job_id"] == lines[0]["analysis_id"]
    assert lines[1]["error"]["kind"] == "not_audio"
    assert (lines[1]["analysis"], lines[0]["error"]) == (None, None)


def test_csv(world: BatchWorld, mixed: Batch) -> None:
    """A header, a row an entry, and nothing that a spreadsheet runs."""
    text = stream(world, mixed, ResultFormat.CSV).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == list(ALL_COLUMNS)
    assert [row["status"] for row in rows] == STATUSES
    assert rows[0]["id"] == "'=HYPERLINK(1)"
    assert rows[0]["transcript"] == "'=Hello, wörld\n音楽"
    assert rows[0]["genres"] == "hip hop; jazz"
    assert all(
        cell[:1] not in "=+-@" or not cell for row in rows for name, cell in row.items() if name != "loudness_lufs"
    )


def test_parquet(world: BatchWorld, mixed: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns with types, lists as lists, times as times, in several groups of rows."""
    monkeypatch.setattr(batch_parquet, "ROWS", 3)
    content = stream(world, mixed, ResultFormat.PARQUET)
    table = arro3.io.read_parquet(io.BytesIO(content)).read_all()
    columns = {name: arro3.core.ChunkedArray(table[name]).to_pylist() for name in ALL_COLUMNS}
    assert table.column_names == list(ALL_COLUMNS)
    assert columns["status"] == STATUSES
    assert columns["genres"][0] == ["hip hop", "jazz"]
    assert columns["genres"][3] == []
    assert columns["duration_s"][0] == 200.516
    assert columns["duration_s"][3] is None
    assert columns["settled_at"][0] == world.clock()
    assert columns["channels"][0] == 2
    assert columns["duplicate"] == [False, False, True, False, False, False, False]


def test_parquet_of_nothing(world: BatchWorld) -> None:
    """A file with all columns and no rows."""
    content = b"".join(as_bytes(iter(()), ResultFormat.PARQUET))
    table = arro3.io.read_parquet(io.BytesIO(content)).read_all()
    assert (table.num_rows, table.column_names) == (0, list(ALL_COLUMNS))


def test_parquet_that_nobody_reads_to_its_end(world: BatchWorld, mixed: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that writes ends."""
    monkeypatch.setattr(batch_parquet, "ROWS", 1)
    one = results(world, mixed)[0]
    pieces = as_bytes((one for _ in range(10_000)), ResultFormat.PARQUET)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]  # it is a generator
    assert not [thread for thread in threading.enumerate() if thread.name == "parquet"]


def test_parquet_that_fails_half_way(world: BatchWorld) -> None:
    """Whoever reads hears of it."""

    def broken() -> Any:
        message = "told to fail"
        raise Unavailable(message)
        yield

    with pytest.raises(Unavailable, match="told to fail"):
        list(as_bytes(broken(), ResultFormat.PARQUET))


def test_parquet_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "arro3", None)
    with pytest.raises(ConfigurationError, match="pip install"):
        as_bytes(iter(()), ResultFormat.PARQUET)


def test_results_end_when_the_service_does(world: BatchWorld, mixed: Batch) -> None:
    """Between two pages."""
    found = BatchResults(world.backend.results, world.backend.warehouse)
    with pytest.raises(Unavailable):
        list(found.all(world.now(mixed), lambda: True))


def test_who_reads_no_further_leaves_no_threads(world: BatchWorld, mixed: Batch) -> None:
    """An iterator that is closed early ends what reads ahead."""
    found = BatchResults(world.backend.results, world.backend.warehouse).all(world.now(mixed))
    next(found)
    found.close()  # type: ignore[attr-defined]  # it is a generator
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("results")]

"""What the warehouse tells of batches, on both engines alike."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from earmark.api_rows import BatchEntryRow
from earmark.rows import Row
from runtime.local.warehouse import LocalWarehouse
from tests.contracts.bigquery_case import BigQueryWorld
from tests.contracts.test_warehouse import AT, job_row

TENANT = "acme"
QUERIES: list[tuple[str, dict[str, Any]]] = [
    ("batch_counts", {"recent": AT + timedelta(minutes=5)}),
    ("batch_page", {}),
    ("batch_page", {"after": 2, "most": 2}),
    ("batch_page", {"only": "waiting"}),
    ("batch_page", {"only": "failed"}),
    ("batch_page", {"since": AT + timedelta(hours=1)}),
    ("batch_job", {"job": job_row(3, AT).row_id}),
    ("batch_job", {"job": job_row(4, AT).row_id}),
    ("batch_backlog", {}),
    ("batch_backlog", {"since": AT + timedelta(seconds=4)}),
]


def entry(number: int, routed: str, job: int | None, batch: str = "b1", **fields: object) -> BatchEntryRow:
    """An entry of a batch."""
    given = {
        "row_id": f"{batch}:{number}",
        "tenant": TENANT,
        "at": AT + timedelta(seconds=number),
        "batch": batch,
        "entry": number,
        "source": f"uploads/acme/{number}.wav",
        "reference": None,
        "job_id": None if job is None else job_row(job, AT).row_id,
        "routed": routed,
        **fields,
    }
    return BatchEntryRow.model_validate(given)


ROWS: list[Row] = [
    entry(1, "queued", 1, reference="é"),
    entry(2, "queued", 2),
    entry(3, "queued", 3),
    entry(4, "queued", 4),
    entry(5, "known", 5),
    entry(6, "duplicate", 2),
    entry(7, "duplicate", 3),
    entry(8, "rejected", None, error_kind="not_found", error="There is nothing", remedy="Upload it"),
    entry(9, "queued", 1, batch="b2"),
    job_row(1, AT + timedelta(minutes=6), tenant=TENANT, status="done"),
    job_row(2, AT + timedelta(minutes=1), tenant=TENANT, status="failed"),
    job_row(4, AT - timedelta(minutes=1), tenant=TENANT, status="failed"),
]


@pytest.fixture
def local(tmp_path: Path) -> LocalWarehouse:
    """Rows of two batches, on this machine."""
    warehouse = LocalWarehouse(tmp_path / "w.sqlite", synchronous="NORMAL")
    warehouse.append(ROWS)
    return warehouse


def test_counts(local: LocalWarehouse) -> None:
    """An old failure counts for nothing, a duplicate for itself, and what ended lately is told apart."""
    rows = local.query("batch_counts", {"tenant": TENANT, "batch": "b1", "recent": AT + timedelta(minutes=5)})
    assert [(row["routed"], row["standing"], row["entries"], row["recent"]) for row in rows] == [
        ("duplicate", "failed", 1, 0),
        ("duplicate", "pending", 1, 0),
        ("known", "done", 1, 0),
        ("queued", "done", 1, 1),
        ("queued", "failed", 1, 0),
        ("queued", "pending", 2, 0),
        ("rejected", "rejected", 1, 0),
    ]
    assert local.query("batch_counts", {"tenant": "other", "batch": "b1"}) == []


def test_pages(local: LocalWarehouse) -> None:
    """In the order of entries; what waits is what was queued and has not ended."""

    def numbers(**asked: object) -> list[object]:
        return [row["entry"] for row in local.query("batch_page", {"tenant": TENANT, "batch": "b1", **asked})]

    assert numbers() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert numbers(after=2, most=2) == [3, 4]
    assert numbers(only="waiting") == [3, 4]
    assert numbers(only="failed") == [2, 6, 8]


def test_batches_of_a_job(local: LocalWarehouse) -> None:
    """Each once."""
    job = job_row(1, AT).row_id
    assert local.query("batches_of_job", {"tenant": TENANT, "job": job}) == [{"batch": "b1"}, {"batch": "b2"}]
    assert local.query("batches_of_job", {"tenant": "other", "job": job}) == []


def test_batches_for_which_a_job_waits(local: LocalWarehouse) -> None:
    """One that has ended since waits for none; one that failed before it was queued does."""

    def batches(number: int, **asked: object) -> list[tuple[object, object]]:
        rows = local.query("batch_job", {"tenant": TENANT, "job": job_row(number, AT).row_id, **asked})
        return [(row["batch"], row["queued_at"]) for row in rows]

    assert batches(1) == batches(2) == batches(5) == []
    assert batches(3) == [("b1", f"{AT + timedelta(seconds=3):%Y-%m-%dT%H:%M:%S.000000Z}")]
    assert [batch for batch, _ in batches(4)] == ["b1"]
    assert batches(4, since=AT + timedelta(seconds=5)) == []
    assert batches(4, tenant="other") == []


def test_jobs_that_wait_by_batch(local: LocalWarehouse) -> None:
    """Those that were queued and have not ended since."""
    assert local.query("batch_backlog", {"tenant": TENANT}) == [{"batch": "b1", "jobs": 2}]
    since = AT + timedelta(seconds=4)
    assert local.query("batch_backlog", {"tenant": TENANT, "since": since}) == [{"batch": "b1", "jobs": 1}]
    assert local.query("batch_backlog", {"tenant": "other"}) == []


def test_both_engines_answer_alike(local: LocalWarehouse, tmp_path: Path) -> None:
    """BigQuery is told the same rows and asked the same."""
    world = BigQueryWorld(tmp_path / "cloud")
    world.open(prepare=True)
    cloud = world.open()
    cloud.append([*ROWS, *ROWS[:3]])
    for name, asked in QUERIES:
        given = {"tenant": TENANT, **({"batch": "b1"} if name in {"batch_counts", "batch_page"} else {}), **asked}
        assert cloud.query(name, given) == local.query(name, given), (name, asked)

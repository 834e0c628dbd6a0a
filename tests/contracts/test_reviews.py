"""What people said about answers, over every warehouse."""

from datetime import UTC, datetime, timedelta

from earmark.rows import ReviewRow
from tests.contracts.conftest import WarehouseCase

AT = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


def review_row(job: str, at: datetime = AT, **fields: object) -> ReviewRow:
    """A row about one judged answer."""
    return ReviewRow.model_validate(
        {
            "row_id": f"{job}:key", "tenant": "acme", "at": at, "job_id": job, "field": "key", "value": "C major",
            "right": True, "truth": None, "reviewer": "anna", "score": 0.5, "confidence": None, "model": "listener",
            "model_version": "1", "engine": "", "prompt_version": "", **fields,
        }
    )  # fmt: skip


def test_the_last_judgement_counts(warehouses: WarehouseCase) -> None:
    """A review told again is one label, and a changed mind another verdict; models and versions are told apart."""
    warehouse = warehouses.open()
    later = AT + timedelta(minutes=1)
    warehouse.append([review_row("a"), review_row("a", later, right=False, truth="A minor"), review_row("a")])
    warehouse.append([review_row("b"), review_row("b")])
    warehouse.append([review_row("c", model="other", score=None), review_row("d", model_version="2")])
    rows = warehouse.query("reviewed_answers", {"model": "listener", "model_version": "1"})
    assert [(row["job_id"], row["field"], row["score"], row["is_right"]) for row in rows] == [
        ("a", "key", 0.5, 0),
        ("b", "key", 0.5, 1),
    ]
    assert [row["job_id"] for row in warehouse.query("reviewed_answers", {"model": "listener"})] == ["a", "b", "d"]
    everything = warehouse.query("reviewed_answers")
    assert [(row["model"], row["score"], row["confidence"]) for row in everything if row["job_id"] == "c"] == [
        ("other", None, None)
    ]

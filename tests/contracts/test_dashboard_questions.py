"""What the dashboards ask BigQuery, as Grafana sends it, over the tables and views that `earmark init` makes there."""

import random
from datetime import timedelta

import pytest
from google.cloud import bigquery

from earmark.rows import FailureRow, JobRow, Row
from tests.contracts.bigquery_case import BigQueryWorld
from tests.experiment_rows import (
    ARMS,
    NAMES,
    START,
    any_agreement,
    any_assignment,
    any_trial,
    experiment_row,
)
from tests.panels import asked, time_filter, variable_questions, with_plain_tables, with_values

END = START + timedelta(hours=6)
QUESTIONS = [(each.title, each.sql) for each in asked() if each.sql] + variable_questions()


def some_rows() -> list[Row]:
    """Rows of every table that is asked."""
    dice = random.Random(1)
    rows: list[Row] = [experiment_row(NAMES[0], 1, {ARMS[0]: 0.7, ARMS[1]: 0.3})]
    for number in range(60):
        rows += [any_trial(dice), any_assignment(dice), any_agreement(dice), job(number), failure(number)]
    return rows


def job(number: int) -> JobRow:
    """A job, each fourth rejected."""
    done = number % 4 > 0
    return JobRow(
        row_id=f"job {number}", tenant="acme", at=START + timedelta(minutes=number),
        status="done" if done else "rejected", lane=("high", "low")[number % 2], tier="pro", origin="api",
        arm="primary", model="listener", pipeline="1", region=None, tries=1, error_kind=None if done else "damaged",
        content_type="music" if done else None, confidence=0.9 if done else None, tempo_bpm=None, key=None,
        language=None, vocals=None, review=False, audio_s=10.0, covered_s=10.0, size_bytes=1000, queued_s=0.1,
        decode_s=0.1, predict_s=0.2, total_s=0.5, cost_usd=0.01, fallback_model="second" if done else None,
        fallback_usd=0.008 if done else None, warm=True,
    )  # fmt: skip


def failure(number: int) -> FailureRow:
    """A try that failed."""
    return FailureRow(
        row_id=f"failure {number}", tenant="acme", at=START + timedelta(minutes=number), job_id=f"job {number}",
        try_number=1, stage="decode", kind="damaged", message="no", fingerprint=f"f{number % 3}", model="listener",
        model_version="1", worker="w", final=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> BigQueryWorld:
    """A dataset with rows in it."""
    made = BigQueryWorld(tmp_path_factory.mktemp("world"))
    warehouse = made.open(prepare=True)
    warehouse.append(some_rows())
    warehouse.close()
    return made


@pytest.fixture(scope="module")
def client(world: BigQueryWorld) -> bigquery.Client:
    """What Grafana's source would ask with; it names no dataset by itself."""
    return world.client()


@pytest.mark.parametrize(("title", "sql"), QUESTIONS, ids=[title for title, _ in QUESTIONS])
def test_bigquery_answers(world: BigQueryWorld, client: bigquery.Client, title: str, sql: str) -> None:
    """With rows, for whatever is chosen, and with the time of a point where it is drawn over time."""
    sent = with_values(with_plain_tables(sql, world.dataset), NAMES[0], 1, time_filter(START - timedelta(hours=1), END))
    rows = [dict(row) for row in client.query(sent).result()]
    assert rows
    assert next(iter(rows[0].values())) is not None

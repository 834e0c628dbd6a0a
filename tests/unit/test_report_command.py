"""``earmark report``: its forms, and the window of its rows."""

import csv
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earmark.errors import ConfigurationError
from earmark.settings import Settings
from runtime.cli import app
from runtime.wiring import connect
from tests.contracts.test_warehouse import job_row

AT = datetime(2027, 3, 1, 10, tzinfo=UTC)


def report(data: Path, *words: str) -> str:
    """What it prints over two jobs, two days apart."""
    connect(Settings(data=data)).warehouse.append(
        [job_row(1, AT, model="=1+1"), job_row(2, AT + timedelta(days=2), tenant="beta")]
    )
    ended = CliRunner().invoke(
        app, ["report", *words], env={"EARMARK_DATA": str(data), "COLUMNS": "250"}, catch_exceptions=False
    )
    return ended.stdout


def test_one_report_in_each_form(tmp_path: Path) -> None:
    """The same rows; no formula gets into a spreadsheet."""
    rows = json.loads(report(tmp_path, "cost_by_model", "--json"))
    assert len(rows) == 2
    assert [json.loads(line) for line in report(tmp_path, "cost_by_model", "--format", "jsonl").splitlines()] == rows
    written = list(csv.DictReader(StringIO(report(tmp_path, "cost_by_model", "--format", "csv"))))
    assert {row["model"] for row in written} == {"'=1+1", "listener"}
    assert "listener" in report(tmp_path, "cost_by_model")


def test_a_window_and_a_tenant(tmp_path: Path) -> None:
    """They reach the query."""
    for words in (("--until", "2027-03-02"), ("--since", "2027-02-28", "--tenant", "acme")):
        [row] = json.loads(report(tmp_path, "jobs_by_hour", "--json", *words))
        assert row["hour"] == "2027-03-01T10:00:00Z"
    assert report(tmp_path, "jobs_by_hour", "--tenant", "nobody") == "No rows yet.\n"
    assert report(tmp_path, "jobs_by_hour", "--tenant", "nobody", "--format", "jsonl") == ""


def test_the_list_in_each_form(tmp_path: Path) -> None:
    """By name."""
    assert "arrivals" in json.loads(report(tmp_path, "--json"))
    assert report(tmp_path, "--format", "csv").startswith("name,description\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--since", "7d"], "Name a report"),
        (["ab_span", "--since", "7d"], "no parameter since"),
        (["jobs_by_hour", "--since", "7d", "--until", "9d"], "is not before --until"),
        (["nothing"], "no query 'nothing'"),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, words: list[str], said: str) -> None:
    """One clear error."""
    with pytest.raises(ConfigurationError, match=said):
        report(tmp_path, *words)

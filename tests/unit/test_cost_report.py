"""``earmark cost report``: its figures, and its forms."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from earmark.errors import ConfigurationError
from earmark.settings import Settings
from runtime.cli import app, main
from runtime.cost.output import print_csv
from runtime.cost.report import CostLine, CostReport
from runtime.wiring import connect
from tests.contracts.test_warehouse import job_row
from tests.cost_rows import some_jobs

ROWS = some_jobs(3)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command over some rows and gives what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EARMARK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    connect(Settings(data=tmp_path / "data")).warehouse.append(ROWS)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["cost", "report", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def line(**fields: Any) -> CostLine:
    """Ten jobs, eight with an answer, an hour of audio, a dollar."""
    given: dict[str, Any] = {
        "keys": {}, "jobs": 10, "done": 8, "audio_s": 3600.0, "predict_s": 36.0, "cost_usd": 1.0, "machine_usd": 0.25,
        "fallback_usd": 0.5, "asked": 2,
    }  # fmt: skip
    return CostLine(**{**given, **fields})


def test_by_hand() -> None:
    """Per job, per hour of audio, the rest, and the share of answers about which the fallback was asked."""
    found = line(audio_s=7200.0)
    assert (found.usd_per_1000_jobs, found.usd_per_audio_h) == (100.0, 0.5)
    assert (found.other_usd, found.fallback_share) == (0.25, 0.25)


def test_nothing_is_divided_by() -> None:
    """Of no jobs, no audio and no answers there is no mean."""
    none = CostReport([]).total
    assert (none.jobs, none.usd_per_1000_jobs, none.usd_per_audio_h, none.fallback_share) == (0, None, None, None)
    assert (none.other_usd, line(audio_s=0.0).usd_per_audio_h, line(done=0).fallback_share) == (0.0, None, None)


def test_rounding_is_no_bill() -> None:
    """What is left of sums that cancel out is nothing."""
    found = line(cost_usd=math.fsum([0.1] * 3), machine_usd=0.1, fallback_usd=0.1 + 0.1)
    assert found.other_usd == 0.0
    assert line(cost_usd=0.7, machine_usd=0.3, fallback_usd=0.4000000001).other_usd == 0.0


def test_json(told: Any) -> None:
    """Rows and their sum, unrounded, beside what was asked for."""
    found = json.loads(told("--json", "--by", "lane", "--by", "tenant", "--since", "2027-03-02"))
    assert (found["by"], found["since"], found["until"]) == (["lane", "tenant"], "2027-03-02T00:00:00+00:00", None)
    chosen = [row for row in ROWS if f"{row.at:%Y-%m-%d}" >= "2027-03-02"]
    assert {(row["lane"], row["tenant"]) for row in found["rows"]} == {(row.lane, row.tenant) for row in chosen}
    assert found["total"]["cost_usd"] == pytest.approx(sum(row.cost_usd for row in chosen))
    parts = [found["total"][f"{part}_usd"] for part in ("machine", "fallback", "other")]
    assert sum(parts) == pytest.approx(found["total"]["cost_usd"])
    assert sum(row["jobs"] for row in found["rows"]) == found["total"]["jobs"] == len(chosen)


def test_csv(told: Any) -> None:
    """One row a line, no sum, and none but a head where there is nothing."""
    rows = list(csv.DictReader(io.StringIO(told("--csv", "--by", "model", "--tenant", "beta"))))
    own = [row for row in ROWS if row.tenant == "beta"]
    assert {row["model"]: int(row["jobs"]) for row in rows} == {
        model: len([row for row in own if row.model == model]) for model in {row.model for row in own}
    }
    assert sum(float(row["cost_usd"]) for row in rows) == pytest.approx(sum(row.cost_usd for row in own))


def test_a_tenant_that_nobody_knows(told: Any) -> None:
    """Is told of in its own words, whatever the form; one that had no jobs just then is not."""
    assert told("--csv", "--tenant", "nobody").startswith("jobs,done,audio_h")
    for form in ("--csv", "--json", "--by=lane"):
        assert "No job of a tenant 'nobody' has ever ended" in told(form, "--tenant", "nobody")
    assert told("--tenant", "acme", "--until", "2020-01-01") == "No jobs have ended in this time.\n"


def test_a_folder_that_is_not_there(told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is no folder in which no jobs ended, and is not made by looking."""
    monkeypatch.setenv("EARMARK_DATA", str(tmp_path / "typo"))
    with pytest.raises(ConfigurationError, match=r"no data folder .*typo.*EARMARK_DATA"):
        told()
    assert not (tmp_path / "typo").exists()


def test_no_formula_gets_into_a_spreadsheet(capsys: pytest.CaptureFixture[str]) -> None:
    """A model with an odd name is text."""
    print_csv(CostReport([line(keys={"model": "=1+1"})]))
    assert capsys.readouterr().out.splitlines()[1].startswith("'=1+1,")


def test_the_table(told: Any) -> None:
    """With a sum below, and a word about it where the primary's time is free."""
    shown = told("--by", "lane", "--by", "arm")
    assert len([text for text in shown.splitlines() if text.lstrip().startswith(("high", "low"))]) == 4
    assert f"{len(ROWS)}" in next(text for text in shown.splitlines() if text.lstrip().startswith("all"))
    assert "free here" not in shown
    assert "No jobs have ended" in told("--until", "2020-01-01")


def test_a_free_primary_is_told_of(told: Any, tmp_path: Path) -> None:
    """Or somebody would think it costs nothing."""
    connect(Settings(data=tmp_path / "data")).warehouse.append(
        [job_row(1, row_id="free one", tenant="free", machine_usd=0.0)]
    )
    assert "EARMARK_MODEL_USD_PER_HOUR" in told("--tenant", "free")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--since", "soon"], "--since 'soon' is no time"),
        (["--json", "--csv"], "Choose --json or --csv"),
        (["--since", "7d", "--until", "30d"], "--since '7d' is not before --until '30d'"),
        (["--since", "2027-03-02", "--until", "2027-03-02", "--json"], "between them lies no time"),
    ],
)
def test_what_cannot_be_asked(
    told: Any, arguments: list[str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One clear line and status 2."""
    monkeypatch.setattr("sys.argv", ["earmark", "cost", "report", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert named in capsys.readouterr().err

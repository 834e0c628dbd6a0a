"""The report out of a warehouse on this machine."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from ab_testing.comparison import compare
from ab_testing.evidence import Evidence
from ab_testing.experiment import Experiment
from ab_testing.state import Action
from earmark.errors import ConfigurationError
from earmark.rows import AgreementRow, AssignmentRow, PairRow, Row, TrialRow
from earmark.settings import Settings
from runtime.ab.report import FORMATS, read_report, show_report
from runtime.experiments import make_registry
from runtime.wiring import connect
from tests.ab_reports import BEGAN

JOBS = 600


def trials() -> list[TrialRow]:
    """Jobs over ten hours; every third of the experimental ones fails."""
    random = np.random.default_rng(5)
    rows = []
    for number in range(JOBS):
        arm = "experimental" if number % 10 == 0 else "primary"
        failed = arm == "experimental" and number % 30 == 0
        rows.append(
            TrialRow(
                row_id=f"demo:1:{number}", tenant="t", at=BEGAN + timedelta(minutes=number),
                experiment="demo", version=1, arm=arm, unit=str(number), share=0.1, job_id=f"{number:032x}",
                shadow=False, diverted=False, status="failed" if failed else "done", error_kind=None, tries=1,
                lane="low", tier="free" if number % 7 else "pro", origin="command", content_type=None, language=None,
                model="m", model_version="1", engine="e", hardware="cpu", warm=True,
                audio_s=float(random.uniform(5, 300)),
                queued_s=1.0, predict_s=None if failed else float(random.lognormal()), total_s=3.0, over_sla=False,
                raw_confidence=0.8, confidence=None if failed else float(random.uniform(0.5, 1)), low_confidence=False,
                fallback=False, fallback_fields=0, review=False, cost_usd=0.0001,
            )
        )  # fmt: skip
    return rows


def assigned(trial: TrialRow) -> AssignmentRow:
    """The row that the router wrote of it."""
    return AssignmentRow(
        row_id=trial.row_id, tenant=trial.tenant, at=trial.at, experiment="demo", version=1, arm=trial.arm,
        unit=trial.unit, share=trial.share, coverage=1.0, shadow=False, job_id=trial.job_id, tier=trial.tier,
    )  # fmt: skip


def paired() -> list[Row]:
    """Uploads that the experimental model heard in the shadow."""
    return [
        row
        for number in range(40)
        for row in (
            PairRow(
                row_id=f"demo:1:{number}", tenant="t", at=BEGAN, experiment="demo", version=1, arm="experimental",
                job_id=f"{number:032x}", error_kind=None, audio_s=9.0, primary_predict_s=1.0,
                shadow_predict_s=0.8 + number / 1000, primary_confidence=0.8, shadow_confidence=None, warm=True,
            ),
            AgreementRow(
                row_id=f"demo:1:{number}:key", tenant="t", at=BEGAN, experiment="demo", version=1, arm="experimental",
                job_id=f"{number:032x}", field="key", agrees=number % 4 > 0, primary_value="a", shadow_value="b",
            ),
        )
    ]  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a machine on which the experiment was started."""
    settings = Settings(data=tmp_path)
    make_registry(connect(settings), lambda: BEGAN).start(
        Experiment(name="demo", shadow=0.1), actor="dana", reason="ticket 4711"
    )
    return settings


def test_it_says_what_the_rows_say(settings: Settings) -> None:
    """The same comparison as of the rows counted one by one, hours that end with it, segments, pairs and decisions."""
    backend, rows = connect(settings), trials()
    backend.warehouse.append([*rows, *map(assigned, rows), *paired()])
    report = read_report(backend, "demo", lambda: BEGAN + timedelta(hours=10))
    evidence = Evidence()
    evidence.add(rows)
    for arm, jobs in (("primary", 540), ("experimental", 60)):
        evidence.arms[arm].assigned = jobs
    expected = compare(report.experiment, evidence)
    for found, wanted in zip(report.comparison.findings, expected.findings, strict=True):
        assert (found.metric, found.verdict, found.control_jobs) == (wanted.metric, wanted.verdict, wanted.control_jobs)
        assert found.difference == pytest.approx(wanted.difference)
        assert found.low == pytest.approx(wanted.low)
    assert len(report.looks) == 10
    assert {segment.kind for segment in report.segments} >= {"tier"}
    assert report.pairs[0].agreements[0].agree == 30
    assert report.pairs[0].differences[0].difference == pytest.approx(-0.2 + 0.0195)
    assert report.decisions[0].actor == "dana"
    assert report.state == "running"


@pytest.mark.parametrize("output", FORMATS)
def test_every_format_is_printed_or_written(
    settings: Settings, tmp_path: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same text both ways, before any job has come."""
    out = tmp_path / "report"
    clock = lambda: BEGAN + timedelta(hours=1)  # noqa: E731  # as short as it gets
    assert show_report(settings, "demo", output, None, clock=clock) == 0
    printed = capsys.readouterr().out
    assert show_report(settings, "demo", output, out, clock=clock) == 0
    assert capsys.readouterr().out == ""
    assert out.read_text(encoding="utf-8") == printed
    assert "nothing to compare" in " ".join(printed.split())
    if output == "json":
        assert json.loads(printed)["state"] == "running"


def test_an_earlier_version_is_shown_after_a_new_one_began(settings: Settings) -> None:
    """The latest where none is named; one that never was is refused."""
    backend = connect(settings)
    registry = make_registry(backend, lambda: BEGAN + timedelta(days=1))
    registry.decide("demo", Action.COMPLETE, actor="dana", reason="told what it could")
    registry.start(Experiment(name="demo", version=2), actor="dana", reason="again")
    clock = lambda: BEGAN + timedelta(days=2)  # noqa: E731  # as short as it gets
    backend.warehouse.append(trials())
    assert read_report(backend, "demo", clock).experiment.version == 2
    first = read_report(backend, "demo", clock, version=1)
    assert (first.experiment.version, first.state, sum(arm.ended for arm in first.arms)) == (1, "completed", JOBS)
    with pytest.raises(ConfigurationError, match=r"demo has no version 3 .*there are: 1, 2"):
        read_report(backend, "demo", clock, version=3)


def test_an_unknown_name_is_refused(settings: Settings) -> None:
    """With the name in the message."""
    with pytest.raises(ConfigurationError, match="nobody"):
        show_report(settings, "nobody", "table", None)

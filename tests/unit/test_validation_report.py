"""The report, and the run that fills it."""

import contextlib
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError, ModelCrashed, ModelUnavailable
from runtime.validation.report import Report, as_json, as_markdown
from runtime.validation.run import Validation, write_report
from tests.validation_doubles import FakeProcess
from workers.validation.figures import Check, Finding, Measurement
from workers.validation.subject import Subject
from workers.validation.targets import Target
from workers.validation.verdict import CheckResult, Status, judge_check, verdict

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TARGETS = {"load_s": Target(limit=10.0, why="Because."), "answer_30s": Target(limit=1, judged=False)}


def report(*results: CheckResult, complete: bool = True, quick: bool = False, **texts: str) -> Report:
    """A report of these results."""
    return Report(
        model=texts.get("model", "moody 1"),
        verdict=verdict(results, interrupted=not complete),
        results=results,
        targets=TARGETS,
        environment={"model": texts.get("model", "moody 1"), "GPU": "none found"},
        command=texts.get("command", "earmark validate"),
        quick=quick,
        began=NOW,
        ended=NOW,
    )


def loaded(seconds: float) -> CheckResult:
    """A check of loading that took so long."""
    return judge_check(Check.LOAD, [Measurement("load_s", seconds)], TARGETS)


def test_it_begins_with_the_verdict_and_why() -> None:
    """The first line and the first paragraph."""
    go, no = as_markdown(report(loaded(3.0))), as_markdown(report(loaded(30.0)))
    assert go.splitlines()[0] == "# GO: moody 1"
    assert go.splitlines()[2] == "load pass."
    assert no.splitlines()[0] == "# NO-GO: moody 1"
    assert "load_s is 30, wanted at most 10 s" in no.splitlines()[2]
    assert "| load_s | 30 | s | at most 10 | **fail** |" in no
    assert "`load_s`: at most 10 s.  Because." in no
    assert "(not judged)" in go
    assert "```sh\nearmark validate\n```" in go


def test_quick_and_incomplete_are_told() -> None:
    """Nobody takes a part for the whole."""
    told = as_markdown(report(loaded(3.0), complete=False, quick=True))
    assert told.startswith("# NO-GO (incomplete): moody 1\n")
    assert "20 calls" in told
    assert "Incomplete" in told
    assert "Incomplete" not in as_markdown(report(loaded(3.0)))


def test_text_from_outside_stays_in_its_cell() -> None:
    """Pipes, markup, line ends and control characters in names, reasons and commands."""
    evil = "a|b\n# GO <script>\x1b[31m`x` **y**\u202e"
    failed = CheckResult(Check.LOAD, Status.FAIL, evil)
    told = as_markdown(report(failed, model=evil, command=f"earmark validate --out '{evil}'\n```\n# GO"))
    assert [line for line in told.splitlines() if line.startswith("# ")] == [told.splitlines()[0]]
    assert told.startswith("# NO-GO")
    assert "<script>" not in told.replace("\\<script\\>", "").split("## Again")[0]
    assert not any(char in told for char in "\x1b\u202e")
    assert told.count("```") == 2
    row = next(line for line in told.splitlines() if line.startswith("| load |"))
    assert row.replace("\\|", "").count("|") == 5


def test_json_says_the_same_and_stays_json() -> None:
    """Figures that are not finite are null."""
    found = judge_check(
        Check.LOAD, [Measurement("load_s", math.inf, low=math.nan), Measurement("load_memory_mib", 5.0)], TARGETS
    )
    content = json.loads(as_json(report(found)), parse_constant=pytest.fail)
    assert content["verdict"] == "NO-GO"
    assert content["complete"] is True
    first, second = content["checks"][0]["figures"]
    assert first["value"] is None
    assert first["result"] == "fail"
    assert first["target"]["limit"] == 10
    assert second["result"] is None
    assert second["target"] is None
    assert second["unit"] == "MiB"


def test_a_check_that_fails_leaves_the_others_to_run_and_the_file_up_to_date(tmp_path: Path) -> None:
    """A crash, an error nobody thought of, and what was measured before it."""
    out = tmp_path / "report.md"
    process = FakeProcess()
    subject = Subject(process, timeout_s=1)
    seen: list[str] = []

    def crashing() -> Iterator[Finding]:
        seen.append("crashing")
        yield Measurement("batch_equal", 1.0)
        message = "signal SIGKILL"
        raise ModelCrashed(message)

    def poisoned() -> Iterator[Finding]:
        assert "# NO-GO (incomplete)" in out.read_text()
        yield from ()
        raise LookupError

    def good() -> Iterator[Finding]:
        yield Measurement("load_s", 1.0)

    validation = Validation(out, TARGETS, lambda results, *, complete: report(*results, complete=complete))
    validation.run(
        [(Check.BATCH, crashing), (Check.MEMORY, poisoned), (Check.LOAD, good), (Check.ANSWERS, "why")], subject
    )
    by_check = {result.check: result for result in validation.results}
    assert by_check[Check.BATCH].status is Status.FAIL
    assert "SIGKILL" in by_check[Check.BATCH].reason
    assert by_check[Check.BATCH].judged[0].measurement.value == 1.0
    assert "LookupError" in by_check[Check.MEMORY].reason
    assert process.killed == 1
    assert by_check[Check.LOAD].status is Status.PASS
    assert by_check[Check.ANSWERS].reason == "why"
    assert not validation.unloadable


def test_nothing_runs_where_the_model_does_not_load() -> None:
    """The rest is skipped, and says why."""

    def unloadable() -> Iterator[Finding]:
        yield from ()
        message = "no weights"
        raise ModelUnavailable(message)

    validation = Validation(None, TARGETS, lambda results, *, complete: report(*results, complete=complete))
    validation.run([(Check.LOAD, unloadable), (Check.BATCH, pytest.fail)], Subject(FakeProcess(), timeout_s=1))
    assert validation.unloadable
    assert [result.status for result in validation.results] == [Status.FAIL, Status.SKIPPED]


def test_interrupted_keeps_what_was_measured() -> None:
    """The check that was under way is not decided."""

    def cut() -> Iterator[Finding]:
        yield Measurement("load_s", 1.0)
        raise KeyboardInterrupt

    validation = Validation(None, TARGETS, lambda results, *, complete: report(*results, complete=complete))
    with pytest.raises(KeyboardInterrupt):
        validation.run([(Check.LOAD, cut)], Subject(FakeProcess(), timeout_s=1))
    assert validation.results[0].status is Status.UNDECIDED
    assert validation.results[0].judged


def test_an_interruption_that_is_swallowed_is_not_lost() -> None:
    """As one is that arrives while an object is being removed."""
    validation = Validation(None, TARGETS, lambda results, *, complete: report(*results, complete=complete))

    def swallowing() -> Iterator[Finding]:
        with contextlib.suppress(KeyboardInterrupt):
            validation.interrupt()
        yield Measurement("load_s", 1.0)
        pytest.fail("it went on")

    with pytest.raises(KeyboardInterrupt):
        validation.run([(Check.LOAD, swallowing)], Subject(FakeProcess(), timeout_s=1))
    assert validation.results[0].status is Status.UNDECIDED


def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A folder in its place."""
    with pytest.raises(ConfigurationError, match="--out"):
        write_report(tmp_path, "text")

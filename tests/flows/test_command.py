"""The command line, as a person or a script uses it, with the real model on real audio."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.decoding import eventually
from tests.flows.command import Command, lines

EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"
SILENCE = next(EXAMPLES.glob("silence*"))
CLIPS = [EXAMPLES / name for name in ("piano-solo.wav", "waterfall.m4a", "birds.ogg")]
SPEECH = next(EXAMPLES.glob("speech-english*"))


@pytest.fixture
def earmark(tmp_path: Path) -> Command:
    """The command on an empty data folder."""
    return Command(tmp_path / "data")


@pytest.mark.slow
def test_analyze_gives_one_record_per_input_in_order(earmark: Command, tmp_path: Path) -> None:
    """Good, bad, doubled and missing inputs each have one line, in input order; stdout carries nothing else."""
    (tmp_path / "b.txt").write_text("no audio at all")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd \n\xe9.wav"))
    odd.write_bytes(SILENCE.read_bytes())
    inputs = [SILENCE, tmp_path / "b.txt", SPEECH, tmp_path / "gone.mp3", odd]
    ended = earmark.run_anew("analyze", *inputs, "--format", "jsonl")
    assert ended.returncode == 3
    found = lines(ended.stdout)
    assert [line["status"] for line in found] == ["done", "rejected", "done", "rejected", "done"]
    assert found[0]["analysis"]["metadata"]["content_type"]["value"] == "silence"
    assert found[1]["error"]["kind"] == "not_audio"
    assert "b.txt" in found[1]["error"]["message"]
    assert found[2]["analysis"]["metadata"]["content_type"]["value"] == "speech"
    assert found[2]["analysis"]["metadata"]["transcript"]["value"]
    assert found[3]["error"]["kind"] == "not_found"
    assert found[4]["analysis"]["job_id"] == found[0]["analysis"]["job_id"], "the same bytes are one analysis"
    again = earmark.run("analyze", SILENCE, SPEECH)
    assert again.returncode == 0
    assert "2 already known, 0 analysed" in again.stderr
    assert "Traceback" not in ended.stderr + again.stderr
    report = earmark.run("report", "analyses_by_content_type", "--json")
    assert {row["content_type"]: row["analyses"] for row in json.loads(report.stdout)} == {"silence": 1, "speech": 1}
    status = {row["queue"]: row for row in json.loads(earmark.run("status", "--json").stdout)}
    assert status["dead"]["waiting"] == 1
    assert status["low"] == {"queue": "low", "waiting": 0, "delayed": 0, "leased": 0, "oldest_s": 0.0}


@pytest.mark.slow
def test_formats_and_out(earmark: Command, tmp_path: Path) -> None:
    """Each format is what it says, and --out appears complete or not at all."""
    out = tmp_path / "out.json"
    assert earmark.run("analyze", SILENCE, "--format", "json", "--out", out).returncode == 0
    assert json.loads(out.read_text())[0]["status"] == "done"
    assert "silence" in earmark.run("analyze", SILENCE).stdout
    assert earmark.run("analyze", SILENCE, "--format", "csv").stdout.splitlines()[1].startswith(str(SILENCE))
    refused = earmark.run("analyze", SILENCE, "--out", tmp_path / "no" / "such" / "out")
    assert refused.returncode == 2
    assert "--out" in refused.stderr


def test_usage_and_settings_errors_are_one_line_and_2(tmp_path: Path) -> None:
    """Wrong flags, values, names and files end with status 2 and no traceback."""
    earmark = Command(tmp_path / "data")
    wrong = [
        earmark.run_anew("analyze"),
        earmark.run("analyze", SILENCE, "--format", "yaml"),
        earmark.run("analyze", SILENCE, "--tenant", "Not A Tenant"),
        earmark.run("analyze", SILENCE, ""),
        earmark.run("report", "no_such_report"),
        Command(tmp_path / "data", batch_jobs="none").run("config"),
        Command(tmp_path / "data", model="oracle").run_anew("analyze", SILENCE),
        Command(tmp_path / "data", tenants="/nowhere.toml").run("analyze", SILENCE),
    ]
    for ended in wrong:
        assert ended.returncode == 2, ended
        assert "Traceback" not in ended.stderr
        assert ended.stderr.strip()
    blocked = tmp_path / "file"
    blocked.write_text("")
    ended = Command(blocked).run("analyze", SILENCE)
    assert ended.returncode in {2, 4}
    assert "Traceback" not in ended.stderr


def test_help_config_and_reports(earmark: Command) -> None:
    """Every command explains itself; config says where each value came from."""
    for command in ("analyze", "route", "work", "report", "status", "config", "doctor"):
        ended = earmark.run(command, "--help")
        assert ended.returncode == 0
        assert ended.stdout.strip()
    rows = json.loads(earmark.run("config", "--json").stdout)
    assert rows["data"]["source"] == "environment EARMARK_DATA"
    assert "failures_by_kind" in earmark.run("report").stdout


@pytest.mark.slow
def test_doctor_finds_this_installation_sound(earmark: Command) -> None:
    """Everything needed works here; what is optional and missing says what it is for."""
    earmark.run("init")
    ended = earmark.run("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(ended.stdout)}
    assert ended.returncode == 0, ended.stdout
    assert findings["model listener"]["works"]
    assert all(finding["remedy"] for finding in findings.values() if not finding["works"])


@pytest.mark.slow
def test_route_then_work_until_empty(earmark: Command) -> None:
    """Queued by one command, done by another, then known."""
    routed = lines(earmark.run("route", SILENCE).stdout)
    assert routed[0]["status"] == "queued"
    assert earmark.run("work", "--until-empty").returncode == 0
    assert lines(earmark.run("route", SILENCE).stdout)[0]["status"] == "known"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_told_to_stop_ends_cleanly(earmark: Command, number: int) -> None:
    """SIGTERM and Ctrl-C end an idle worker at once, with status 0."""
    with earmark.started("work") as worker:
        earmark.run("route", SILENCE)
        assert eventually(lambda: lines(earmark.run("route", SILENCE).stdout)[0]["status"] == "known", 60)
        worker.send_signal(number)
        _, errors = worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert "Traceback" not in errors


@pytest.mark.slow
def test_interrupted_and_run_again(earmark: Command) -> None:
    """Ctrl-C ends analyze with 130, spends no try, and the same command finishes the work."""
    with earmark.started("analyze", *CLIPS, "--format", "jsonl") as process:
        while not earmark.busy():
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Run the same command again" in errors
    assert "Traceback" not in errors
    lines(output)
    again = earmark.run("analyze", *CLIPS, "--format", "jsonl")
    assert [line["status"] for line in lines(again.stdout)] == ["done"] * len(CLIPS)
    assert earmark.run("report", "failures_by_kind").stdout == "No rows yet.\n"


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.0, 0.6, 1.2, 2.4])
def test_a_terminals_interrupt_reaches_everybody_and_costs_nothing(
    earmark: Command, tmp_path: Path, after_s: float
) -> None:
    """Ctrl-C goes to all processes of the command, whatever each is doing: no traceback, no try spent."""
    with earmark.started("analyze", *CLIPS, "--format", "jsonl", own_group=True) as process:
        while not (tmp_path / "data" / "queues.sqlite").exists():
            time.sleep(0.01)
        time.sleep(after_s)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode in {130, 0, -signal.SIGINT}
    assert earmark.run("report", "failures_by_kind").stdout == "No rows yet.\n"


@pytest.mark.slow
def test_two_commands_at_once_on_one_folder(earmark: Command) -> None:
    """Both give every record, in their own order, and each file was analysed once."""
    with (
        earmark.started("analyze", *CLIPS, "--format", "jsonl") as first,
        earmark.started("analyze", *CLIPS[::-1], "--format", "jsonl") as second,
    ):
        one, two = (lines(process.communicate(timeout=110)[0]) for process in (first, second))
    assert [line["source"] for line in one] == [str(path) for path in CLIPS]
    assert one == two[::-1]
    assert {line["status"] for line in one} == {"done"}
    rows = json.loads(earmark.run("report", "analyses_by_content_type", "--json").stdout)
    assert sum(row["analyses"] for row in rows) == len(CLIPS)


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(earmark: Command) -> None:
    """Piped into something that stops reading, analyze ends quickly and quietly."""
    with earmark.started("analyze", *CLIPS, "--format", "jsonl") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        process.wait(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode in {0, 1}, "1 is what the command line library ends a broken pipe with"


@pytest.mark.slow
def test_what_failed_ends_with_3(tmp_path: Path) -> None:
    """An input that used up its tries has its line and its status, as a rejected one has."""
    earmark = Command(tmp_path / "data", decode_timeout_s="0.001", max_tries="1")
    ended = earmark.run("analyze", SILENCE, "--format", "jsonl")
    [line] = lines(ended.stdout)
    assert line["status"] == "failed"
    assert line["error"]["kind"] == "timed_out"  # type: ignore[index]
    assert ended.returncode == 3
    assert "1 failed" in ended.stderr


@pytest.mark.slow
def test_a_model_that_does_not_load_ends_with_4(tmp_path: Path) -> None:
    """Neither analyze nor a worker waits for ever, doctor says so too, and the job spends no try."""
    earmark = Command(tmp_path / "data", model_start_timeout_s="0.001", retry_delay_s="0")
    for arguments in (["analyze", SILENCE], ["work", "--until-empty"], ["doctor"]):
        ended = earmark.run(*arguments)
        assert ended.returncode == 4, ended
        assert "did not load" in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
    assert earmark.run("report", "failures_by_kind").stdout == "No rows yet.\n"


def test_route_says_what_it_refused(earmark: Command, tmp_path: Path) -> None:
    """A refused input has its line, the others are queued, and the status is 3."""
    ended = earmark.run("route", tmp_path / "gone.mp3", SILENCE)
    assert [line["status"] for line in lines(ended.stdout)] == ["rejected", "queued"]
    assert ended.returncode == 3


@pytest.mark.slow
def test_a_tenants_limits_hold(tmp_path: Path) -> None:
    """A recording longer than its tenant may send is rejected with the remedy, though the system would take it."""
    tenants = tmp_path / "tenants.toml"
    tenants.write_text("[acme]\nmax_duration_s = 5\n")
    ended = Command(tmp_path / "data", tenants=str(tenants)).run(
        "analyze", SILENCE, "--tenant", "acme", "--format", "jsonl"
    )
    [line] = lines(ended.stdout)
    assert line["error"]["kind"] == "too_long"  # type: ignore[index]
    assert "max_duration_s" in line["error"]["remedy"]  # type: ignore[index]


@pytest.mark.slow
def test_an_interrupted_out_does_not_appear(earmark: Command, tmp_path: Path) -> None:
    """A file under the name of the output is complete; nothing half written is left beside it."""
    out = tmp_path / "out.jsonl"
    with earmark.started("analyze", *CLIPS, "--format", "jsonl", "--out", out) as process:
        while not earmark.busy():
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["data"]

"""An experiment in a running system: real commands, two real models, one of which breaks."""

import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audio_files import wav
from tests.flows.command import Command, lines
from tests.servers.faults import BY_NAME
from tests.servers.openai import OpenAIServer
from tests.tiny_qwen import TINY_QWEN, tiny_sound

OUT_WITHIN_S = 30.0
"""Seconds in which a broken arm must be out; measured far below, on a machine that may be busy."""


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """What the experimental arm asks."""
    with OpenAIServer() as made:
        yield made


@pytest.fixture
def command(server: OpenAIServer, tmp_path: Path) -> Command:
    """The command with the tiny model as the primary, and an experiment with the server for half of the uploads."""
    providers = tmp_path / "providers.toml"
    providers.write_text(
        f'[test]\nurl = "{server.url}"\nmodel = "gpt-audio-1.5"\nretries = 0\nlogprobs = "no"\n'
        "[test.prices]\ntext_in = 2.5\ncached_in = 2.5\naudio_in = 32.0\ntext_out = 10.0\naudio_out = 64.0\n"
    )
    (tmp_path / "trial.yaml").write_text(
        "name: far-or-near\narms:\n  - {name: near, share: 0.5}\n"
        "  - {name: far, share: 0.5, model: openai_compatible, settings: {model_provider: test}}\n"
    )
    return Command(
        tmp_path / "data",
        model="qwen2_audio",
        model_path=str(TINY_QWEN),
        model_threads="1",
        providers=str(providers),
        retry_delay_s="0.2",
    )


def sounds(folder: Path, count: int, first: int = 0) -> Path:
    """A folder of short recordings, all different."""
    folder.mkdir()
    for seed in range(first, first + count):
        kind = ("chord", "noise", "between")[seed % 3]
        (folder / f"{seed}.wav").write_bytes(wav(tiny_sound(kind, 0.6, seed)[None, :], 16_000))
    return folder


def ran(command: Command, *arguments: str | Path) -> Any:
    """The JSON that a command printed."""
    done = command.run(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Seconds until something is true."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it took too long"
        time.sleep(0.1)
    return time.monotonic() - began


def stored(command: Command) -> list[dict[str, Any]]:
    """All records."""
    results = Path(command.environment["EARMARK_DATA"]) / "objects" / "results"
    return [json.loads(path.read_bytes()) for path in results.rglob("*.json")]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_experiment_from_start_to_rollback(command: Command, server: OpenAIServer, tmp_path: Path) -> None:
    """Arms as `assign` says; when one breaks it is out within seconds, and every customer has an answer."""
    trial = tmp_path / "trial.yaml"
    ran(command, "ab", "start", trial, "--json")
    routed = command.run("route", sounds(tmp_path / "first", 24))
    assert Counter(line["status"] for line in lines(routed.stdout)) == {"queued": 24}, routed.stderr
    assert command.run("work", "--until-empty").returncode == 0
    records = {record["job_id"]: record["analysis"] for record in stored(command)}
    assigned = command.run("ab", "assign", trial, given="".join(f"{job}\n" for job in records)).stdout
    arms = {line.split("\t")[0]: line.split("\t")[3] for line in assigned.splitlines()}
    assert {job: analysis["provenance"]["arm"] for job, analysis in records.items()} == arms
    models = {(arms[job], analysis["model"]) for job, analysis in records.items()}
    assert models == {("near", "qwen2_audio"), ("far", "openai_compatible")}

    server.always = BY_NAME["bad_json"]
    command.run("route", sounds(tmp_path / "second", 48, first=100))
    with command.started("work", "--until-empty") as worker:
        state = Path(command.environment["EARMARK_DATA"]) / "objects" / "state"
        asked = len(server.requests)
        until(lambda: len(server.requests) > asked, 120)
        out_s = until(lambda: b"rolled_back" in b"".join(p.read_bytes() for p in state.rglob("far-or-near.json")), 60)
        assert worker.wait(120) == 0
    assert out_s < OUT_WITHIN_S
    records = {record["job_id"]: record for record in stored(command)}
    assert {record["status"] for record in records.values()} == {"done"}
    assert len(records) == 72
    diverted = [record for record in records.values() if record["analysis"]["provenance"]["diverted"]]
    assert {record["analysis"]["model"] for record in diverted} == {"qwen2_audio"}
    assert {record["analysis"]["provenance"]["arm"] for record in diverted} == {"far"}
    assert len(diverted) > 5
    status = ran(command, "ab", "status", "far-or-near", "--json")
    assert "rolled_back" in json.dumps(status)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_follows_without_a_restart(command: Command, tmp_path: Path) -> None:
    """An experiment started while a worker runs is heard by its arm's model, and a completed one no more."""
    with command.started("work") as worker:
        ran(command, "ab", "start", tmp_path / "trial.yaml", "--json")
        command.run("route", sounds(tmp_path / "first", 8))
        until(lambda: len(stored(command)) == 8, 120)
        ran(command, "ab", "complete", "far-or-near", "--reason", "enough", "--json")
        command.run("route", sounds(tmp_path / "second", 8, first=50))
        until(lambda: len(stored(command)) == 16, 120)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    found = Counter(record["analysis"]["provenance"]["arm"] for record in stored(command))
    assert found["primary"] == 8
    assert found["near"] + found["far"] == 8


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_shadow_hears_what_the_customer_was_answered(command: Command, server: OpenAIServer, tmp_path: Path) -> None:
    """The other model hears a share of the uploads; the customer sees one record, the report the pairs."""
    trial = tmp_path / "trial.yaml"
    trial.write_text(trial.read_text().replace("share: 0.5", "share: 1.0", 1).replace("share: 0.5", "share: 0.0"))
    trial.write_text(trial.read_text() + "shadow: 1.0\n")
    ran(command, "ab", "start", trial, "--json")
    command.run("route", sounds(tmp_path / "first", 6))
    worked = command.run("work", "--until-empty")
    assert worked.returncode == 0, worked.stderr
    records = stored(command)
    assert [record["analysis"]["model"] for record in records] == ["qwen2_audio"] * 6
    assert len(server.requests) == 6
    told = [json.loads(line) for line in worked.stderr.splitlines() if line.startswith("{")]
    assert Counter(line["event"] for line in told)["job.settled"] == 6
    report = ran(command, "ab", "report", "far-or-near", "--format", "json")
    [pairs] = report["shadow"]
    assert (pairs["arm"], pairs["pairs"]) == ("far", 6)

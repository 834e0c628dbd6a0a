"""An experiment in a running system: real commands, two real models, one of which breaks."""

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audio_files import wav
from tests.flows.command import Command, lines
from tests.servers.faults import BY_NAME, OK
from tests.servers.openai import OpenAIServer
from tests.tiny_qwen import TINY_QWEN, tiny_sound

OUT_WITHIN_S = 30.0
"""Seconds in which a broken arm must be out; measured far below, on a machine that may be busy."""


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    """What the experimental arms ask."""
    with OpenAIServer() as made:
        yield made


@pytest.fixture(scope="module")
def command(server: OpenAIServer, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command on a data folder for several tests."""
    return command_of(server, tmp_path_factory.mktemp("live"))


def command_of(server: OpenAIServer, folder: Path) -> Command:
    """The command with the tiny model as the primary, and the server as two providers for experimental arms."""
    providers = folder / "providers.toml"
    providers.write_text(
        "".join(
            f'[{name}]\nurl = "{server.url}"\nmodel = "gpt-audio-1.5"\nretries = 0\nlogprobs = "no"\n'
            f"[{name}.prices]\nas_of = 2026-11-20\n"
            "text_in = 2.5\ncached_in = 2.5\naudio_in = 32.0\ntext_out = 10.0\naudio_out = 64.0\n"
            for name in ("one", "two")
        )
    )
    return Command(
        folder / "data",
        model="qwen2_audio",
        model_path=str(TINY_QWEN),
        model_threads="1",
        providers=str(providers),
        retry_delay_s="0.2",
    )


@pytest.fixture(scope="module")
def worker(command: Command, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[subprocess.Popen[str]]":
    """A worker that is started when one experiment runs and serves several tests, for loading takes seconds."""
    ran(command, "ab", "start", trial(tmp_path_factory.mktemp("trial"), "far-or-near", "one"), "--json")
    with command.started("work", log=True) as process:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def trial(folder: Path, name: str, provider: str, *, near: float = 0.5, more: str = "") -> Path:
    """The file of an experiment between the tiny model and a provider, with these shares."""
    path = folder / f"{name}.yaml"
    path.write_text(
        f"name: {name}\narms:\n  - {{name: near, share: {near}}}\n"
        f"  - {{name: far, share: {1 - near}, model: openai_compatible, settings: {{model_provider: {provider}}}}}\n"
        f"{more}"
    )
    return path


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


def stored(command: Command, tenant: str) -> list[dict[str, Any]]:
    """All records of a tenant."""
    results = Path(command.environment["EARMARK_DATA"]) / "objects" / "results"
    return [json.loads(path.read_bytes()) for path in results.rglob(f"analyses/{tenant}/*.json")]


def answered(command: Command, tenant: str, count: int) -> dict[str, dict[str, Any]]:
    """The records of a tenant by job, as soon as there are so many."""
    until(lambda: len(stored(command, tenant)) == count, 120)
    return {record["job_id"]: record for record in stored(command, tenant)}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_experiment_from_start_to_rollback(
    command: Command, worker: "subprocess.Popen[str]", server: OpenAIServer, tmp_path: Path
) -> None:
    """Arms as `assign` says; when one breaks it is out within seconds, and every customer has an answer."""
    file = trial(tmp_path, "far-or-near", "one")
    assert not ran(command, "ab", "start", file, "--json")["changed"]
    routed = command.run("route", sounds(tmp_path / "first", 24), "--tenant", "broken")
    assert Counter(line["status"] for line in lines(routed.stdout)) == {"queued": 24}, routed.stderr
    records = {job: record["analysis"] for job, record in answered(command, "broken", 24).items()}
    assigned = command.run("ab", "assign", file, given="".join(f"{job}\n" for job in records)).stdout
    arms = {line.split("\t")[0]: line.split("\t")[3] for line in assigned.splitlines()}
    assert {job: analysis["provenance"]["arm"] for job, analysis in records.items()} == arms
    models = {(arms[job], analysis["model"]) for job, analysis in records.items()}
    assert models == {("near", "qwen2_audio"), ("far", "openai_compatible")}

    server.always = BY_NAME["bad_json"]
    try:
        asked = len(server.requests)
        command.run("route", sounds(tmp_path / "second", 48, first=100), "--tenant", "broken")
        state = Path(command.environment["EARMARK_DATA"]) / "objects" / "state"
        until(lambda: len(server.requests) > asked, 120)
        out_s = until(lambda: b"rolled_back" in b"".join(p.read_bytes() for p in state.rglob("far-or-near.json")), 60)
        records = answered(command, "broken", 72)
    finally:
        server.always = OK
    assert out_s < OUT_WITHIN_S
    assert {record["status"] for record in records.values()} == {"done"}
    diverted = [record for record in records.values() if record["analysis"]["provenance"]["diverted"]]
    assert {record["analysis"]["model"] for record in diverted} == {"qwen2_audio"}
    assert {record["analysis"]["provenance"]["arm"] for record in diverted} == {"far"}
    assert len(diverted) > 5
    status = ran(command, "ab", "status", "far-or-near", "--json")
    assert "rolled_back" in json.dumps(status)
    assert worker.poll() is None


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_follows_without_a_restart(command: Command, worker: "subprocess.Popen[str]", tmp_path: Path) -> None:
    """An experiment started while a worker runs is heard by its arm's model, and a completed one no more."""
    command.run("ab", "complete", "far-or-near", "--reason", "another one's turn")  # if it was not rolled back
    ran(command, "ab", "start", trial(tmp_path, "followed", "two"), "--json")
    command.run("route", sounds(tmp_path / "first", 8), "--tenant", "followed")
    answered(command, "followed", 8)
    ran(command, "ab", "complete", "followed", "--reason", "enough", "--json")
    command.run("route", sounds(tmp_path / "second", 8, first=50), "--tenant", "followed")
    records = answered(command, "followed", 16).values()
    assert worker.poll() is None
    found = Counter(record["analysis"]["provenance"]["arm"] for record in records)
    assert found["primary"] == 8
    assert found["near"] + found["far"] == 8


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_shadow_hears_what_the_customer_was_answered(server: OpenAIServer, tmp_path: Path) -> None:
    """The other model hears a share of the uploads; the customer sees one record, the report the pairs."""
    command = command_of(server, tmp_path)
    ran(command, "ab", "start", trial(tmp_path, "shadowed", "one", near=1.0, more="shadow: 1.0\n"), "--json")
    asked = len(server.requests)
    command.run("route", sounds(tmp_path / "first", 6), "--tenant", "shadowed")
    worked = command.run("work", "--until-empty")
    assert worked.returncode == 0, worked.stderr
    records = stored(command, "shadowed")
    assert [record["analysis"]["model"] for record in records] == ["qwen2_audio"] * 6
    assert len(server.requests) == asked + 6
    told = [json.loads(line) for line in worked.stderr.splitlines() if line.startswith("{")]
    assert Counter(line["event"] for line in told)["job.settled"] == 6
    report = ran(command, "ab", "report", "shadowed", "--format", "json")
    [pairs] = report["shadow"]
    assert (pairs["arm"], pairs["pairs"]) == ("far", 6)

"""``earmark validate`` as an engineer runs it: the tiny Qwen2-Audio, the listener, and a provider over HTTP."""

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.decoding import eventually, gone
from tests.flows.command import Command, children
from tests.servers.openai import OpenAIServer
from tests.tiny_qwen import TINY_QWEN


@pytest.fixture
def earmark(tmp_path: Path) -> Command:
    """The command on an empty data folder."""
    return Command(tmp_path / "data")


def figures(content: dict[str, Any]) -> dict[str, Any]:
    """The figures of a report by name."""
    return {figure["name"]: figure for check in content["checks"] for figure in check["figures"]}


def only(*checks: str) -> list[str]:
    """Arguments that ask for these checks."""
    return [word for check in checks for word in ("--only", check)]


@pytest.mark.slow
def test_the_tiny_qwen2_audio_is_go(earmark: Command, tmp_path: Path) -> None:
    """Batches of mixed lengths, 25 minutes, memory and answers, in Markdown and JSON, with nothing left behind."""
    out = tmp_path / "report.md"
    ended = earmark.run(
        "validate", "--model", "qwen2_audio", "--model-path", TINY_QWEN, "--quick", "--json", "--out", out,
        *only("self-test", "batch", "real-time", "memory"),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    content = json.loads(ended.stdout)
    assert content["verdict"] == "GO"
    assert content["quick"]
    results = {check["check"]: check["result"] for check in content["checks"]}
    assert results == {
        "load": "pass", "self-test": "pass", "batch": "pass", "real-time": "pass", "memory": "pass",
        "throughput": "skipped", "answers": "skipped", "calibration": "skipped",
    }  # fmt: skip
    measured = figures(content)
    assert measured["batch_equal"]["value"] == 1
    assert measured["covered_1500s"]["value"] == 1500
    assert measured["calls"]["value"] == 20
    assert measured["memory_peak_mib"]["value"] >= measured["memory_before_mib"]["value"] > 50
    assert measured["load_s"]["unit"] == "s"
    assert content["environment"]["engine"] == "transformers"
    assert content["environment"]["prompt version"] not in {"", "none"}
    assert {"torch", "transformers", "llguidance", "earmark", "processor"} <= set(content["environment"])
    assert out.read_text().startswith("# GO: qwen2_audio ")
    assert "20 calls" in out.read_text()
    assert f"--model-path {TINY_QWEN}" in out.read_text()
    assert "Traceback" not in ended.stderr
    assert "[3/8] batch" in ended.stderr
    assert not list((tmp_path / "data" / "scratch").iterdir())


def test_what_fails_is_no_go_and_3(earmark: Command, tmp_path: Path) -> None:
    """By a target of one's own that no model meets; the report goes to standard output."""
    (tmp_path / "targets.toml").write_text("[self_test_different]\nlimit = 4\n")
    ended = earmark.run("validate", *only("self-test"), "--targets", tmp_path / "targets.toml")
    assert ended.returncode == 3, ended.stderr
    assert ended.stdout.startswith("# NO-GO: listener")
    assert "self_test_different" in ended.stdout.splitlines()[2]


def labels(path: Path, count: int, right_as_said: float) -> Path:
    """A file of judged answers of any confidence, of which that multiple of the confidence is right."""
    chance = np.random.default_rng(1)
    rows = (
        {
            "field": "content_type",
            "confidence": said,
            "right": bool(chance.random() < right_as_said * said),
            "recording": str(number),
        }
        for number, said in enumerate(chance.random(count).tolist())
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("count", "right_as_said", "targets", "result", "status"),
    [
        (1500, 0.7, "", "fail", 3),
        (200, 1.0, "[labels]\nlimit = 100\n[ece]\nlimit = 0.2", "pass", 0),
    ],
)
def test_labels_decide_about_confidences(
    count: int, right_as_said: float, targets: str, result: str, status: int, earmark: Command, tmp_path: Path
) -> None:
    """With intervals; few are enough where the targets say so."""
    (tmp_path / "targets.toml").write_text(targets)
    path = labels(tmp_path / "labels.jsonl", count, right_as_said)
    ended = earmark.run(
        "validate", *only("calibration"), "--labels", path, "--targets", tmp_path / "targets.toml", "--json"
    )
    assert ended.returncode == status, ended.stderr
    content = json.loads(ended.stdout)
    assert content["checks"][-1]["result"] == result
    ece = figures(content)["ece"]
    assert ece["low"] <= ece["value"] <= ece["high"]


@pytest.mark.slow
def test_what_cannot_be_used_is_2_before_anything_is_loaded(earmark: Command, tmp_path: Path) -> None:
    """Targets, labels, audio, folders, names: one line each."""
    (tmp_path / "bad.toml").write_text("[speed]\nlimit = 1\n")
    (tmp_path / "bad.jsonl").write_text("[]\n")
    wrong = [
        ("--targets", tmp_path / "bad.toml"),
        ("--labels", tmp_path / "bad.jsonl"),
        ("--audio", tmp_path / "bad.toml"),
        ("--out", tmp_path / "no" / "report.md"),
        ("--only", "everything"),
        ("--model", ""),
    ]
    for arguments in wrong:
        ended = earmark.run("validate", *arguments)
        assert ended.returncode == 2, arguments
        assert "Traceback" not in ended.stderr
        assert "[1/8]" not in ended.stderr
        assert not ended.stdout


def test_a_model_that_does_not_load_is_4(tmp_path: Path) -> None:
    """With a report that says why."""
    ended = Command(tmp_path / "data", model_start_timeout_s="0.01").run("validate")
    assert ended.returncode == 4
    assert ended.stdout.startswith("# NO-GO: listener")
    assert "did not load" in ended.stdout.splitlines()[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_the_part_that_was_measured(earmark: Command, tmp_path: Path, number: int) -> None:
    """Exit status 130, a report marked incomplete, no process and no file left."""
    out = tmp_path / "report.md"
    with earmark.started("validate", *only("memory"), "--out", out) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("[5/8] memory"):
                break
        under_way = children(running.pid)
        running.send_signal(number)
        rest = running.stderr.read()
        assert running.wait(30) == 130
    assert "Traceback" not in rest
    told = out.read_text()
    assert told.startswith("# NO-GO (incomplete): listener")
    assert "| load | pass |" in told
    assert "interrupted" in told
    assert under_way
    assert eventually(lambda: all(map(gone, under_way)))
    assert not list((tmp_path / "data" / "scratch").iterdir())


@pytest.mark.slow
def test_a_provider_is_asked_at_the_same_time_and_its_bill_is_told(tmp_path: Path) -> None:
    """Over HTTP, by the production client."""
    with OpenAIServer() as server:
        providers = tmp_path / "providers.toml"
        model = next(iter(server.models))
        providers.write_text(
            f'[test]\nurl = "{server.url}"\nmodel = "{model}"\nconcurrency = 4\n'
            "[test.prices]\nas_of = 2026-11-20\n"
            "audio_in = 32\ntext_in = 2\ncached_in = 2\ntext_out = 0\naudio_out = 0\n"
        )
        earmark = Command(tmp_path / "data", providers=str(providers), model_provider="test")
        ended = earmark.run(
            "validate", "--model", "openai_compatible", "--quick", "--json", *only("self-test", "throughput")
        )
        most, asked = server.most_under_way, len(server.requests)
    assert ended.returncode in {0, 3}, ended.stderr
    content = json.loads(ended.stdout)
    assert {"clips_per_s_at_1", "clips_per_s_at_16"} <= set(figures(content))
    assert 2 <= most <= 4
    assert asked >= 21
    assert float(content["environment"]["cost of this validation"].removesuffix(" USD")) > 0
    assert content["environment"]["device"] == "at a provider"
    assert "cost money" in ended.stderr

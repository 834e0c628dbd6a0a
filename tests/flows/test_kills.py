"""kill -9 at random moments: every file still ends with exactly one record, and nothing is left running."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.flows.command import Command, children, command_line, lines

EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"
CLIPS = [EXAMPLES / name for name in ("birds.ogg", "electronic-techno.opus", "metal-band.mp3", "piano-solo.wav")]
LEASE_S = "2"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_command_itself_is_killed(tmp_path: Path, seed: int) -> None:
    """Killed at a random moment and run again: one record per input, one row per job, no process left behind."""
    random.seed(seed)
    earmark = Command(tmp_path / "data", lease_s=LEASE_S)
    with earmark.started("analyze", *CLIPS, "--format", "jsonl") as first:
        time.sleep(random.uniform(0.5, 4))
        family = children(first.pid)
        first.kill()
        first.communicate()
    ended = earmark.run("analyze", *CLIPS, "--format", "jsonl")
    found = lines(ended.stdout)
    assert [line["source"] for line in found] == [str(path) for path in CLIPS]
    assert {line["status"] for line in found} == {"done"}
    stored = list((tmp_path / "data").rglob("analyses/default/*.json"))
    assert len(stored) == len(CLIPS)
    assert not [pid for pid in family if "earmark" in command_line(pid) or "workers" in command_line(pid)]


@pytest.mark.slow
def test_the_model_child_is_killed(tmp_path: Path) -> None:
    """A model that is killed while it works is replaced, and every input has its record in the same run."""
    earmark = Command(tmp_path / "data", retry_delay_s="0.2")
    with earmark.started("analyze", *CLIPS, "--format", "jsonl") as process:
        deadline = time.monotonic() + 60
        model = 0
        while not model and time.monotonic() < deadline:
            model = max((pid for pid in children(process.pid) if _has_model(pid)), default=0)
        assert model, "no process of the command has loaded the model"
        time.sleep(0.3)
        os.kill(model, signal.SIGKILL)
        output, errors = process.communicate(timeout=110)
    assert {line["status"] for line in lines(output)} == {"done"}
    assert len(lines(output)) == len(CLIPS)
    assert "Traceback" not in errors


def _has_model(pid: int) -> bool:
    """Whether a process has loaded the music tagger."""
    try:
        return "onnxruntime" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


@pytest.mark.slow
def test_a_worker_is_killed_and_another_takes_over(tmp_path: Path) -> None:
    """Two workers on one data folder; one dies; analyze in a third terminal still gets every record."""
    earmark = Command(tmp_path / "data", lease_s=LEASE_S)
    with earmark.started("work") as first, earmark.started("work") as second:
        with earmark.started("analyze", *CLIPS, "--format", "jsonl") as analyze:
            while not earmark.busy():
                time.sleep(0.05)
            first.kill()
            output, _ = analyze.communicate(timeout=110)
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=60)
    assert [line["status"] for line in lines(output)] == ["done"] * len(CLIPS)

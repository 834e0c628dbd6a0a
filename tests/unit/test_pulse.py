"""Who is alive: the workers whose queues answered lately."""

import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runtime.cli import app
from runtime.pulse import Pulse, heard
from runtime.worker_name import own_name


def test_a_worker_is_heard_while_it_lasts(tmp_path: Path) -> None:
    """Its file is there from its start to its end."""
    assert heard(tmp_path) == []
    with Pulse(tmp_path, own_name()):
        [found] = heard(tmp_path)
        assert found.worker == own_name()
        assert found.age_s < 5
    assert heard(tmp_path) == []


def test_a_beat_renews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Age is the time since the last beat, and beats of one moment touch the disk once."""
    pulse = Pulse(tmp_path, own_name())
    pulse.beat()
    [file] = (tmp_path / "workers").iterdir()
    os.utime(file, (time.time() - 500, time.time() - 500))
    pulse.beat()
    assert heard(tmp_path)[0].age_s > 400
    monkeypatch.setattr("runtime.pulse.BEAT_S", 0.0)
    pulse.beat()
    assert heard(tmp_path)[0].age_s < 5


def test_a_killed_worker_is_not_missed(tmp_path: Path) -> None:
    """The file of a process that is gone is removed; another machine's is kept, for nothing is known of it."""
    dead = own_name().rpartition(":")[0] + ":12345"
    Pulse(tmp_path, dead).beat()
    Pulse(tmp_path, "elsewhere:1:2:3").beat()
    assert [each.worker for each in heard(tmp_path)] == ["elsewhere:1:2:3"]
    assert len(list((tmp_path / "workers").iterdir())) == 1


@pytest.mark.parametrize(("age_s", "status"), [(None, 4), (0, 0), (119, 0), (121, 4)])
def test_the_command_answers_for_a_probe(tmp_path: Path, age_s: float | None, status: int) -> None:
    """Nobody there, or somebody silent for too long: status 4."""
    if age_s is not None:
        Pulse(tmp_path, own_name()).beat()
        [file] = (tmp_path / "workers").iterdir()
        os.utime(file, (time.time() - age_s, time.time() - age_s))
    result = CliRunner().invoke(app, ["alive"], env={"EARMARK_DATA": str(tmp_path)})
    assert result.exit_code == status, result.output


def test_a_folder_that_goes_is_not_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made when a worker begins; later its disk is away, and a new one in its place would hide that."""
    monkeypatch.setattr("runtime.pulse.BEAT_S", 0.0)
    data, away = tmp_path / "data", tmp_path / "away"
    with Pulse(data, own_name()) as pulse:
        data.rename(away)
        pulse.beat()
        assert not data.exists()
        away.rename(data)
        pulse.beat()
        assert [each.worker for each in heard(data)] == [own_name()]

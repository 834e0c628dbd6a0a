"""Where there is no data, as at a misspelt path or where a disk is not mounted, nothing is made or looks well."""

import errno
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earmark.errors import ConfigurationError
from runtime import exit_status
from runtime.cli import app
from tests.flows.command import Command

LOOKS = (
    "status",
    "report analyses_by_content_type",
    "spend",
    "alive",
    "doctor",
    "dlq list",
    "dlq show 3f2a",
    "dlq stats",
    "dlq replay --all",
    "dlq discard --all --reason r",
    "batch list",
    "ab list",
    "ab status",
    "ab report none",
    "ab rollback none --reason r",
    "retention status",
    "retention explain uploads/acme/a.wav",
    "retention notices",
    "retention holds",
    "retention plan",
    "retention run",
    "retention sweep",
    "retention rows",
    "retention archive",
    "retention reconcile",
    "retention hold --tenant acme --reason r",
    "retention policy show",
    "tenant list",
    "retention erase --tenant acme --reason r",
    "audit list",
    "audit verify",
    "controller --once",
    "cost report",
    "webhook list",
    "tenant keys acme",
)


@pytest.mark.parametrize("command", LOOKS)
def test_whoever_looks_is_told_and_makes_nothing(command: str, tmp_path: Path) -> None:
    """Not even where the folder is there and empty, as the place of a disk that is not mounted."""
    (tmp_path / "unmounted").mkdir()
    for name, told in (("misspelt", "There is no data folder "), ("unmounted", "There is nothing of Earmark in ")):
        ended = Command(tmp_path / name).run(*command.split())
        assert ended.returncode in {exit_status.USAGE, exit_status.UNAVAILABLE}, ended.stdout
        assert told in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["unmounted"]


def test_a_file_in_its_place_is_said_to_be_one(tmp_path: Path) -> None:
    """To whoever looks, and to a probe."""
    (tmp_path / "file").touch()
    for command in ("status", "alive", "doctor"):
        ended = Command(tmp_path / "file").run(command)
        assert ended.returncode in {exit_status.USAGE, exit_status.UNAVAILABLE}
        assert "file is no folder" in ended.stdout + ended.stderr


@pytest.mark.parametrize("command", ["status", "doctor", "alive"])
def test_a_folder_that_may_not_be_entered_is_no_fault_of_ours(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says whose permission is lacking; root may enter everything, so that the system's answer is made up."""

    def refused(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    monkeypatch.setattr(os, "access", lambda *_: False)
    ended = CliRunner().invoke(app, [command], env={"EARMARK_DATA": str(tmp_path)})
    assert ended.exit_code != 0
    assert isinstance(ended.exception, ConfigurationError | SystemExit), ended.exception


def test_a_new_user_is_not_told_of_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody named the folder, and no job has made it yet."""
    monkeypatch.chdir(tmp_path)
    command = Command(tmp_path)
    del command.environment["EARMARK_DATA"]
    ended = command.run("doctor")
    assert ended.returncode == 0, ended.stdout
    assert "no job has come there" in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_data_that_must_be_there_are_not_made(tmp_path: Path) -> None:
    """So `earmark up` starts its processes: they wait for their disk, and a new system does not take its place."""
    data = tmp_path / "data"
    there = Command(data, data_must_exist="true")
    ended = there.run("work", "--until-empty")
    assert ended.returncode == exit_status.UNAVAILABLE
    assert "EARMARK_DATA_MUST_EXIST" in ended.stderr
    assert not data.exists()
    assert Command(data).run("work", "--until-empty").returncode == 0
    assert there.run("work", "--until-empty").returncode == 0

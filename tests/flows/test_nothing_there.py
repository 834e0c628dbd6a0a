"""Where there is no data, as at a misspelt path or where a disk is not mounted, nothing is made or looks well."""

from pathlib import Path

import pytest

from runtime import exit_status
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

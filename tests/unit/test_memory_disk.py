"""Where the tests put their temporary files."""

import os
import tempfile
from pathlib import Path

import pytest

from tests import memory_disk


@pytest.fixture(autouse=True)
def _nobody_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)


def test_a_folder_with_room_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is made from then on lies there."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "")
    folder = memory_disk.chosen(tmp_path, 0)
    assert folder is not None
    memory_disk.use(folder)
    assert Path(tempfile.mkdtemp()).parent == folder


def test_too_little_room_no_folder_or_another_wish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then they go where they went before."""
    assert memory_disk.chosen(tmp_path, 1 << 60) is None
    assert memory_disk.chosen(tmp_path / "missing", 0) is None
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    assert memory_disk.chosen(tmp_path, 0) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc says which processes there are")
def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    """That of a run that goes on stays, and what is not ours."""
    dead = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    names = [f"earmark-tests-{dead}-x", f"earmark-tests-{os.getpid()}-x", "earmark-tests-old", "other"]
    for name in names:
        (tmp_path / name).mkdir()
    memory_disk.chosen(tmp_path, 1 << 60)
    assert {path.name for path in tmp_path.iterdir()} == set(names[1:])

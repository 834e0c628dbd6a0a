"""Memory of other processes, and of GPUs by a program that says what it is told to."""

import os
from pathlib import Path

import pytest

from workers.validation import memory


def test_a_process_holds_memory() -> None:
    """This one, and more at its peak than now or the same."""
    held = memory.resident(os.getpid())
    assert held is not None
    assert 5 < held.now < 100_000
    assert held.peak is None or held.peak >= held.now * 0.99


def test_a_process_that_is_gone_holds_nothing() -> None:
    """None, not an error."""
    assert memory.resident(2**22 + 1) is None
    assert not memory.uses_gpu(2**22 + 1)
    assert memory.gpu_memory_mib(2**22 + 1) is None


def smi(folder: Path, monkeypatch: pytest.MonkeyPatch, apps: str, used: str = "4096\n512") -> None:
    """A driver that says this."""
    program = folder / memory.SMI
    program.write_text(
        "#!/bin/sh\n"
        f"case $1 in *compute-apps*) printf '{apps}';; *memory.used*) printf '{used}';;\n"
        "*name*) printf 'A\\nB\\n';; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(memory, "uses_gpu", lambda _: True)


def test_memory_on_a_gpu_is_that_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Added up over GPUs; others' is not counted."""
    smi(tmp_path, monkeypatch, "12, 100\\n77, 1000\\n12, 50\\n")
    assert memory.gpu_memory_mib(12) == 150
    assert memory.gpu_names() == ["A", "B"]


@pytest.mark.parametrize("apps", ["", "99, 7\\n", "12, [N/A]\\n", "[Insufficient Permissions]\\n"])
def test_where_the_driver_does_not_tell_processes_apart_it_is_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apps: str
) -> None:
    """As in containers."""
    smi(tmp_path, monkeypatch, apps)
    assert memory.gpu_memory_mib(12) == 4608


def test_a_driver_that_fails_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one that is not there."""
    smi(tmp_path, monkeypatch, "12, 100")
    (tmp_path / memory.SMI).write_text("#!/bin/sh\nexit 9\n")
    assert memory.gpu_memory_mib(12) is None
    (tmp_path / memory.SMI).unlink()
    assert memory.gpu_memory_mib(12) is None
    assert memory.gpu_names() == []

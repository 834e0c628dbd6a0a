"""``earmark up`` starts again what ends, ends everything when told to, and gives up where settings are wrong."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from earmark.log import Attached
from earmark.settings import Settings
from runtime import exit_status
from runtime.up import up
from runtime.up import voice as up_voice
from runtime.up.up import Role, Up

WAIT_S = 20.0
PROGRAM = "import signal, time; signal.signal(signal.SIGTERM, {}); open(r'{{}}', 'a').write('x'); time.sleep(60)"
LASTING, STUBBORN = PROGRAM.format("lambda *_: exit(0)"), PROGRAM.format("signal.SIG_IGN")


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, with a bound."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def starts(path: Path) -> int:
    """How often a process began that leaves a sign for each."""
    return path.stat().st_size if path.exists() else 0


class Running:
    """Roles that are seen to in a thread."""

    def __init__(self, *roles: Role, drain_s: float = 5.0) -> None:
        """Start it."""
        self.out, self.stop, self.roles = StringIO(), threading.Event(), roles
        console = Console(file=self.out, width=200)
        self._up = Up(roles, [sys.executable, "-c"], drain_s=drain_s, console=console)
        self.status: int | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.status = self._up.run(self.stop)

    def end(self) -> None:
        """Tell it to stop and wait."""
        self.stop.set()
        self.wait()

    def wait(self) -> None:
        """Until it has ended."""
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


def pid(role: Role) -> int:
    """Of a role's process."""
    assert role.process is not None
    return role.process.pid


def test_all_roles_run_and_end_together(tmp_path: Path) -> None:
    """Each is started once, and ended when everything is."""
    roles = [Role(name, [LASTING.format(tmp_path / name)]) for name in ("one", "two")]
    running = Running(*roles)
    until(lambda: all(starts(tmp_path / role.name) == 1 for role in roles))
    running.end()
    assert running.status == 0
    assert [role.process.returncode if role.process else None for role in roles] == [0, 0]


def test_what_is_started_must_find_the_data(tmp_path: Path) -> None:
    """Else a role that comes back while the disk is away would make a new and empty system."""
    told = tmp_path / "told"
    running = Running(Role("one", [f"import os; open(r'{told}', 'w').write(os.environ['EARMARK_DATA_MUST_EXIST'])"]))
    until(lambda: told.exists() and told.read_text() == "true")
    running.end()


def test_what_ends_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, it comes back; the other one is left alone."""
    monkeypatch.setattr(up, "AGAIN_S", (0.01,))
    one, two = (Role(name, [LASTING.format(tmp_path / name)]) for name in ("one", "two"))
    running = Running(one, two)
    until(lambda: starts(tmp_path / "one") == starts(tmp_path / "two") == 1)
    os.kill(pid(one), signal.SIGKILL)
    until(lambda: starts(tmp_path / "one") == 2)
    running.end()
    assert starts(tmp_path / "two") == 1
    assert "one ended with status -9; started again" in running.out.getvalue()


def test_what_keeps_ending_is_started_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses grow."""
    monkeypatch.setattr(up, "LOOK_S", 0.01)
    monkeypatch.setattr(up, "AGAIN_S", (0.01, 0.02, 1000.0))
    role = Role("hopeless", ["exit(1)"])
    running = Running(role)
    until(lambda: role.due_at - time.monotonic() > 100)
    running.end()
    assert running.out.getvalue().count("started again") == 2


def test_wrong_settings_end_everything(tmp_path: Path) -> None:
    """A role that says so is not started over and over; its status is the command's."""
    other = Role("other", [LASTING.format(tmp_path / "other")])
    running = Running(other, Role("broken", [f"exit({exit_status.USAGE})"]))
    running.wait()
    assert running.status == exit_status.USAGE
    assert other.process is not None
    assert other.process.returncode is not None


def test_what_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time to drain and some more."""
    monkeypatch.setattr(up, "SPARE_S", 0.0)
    role = Role("stubborn", [STUBBORN.format(tmp_path / "stubborn")])
    running = Running(role, drain_s=0.1)
    until(lambda: starts(tmp_path / "stubborn") == 1)
    running.end()
    assert role.process is not None
    assert role.process.returncode == -signal.SIGKILL


def test_the_workers_share_the_machine_as_promised() -> None:
    """Low gives way, high looks often, and without retention nothing deletes."""
    found = {role.name: role for role in up.roles(Settings(), 8080, "127.0.0.1", retention=False)}
    assert list(found) == ["api", "router", "worker of high", "worker of low", "controller"]
    ports = {role.name: role.environment["EARMARK_METRICS_PORT"] for role in found.values()}
    assert ports == {**dict.fromkeys(found, "-1"), "api": "0"}
    low = {"EARMARK_YIELDING": "true", "EARMARK_PREDICT_TIMEOUT_S": "1200.0", "EARMARK_METRICS_PORT": "-1"}
    assert found["worker of low"].environment == low
    assert float(found["worker of high"].environment["EARMARK_POLL_S"]) <= 0.02
    assert "retention" in [role.name for role in up.roles(Settings(), 8080, "127.0.0.1", retention=True)]


@pytest.mark.parametrize("style", ["json", "text"])
def test_where_the_log_is_json_nothing_else_is_said(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event of the log for programs, a sentence for people; retention says nothing in words either."""
    monkeypatch.setattr(up_voice, "attached", lambda: Attached("info", style))  # type: ignore[arg-type]  # of two words
    events: list[str] = []
    monkeypatch.setattr(up_voice, "event", lambda _log, name, **_fields: events.append(name))
    out = StringIO()
    up_voice.Voice(Console(file=out)).say("one ended", "role.ended", role="one")
    assert (events, bool(out.getvalue())) == ((["role.ended"], False) if style == "json" else ([], True))
    [keeping] = [role for role in up.roles(Settings(), 1, "", retention=True) if role.name == "retention"]
    assert ("--json" in keeping.arguments) == (style == "json")

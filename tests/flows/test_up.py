"""``earmark up``, as a customer and an operator use it: every block of docs/api.md, kills, and a clean end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.flows.command import Command, children, command_line
from tests.servers.receiver import Receiver

PAGE = Path("docs/api.md")
EXAMPLES = Path("examples/audio")
WAIT_S = 100.0


class Service(NamedTuple):
    """A running service and a customer of it."""

    command: Command
    process: "subprocess.Popen[str]"
    address: str
    key: str
    called: Receiver

    @property
    def client(self) -> httpx.Client:
        """A client with the key."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=WAIT_S)

    def pid(self, *words: str) -> int:
        """Of a role's process."""
        found = [pid for pid in children(self.process.pid) if command_line(pid).split()[2:] == list(words)]
        return found[0] if found else 0


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, with a bound."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.2)


def ready(address: str) -> bool:
    """Whether everything runs."""
    try:
        return bool(httpx.get(f"{address}/readyz", timeout=5).json()["status"] == "ready")
    except (httpx.HTTPError, ValueError, KeyError):
        return False


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Everything on one machine, with the embedded model."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = Command(tmp_path_factory.mktemp("up") / "data", webhook_private="true", log_level="warning")
    assert command.run("tenant", "add", "acme", "--tier", "enterprise").returncode == 0
    key = command.run("tenant", "key", "acme").stdout.splitlines()[-1]
    address = f"http://127.0.0.1:{port}"
    with Receiver() as called, command.started("up", "--port", str(port), "--no-retention", log=True) as process:
        until(lambda: ready(address))
        yield Service(command, process, address, key, called)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
    left = [pid for pid in children(os.getpid()) if f"--port {port}" in command_line(pid)]
    assert not left


def blocks(language: str) -> str:
    """All blocks of a language on the page, in order."""
    return "\n".join(
        re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    )


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("language", ["sh", "python"])
def test_the_page_is_true(service: Service, language: str, tmp_path: Path) -> None:
    """Every block runs, with nothing but what the page sets."""
    environment = {**os.environ, "EARMARK": service.address, "KEY": service.key, "HOOK": service.called.url}
    (tmp_path / "examples").symlink_to(Path("examples").absolute())
    program = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
    before = len(service.called.calls)
    done = subprocess.run(  # noqa: PLW1510  # looked at below, with what it said
        [*program, blocks(language)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert '"status":"done"' in done.stdout if language == "sh" else "done" in done.stdout
    assert len(service.called.calls) > before


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("role", [("api",), ("work", "--lane", "high", "--warm"), ("route",)])
def test_what_is_killed_comes_back(service: Service, role: tuple[str, ...]) -> None:
    """And what was sent before it was killed is answered, once."""
    with service.client as client:
        content = (EXAMPLES / "piano-solo.wav").read_bytes()
        content = content[:-4000] + os.urandom(2) + content[-3998:]
        sent = client.post("/v1/analyses", content=content, headers={"Content-Type": "audio/wav"}).json()["id"]
        killed = service.pid(*role)
        os.kill(killed, signal.SIGKILL)
        until(lambda: service.pid(*role) not in {0, killed})
        until(lambda: ready(service.address))
        until(lambda: bool(client.get(f"/v1/analyses/{sent}").json()["status"] == "done"))
    jobs = service.command.run("report", "jobs_by_hour", "--json")
    assert jobs.returncode == 0
    assert json.loads(jobs.stdout)

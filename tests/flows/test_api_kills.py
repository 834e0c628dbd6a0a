"""The API's process, killed at the worst moments."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from earmark.clock import utc_now
from earmark.vocabulary import Lane
from runtime.wiring import connect
from tests.api_jobs import end, wav
from tests.api_world import ApiWorld
from tests.flows.command import Command
from tests.servers import free_port

SOON_S = 30.0


def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(url: str) -> bool:
    """Whether the API answers."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/healthz", trust_env=False, timeout=SOON_S).status_code == 200
    return False


def test_a_kill_costs_no_job_and_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    """Killed while one file comes in, one job waits and one client waits for it; the next process goes on."""
    world = ApiWorld(tmp_path)
    world.clock = utc_now  # type: ignore[assignment]
    world.backend = connect(world.settings)
    headers = {"Authorization": f"Bearer {world.key('acme')}", "Content-Type": "audio/wav"}
    port = free_port()
    url, command = f"http://127.0.0.1:{port}", Command(world.settings.data, synchronous="NORMAL")
    with command.started("api", "--port", str(port), log=True) as first:
        until(lambda: alive(url))
        made = httpx.post(f"{url}/v1/analyses", content=wav(), headers=headers, trust_env=False)
        assert made.status_code == 202

        def wait() -> None:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(made.headers["Location"], headers={**headers, "Prefer": "wait=60"}, trust_env=False)

        waiting = threading.Thread(target=wait)
        waiting.start()
        with socket.create_connection(("127.0.0.1", port), SOON_S) as half:
            head = [f"{name}: {text}" for name, text in headers.items()]
            half.sendall(
                "\r\n".join(["POST /v1/analyses HTTP/1.1", "Host: a", *head, "Content-Length: 99999", "", ""]).encode()
            )
            half.sendall(wav())
            until(lambda: any(world.backend.scratch.rglob("*.body")))
            first.kill()
            first.wait(SOON_S)
        waiting.join(SOON_S)
    assert any(world.backend.scratch.rglob("*.body"))
    with command.started("api", "--port", str(port), log=True):
        until(lambda: alive(url))
        again = httpx.post(f"{url}/v1/analyses", content=wav(), headers=headers, trust_env=False)
        assert (again.status_code, again.json()["id"]) == (202, made.json()["id"])
        assert not any(world.backend.scratch.rglob("*.body"))
        assert len(world.waiting(Lane.HIGH)) == 1
        end(world)
        found = httpx.get(
            made.headers["Location"], headers={**headers, "Prefer": "wait=20"}, trust_env=False, timeout=SOON_S
        )
        assert found.json()["status"] == "done"

"""``watched``: everything on one machine, at work, with a Prometheus that watches it; for the dashboards.

Customers of two tiers send the examples and short sounds, some of it no audio; an experiment compares two arms and
listens in the shadow; a provider stands by for what the model is unsure of.
"""

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from tests.audio_files import wav
from tests.flows.command import Command
from tests.servers import free_port
from tests.servers.openai import OpenAIServer
from tests.servers.prometheus import PrometheusServer, prometheus_program

EXPERIMENT, VERSION = "a-against-a", 1
EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"
WAIT_S = 100.0
ROLES = {"api": 1, "router": 1, "worker": 2, "controller": 1}
POLICY = Path(__file__).parents[2] / "scaling" / "policy.toml"
QUICK = (("every_s = 15.0", "every_s = 1.0"), ("rows_every_s = 30.0", "rows_every_s = 2.0"))
"""How often scaling looks, in production and here."""
_PROVIDER = """[second]
url = "{url}"
model = "gpt-audio-1.5"
retries = 0
logprobs = "no"
[second.prices]
as_of = 2026-11-20
text_in = 2.5
cached_in = 2.5
audio_in = 32.0
text_out = 10.0
audio_out = 64.0
"""
_TRIAL = f"""name: {EXPERIMENT}
version: {VERSION}
shadow: 0.3
arms:
  - {{name: primary, share: 0.7}}
  - {{name: experimental, share: 0.3}}
"""


@dataclass
class Watched:
    """A running system and who watches it."""

    command: Command
    process: "subprocess.Popen[str]"
    address: str
    key: str
    folder: Path
    prometheus: PrometheusServer
    provider: OpenAIServer
    began: float = field(default_factory=time.time)
    sent: int = 0

    def send(self, content: bytes, kind: str, *, wait_s: int = 0) -> httpx.Response:
        """An upload of the customer's that pays for quick answers."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": kind}
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        return httpx.post(f"{self.address}/v1/analyses", content=content, headers=headers, timeout=WAIT_S)

    def send_some(self, count: int, *, wait_s: int = 0) -> None:
        """So many short sounds, no two alike, each fourth of them cut off in the middle of its head."""
        for _ in range(count):
            self.sent += 1
            made = damaged if self.sent % 4 == 0 else sound
            self.send(made(self.sent), "audio/wav", wait_s=wait_s)

    def submit(self, files: Mapping[str, bytes]) -> None:
        """A batch of the customer's that pays nothing, which the router feeds."""
        self.sent += 1
        _submit(self.command, self.folder / f"batch-{self.sent}", files, "--no-feed")

    def roles(self) -> dict[str, int]:
        """How many processes of each role Prometheus is told of."""
        found: dict[str, int] = {}
        for group in httpx.get(f"{self.address}/metrics/targets", timeout=WAIT_S).json():
            found[group["labels"]["role"]] = found.get(group["labels"]["role"], 0) + len(group["targets"])
        return found


@contextlib.contextmanager
def watched(folder: Path, batch: Mapping[str, bytes]) -> Iterator[Watched]:
    """The system below a folder, with a batch that waits for it; leaving the context ends it."""
    program = prometheus_program()
    with contextlib.ExitStack() as stack:
        provider = stack.enter_context(OpenAIServer())
        providers, trial, policy = folder / "providers.toml", folder / "trial.yaml", folder / "policy.toml"
        providers.write_text(_PROVIDER.format(url=provider.url))
        trial.write_text(_TRIAL)
        policy.write_text(_quick(POLICY.read_text(encoding="utf-8")))
        command = Command(
            folder / "data",
            providers=str(providers),
            fallback="second",
            controller_every_s="1",
            scaling_policy=str(policy),
            retry_delay_s="0.2",
            model_threads="1",
            model_usd_per_hour="0.85",
            log_level="warning",
        )
        for arguments in (
            ("tenant", "add", "acme", "--tier", "enterprise"),
            ("tenant", "add", "small", "--tier", "free"),
            ("ab", "start", str(trial)),
        ):
            done = command.run(*arguments)
            assert done.returncode == 0, done.stderr
        _submit(command, folder / "batch", batch)
        key = command.run("tenant", "key", "acme").stdout.splitlines()[-1]
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        process = stack.enter_context(command.started("up", "--port", str(port), log=True))
        prometheus = stack.enter_context(PrometheusServer(program, folder / "prometheus", address))
        made = Watched(command, process, address, key, folder, prometheus, provider)
        prometheus.wait_ready()
        until(lambda: _up(made))
        yield made
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0


def until(condition: Callable[[], bool], within_s: float = WAIT_S) -> None:
    """Wait for it, with a bound."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        threading.Event().wait(0.1)


def sound(seed: int, seconds: float = 1.5) -> bytes:
    """A tone in noise as a WAV file, of another pitch for each seed."""
    at = np.arange(int(16_000 * seconds)) / 16_000
    noise = np.random.default_rng(seed).normal(0, 0.05, at.shape)
    return wav((0.3 * np.sin(2 * np.pi * (200 + 17 * seed) * at) + noise)[None, :].astype(np.float32))


def damaged(seed: int) -> bytes:
    """A WAV file that ends within its head, another one for each seed."""
    return sound(seed)[:30] + seed.to_bytes(4)


def examples() -> dict[str, bytes]:
    """The examples by their names."""
    return {path.name: path.read_bytes() for path in sorted(EXAMPLES.iterdir()) if path.suffix not in {".md", ""}}


def _submit(command: Command, folder: Path, files: Mapping[str, bytes], *more: str) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    done = command.run("submit", folder, "--tenant", "small", *more)
    assert done.returncode == 0, done.stderr


def _quick(policy: str) -> str:
    for usual, here in QUICK:
        assert usual in policy
        policy = policy.replace(usual, here)
    return policy


def _up(made: Watched) -> bool:
    try:
        return made.roles() == ROLES
    except httpx.HTTPError:
        return False

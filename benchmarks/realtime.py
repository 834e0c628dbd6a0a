"""Real time: an enterprise customer's clips through the whole service, while a thousand low jobs wait.

``python -m benchmarks.realtime [--only local|cloud] [--at 1 4 16] [--requests N]``.  Clips of 10 s, cut from the music
of the examples so that no two are alike, are posted by 1, 4 and 16 clients at a time to ``earmark up``, and each waits
for its answer.  Beside it stands the bare model: the same clips, decoded beforehand, as many at once, given to a model
process that has the machine to itself.  The promise is about the 95th of a hundred answers: 1.3 times the bare model's
and 50 ms, on this machine.  On the emulators of Google Cloud the same is measured, with them on the same cores.
"""

import argparse
import asyncio
import hashlib
import io
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import av
import httpx
import numpy as np

from earmark.domain import Clip
from tests.servers.cloud import Cloud
from workers.decode.limits import DecodeLimits
from workers.decode.sandbox import DecoderPool
from workers.model_process import ModelProcess
from workers.models.catalogue import find_model

MUSIC: Final = ("funk-band.m4a", "metal-band.mp3", "orchestral-dance.ogg", "electronic-techno.opus", "piano-solo.wav")
EXAMPLES: Final = Path("examples/audio")
RATE_HZ: Final = 44_100
CLIP_S: Final = 10
LOW_JOBS: Final = 1000
FACTOR, SPARE_MS = 1.3, 50.0
"""What is promised beyond the bare model."""
READY_S: Final = 120.0


def music() -> list[np.ndarray]:
    """The examples' music as stereo samples of 16 bits."""
    pieces = []
    for name in MUSIC:
        resampler = av.AudioResampler("s16", "stereo", RATE_HZ)
        with av.open(str(EXAMPLES / name)) as container:
            frames = [each for frame in container.decode(audio=0) for each in resampler.resample(frame)]
        pieces.append(np.concatenate([frame.to_ndarray().reshape(-1, 2) for frame in frames]))
    return pieces


def cut(pieces: Sequence[np.ndarray], count: int, *, seed: int) -> Iterator[bytes]:
    """Clips as WAV files: pieces in turn from places by chance, and a little louder or softer."""
    chance = np.random.default_rng(seed)
    for number in range(count):
        piece = pieces[number % len(pieces)]
        start = int(chance.integers(0, len(piece) - CLIP_S * RATE_HZ))
        samples = (piece[start : start + CLIP_S * RATE_HZ] * chance.uniform(0.5, 1.0)).astype("<i2")
        yield wav(samples)


def wav(samples: np.ndarray) -> bytes:
    """A WAV file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())
    return target.getvalue()


def bare(clips: Sequence[bytes], at_once: int, folder: Path) -> list[float]:
    """Milliseconds that the model alone takes over each clip, ``at_once`` of them together."""
    spec = find_model("listener")
    model = ModelProcess(spec.factory, spec.options, start_timeout_s=READY_S)
    with DecoderPool(1, DecodeLimits(), folder / "scratch") as pool:
        decoded = [_decoded(pool, content, folder) for content in clips]
        model.predict(decoded[:1], timeout_s=READY_S)
        took_ms = []
        for start in range(0, len(decoded) - at_once + 1, at_once):
            began = time.perf_counter()
            model.predict(decoded[start : start + at_once], timeout_s=READY_S)
            took_ms += [(time.perf_counter() - began) * 1000] * at_once
    model.close()
    return took_ms


def _decoded(pool: DecoderPool, content: bytes, folder: Path) -> Clip:
    path = folder / "clip.wav"
    path.write_bytes(content)
    return pool.decode("0" * 32, path, hashlib.sha256(content).hexdigest())


async def load(address: str, key: str, clips: Sequence[bytes], at_once: int) -> list[float]:
    """Milliseconds from request to answer of each clip, by so many clients that never pause."""
    waiting = list(enumerate(clips))
    took_ms: list[float] = []
    limits = httpx.Limits(max_connections=at_once)
    async with httpx.AsyncClient(base_url=address, timeout=READY_S, limits=limits) as client:

        async def one_by_one() -> None:
            while waiting:
                number, content = waiting.pop()
                began = time.perf_counter()
                answer = await client.post(
                    "/v1/analyses",
                    files={"file": (f"{number}.wav", content, "audio/wav")},
                    headers={"Authorization": f"Bearer {key}", "Prefer": "wait=60"},
                )
                took_ms.append((time.perf_counter() - began) * 1000)
                if answer.status_code != httpx.codes.OK or answer.json()["status"] != "done":
                    message = f"{answer.status_code}: {answer.text[:500]}"
                    raise SystemExit(message)

        await asyncio.gather(*(one_by_one() for _ in range(at_once)))
    return took_ms


@contextmanager
def service(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """``earmark up``, ready; gives its address and an enterprise customer's key."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = str(Path(sys.executable).parent / "earmark")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [command, *arguments], env=dict(environment), check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    if environment.get("EARMARK_BACKEND") == "gcp":
        run("init")
    run("tenant", "add", "bench", "--tier", "enterprise")
    run("tenant", "limit", "bench", "--requests", "100000")
    key = run("tenant", "key", "bench").splitlines()[-1]
    arguments = [command, "up", "--port", str(port), "--no-retention"]
    process = subprocess.Popen(arguments, env=dict(environment))
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + READY_S
        while not _ready(address):
            if time.monotonic() > deadline or process.poll() is not None:
                message = "earmark up did not become ready"
                raise SystemExit(message)
            time.sleep(0.2)
        yield address, key
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5):  # noqa: S310  # our own
            return True
    except (urllib.error.URLError, OSError):
        return False


def low_jobs(folder: Path, pieces: Sequence[np.ndarray], environment: Mapping[str, str], count: int) -> None:
    """Queue clips in the low lane."""
    files = folder / "low"
    files.mkdir()
    for number, content in enumerate(cut(pieces, count, seed=2)):
        (files / f"{number}.wav").write_bytes(content)
    command = [str(Path(sys.executable).parent / "earmark"), "route", str(files), "--tenant", "bench"]
    subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.DEVNULL)


def depth(environment: Mapping[str, str]) -> Any:
    """How many jobs wait in the low lane."""
    command = [str(Path(sys.executable).parent / "earmark"), "status", "--json"]
    return json.loads(subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.PIPE).stdout)


def p95(values: Sequence[float]) -> float:
    """The 95th of a hundred."""
    return statistics.quantiles(values, n=100, method="inclusive")[94]


def measure(place: str, options: argparse.Namespace) -> dict[str, float]:
    """The figures of one backend: ``local`` or ``cloud``."""
    pieces, figures = music(), {"low_jobs": float(options.low)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clips = {at: list(cut(pieces, options.requests, seed=10 + at)) for at in options.at}
        alone = {at: bare(clips[at], at, folder) for at in options.at}
        environment = {**os.environ, "EARMARK_DATA": str(folder / "data"), "EARMARK_LOG_LEVEL": "warning"}
        if place == "cloud":
            environment |= stack.enter_context(Cloud()).environment
        address, key = stack.enter_context(service(environment))
        low_jobs(folder, pieces, environment, options.low)
        asyncio.run(load(address, key, list(cut(pieces, 4, seed=9)), 1))
        for at in options.at:
            took_ms = asyncio.run(load(address, key, clips[at], at))
            found = {
                "p50": statistics.median(took_ms),
                "p95": p95(took_ms),
                "bare_p50": statistics.median(alone[at]),
                "bare_p95": p95(alone[at]),
                "bound": FACTOR * p95(alone[at]) + SPARE_MS,
            }
            figures |= {f"{place}_{name}_ms_{at}": value for name, value in found.items()}
            print(f"{place}, {at} at a time: " + ", ".join(f"{name} {value:,.0f} ms" for name, value in found.items()))
        print(json.dumps(depth(environment)), flush=True)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else "")
    parser.add_argument("--only", choices=["local", "cloud"], help="on this machine, or on Google Cloud's emulators")
    parser.add_argument("--at", nargs="+", type=int, default=[1, 4, 16], help="clients at a time")
    parser.add_argument("--requests", type=int, default=100, help="requests of each")
    parser.add_argument("--low", type=int, default=LOW_JOBS, help="low jobs that wait")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for place in [options.only] if options.only else ["local", "cloud"]:
        figures |= measure(place, options)
    if options.json:
        options.json.write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()

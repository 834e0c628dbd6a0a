"""The lives of decoder processes: killed, orphaned, closed, confined, and as long as the longest recording."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from earmark.errors import InputFault, Unavailable
from tests.audio_files import example, saved, silent_flac
from tests.decoding import eventually, gone, rejected
from workers.decode.limits import DecodeLimits
from workers.decode.sandbox import DecoderPool

LIMITS = DecodeLimits(wall_s=60.0)

THRIFTY = """
from workers.decode import decoder, limits
limits.CPU_SHARE = 0.001
decoder.main()
"""
"""A decoder with hardly any time to compute."""

GREEDY = """
from workers.decode import decoder
decoder.rehearse = lambda: None
decoder.decode = lambda order, limits: bytes(1 << 31)
decoder.main()
"""
"""A decoder that asks for 2 GiB."""


def test_killed_in_the_middle_of_a_file(tmp_path: Path) -> None:
    """A real decoder that dies twice while it decodes costs the file, and neither the pool nor its clips."""
    path, digest = saved(tmp_path / "long.flac", silent_flac(14_000))
    scratch = tmp_path / "scratch"
    with DecoderPool(1, LIMITS, scratch) as pool, ThreadPoolExecutor(1) as threads:
        verdict = threads.submit(rejected, pool, path, digest)
        killed: set[int] = set()
        while not verdict.done():
            begun = any(clip.stat().st_size for clip in pool._scratch.folder.iterdir())
            for pid in set(pool.pids) - killed if begun else ():
                os.kill(pid, signal.SIGSEGV)
                killed.add(pid)
            threading.Event().wait(0.005)
        assert verdict.result().fault is InputFault.DAMAGED
        assert len(killed) == 2
        assert list(pool._scratch.folder.iterdir()) == []
        pool.discard(pool.decode("job", *saved(tmp_path / "good.wav", example("wav", 0.2))))
    assert all(gone(pid) for pid in killed)


def test_decoders_can_be_started_ahead_and_give_way(tmp_path: Path) -> None:
    """All of them, as nice as they were told to be; files are decoded by those that are there."""
    before = os.nice(0)
    with DecoderPool(2, DecodeLimits(wall_s=60.0, nice=7), tmp_path / "scratch") as pool:
        pool.start()
        pids = set(pool.pids)
        assert [os.getpriority(os.PRIO_PROCESS, pid) for pid in pids] == [before + 7] * 2
        pool.discard(pool.decode("job", *saved(tmp_path / "good.wav", example("wav", 0.2))))
        assert set(pool.pids) == pids


def test_the_cpu_limit_holds(tmp_path: Path) -> None:
    """A file that computes for longer than it may is too costly, at the first try."""
    with DecoderPool(1, LIMITS, tmp_path / "scratch", program=("-c", THRIFTY)) as pool:
        error = rejected(pool, *saved(tmp_path / "long.flac", silent_flac(14_000)))
        assert error.fault is InputFault.TOO_COSTLY
        assert "computing" in error.message


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the address space")
def test_the_memory_limit_holds(tmp_path: Path) -> None:
    """A file for which more memory is asked than there may be is too costly."""
    with DecoderPool(1, LIMITS, tmp_path / "scratch", program=("-c", GREEDY)) as pool:
        error = rejected(pool, *saved(tmp_path / "x.wav", example("wav", 0.1)))
        assert (error.fault, "memory" in error.message) == (InputFault.TOO_COSTLY, True)


def test_closing_stops_what_runs(tmp_path: Path) -> None:
    """A file being decoded when the pool closes can be tried again, and afterwards there is no process and no clip."""
    path, digest = saved(tmp_path / "long.flac", silent_flac(14_000))
    pool = DecoderPool(1, LIMITS, tmp_path / "scratch")
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(pool.decode, "job", path, digest)
        assert eventually(lambda: any(clip.stat().st_size for clip in pool._scratch.folder.iterdir()))
        pids = pool.pids
        pool.close()
        with pytest.raises(Unavailable, match="closed"):
            future.result()
    assert all(gone(pid) for pid in pids)
    assert list((tmp_path / "scratch").iterdir()) == []
    with pytest.raises(Unavailable, match="closed"):
        pool.decode("job", path, digest)
    pool.close()


PARENT = """
import sys
from pathlib import Path
from workers.decode.limits import DecodeLimits
from workers.decode.sandbox import DecoderPool
pool = DecoderPool(1, DecodeLimits(), Path(sys.argv[1]))
child = pool._start()
print(child.pid, flush=True)
if len(sys.argv) > 2:
    pool._slots.get()
    pool._slots.put(child)
    pool.decode("job", Path(sys.argv[2]), sys.argv[3])
sys.stdin.read()
"""


@pytest.mark.parametrize("busy", [False, True])
def test_children_die_with_their_parent(tmp_path: Path, busy: bool) -> None:  # noqa: FBT001  # a parameter
    """A kill -9 of the worker ends its decoders, idle or deep in a file, and the next pool sweeps up after them."""
    scratch = tmp_path / "scratch"
    path, digest = saved(tmp_path / "long.flac", silent_flac(14_000))
    arguments = [str(path), digest] if busy else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(scratch), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        if busy:
            assert eventually(lambda: any(clip.stat().st_size for clip in scratch.rglob("*.f32")))
        parent.kill()
    assert eventually(lambda: gone(child))
    left = list(scratch.iterdir())
    assert left
    with DecoderPool(1, LIMITS, scratch):
        assert not set(left) & set(scratch.iterdir())


def test_pools_share_a_scratch_folder(tmp_path: Path) -> None:
    """A second pool does not sweep away the clips of a living one."""
    file = saved(tmp_path / "x.wav", example("wav", 0.2))
    with DecoderPool(1, LIMITS, tmp_path / "scratch") as first:
        clip = first.decode("job", *file)
        with DecoderPool(1, LIMITS, tmp_path / "scratch"):
            assert clip.path.exists()
        assert clip.path.exists()


NOSY = """
import json, os, resource, socket, sys
sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)
from workers.decode import decoder, jail
from workers.decode.limits import DecodeLimits
def look(order, limits):
    found = {"environment": sorted(os.environ), "limits": {}, "denied": []}
    for name in ("AS", "FSIZE", "NOFILE", "CORE", "NPROC"):
        found["limits"][name] = resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0]
    def connect():
        socket.create_connection(("127.0.0.1", int(os.pread(order.source, 9, 0))), 5).close()
    attempts = {"read": lambda: open("/etc/passwd").close(), "list": lambda: os.listdir("/"),
                "write": lambda: open("/tmp/nosy", "w").close(), "signal": lambda: os.kill(os.getppid(), 0),
                "connect": connect}
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            found["denied"].append(name)
    raise decoder.InputRejected("damaged", json.dumps(found))
decoder.rehearse = lambda: None
decoder.decode = look
decoder.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines")
def test_what_a_decoder_cannot_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stranger in charge there is no secret to read, no file to open and nobody to call."""
    monkeypatch.setenv("EARMARK_API_KEY", "sk-secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    with socket.create_server(("127.0.0.1", 0)) as server:
        file = saved(tmp_path / "port", b"%d" % server.getsockname()[1])
        with DecoderPool(1, LIMITS, tmp_path / "scratch", program=("-c", NOSY)) as pool:
            message = rejected(pool, *file).message
            confined = {word for child in pool._children for word in child.confined}
    found = json.loads(message.strip()) if message.endswith("}") else {}
    assert not {name for name in found["environment"] if name.startswith(("EARMARK", "HTTP"))}
    assert found["limits"] == {
        "AS": LIMITS.memory_bytes,
        "FSIZE": LIMITS.clip_bytes,
        "NOFILE": 32,
        "CORE": 0,
        "NPROC": 0,
    }
    assert {"no_new_privs", "no_capabilities"} <= confined
    if "landlock" in confined:
        assert {"read", "list", "write"} <= set(found["denied"])
    if confined & {"namespaces"}:
        assert "connect" in found["denied"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_longest_that_is_taken_decodes_in_flat_memory(tmp_path: Path) -> None:
    """Four hours, in the memory that ten minutes take: all of it would be 900 MB."""
    longest_s = int(DecodeLimits().max_duration_s)
    limits = DecodeLimits(wall_s=600.0, max_duration_s=longest_s + 10)
    peaks_kb = []
    for seconds in (600, longest_s):
        content = silent_flac(seconds, 8_000)
        assert len(content) < 3_000_000
        with DecoderPool(1, limits, tmp_path / "scratch") as pool:
            clip = pool.decode("job", *saved(tmp_path / "long.flac", content))
            assert clip.duration_s == pytest.approx(seconds, abs=2)
            assert clip.technical.silent
            if sys.platform == "linux":
                status = Path(f"/proc/{pool.pids[0]}/status").read_text()
                peaks_kb.append(int(status.partition("VmHWM:")[2].split()[0]))
    assert not peaks_kb or peaks_kb[1] < 1.2 * peaks_kb[0]

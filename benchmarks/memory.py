"""Peak memory of ``make demo``, and of ten times its input: ``python -m benchmarks.memory``.

Memory is the sum of the proportional set sizes of the command and all its children, looked at every 0.1 s, so
that pages shared between processes count once (proc(5), ``smaps_rollup``).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np

EXAMPLES = Path("examples/audio")
TIMES = 10
LOOK_S = 0.1
RATE_HZ = 16_000


def children(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def resident_bytes(pid: int) -> int:
    """Proportional set size of a process tree, in bytes."""
    total = 0
    for each in children(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def peak_bytes(folder: Path) -> int:
    """Peak memory of analysing a folder into an empty data folder."""
    with tempfile.TemporaryDirectory() as data:
        command = [str(Path(sys.executable).parent / "earmark"), "analyze", str(folder), "--format", "jsonl", "-q"]
        environment = os.environ | {"EARMARK_DATA": data}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            peak = 0
            while process.poll() is None:
                peak = max(peak, resident_bytes(process.pid))
                time.sleep(LOOK_S)
        if process.returncode:
            message = f"earmark analyze ended with {process.returncode}"
            raise RuntimeError(message)
        return peak


def multiply(source: Path, target: Path, times: int) -> None:
    """Copies of every clip that differ in level, so that each is content of its own."""
    for path in sorted(source.iterdir()):
        if path.suffix == ".md" or not path.is_file():
            continue
        with av.open(str(path)) as container:
            resampler = av.AudioResampler("s16", "mono", RATE_HZ)
            frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        samples = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
        for number in range(times):
            gain = 1.0 - 0.03 * number
            with av.open(str(target / f"{path.stem}-{number}.wav"), "w") as output:
                stream = output.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
                quieter = (samples * gain).astype(np.int16)
                quieter[-1] = number  # silence times any level is the same silence
                frame = av.AudioFrame.from_ndarray(quieter.reshape(1, -1), "s16", "mono")
                frame.sample_rate = RATE_HZ
                output.mux(stream.encode(frame))
                output.mux(stream.encode(None))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    demo = peak_bytes(EXAMPLES)
    print(f"peak memory of make demo: {demo / 2**20:.0f} MiB")
    with tempfile.TemporaryDirectory() as folder:
        multiply(EXAMPLES, Path(folder), TIMES)
        more = peak_bytes(Path(folder))
    print(f"over {TIMES} times the input: {more / 2**20:.0f} MiB, {more / demo:.2f} times as much")
    if options.json:
        options.json.write_text(json.dumps({"demo_bytes": demo, "more_bytes": more, "growth": more / demo}))


if __name__ == "__main__":
    main()

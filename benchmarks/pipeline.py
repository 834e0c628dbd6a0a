"""Pipeline efficiency: audio through router, queue, worker and stores, beside the same models in a bare loop.

``python -m benchmarks.pipeline [PATH...]``.  Both sides run the same files on the same cores with warm models:
the bare loop decodes and predicts one file after another in one process and stores nothing.  They alternate,
and the ratio is the median over the pairs, so that a machine whose speed drifts does not decide.
"""

import argparse
import hashlib
import json
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

from earmark.domain import Clip, Record, Technical
from earmark.settings import Settings
from earmark.vocabulary import Origin
from runtime.wiring import connect, make_intake, make_router, open_worker
from workers.decode.decoder import Order, decode
from workers.decode.limits import DecodeLimits
from workers.model_process import load
from workers.models.catalogue import find_model

PAIRS = 3
EXAMPLES = Path("examples/audio")


def decode_here(path: Path, target: Path) -> Clip:
    """Decode in this process, with the decoder's own code."""
    with path.open("rb") as source, target.open("wb") as clip:
        order = Order(source.fileno(), clip.fileno(), hashlib.sha256(path.read_bytes()).hexdigest())
        facts = decode(order, DecodeLimits())
    samples = facts.pop("samples")
    return Clip(path.name, target, samples, Technical.model_validate(facts))


def bare_loop(files: list[Path], scratch: Path) -> tuple[float, float]:
    """Seconds of audio, and seconds of wall time, of the same decoder and models in a plain loop."""
    threads = len(os.sched_getaffinity(0))
    model = load(find_model("listener").factory, {"threads": threads})
    model.predict([decode_here(files[0], scratch / "warm")])
    audio_s = 0.0
    began = time.monotonic()
    for number, path in enumerate(files):
        clip = decode_here(path, scratch / str(number))
        model.predict([clip])
        audio_s += clip.duration_s
        clip.path.unlink()
    return audio_s, time.monotonic() - began


def pipeline(files: list[Path], folder: Path) -> tuple[float, float]:
    """Seconds of audio, and seconds of wall time, through the whole pipeline."""
    settings = Settings(data=folder)
    backend = connect(settings)
    router, upload = make_router(settings, backend), make_intake(settings, backend, "bench", Origin.COMMAND)
    records: list[Record] = []
    stop = threading.Event()

    def settled(record: Record) -> None:
        records.append(record)
        if len(records) == len(files):
            stop.set()

    with open_worker(settings, backend, on_settled=settled) as worker:
        worker.warm_up()
        began = time.monotonic()
        router.route([upload(path) for path in files])
        worker.run(stop)
        wall_s = time.monotonic() - began
    return sum(record.analysis.technical.duration_s for record in records if record.analysis), wall_s


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else "")
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    named = options.paths or [EXAMPLES]
    folders = [sorted(path.iterdir()) if path.is_dir() else [path] for path in named]
    files = [path for folder in folders for path in folder if path.is_file() and path.suffix not in {".md", ".txt"}]
    ratios = []
    for _ in range(PAIRS):
        with tempfile.TemporaryDirectory() as folder:
            bare_audio_s, bare_wall_s = bare_loop(files, Path(folder))
            audio_s, wall_s = pipeline(files, Path(folder) / "data")
        ratios.append((audio_s / wall_s) / (bare_audio_s / bare_wall_s))
        print(
            f"bare loop {bare_audio_s / bare_wall_s:6.1f} s/s   pipeline {audio_s / wall_s:6.1f} s/s   "
            f"ratio {ratios[-1]:.3f}"
        )
    efficiency = statistics.median(ratios)
    print(f"pipeline efficiency: {efficiency:.2f} of the bare loop, median of {PAIRS}")
    if options.json:
        options.json.write_text(json.dumps({"efficiency": efficiency, "ratios": ratios}))


if __name__ == "__main__":
    main()

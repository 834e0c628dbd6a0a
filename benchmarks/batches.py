"""A batch of 100,000 lines on one machine: ``python -m benchmarks.batches [--entries N] [--folder F]``.

Nine of ten lines name small objects of the upload bucket, each with other bytes; of the rest a third each is a line
that was there before, the address of nothing, and no JSON.  What is measured is taking the manifest, feeding it until
every entry has its job and its row, counting, and reading the results back while nothing was analysed yet.  Each step
is a process of its own; memory is the most that was resident in it, and beside it stands that for a tenth of the lines.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from earmark.clock import utc_now
from earmark.settings import Settings
from router.batches.batch import Batch, BatchState
from runtime.backend import UPLOADS, Backend
from runtime.batches.formats import as_bytes
from runtime.batches.parts import open_counting
from runtime.batches.result_format import ResultFormat
from runtime.batches.results import BatchResults
from runtime.wiring import connect, make_batches, make_feeding

TENANT: Final = "label"
FOLDERS: Final = 100
SMALLER: Final = 10
"""The other run has so many times fewer lines."""


def lines(entries: int) -> Iterator[bytes]:
    """The manifest."""
    dice = random.Random(1)
    for number in range(entries):
        kind = dice.random()
        if kind < 0.9 or number == 0:
            named = number
        elif kind < 0.934:
            named = dice.randrange(number)
        elif kind < 0.967:
            named = entries + number
        else:
            yield b"no JSON\n"
            continue
        yield (
            json.dumps({"uri": f"uploads/{TENANT}/{named % FOLDERS}/{named}.wav", "id": f"track-{number}"}).encode()
            + b"\n"
        )


def prepare(settings: Settings, entries: int) -> dict[str, float]:
    """Put the objects where they belong, as somebody who copies files."""
    connect(settings)
    for folder in range(FOLDERS):
        (settings.data / "objects" / UPLOADS / TENANT / str(folder)).mkdir(parents=True, exist_ok=True)
    for number in range(entries):
        path = settings.data / "objects" / UPLOADS / TENANT / str(number % FOLDERS) / f"{number}.wav"
        path.write_bytes(number.to_bytes(8, "big") * 512)
    with (settings.data / "manifest.jsonl").open("wb") as file:
        file.writelines(lines(entries))
    return {}


def take(settings: Settings, entries: int) -> dict[str, float]:
    """Store the manifest as a batch."""
    del entries
    with (settings.data / "manifest.jsonl").open("rb") as file:
        make_batches(settings, connect(settings)).make(TENANT, file, made_by="benchmark")
    return {}


def feed(settings: Settings, entries: int) -> dict[str, float]:
    """Feed it until nothing is left."""
    backend = connect(settings)
    feeding = make_feeding(settings, backend)
    while feeding.run_once():
        pass
    feeding.close()
    batch = _batch(settings, backend)
    if batch.state is not BatchState.FED or batch.entries != entries:
        message = f"{batch.entries} of {entries} entries were fed"
        raise RuntimeError(message)
    return {"queued": batch.queued, "duplicate": batch.duplicate, "rejected": batch.rejected}


def count(settings: Settings, entries: int) -> dict[str, float]:
    """Count its entries by how they ended."""
    del entries
    backend = connect(settings)
    return {"pending": open_counting(settings, backend, utc_now).count(_batch(settings, backend)).pending}


def read(settings: Settings, entries: int) -> dict[str, float]:
    """Read the results back."""
    backend = connect(settings)
    pieces = as_bytes(
        BatchResults(backend.results, backend.warehouse).all(_batch(settings, backend)), ResultFormat.JSONL
    )
    found = sum(piece.count(b"\n") for piece in pieces)
    if found != entries:
        message = f"{found} of {entries} results were read"
        raise RuntimeError(message)
    return {}


STEPS: Final = {"prepare": prepare, "take": take, "feed": feed, "count": count, "read": read}


def _batch(settings: Settings, backend: Backend) -> Batch:
    return next(make_batches(settings, backend).of_tenant(TENANT))


def step(name: str, folder: Path, entries: int) -> None:
    """Take one step in this process and print its figures."""
    settings = Settings(data=folder, log_level="warning")
    began = time.monotonic()
    found = STEPS[name](settings, entries)
    seconds = time.monotonic() - began
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({f"{name}_s": round(seconds, 2), f"{name}_mib": round(peak_mib), **found}))


def measure(folder: Path, entries: int) -> dict[str, float]:
    """All steps over so many lines."""
    figures: dict[str, float] = {}
    for name in STEPS:
        command = [sys.executable, "-m", "benchmarks.batches", "--step", name, "--folder", str(folder)]
        command += ["--entries", str(entries)]
        figures |= json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return figures


def main() -> None:
    """Measure and print JSON, or write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the data goes; a temporary folder unless named")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        step(given.step, given.folder, given.entries)
        return
    with tempfile.TemporaryDirectory(prefix="earmark-batches-", dir=given.folder) as temporary:
        few = measure(Path(temporary) / "few", given.entries // SMALLER)
        many = measure(Path(temporary) / "many", given.entries)
    figures = {
        **many,
        "entries": given.entries,
        "accepted_per_s": round(given.entries / (many["take_s"] + many["feed_s"])),
        "feed_growth": round(many["feed_mib"] / few["feed_mib"], 2),
        "read_growth": round(many["read_mib"] / few["read_mib"], 2),
        "few_feed_mib": few["feed_mib"],
        "cores": os.cpu_count() or 1,
    }
    print(json.dumps(figures))
    if given.json:
        given.json.write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()

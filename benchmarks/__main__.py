"""Runs every benchmark and writes its figures into the README: ``make bench``, or ``python -m benchmarks NAME...``.

The figures of each benchmark are kept in ``benchmarks/figures.json`` with the day and the machine, so that one can be
measured again without the others.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.figure_rows import API, GOOGLE_CLOUD, MODELS
from benchmarks.page import write_between

README = Path("README.md")
FIGURES = Path(__file__).parent / "figures.json"
ALL = (
    "pipeline",
    "queue",
    "lanes",
    "pubsub",
    "chaos",
    "realtime",
    "batches",
    "tags",
    "qwen2_audio",
    "fallback",
    "memory",
)

Kept = dict[str, dict[str, Any]]


def rows(name: str, found: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """What was measured, the figure, and what it should be, of one benchmark."""
    if name == "pipeline":
        what = (
            "pipeline efficiency: audio a second through router, queue, worker, stores ÷ the same models in a bare loop"
        )
        return [(what, f"{found['efficiency']:.2f}", "at least 0.90")]
    if name == "queue":
        return [
            (
                f"queue, {found['jobs']:,.0f} durable jobs, 2 processes: drained a second ÷ best of huey, litequeue",
                f"{found['drain_ratio']:.1f}",
                "at least 2",
            ),
            ("the same: put a second ÷ the faster of huey, litequeue", f"{found['put_ratio']:.1f}", ""),
        ]
    elsewhere = {**GOOGLE_CLOUD, **MODELS, **API}
    if name in elsewhere:
        return elsewhere[name](found)
    if name == "tags":
        what = "music tags: seconds of audio a second of CPU ÷ a PyTorch rebuild of the same networks"
        return [(what, f"{found['ratio']:.1f}", ""), ("the same, seconds of audio a second of CPU",
                f"{found['tagger_audio_s_per_processor_s']:.0f}", "")]  # fmt: skip
    return [
        ("peak memory of `make demo`, all processes together", f"{found['demo_bytes'] / 1e9:.2f} GB", "below 1.5 GB"),
        ("peak memory over ten times the input ÷ that", f"{found['growth']:.2f}", "about 1"),
    ]


def table(kept: Kept) -> str:
    """All figures as Markdown."""
    lines = ["| what | figure | wanted | measured |", "| --- | --- | --- | --- |"]
    for name in ALL:
        if name in kept:
            when = f"{kept[name]['day']}, {kept[name]['machine']}"
            lines += [f"| {what} | {value} | {wanted} | {when} |" for what, value, wanted in rows(name, kept[name])]
    return "\n".join(lines)


def main() -> None:
    """Run the benchmarks that are asked for, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure and write into the README.")
    parser.add_argument("names", nargs="*", help="some of: " + ", ".join(ALL))
    names = parser.parse_args().names or list(ALL)
    if unknown := set(names) - set(ALL):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    kept: Kept = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    for name in names:
        print(f"== {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "figures.json"
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--json", str(place)], check=True)
            figures = json.loads(place.read_text(encoding="utf-8"))
        machine = f"{os.cpu_count()} cores, {platform.machine()}"
        kept[name] = {**figures, "day": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine}
        FIGURES.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        write_between(README, "figures", table(kept))
    print(f"Written into {README}")


if __name__ == "__main__":
    main()

"""Runs every benchmark and writes its figures into the README: ``make bench``."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.page import write_between

README = Path("README.md")
ALL = ("pipeline", "queue", "tags", "memory")


def figures(found: dict[str, dict[str, float]]) -> str:
    """The figures as a Markdown table."""
    rows: list[tuple[str, str, str]] = []
    if pipeline := found.get("pipeline"):
        rows.append(
            (
                "pipeline efficiency: audio through router, queue, worker and stores ÷ the same models in a bare loop",
                f"{pipeline['efficiency']:.2f}",
                "0.90",
            )
        )
    if queue := found.get("queue"):
        rows += [
            (
                "jobs drained per second ÷ the fastest peer (huey, litequeue), a sync per commit",
                f"{queue['drain_ratio']:.1f}",
                "2",
            ),
            ("jobs put per second ÷ the fastest peer, a sync per commit", f"{queue['put_ratio']:.1f}", ""),
        ]
    if tags := found.get("tags"):
        rows.append(
            (
                "music tags: seconds of audio per second of CPU ÷ a PyTorch rebuild of the same networks",
                f"{tags['ratio']:.2f}",
                "",
            )
        )
    if memory := found.get("memory"):
        rows += [
            (
                "peak memory of `make demo`, all processes together",
                f"{memory['demo_bytes'] / 2**30:.2f} GiB",
                "1.4 GiB",
            ),
            ("peak memory over ten times the input ÷ that", f"{memory['growth']:.2f}", "about 1"),
        ]
    lines = [f"| {what} | {value} | {aim} |" for what, value, aim in rows]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    when = f"{datetime.now(UTC):%Y-%m-%d}, {machine}"
    return "\n".join(
        [f"Measured by `make bench` on {when}.", "", "| what | figure | aim |", "| --- | --- | --- |", *lines]
    )


def main() -> None:
    """Run the benchmarks that are asked for, all by default."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*ALL, []], help="some of: " + ", ".join(ALL))
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or ALL:
            print(f"== {name}", flush=True)
            place = Path(folder) / f"{name}.json"
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--json", str(place)], check=True)
            found[name] = json.loads(place.read_text())
    if not options.names:
        write_between(README, "figures", figures(found))
        print(f"Written into {README}")


if __name__ == "__main__":
    main()

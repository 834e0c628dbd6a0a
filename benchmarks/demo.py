"""Runs the demo in an empty data folder and writes what it prints into the README: ``python -m benchmarks.demo``."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.page import write_between

COLUMNS = 118


def main() -> None:
    """Run and write."""
    with tempfile.TemporaryDirectory() as data:
        printed = subprocess.run(
            [Path(sys.executable).parent / "earmark", "analyze", "examples/audio"],
            env=os.environ | {"EARMARK_DATA": data, "COLUMNS": str(COLUMNS)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    lines = "\n".join(line.rstrip() for line in printed.splitlines())
    write_between(Path("README.md"), "demo", f"```\n{lines}\n```")


if __name__ == "__main__":
    main()

"""Runs the real ``earmark`` command in a data folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EARMARK = Path(sys.executable).parent / "earmark"


class Command:
    """The command, bound to a data folder."""

    def __init__(self, data: Path, **settings: str) -> None:
        """Take the folder and settings by their names in lower case."""
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("EARMARK_")},
            "EARMARK_DATA": str(data),
            **{f"EARMARK_{name.upper()}": value for name, value in settings.items()},
        }

    def run(self, *arguments: str | os.PathLike[str], given: str = "") -> "subprocess.CompletedProcess[str]":
        """Run to the end with ``given`` on standard input; output is text."""
        return subprocess.run(  # noqa: PLW1510  # tests look at the exit status
            [EARMARK, *arguments], env=self.environment, input=given, capture_output=True, text=True, timeout=110
        )

    def busy(self) -> bool:
        """Whether some job is being worked on."""
        status = self.run("status", "--json")
        return status.returncode == 0 and any(row["leased"] for row in json.loads(status.stdout))

    @contextmanager
    def started(self, *arguments: str | os.PathLike[str], own_group: bool = False) -> "Iterator[subprocess.Popen[str]]":
        """A running command; killed at the end of the context if it still runs."""
        with subprocess.Popen(
            [EARMARK, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=own_group,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()


def lines(output: str) -> list[dict[str, object]]:
    """JSON lines."""
    return [json.loads(line) for line in output.splitlines()]


def children(pid: int) -> list[int]:
    """All processes that descend from one."""
    found: list[int] = []
    pending = [pid]
    while pending:
        parent = pending.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                pids = [int(word) for word in task.read_text().split()]
            except OSError:
                continue
            found += pids
            pending += pids
    return found


def command_line(pid: int) -> str:
    """What a process was started as; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""

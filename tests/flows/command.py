"""Runs the real ``earmark`` command in a data folder of its own."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.flows.warm import warm_command

EARMARK = Path(sys.executable).parent / "earmark"
TIMEOUT_S = 110


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
        backend = "gcp" if self.environment.get("EARMARK_BACKEND") == "gcp" else "local"
        words = [os.fspath(argument) for argument in arguments]
        return warm_command(EARMARK, backend).run(words, self.environment, given, TIMEOUT_S)

    def run_anew(self, *arguments: str | os.PathLike[str], given: str = "") -> "subprocess.CompletedProcess[str]":
        """The same by the installed script itself, which takes a second to load."""
        return subprocess.run(  # noqa: PLW1510  # tests look at the exit status
            [EARMARK, *arguments], env=self.environment, input=given, capture_output=True, text=True, timeout=TIMEOUT_S
        )

    def busy(self) -> bool:
        """Whether some job is being worked on."""
        status = self.run("status", "--json")
        return status.returncode == 0 and any(row["leased"] for row in json.loads(status.stdout))

    @contextlib.contextmanager
    def started(
        self, *arguments: str | os.PathLike[str], own_group: bool = False, log: bool = False
    ) -> "Iterator[subprocess.Popen[str]]":
        """A running command; killed at the end of the context if it still runs.

        Args:
            arguments: words after the command's name.
            own_group: it is its own process group, as in a terminal.
            log: what it says goes to files, for nobody may read a pipe of one that runs for long.
        """
        with contextlib.ExitStack() as files:
            outputs = [files.enter_context(tempfile.TemporaryFile()) if log else subprocess.PIPE for _ in range(2)]
            process = files.enter_context(
                subprocess.Popen(
                    [EARMARK, *arguments],
                    env=self.environment,
                    stdout=outputs[0],
                    stderr=outputs[1],
                    text=True,
                    start_new_session=own_group,
                )
            )
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

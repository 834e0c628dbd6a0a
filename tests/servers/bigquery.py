"""BigQuery's emulator (bqemulator, on DuckDB), started and stopped; it lives in a virtual environment of its own.

It is started by ``bigquery_launch.py``, which says what it changes.  What it lacks, so that the tests cannot hold it:
``maximum_bytes_billed`` and job time-outs have no effect, rows with fields that a table does not have are taken without
these (BigQuery refuses such rows), partitions and clusters are only remembered, a view is described without its query,
and a query over a dataset that does not exist is forbidden rather than not found.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from runtime.gcp.clients import BIGQUERY_EMULATOR
from runtime.gcp.row_streams import STORAGE_WRITE_EMULATOR
from tests.servers import free_port, missing

START_S = 60.0
PROJECT = "test"
ENVIRONMENT = Path(__file__).parents[2] / ".venv-bqemulator"
REMEDY = "The head of tests/servers/bigquery-requirements.txt says how, or `make test` does it."

LAUNCH = Path(__file__).with_name("bigquery_launch.py")


class BigQueryServer:
    """One emulator."""

    def __init__(self, *, persistent: bool = False) -> None:
        """Choose ports; nothing is started yet.

        Args:
            persistent: what is in it outlives ``stop``, at the price of a synchronous write for each append.
        """
        self.port = free_port()
        self.write_port = free_port()
        self._persistent = persistent
        self._folder = Path(tempfile.mkdtemp(prefix="earmark-bigquery-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What leads Google's clients here."""
        return {
            BIGQUERY_EMULATOR: f"http://127.0.0.1:{self.port}",
            STORAGE_WRITE_EMULATOR: f"127.0.0.1:{self.write_port}",
        }

    def start(self) -> None:
        """Start it and wait until it answers."""
        python = ENVIRONMENT / "bin" / "python"
        if not python.exists():
            missing("bqemulator", REMEDY)
        kept = ["--persistent", "--data-dir", str(self._folder)] if self._persistent else ["--ephemeral"]
        command = [str(python), str(LAUNCH), "start", "--project", PROJECT, *kept]
        command += ["--rest-port", str(self.port), "--grpc-port", str(self.write_port), "--log-level", "warning"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        ends = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > ends:
                text = self._log.read_text(errors="replace")
                self.stop()
                message = f"bqemulator did not start: {text[-2000:]}"
                raise RuntimeError(message)
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it, and remove what it kept."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def pause(self) -> None:
        """Let it answer nothing until it is resumed; what it holds stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._process is not None

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1) as answer:
                healthy: bool = answer.status == 200
        except (urllib.error.URLError, OSError):
            return False
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return healthy and probe.connect_ex(("127.0.0.1", self.write_port)) == 0


def own_environment(server: BigQueryServer) -> dict[str, str]:
    """This process's environment, with Google's clients led to the server."""
    return {**os.environ, **server.environment}

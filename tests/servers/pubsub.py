"""The official Pub/Sub emulator, started and stopped; it is part of the gcloud command-line tools."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers import free_port, missing

START_S = 30.0
REMEDY = "Install the Google Cloud CLI and Java, then `gcloud components install pubsub-emulator`."


def emulator_jar() -> Path | None:
    """Where the emulator is; None where it is not installed."""
    if not shutil.which("java"):
        return None
    named = os.environ.get("PUBSUB_EMULATOR_JAR")
    if named:
        return Path(named)
    for root in _sdk_roots():
        found = sorted(root.glob("platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar"))
        if found:
            return found[-1]
    return None


def _sdk_roots() -> Iterator[Path]:
    """Where the Google Cloud CLI may be: beside its command, or where it says itself, which takes a second."""
    gcloud = shutil.which("gcloud")
    if gcloud:
        yield Path(gcloud).resolve().parents[1]
        told = subprocess.run(
            [gcloud, "info", "--format=value(installation.sdk_root)"], capture_output=True, text=True, check=False
        )
        if told.returncode == 0 and told.stdout.strip():
            yield Path(told.stdout.strip())


class PubSubServer:
    """One emulator; it keeps everything in memory, so what is in it ends with it."""

    def __init__(self, port: int | None = None) -> None:
        """Choose a port; nothing is started yet."""
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log = Path(tempfile.gettempdir()) / f"earmark-pubsub-{self.port}.log"

    @property
    def environment(self) -> dict[str, str]:
        """What leads Google's clients here."""
        return {"PUBSUB_EMULATOR_HOST": f"127.0.0.1:{self.port}"}

    def start(self) -> None:
        """Start it and wait until it listens."""
        jar = emulator_jar()
        if jar is None:
            missing("the Pub/Sub emulator", REMEDY)
        command = ["java", "-Xmx512m", "-jar", str(jar), "--host=127.0.0.1", f"--port={self.port}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        ends = time.monotonic() + START_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > ends:
                text = self._log.read_text(errors="replace")
                self.stop()
                message = f"The Pub/Sub emulator did not start: {text[-2000:]}"
                raise RuntimeError(message)
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._log.unlink(missing_ok=True)

    def pause(self) -> None:
        """Let it answer nothing until it is resumed; what it holds stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

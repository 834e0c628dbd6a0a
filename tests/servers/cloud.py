"""Google Cloud on this machine: Pub/Sub, Cloud Storage with its notifications, and BigQuery.

    python -m tests.servers.cloud

leaves them running until Ctrl-C and prints what to export.
"""

import signal
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.gcp.names import UPLOADS, Names
from tests.servers import told_in_one_line
from tests.servers.bigquery import BigQueryServer
from tests.servers.pubsub import PubSubServer
from tests.servers.storage import StorageServer

PROJECT = "test"


class Cloud:
    """The three servers."""

    def __init__(self, *, prefix: str = "earmark", root: Path | None = None, persistent: bool = False) -> None:
        """Start nothing yet.

        Args:
            prefix: of all names.
            root: folder in which objects outlive a stop of Cloud Storage; None = they do not.
            persistent: rows outlive a stop of BigQuery.
        """
        names = Names(PROJECT, prefix)
        self.pubsub = PubSubServer()
        self.storage = StorageServer(
            root=root,
            pubsub=f"127.0.0.1:{self.pubsub.port}",
            project=PROJECT,
            topic=f"{prefix}-{UPLOADS}",
            bucket=names.bucket(UPLOADS),
        )
        self.bigquery = BigQueryServer(persistent=persistent)
        self.names = names

    @property
    def environment(self) -> dict[str, str]:
        """What leads Google's clients and Earmark here."""
        return {
            **self.pubsub.environment,
            **self.storage.environment,
            **self.bigquery.environment,
            "EARMARK_BACKEND": "gcp",
            "EARMARK_GCP_PROJECT": PROJECT,
            "EARMARK_GCP_PREFIX": self.names.prefix,
        }

    def __enter__(self) -> Self:
        """Start all three."""
        try:
            for server in (self.pubsub, self.storage, self.bigquery):
                server.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End them."""
        self.bigquery.close()
        self.storage.stop()
        self.pubsub.stop()


def main() -> None:
    """Run them until interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with told_in_one_line(), Cloud() as cloud:
        lines = [f"export {name}={value}" for name, value in cloud.environment.items()]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        sys.stderr.write("Running until Ctrl-C.  Export these lines in another terminal, then `earmark init`.\n")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stderr.write("Stopped.\n")


if __name__ == "__main__":
    main()

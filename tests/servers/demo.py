"""``make demo-gcp``: the demo through Google Cloud's emulators, with several worker processes.

Uploads are put by Google's own client; notification, router, lanes, workers, records and rows do the rest.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from tests.servers import told_in_one_line
from tests.servers.cloud import PROJECT, Cloud

WORKERS = 2
LONGEST_S = 300.0
EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"
EARMARK = Path(sys.executable).parent / "earmark"


def main() -> None:
    """Start everything, upload, wait, report, and end what was started."""
    with told_in_one_line(), tempfile.TemporaryDirectory(prefix="earmark-demo-") as folder, Cloud() as cloud:
        os.environ |= cloud.environment | {"EARMARK_DATA": folder, "EARMARK_LOG_LEVEL": "warning"}
        _say("Pub/Sub, Cloud Storage and BigQuery are up.")
        subprocess.run([EARMARK, "init"], check=True, stdout=subprocess.DEVNULL)
        commands = [["route"], *[["work"]] * WORKERS]
        running = [
            subprocess.Popen([EARMARK, *command], stdout=subprocess.DEVNULL, start_new_session=True)
            for command in commands
        ]
        try:
            began = time.monotonic()
            files = [path for path in sorted(EXAMPLES.iterdir()) if path.suffix not in {".md", ""}]
            client = storage.Client(project=PROJECT, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
            for path in files:
                name = f"default/demo/{path.name}"
                client.bucket(cloud.names.bucket("uploads")).blob(name).upload_from_filename(path)
            _say(f"{len(files)} files uploaded; {WORKERS} workers are at them.")
            _wait(client, cloud.names.bucket("results"), len(files))
            _say(f"All done {time.monotonic() - began:.1f} s after the first upload; asked again they are known:")
            subprocess.run([EARMARK, "analyze", EXAMPLES], check=True)
            subprocess.run([EARMARK, "report", "analyses_by_content_type"], check=True)
        finally:
            for process in running:
                process.send_signal(signal.SIGTERM)
            for process in running:
                process.wait(60)


def _wait(client: storage.Client, bucket: str, wanted: int) -> None:
    ends = time.monotonic() + LONGEST_S
    done = -1
    while done < wanted:
        found = sum(1 for _ in client.list_blobs(bucket, prefix="analyses/default/"))
        if found != done:
            _say(f"{found} of {wanted} done")
        done = found
        if time.monotonic() > ends:
            message = f"{done} of {wanted} are done after {LONGEST_S:.0f} s; the log above says why"
            raise SystemExit(message)
        time.sleep(0.5)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()

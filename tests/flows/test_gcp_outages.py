"""Pub/Sub, Cloud Storage and BigQuery go away under load and come back: nothing is lost and work goes on by itself."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.audio_files import wav
from tests.flows.command import Command, lines
from tests.flows.test_gcp import records, rows, wait_for
from tests.servers.cloud import Cloud

JOBS = 30
OUTAGE_S = 4.0


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The three servers, of a kind that keeps what it has while it is down."""
    with Cloud(root=tmp_path_factory.mktemp("objects"), persistent=True) as servers:
        before = dict(os.environ)
        os.environ |= {name: value for name, value in servers.environment.items() if not name.startswith("EARMARK_")}
        try:
            yield servers
        finally:
            os.environ.clear()
            os.environ |= before


def processor_s(pid: int) -> float:
    """Processor time a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


OUTAGES: dict[str, tuple[Callable[[Cloud], object], Callable[[Cloud], object]]] = {
    "pubsub": (lambda cloud: cloud.pubsub.pause(), lambda cloud: cloud.pubsub.resume()),
    "storage": (lambda cloud: cloud.storage.stop(), lambda cloud: cloud.storage.start()),
    "bigquery": (lambda cloud: cloud.bigquery.stop(), lambda cloud: cloud.bigquery.start()),
}


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", OUTAGES)
def test_an_outage_under_load(cloud: Cloud, tmp_path: Path, part: str) -> None:
    """Every job ends once, on its first try; the worker neither ends, nor spins, nor fills the log."""
    command = Command(tmp_path / "data")
    command.environment |= cloud.environment
    assert command.run("init").returncode == 0
    audio = tmp_path / "audio"
    audio.mkdir()
    rng = np.random.default_rng(list(OUTAGES).index(part))
    for number in range(JOBS):
        (audio / f"{number}.wav").write_bytes(wav(rng.normal(0, 0.1, (1, 8000)).astype(np.float32)))
    tenant = f"during-{part}"
    routed = command.run("route", audio, "--tenant", tenant)
    assert Counter(line["status"] for line in lines(routed.stdout)) == {"queued": JOBS}, routed.stderr
    down, up = OUTAGES[part]
    with command.started("work") as worker:
        assert worker.stderr is not None
        told: list[str] = []
        reader = threading.Thread(target=told.extend, args=(worker.stderr,))
        reader.start()
        wait_for(lambda: any('"job.settled"' in line for line in told))
        down(cloud)
        used_s = processor_s(worker.pid)
        time.sleep(OUTAGE_S)  # an outage lasts
        used_s = processor_s(worker.pid) - used_s
        assert worker.poll() is None, "".join(told[-5:])
        up(cloud)
        wait_for(lambda: len(records(cloud, tenant)) == JOBS, 120)
        wait_for(lambda: rows(command, tenant) == JOBS, 60)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
        reader.join()
    found = records(cloud, tenant)
    assert [(record["status"], record["failures"]) for record in found] == [("done", [])] * JOBS
    events = Counter(json.loads(line)["event"] for line in told if line.startswith("{"))
    assert used_s < OUTAGE_S / 2, f"{used_s:.1f} s of processor time while nothing could be done"
    assert sum(count for name, count in events.items() if name.endswith(".unavailable")) <= 6, events
    assert events["job.settled"] >= JOBS

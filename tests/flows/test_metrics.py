"""``earmark up`` as Prometheus sees it: one address tells of all others, and jobs show in every figure."""

import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.metrics.catalogue import BY_NAME, METRICS
from runtime.metrics.metric import Server
from runtime.metrics.targets import targets
from tests.flows.command import Command, children, command_line

EXAMPLES = Path("examples/audio")
WAIT_S = 100.0
NEVER_HERE = {
    "earmark_gpu_memory_used_bytes",
    "earmark_gpu_memory_bytes",
    "earmark_gpu_use_ratio",
    "earmark_scaling_service_seconds",
}
"""What a machine without a GPU, or with a fleet that is a minute old, does not tell."""


class Service(NamedTuple):
    """A running service and a customer's key."""

    command: Command
    process: "subprocess.Popen[str]"
    address: str
    key: str

    def targets(self) -> dict[str, list[str]]:
        """Addresses by role."""
        found: dict[str, list[str]] = {}
        for group in httpx.get(f"{self.address}/metrics/targets", timeout=WAIT_S).json():
            found.setdefault(group["labels"]["role"], []).extend(group["targets"])
        return found

    def figures(self) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        """Every series of every process, added up over processes."""
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for address in (each for addresses in self.targets().values() for each in addresses):
            page = httpx.get(f"http://{address}/metrics", timeout=WAIT_S).text
            for family in text_string_to_metric_families(page):
                for sample in family.samples:
                    series = found.setdefault(sample.name, {})
                    labels = tuple(sorted(sample.labels.items()))
                    series[labels] = series.get(labels, 0.0) + sample.value
        return found

    def total(self, name: str, **labels: str) -> float:
        """The sum of the series with these labels."""
        series = self.figures().get(name, {})
        return sum(value for each, value in series.items() if labels.items() <= dict(each).items())

    def analyse(self, path: Path, **headers: str) -> httpx.Response:
        """Send audio and wait for its answer."""
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": "audio/wav", "Prefer": "wait=30", **headers}
        return httpx.post(f"{self.address}/v1/analyses", content=path.read_bytes(), headers=given, timeout=WAIT_S)


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, with a bound."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.5)  # every look asks five processes for all they know


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Everything on one machine, with the embedded model."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = Command(tmp_path_factory.mktemp("up") / "data", controller_every_s="0.5", log_level="warning")
    assert command.run("tenant", "add", "acme", "--tier", "enterprise").returncode == 0
    key = command.run("tenant", "key", "acme").stdout.splitlines()[-1]
    with command.started("up", "--port", str(port), log=True) as process:
        made = Service(command, process, f"http://127.0.0.1:{port}", key)

        def ready() -> bool:
            try:
                return {role: len(addresses) for role, addresses in made.targets().items()} == {
                    "api": 1, "router": 1, "worker": 2, "controller": 1,
                }  # fmt: skip
            except httpx.HTTPError:
                return False

        until(ready)
        yield made
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0


def test_jobs_show_in_the_figures_of_whoever_did_the_work(service: Service, tmp_path: Path) -> None:
    """A customer's upload, and a file that is no audio; then every metric of the catalogue is there."""
    recording = min(EXAMPLES.glob("*.wav"), key=lambda path: path.stat().st_size)
    assert service.analyse(recording).status_code == 200
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF no audio at all")
    service.analyse(broken)
    until(lambda: service.total("earmark_jobs_settled_total") >= 1)
    assert service.total("earmark_jobs_settled_total", lane="high", tier="enterprise", status="done") == 1
    assert service.total("earmark_job_response_seconds_count", lane="high") == 1
    assert service.total("earmark_jobs_answered_total", lane="high", model="listener", arm="primary") == 1
    assert service.total("earmark_uploads_routed_total", origin="api", fate="queued", lane="high") >= 1
    assert service.total("earmark_api_requests_total", route="/v1/analyses", method="POST", status_class="2xx") >= 1
    assert service.total("earmark_batch_jobs_count", lane="high") >= 1
    assert service.total("earmark_job_audio_seconds_total", lane="high") > 0
    until(lambda: service.total("earmark_model_memory_bytes", model="listener") > 1e6)

    def missing() -> set[str]:
        figures = service.figures()
        return {metric.name for metric in METRICS if not set(metric.series_names) <= set(figures)} - NEVER_HERE

    until(lambda: missing() <= {"earmark_job_confidence_ratio"} and service.total("earmark_breaker_state") >= 2)
    assert missing() == set()


def test_the_catalogue_is_all_there_is_and_nobody_is_named(service: Service) -> None:
    """Every series of every process; no customer, no address of one's audio."""
    series = {name for metric in METRICS for name in metric.series_names}
    for name, values in service.figures().items():
        assert name in series, name
        for labels in values:
            assert not any("acme" in value or re.fullmatch(r"[0-9a-f]{32,}", value) for _, value in labels)
    for role, addresses in service.targets().items():
        for address in addresses:
            page = httpx.get(f"http://{address}/metrics", timeout=WAIT_S).text
            for family in text_string_to_metric_families(page):
                metric = BY_NAME.get(family.name) or BY_NAME[f"{family.name}_total"]
                assert role == metric.served_by or (role, metric.served_by) == (Server.API, Server.ROUTER), family.name


def test_a_process_that_was_killed_is_no_target_and_the_one_after_it_is(service: Service) -> None:
    """Prometheus asks nobody in vain."""
    before = service.targets()["controller"]
    [pid] = [pid for pid in children(service.process.pid) if command_line(pid).split()[2:] == ["controller"]]
    os.kill(pid, signal.SIGKILL)
    until(lambda: service.targets().get("controller", before) != before)
    assert len(service.targets()["controller"]) == 1
    until(lambda: service.total("earmark_queue_waiting") >= 0 and bool(service.figures().get("earmark_queue_waiting")))


def test_a_worker_alone_serves_figures_where_a_port_is_set(tmp_path: Path) -> None:
    """Not only under ``earmark up``; and none where none is."""
    for port in ("-1", "0"):
        data = tmp_path / port
        command = Command(data, metrics_port=port, log_level="warning")
        with command.started("work", "--lane", "low") as process:
            until((data / "workers").is_dir)  # it is alive, and its figures are served before that
            assert len(targets(data)) == (1 if port == "-1" else 0)
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_S) == 0
        assert targets(data) == []

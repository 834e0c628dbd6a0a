"""What the service says of itself."""

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from earmark.errors import Unavailable
from runtime.api import readiness
from runtime.api.readiness import Probe, Readiness
from runtime.metrics.exposition import Note
from runtime.metrics.metric import Server
from runtime.pulse import Pulse
from runtime.worker_name import own_name
from tests.api_jobs import wav
from tests.api_world import ApiWorld


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API."""
    with ApiWorld(tmp_path) as world:
        yield world


def test_a_process_that_answers_is_alive(api: ApiWorld) -> None:
    """Without a key."""
    assert api.anybody().get("/healthz").json() == {"status": "alive"}


def test_it_is_ready_when_all_parts_answer(api: ApiWorld) -> None:
    """A worker that is missing is told of, and no reason to turn audio away."""
    anybody = api.anybody()
    lonely = anybody.get("/readyz")
    assert (lonely.status_code, lonely.json()["status"]) == (200, "degraded")
    assert lonely.json()["reasons"] == ["worker: none was heard of on this machine"]
    probes = readiness.probes_of(api.backend, api.settings.data)
    api.use(analyses=replace(api.parts.analyses, readiness=Readiness(probes)))
    with Pulse(api.settings.data, own_name()):
        api.app.state.parts = api.parts
        ready = anybody.get("/readyz").json()
    assert (ready["status"], ready["reasons"]) == ("ready", [])
    assert {check["name"] for check in ready["checks"]} == {
        "queue",
        "results",
        "state",
        "uploads",
        "disk",
        "warehouse",
        "worker",
    }


def test_it_is_not_ready_when_it_ends(api: ApiWorld) -> None:
    """So that no new requests are sent here."""
    api.use(stopping=lambda: True)
    answer = api.anybody().get("/readyz")
    assert (answer.status_code, answer.json()["reasons"][0]) == (503, "the service is about to end")


def test_a_part_that_is_away_or_hangs_is_named(api: ApiWorld) -> None:
    """Within a time, and without what the error says; one that hangs is asked once."""
    gate, asked = threading.Event(), []

    def hangs() -> str:
        asked.append(1)
        gate.wait(30)
        return ""

    def away() -> str:
        message = "secret.internal:5432"
        raise Unavailable(message)

    def broken() -> str:
        raise ZeroDivisionError

    probes = [Probe("a", away), Probe("b", broken, needed=False), Probe("c", hangs), Probe("d", lambda: "full")]
    ready = Readiness(probes, within_s=0.05)
    api.use(analyses=replace(api.parts.analyses, readiness=ready))
    answer = api.anybody().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == [
        "a: cannot be reached: unavailable",
        "b: fails: ZeroDivisionError",
        "c: no answer within 0.05 s",
        "d: full",
    ]
    assert "secret" not in answer.text
    ready.look()
    assert asked == [1]
    gate.set()
    Readiness(probes[2:3]).look()


def test_answers_stand_for_a_while() -> None:
    """So that nobody can make work for us by asking."""
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        return ""

    ready = Readiness([Probe("a", ask, fresh_s=600), Probe("b", lambda: "", fresh_s=0)])
    assert [finding.ok for _ in range(5) for finding in ready.look()] == [True] * 10
    assert asked == [1]


def test_a_disk_that_is_full_stops_audio(api: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is needed."""
    monkeypatch.setattr(readiness, "LEAST_FREE_BYTES", 1 << 80)
    answer = api.anybody().get("/readyz")
    assert (answer.status_code, answer.json()["reasons"][0].partition(":")[0]) == (503, "disk")


def test_figures_name_routes_and_no_customers(api: ApiWorld) -> None:
    """Counts by template, method and class; queues as they are."""
    acme = api.client("acme-music")
    made = acme.post("/v1/analyses", content=wav(), headers={"Content-Type": "audio/wav"}).json()["id"]
    acme.get(f"/v1/analyses/{made}")
    acme.get(f"/v1/analyses/{'0' * 32}")
    acme.get("/nowhere/acme-music")
    acme.request("BREW", "/v1/analyses")
    page = api.anybody().get("/metrics")
    assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = page.text.splitlines()
    for line in (
        'earmark_api_requests_total{method="POST",route="/v1/analyses",status_class="2xx"} 1.0',
        'earmark_api_requests_total{method="GET",route="/v1/analyses/{analysis_id}",status_class="2xx"} 1.0',
        'earmark_api_requests_total{method="GET",route="/v1/analyses/{analysis_id}",status_class="4xx"} 1.0',
        'earmark_api_requests_total{method="GET",route="unmatched",status_class="4xx"} 1.0',
        'earmark_api_request_seconds_count{method="POST",route="/v1/analyses"} 1.0',
        f"earmark_api_request_body_bytes_total {len(wav())}.0",
        'earmark_uploads_routed_total{fate="queued",lane="high",origin="api"} 1.0',
        f'earmark_uploads_routed_bytes_total{{lane="high"}} {len(wav())}.0',
        'earmark_api_requests_total{method="DELETE",route="/v1/analyses/{analysis_id}",status_class="5xx"} 0.0',
        "earmark_api_requests_active 1.0",
    ):
        assert line in lines, page.text
    assert any('method="other"' in line for line in lines)
    assert "acme" not in page.text
    assert made not in page.text


def test_every_route_has_its_figures_before_its_first_request(api: ApiWorld) -> None:
    """So that a burst right after the start is an increase and no new series."""
    page = api.anybody().get("/metrics").text
    counted = set(re.findall(r'earmark_api_requests_total\{(method="\w+",route="[^"]+"),', page))
    timed = set(re.findall(r'earmark_api_request_seconds_count\{(method="\w+",route="[^"]+")\} 0', page))
    assert 'method="POST",route="/v1/analyses"' in timed
    assert timed == counted


def test_prometheus_is_told_of_the_api_and_of_every_process_on_its_data(tmp_path: Path) -> None:
    """In the form of http_sd_configs; the API of `earmark up`, which has no port for figures, is where it was asked."""
    with ApiWorld(tmp_path, metrics_port=0) as world:
        Note(world.settings.data, Server.WORKER, "127.0.0.1:9101").write()
        answer = world.anybody().get("/metrics/targets")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == [
        {"targets": ["testserver:80"], "labels": {"role": "api"}},
        {"targets": ["127.0.0.1:9101"], "labels": {"role": "worker"}},
    ]


def test_an_api_that_serves_figures_at_a_port_of_their_own_is_named_once(tmp_path: Path) -> None:
    """By its note, as all others are."""
    with ApiWorld(tmp_path) as world:
        assert world.anybody().get("/metrics/targets").json() == []

"""The catalogue is what is served, and the page says so."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from earmark.errors import EarmarkError, PermanentError, TransientError
from earmark.vocabulary import Lane, Origin
from router.fate import Fate
from runtime.api.metrics import ApiMetrics
from runtime.metrics.catalogue import BY_NAME, METRICS
from runtime.metrics.labels import KINDS, known_kind
from runtime.metrics.metric import Kind, Server
from runtime.metrics.page import PAGE, metrics_page
from runtime.metrics.router_metrics import ArrivalMetrics, RouterMetrics, WebhookMetrics
from runtime.metrics.worker_metrics import WorkerMetrics, WorkerScope
from tests.making import make_upload

UNITS: Final = {"seconds": "_seconds", "bytes": "_bytes", "dollars": "_dollars", "ratio": "_ratio"}
FORBIDDEN: Final = {"tenant", "customer", "customer_id", "job", "job_id", "file", "uri", "worker", "batch", "trace_id"}


def test_the_page_is_the_catalogue() -> None:
    """`make docs` writes it."""
    assert PAGE.read_text(encoding="utf-8") == metrics_page()


def test_names_say_what_is_counted_and_in_which_unit() -> None:
    """As Prometheus has it; each name is there once."""
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"earmark_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        suffix = UNITS.get(metric.unit)
        if suffix is not None:
            assert metric.name.removesuffix("_total").endswith(suffix), metric.name
        assert metric.meaning.endswith((".", ";"))
        assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
        assert list(metric.buckets) == sorted(set(metric.buckets))


def test_no_label_names_a_customer_or_a_job() -> None:
    """And no two labels of a metric are the same."""
    for metric in METRICS:
        names = [label.name for label in metric.labels]
        assert not FORBIDDEN & set(names), metric.name
        assert len(names) == len(set(names))


def test_everything_that_is_served_is_in_the_catalogue_and_the_other_way_round() -> None:
    """Worker, router and API; that of the controller is looked at in its own test."""
    registry = CollectorRegistry()
    WorkerMetrics(registry, WorkerScope(frozenset(Lane), "qwen", 8, 240.0))
    ArrivalMetrics(registry)
    WebhookMetrics(registry)
    api = ApiMetrics()
    for served, servers in (
        (registry, {Server.WORKER, Server.ROUTER}),
        (api.registry, {Server.API}),
    ):
        RouterMetrics(registry) if served is registry else None
        families = {family.name: family for family in served.collect()}
        expected = {metric.name.removesuffix("_total"): metric for metric in METRICS if metric.served_by in servers}
        shared = {"earmark_uploads_routed", "earmark_uploads_routed_bytes"}
        assert set(families) - shared == set(expected) - shared
        for name, metric in expected.items():
            assert families[name].type == metric.kind
            assert families[name].documentation == metric.meaning


def test_the_api_counts_what_it_routes() -> None:
    """As a router does; bytes of what became a job alone."""
    metrics = ApiMetrics()
    for fate in Fate:
        metrics.router.routed(make_upload("abc", origin=Origin.API), Lane.HIGH, fate)
    families = {family.name: family for family in text_string_to_metric_families(metrics.page().decode())}
    counted = [sample for sample in families["earmark_uploads_routed"].samples if sample.value]
    assert {sample.labels["fate"]: sample.value for sample in counted} == dict.fromkeys(Fate, 1.0)
    assert sum(sample.value for sample in families["earmark_uploads_routed_bytes"].samples) == 3


def test_every_class_of_failure_of_a_job_has_a_series() -> None:
    """Those that end a try; one that comes in new counts as another until it is listed."""

    def below(kind: type[EarmarkError]) -> set[type[EarmarkError]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    told = {kind.kind for kind in below(TransientError)} - {"transient"}
    assert told <= set(KINDS), told - set(KINDS)
    assert issubclass(PermanentError, EarmarkError)
    assert known_kind("martian") == "other"


def test_promtool_has_nothing_to_say_against_them(tmp_path: Path) -> None:
    """It knows how metrics are named; where it is not installed this is left to who has it."""
    promtool = shutil.which("promtool") or shutil.which("promtool", path=".tools")
    if promtool is None:
        pytest.skip("promtool is not installed")
    registry = CollectorRegistry()
    for metric in METRICS:
        made = {Kind.COUNTER: metric.counter, Kind.GAUGE: metric.gauge, Kind.HISTOGRAM: metric.histogram}
        labelled = made[metric.kind](registry)
        if metric.labels:
            labelled.labels(*(label.name for label in metric.labels))
    page = tmp_path / "page"
    page.write_bytes(generate_latest(registry))
    with page.open("rb") as given:
        checked = subprocess.run(  # found above
            [promtool, "check", "metrics"], stdin=given, capture_output=True, text=True, timeout=60, check=False
        )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_page_leads_to_no_place_that_is_not_there() -> None:
    """Files it names exist."""
    for name in re.findall(r"`((?:runtime|earmark)/[\w/.]+)`", PAGE.read_text(encoding="utf-8")):
        assert Path(name).exists(), name

"""What a worker's figures say of the jobs, batches and models that it was told of."""

import math
import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from earmark.domain import Analysis, Done, FieldRoute, Lease, Provenance, Record, Retry, Settlement, Technical, Timings
from earmark.errors import Unavailable
from earmark.metadata import AudioMetadata
from earmark.rows import JobRow
from earmark.vocabulary import Lane
from runtime.metrics.catalogue import BY_NAME
from runtime.metrics.gpus import GpuFigures
from runtime.metrics.resident import resident_bytes
from runtime.metrics.worker_metrics import WorkerMetrics, WorkerScope
from tests.making import EPOCH, make_failure, make_job, make_lease
from workers.breaker import Breaker
from workers.settled_rows import SettledRows

FALLBACK = "openai/gpt-audio"


class Worker:
    """The figures of a worker, a clock, and what its children use."""

    def __init__(self, arms: Callable[[], Iterable[tuple[str, str]]] = tuple, fallback: str = FALLBACK) -> None:
        """Register them."""
        self.registry, self.now, self.resident = CollectorRegistry(), 1000.0, dict[int, int]()
        self.metrics = WorkerMetrics(
            self.registry,
            WorkerScope(frozenset({Lane.HIGH, Lane.LOW}), "qwen", 8, 240.0, fallback, arms),
            now=lambda: self.now,
            resident=lambda pid: self.resident.get(pid),  # noqa: PLW0108  # which changes
        )

    def value(self, name: str, **labels: str) -> float | None:
        """Of a series; ``None`` = there is none."""
        return self.registry.get_sample_value(name, labels)

    def settle(self, **fields: Any) -> JobRow:
        """Tell of a job with an analysis of these fields."""
        analysis = answer(**fields)
        lease = leased(fields)
        record = Record(
            job_id=lease.job.id, tenant="acme", status="done", analysis=analysis, enqueued_at=EPOCH, settled_at=EPOCH
        )
        settlement = Settlement(lease, Done(analysis), 3.0)
        row = SettledRows.job(settlement, record)
        self.metrics.settled(settlement, record, row)
        return row


def leased(fields: dict[str, Any]) -> Lease:
    """A lease on a job of a lane and arm."""
    job = make_job(lane=fields.get("lane", Lane.HIGH), arm=fields.get("arm", "primary"))
    return Lease(job, "token", 1, EPOCH)


def answer(
    *,
    confidence: float | None = 0.9,
    cost_usd: float = 0.0,
    model: str = "qwen",
    fallback_model: str = "",
    routes: tuple[FieldRoute, ...] = (),
    total_s: float = 2.0,
    late: bool = False,
    review: bool = False,
    duration_s: float = 30.0,
    lane: Lane = Lane.HIGH,
    arm: str = "primary",
) -> Analysis:
    """An analysis."""
    del lane
    job = make_job()
    provenance = Provenance(
        model=model,
        model_version="1",
        pipeline="test",
        arm=arm,
        covered_s=30,
        fallback_model=fallback_model,
        routes=routes,
        review=review,
    )
    return Analysis.model_construct(
        job_id=job.id,
        tenant="acme",
        content_sha256=job.upload.content_sha256,
        confidence=confidence,
        model=model,
        metadata=AudioMetadata(),
        technical=Technical.model_construct(
            duration_s=duration_s, sample_rate_hz=8000, channels=1, codec="x", container="wav", size_bytes=1
        ),
        provenance=provenance,
        timings=Timings.model_construct(queued_s=0.5, decode_s=0.25, predict_s=1.0, total_s=total_s, late=late),
        cost_usd=cost_usd,
        created_at=EPOCH,
    )


def route(reason: str = "weak", refused: str | None = None, cost_usd: float = 0.0, field: str = "genres") -> FieldRoute:
    """Of a field that the fallback came up for."""
    return FieldRoute(field=field, reason=reason, refused=refused, chosen="fallback", cost_usd=cost_usd)


def test_whatever_can_be_foreseen_is_there_with_zero() -> None:
    """Lanes, kinds and reasons, and the models that are set; a series that begins with 1 is no increase."""
    worker = Worker(arms=lambda: [("experimental", "mert")])
    worker.metrics.sample()
    for name, labels in (
        ("earmark_jobs_settled_total", {"lane": "high", "tier": "enterprise", "status": "failed"}),
        ("earmark_job_errors_total", {"lane": "low", "kind": "not_audio"}),
        ("earmark_fallback_refused_total", {"lane": "high", "reason": "daily_cap"}),
        ("earmark_jobs_answered_total", {"lane": "high", "model": "qwen", "arm": "primary"}),
        ("earmark_jobs_low_confidence_total", {"lane": "low", "model": "mert", "arm": "experimental"}),
        ("earmark_job_confidence_ratio_count", {"lane": "low", "model": "mert", "arm": "experimental"}),
        ("earmark_job_cost_dollars_total", {"lane": "high", "model": FALLBACK, "arm": "primary"}),
        ("earmark_model_loads_total", {"model": "qwen"}),
        ("earmark_batch_jobs_count", {"lane": "low"}),
    ):
        assert worker.value(name, **labels) == 0, name
    assert worker.value("earmark_job_cost_dollars_total", lane="high", model=FALLBACK, arm="experimental") == 0


def test_every_series_is_in_the_catalogue_and_names_nobody() -> None:
    """Also after a job: no tenant, no id."""
    worker = Worker()
    row = worker.settle()
    for family in worker.registry.collect():
        for sample in family.samples:
            plain = sample.name
            for part in ("_bucket", "_count", "_sum"):
                plain = plain.removesuffix(part) if plain.removesuffix(part) in BY_NAME else plain
            assert plain in BY_NAME, sample.name
            assert {label.name for label in BY_NAME[plain].labels} | {"le"} >= set(sample.labels)
            assert not {"acme", row.row_id} & set(sample.labels.values())


def test_an_answer_is_counted_once_in_each_figure() -> None:
    """Time by stage, which add up to the whole; audio; confidence."""
    worker = Worker()
    worker.settle(confidence=0.65, late=True, review=True)
    lane = {"lane": "high"}
    by_answer = {**lane, "model": "qwen", "arm": "primary"}
    assert worker.value("earmark_jobs_settled_total", **lane, tier="free", status="done") == 1
    assert worker.value("earmark_jobs_answered_total", **by_answer) == 1
    assert worker.value("earmark_jobs_low_confidence_total", **by_answer) == 1
    assert worker.value("earmark_job_confidence_ratio_bucket", **by_answer, le="0.6") == 0
    assert worker.value("earmark_job_confidence_ratio_bucket", **by_answer, le="0.7") == 1
    assert worker.value("earmark_jobs_late_total", **lane) == 1
    assert worker.value("earmark_jobs_review_total", **lane) == 1
    assert worker.value("earmark_job_audio_seconds_total", **lane) == 30
    assert worker.value("earmark_job_response_seconds_sum", **lane) == 2
    stages = [worker.value("earmark_job_stage_seconds_sum", **lane, stage=stage) for stage in
              ("queued", "decode", "predict", "rest")]  # fmt: skip
    assert stages == [0.5, 0.25, 1.0, 0.25]


@pytest.mark.parametrize(("confidence", "low", "counted"), [(0.7, 0, 1), (0.6999, 1, 1), (None, 0, 0)])
def test_low_confidence_begins_below_the_limit(confidence: float | None, low: int, counted: int) -> None:
    """At the limit it is none; without a confidence it is neither low nor in the distribution, but answered."""
    worker, by_answer = Worker(), {"lane": "high", "model": "qwen", "arm": "primary"}
    worker.settle(confidence=confidence)
    assert worker.value("earmark_jobs_low_confidence_total", **by_answer) == low
    assert worker.value("earmark_job_confidence_ratio_count", **by_answer) == counted
    assert worker.value("earmark_jobs_answered_total", **by_answer) == 1


def cost(worker: Worker, model: str, arm: str = "primary") -> float | None:
    """What was paid to a model."""
    return worker.value("earmark_job_cost_dollars_total", model=model, lane="high", arm=arm)


def test_what_a_job_cost_is_told_by_who_was_paid() -> None:
    """The fallback's part to the fallback, the rest to the primary."""
    worker = Worker()
    worker.settle(
        cost_usd=0.05, fallback_model=FALLBACK, routes=(route(cost_usd=0.02), route(cost_usd=0.02, field="key"))
    )
    assert cost(worker, FALLBACK) == pytest.approx(0.04)
    assert cost(worker, "qwen") == pytest.approx(0.01)


def test_where_the_fallback_stands_as_the_model_the_primary_is_paid_for_its_time() -> None:
    """It had listened before it gave no answer."""
    worker = Worker()
    worker.settle(model=FALLBACK, fallback_model=FALLBACK, cost_usd=0.05, routes=(route("no_answer", cost_usd=0.04),))
    assert cost(worker, FALLBACK) == pytest.approx(0.04)
    assert cost(worker, "qwen") == pytest.approx(0.01)
    assert worker.value("earmark_jobs_answered_total", lane="high", model=FALLBACK, arm="primary") == 1


@pytest.mark.parametrize("absurd", [math.nan, math.inf, -1.0])
def test_what_is_no_number_spoils_no_sum(absurd: float) -> None:
    """As of a price list or a clock gone wrong."""
    worker = Worker()
    worker.settle(cost_usd=absurd, total_s=absurd, duration_s=absurd)
    worker.settle(cost_usd=0.5)
    for family in worker.registry.collect():
        assert all(math.isfinite(sample.value) for sample in family.samples), family.name
    assert (cost(worker, "qwen") or 0) >= 0.5


def test_the_fallback_is_counted_once_for_each_reason() -> None:
    """However many fields came up for it."""
    worker = Worker()
    refused = "daily_cap"
    worker.settle(routes=(route("weak", refused), route("weak", refused, field="key"), route("no_answer", refused)))
    assert worker.value("earmark_fallback_jobs_total", lane="high", reason="weak") == 1
    assert worker.value("earmark_fallback_jobs_total", lane="high", reason="no_answer") == 1
    assert worker.value("earmark_fallback_refused_total", lane="high", reason="daily_cap") == 1


@pytest.mark.parametrize(("kind", "counted_as"), [("model_crashed", "model_crashed"), ("martian", "other")])
def test_a_job_without_an_answer_counts_by_its_error(kind: str, counted_as: str) -> None:
    """A class that nobody knows is another one, so that no label grows without end."""
    worker, lease = Worker(), make_lease()
    failure = make_failure(kind).model_copy(update={"cost_usd": 0.25})
    record = Record(
        job_id=lease.job.id, tenant="acme", status="failed", enqueued_at=EPOCH, settled_at=EPOCH, failures=(failure,)
    )
    settlement = Settlement(lease, Retry(failure, 1.0), 3.0)
    worker.metrics.settled(settlement, record, SettledRows.job(settlement, record))
    worker.metrics.retried(lease, failure)
    assert worker.value("earmark_job_errors_total", lane="low", kind=counted_as) == 1
    assert worker.value("earmark_jobs_retried_total", lane="low", kind=counted_as) == 1
    assert worker.value("earmark_jobs_settled_total", lane="low", tier="free", status="failed") == 1
    assert worker.value("earmark_job_audio_seconds_total", lane="low") == 3
    assert worker.value("earmark_job_response_seconds_count", lane="low") == 0
    assert worker.value("earmark_job_cost_dollars_total", lane="low", model=FALLBACK, arm="primary") == 0.25


def test_a_batch_is_as_full_as_the_fuller_of_its_limits() -> None:
    """Jobs of 8, seconds of 240; one longer recording fills it."""
    worker = Worker()
    for jobs, audio_s in ((2, 120.0), (8, 16.0), (1, 3600.0)):
        worker.metrics.batch_begun(Lane.LOW, jobs, audio_s)
    assert worker.value("earmark_batch_fill_ratio_sum", lane="low") == 0.5 + 1.0 + 1.0
    assert worker.value("earmark_batch_jobs_sum", lane="low") == 11


def test_a_worker_that_ends_no_job_gets_older() -> None:
    """One that holds none is as good as new, and so is one that has just begun."""
    worker, progress = Worker(), "earmark_worker_progress_timestamp_seconds"
    assert worker.value(progress) == 1000
    for now, told in ((1010, 0), (1020, 3), (1030, 3)):
        worker.now = now
        worker.metrics.held(told)
    assert (worker.value(progress), worker.value("earmark_worker_jobs_held")) == (1010, 3)
    worker.metrics.ended(make_lease())
    assert worker.value(progress) == 1030
    worker.now = 1040
    worker.metrics.queue_answered()
    assert worker.value("earmark_worker_queue_answered_timestamp_seconds") == 1040
    assert worker.value(progress) == 1030


def test_the_memory_of_a_model_is_that_of_its_processes_that_live() -> None:
    """One that was loaded anew counts once, and one that has ended not at all."""
    worker = Worker()
    worker.resident = {11: 100, 12: 30}
    worker.metrics.model_loaded("qwen", 4.5, 11)
    worker.metrics.sample()
    assert worker.value("earmark_model_memory_bytes", model="qwen") == 100
    worker.resident.pop(11)
    worker.metrics.model_loaded("qwen", 6.5, 12)
    worker.metrics.sample()
    assert worker.value("earmark_model_memory_bytes", model="qwen") == 30
    assert worker.value("earmark_model_load_seconds", model="qwen") == 6.5
    assert worker.value("earmark_model_loads_total", model="qwen") == 2
    worker.resident.clear()
    worker.metrics.sample()
    assert worker.value("earmark_model_memory_bytes", model="qwen") is None


def test_a_breaker_is_in_one_state() -> None:
    """As soon as it is watched."""
    worker = Worker()
    seconds = [0.0]
    breaker = Breaker("qwen", now=lambda: seconds[0])
    worker.metrics.watch({"qwen": breaker})

    def states() -> list[float | None]:
        return [worker.value("earmark_breaker_state", provider="qwen", state=each) for each in
                ("closed", "open", "half_open")]  # fmt: skip

    assert states() == [1, 0, 0]
    for _ in range(3):
        breaker.failed(Unavailable("away"))
    worker.metrics.sample()
    assert states() == [0, 1, 0]
    seconds[0] = 600
    worker.metrics.sample()
    assert states() == [0, 0, 1]
    breaker.succeeded()
    worker.metrics.sample()
    assert states() == [1, 0, 0]


def test_arms_and_models_come_and_go_and_never_pile_up() -> None:
    """After years of experiments there are a few; what was counted stays, and those that come late are others."""
    worker = Worker()
    for number in range(100):
        worker.settle(arm=f"arm-{number}", model=f"model-{number}")
        worker.settle()
    families = {family.name: family for family in worker.registry.collect()}
    answered = [sample for sample in families["earmark_jobs_answered"].samples if sample.value]
    assert 10 < len(answered) <= 25  # with the others
    assert worker.value("earmark_jobs_answered_total", lane="high", model="qwen", arm="primary") == 100
    assert worker.value("earmark_jobs_answered_total", lane="high", model="model-1", arm="arm-1") == 1
    assert worker.value("earmark_jobs_answered_total", lane="high", model="other", arm="other") == 100 - 22 - 1


def test_arms_that_are_only_foreseen_end_no_series_that_has_counts() -> None:
    """However many experiments are started; one of theirs that answers takes the place of one that has not."""
    worker = Worker(arms=lambda: [(f"idle-{number}", f"model-{number}") for number in range(60)])
    worker.settle(arm="busy", model="mert")
    worker.metrics.sample()
    answered = "earmark_jobs_answered_total"
    assert worker.value(answered, lane="high", model="mert", arm="busy") == 1
    assert worker.value(answered, lane="high", model="qwen", arm="primary") == 0
    worker.settle(arm="idle-59", model="model-59")
    assert worker.value(answered, lane="high", model="model-59", arm="idle-59") == 1
    assert worker.value(answered, lane="high", model="model-0", arm="idle-0") is None


def test_experiments_that_cannot_be_seen_cost_no_other_figure() -> None:
    """Their store is away; breakers are looked at all the same."""

    def away() -> list[tuple[str, str]]:
        message = "away"
        raise Unavailable(message)

    worker = Worker(arms=away)
    worker.metrics.watch({"qwen": Breaker("qwen")})
    assert worker.value("earmark_breaker_state", provider="qwen", state="closed") == 1


def test_gpus_that_tell_nothing_have_no_figure() -> None:
    """A part of a divided GPU tells its memory and not its use."""

    class Divided:
        def look(self) -> list[GpuFigures]:
            return [GpuFigures(0, 5, 10, 0.5), GpuFigures(1, 7, 10, None)]

    registry = CollectorRegistry()
    scope = WorkerScope(frozenset(Lane), "qwen", 8, 240.0)
    WorkerMetrics(registry, scope, gpus=Divided()).sample()  # type: ignore[arg-type]  # as much of it as is used
    assert registry.get_sample_value("earmark_gpu_use_ratio", {"gpu": "0"}) == 0.5
    assert registry.get_sample_value("earmark_gpu_use_ratio", {"gpu": "1"}) is None
    assert registry.get_sample_value("earmark_gpu_memory_used_bytes", {"gpu": "1"}) == 7


def test_memory_is_asked_of_children_alone(tmp_path: Path) -> None:
    """A number may be another process's by now; a zombie has none."""
    for pid, content in (
        (1, f"Name:\tx\nPPid:\t{os.getpid()}\nVmRSS:\t  2048 kB\n"),
        (2, "PPid:\t1\nVmRSS:\t2048 kB\n"),
        (3, f"PPid:\t{os.getpid()}\n"),
    ):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "status").write_text(content)
    assert [resident_bytes(pid, tmp_path) for pid in (1, 2, 3, 4)] == [2048 * 1024, None, None, None]


def test_the_time_of_a_job_begins_with_its_queue() -> None:
    """Not with the lease: a job that waited for an hour took an hour."""
    worker = Worker()
    row = worker.settle(total_s=timedelta(hours=1).total_seconds())
    assert row.total_s == worker.value("earmark_job_response_seconds_sum", lane="high") == 3600

"""``WorkerMetrics``: counts what a worker is told of, and samples what it is made of."""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry

from earmark.domain import PRIMARY, Failure, Lease, Record, Settlement
from earmark.errors import Unavailable
from earmark.rows import JobRow
from earmark.vocabulary import Lane
from runtime.metrics import of_workers as worker
from runtime.metrics.bounded import Bounded
from runtime.metrics.gpus import Gpus
from runtime.metrics.labels import STATE, known_kind
from runtime.metrics.resident import resident_bytes
from workers.breaker import Breaker
from workers.observer import Observer
from workers.settled_rows import COST_MOST_USD, TIME_MOST_S

SAMPLED: Final = (
    worker.MODEL_MEMORY,
    worker.GPU_MEMORY,
    worker.GPU_MEMORY_TOTAL,
    worker.GPU_USE,
    worker.BREAKERS,
)
"""What no event tells of, so that it is looked at now and then."""


@dataclass(frozen=True, slots=True)
class WorkerScope:
    """What is known of a worker before its first job."""

    lanes: frozenset[Lane]
    model: str
    """Its primary model."""
    batch_jobs: int
    batch_audio_s: float
    fallback: str = ""
    """The fallback's model, with its provider; empty = none."""
    arms: Callable[[], Iterable[tuple[str, str]]] = tuple
    """The arms of the experiments that run, each with the name of its model; may raise ``Unavailable``."""


class WorkerMetrics(Observer):
    """One worker's figures; what concerns jobs is counted from their rows alone."""

    def __init__(
        self,
        registry: CollectorRegistry,
        scope: WorkerScope,
        *,
        gpus: Gpus | None = None,
        now: Callable[[], float] = time.time,
        resident: Callable[[int], int | None] = resident_bytes,
    ) -> None:
        """Register the figures, with a zero for whatever can be foreseen.

        Args:
            registry: that is served.
            scope: of the worker.
            gpus: of its machine; ``None`` = it has none.
            now: seconds since 1970.
            resident: memory of a child process in bytes; ``None`` = it has ended.
        """
        self._scope, self._gpus, self._now, self._resident = scope, gpus, now, resident
        self._jobs, self._errors = worker.JOBS.counter(registry), worker.JOB_ERRORS.counter(registry)
        self._retried, self._late = worker.JOBS_RETRIED.counter(registry), worker.JOBS_LATE.counter(registry)
        self._response, self._stages = worker.RESPONSE.histogram(registry), worker.STAGES.histogram(registry)
        self._confidence, self._answered = worker.CONFIDENCE.histogram(registry), worker.ANSWERED.counter(registry)
        self._low, self._reviews = worker.LOW_CONFIDENCE_JOBS.counter(registry), worker.REVIEWS.counter(registry)
        self._audio, self._cost = worker.AUDIO.counter(registry), worker.COST.counter(registry)
        self._fallbacks, self._refusals = worker.FALLBACKS.counter(registry), worker.REFUSALS.counter(registry)
        self._batch_jobs, self._batch_fill = (
            worker.BATCH_JOBS.histogram(registry),
            worker.BATCH_FILL.histogram(registry),
        )
        self._loads, self._load_s = worker.MODEL_LOADS.counter(registry), worker.MODEL_LOAD_S.gauge(registry)
        self._memory = worker.MODEL_MEMORY.gauge(registry)
        self._gpu_used, self._gpu_total = worker.GPU_MEMORY.gauge(registry), worker.GPU_MEMORY_TOTAL.gauge(registry)
        self._gpu_use = worker.GPU_USE.gauge(registry)
        self._breakers = worker.BREAKERS.gauge(registry)
        self._held, self._progress = worker.WORKER_HELD.gauge(registry), worker.WORKER_PROGRESS.gauge(registry)
        self._queue = worker.WORKER_QUEUE.gauge(registry)
        by_answer = [self._confidence, self._answered, self._low, self._cost]
        self._arm = Bounded("arm", by_answer)
        self._model = Bounded("model", [*by_answer, self._loads, self._load_s, self._memory])
        self._watched: Mapping[str, Breaker] = {}
        self._lock = threading.Lock()
        self._children: defaultdict[str, set[int]] = defaultdict(set)
        self._loads.labels(self._model.value(scope.model))
        for kept in filter(None, (scope.model, scope.fallback)):
            self._model.value(kept)  # whatever experiments run, these have a place
        self._foresee(self._arm.value(PRIMARY), scope.model)
        self._held.set(0)
        self._progress.set(now())  # or one that is stuck with its first jobs would never show
        self._queue.set(now())

    def settled(self, settlement: Settlement, record: Record, row: JobRow) -> None:
        """Count a job that has ended."""
        del settlement
        self._jobs.labels(row.lane, row.tier, row.status).inc()
        self._audio.labels(row.lane).inc(_bounded(row.audio_s, TIME_MOST_S))
        if row.error_kind is not None:
            self._errors.labels(row.lane, known_kind(row.error_kind)).inc()
        self._count_cost(row)
        if record.analysis is None:
            return
        self._count_answer(row)
        if record.analysis.timings.late:
            self._late.labels(row.lane).inc()
        routes = record.analysis.provenance.routes
        for reason in {route.reason for route in routes}:
            self._fallbacks.labels(row.lane, reason).inc()
        for refused in {route.refused for route in routes if route.refused is not None}:
            self._refusals.labels(row.lane, refused).inc()

    def retried(self, lease: Lease, failure: Failure) -> None:
        """Count a try that failed."""
        self._retried.labels(lease.job.lane, known_kind(failure.kind)).inc()

    def ended(self, lease: Lease) -> None:
        """Note that the worker gets on."""
        del lease
        self._progress.set(self._now())

    def held(self, count: int) -> None:
        """Note how many jobs there are; a worker without any is not stuck."""
        self._held.set(count)
        if not count:
            self._progress.set(self._now())

    def batch_begun(self, lane: Lane, jobs: int, audio_s: float) -> None:
        """Count a batch, and how full it was."""
        self._batch_jobs.labels(lane).observe(jobs)
        fill = max(jobs / self._scope.batch_jobs, audio_s / self._scope.batch_audio_s)
        self._batch_fill.labels(lane).observe(min(1.0, fill))

    def model_loaded(self, model: str, seconds: float, pid: int) -> None:
        """Count it, and remember the process for its memory."""
        name = self._model.value(model)
        self._loads.labels(name).inc()
        self._load_s.labels(name).set(seconds)
        with self._lock:
            self._children[name].add(pid)

    def queue_answered(self) -> None:
        """Note when."""
        self._queue.set(self._now())

    def watch(self, breakers: Mapping[str, Breaker]) -> None:
        """Sample these breakers too, by the names of the models behind them."""
        self._watched = breakers
        self._sample_breakers()

    def sample(self) -> None:
        """Look at memory, GPUs, breakers and at which experiments run; for a thread that nobody waits for."""
        self._sample_memory()
        for gpu in self._gpus.look() if self._gpus is not None else ():
            for gauge, value in (
                (self._gpu_used, gpu.used_bytes),
                (self._gpu_total, gpu.total_bytes),
                (self._gpu_use, gpu.use_ratio),
            ):
                if value is not None:
                    gauge.labels(str(gpu.number)).set(value)
        self._sample_breakers()
        try:
            for arm, model in self._scope.arms():
                self._foresee(arm, model)
        except Unavailable:
            return  # its arms count from their first job, then

    def _sample_breakers(self) -> None:
        for provider, breaker in self._watched.items():
            standing = breaker.state
            for state in STATE.values:
                self._breakers.labels(provider, state).set(state == standing)

    def _sample_memory(self) -> None:
        with self._lock:
            children = {name: set(pids) for name, pids in self._children.items()}
        for name, pids in children.items():
            resident = {pid: used for pid in pids if (used := self._resident(pid)) is not None}
            with self._lock:
                self._children[name] -= pids - set(resident)
            if resident:
                self._memory.labels(name).set(sum(resident.values()))
            else:
                self._memory.remove_by_labels({"model": name})

    def _count_answer(self, row: JobRow) -> None:
        lane, model, arm = row.lane, self._model.value(row.model), self._arm.value(row.arm)
        self._answered.labels(lane, model, arm).inc()
        total_s = _bounded(row.total_s, TIME_MOST_S)
        self._response.labels(lane).observe(total_s)
        parts = {"queued": row.queued_s, "decode": row.decode_s, "predict": row.predict_s}
        parts = {stage: _bounded(seconds, TIME_MOST_S) for stage, seconds in parts.items()}
        for stage, seconds in {**parts, "rest": max(0.0, total_s - sum(parts.values()))}.items():
            self._stages.labels(lane, stage).observe(seconds)
        if row.confidence is not None and math.isfinite(row.confidence):
            self._confidence.labels(lane, model, arm).observe(row.confidence)
            if row.confidence < worker.LOW_CONFIDENCE:
                self._low.labels(lane, model, arm).inc()
        if row.review:
            self._reviews.labels(lane).inc()

    def _count_cost(self, row: JobRow) -> None:
        """What was paid to whom; where the fallback stands as the model, the rest went to the primary all the same."""
        whole = _bounded(row.cost_usd, COST_MOST_USD)
        by_fallback = min(_bounded(row.fallback_usd or 0.0, COST_MOST_USD), whole)
        fallback = row.fallback_model or self._scope.fallback
        own = self._scope.model if row.model == row.fallback_model else row.model
        for model, usd in ((own, whole - by_fallback), (fallback, by_fallback)):
            if usd > 0:
                self._cost.labels(self._model.value(model), row.lane, self._arm.value(row.arm)).inc(usd)

    def _foresee(self, arm: str, model: str) -> None:
        """Have zeros for an arm, so that its first job is an increase and not a new series."""
        arm, name = self._arm.value(arm, counts=False), self._model.value(model, counts=False)
        paid = [name, self._model.value(self._scope.fallback)] if self._scope.fallback else [name]
        for lane in self._scope.lanes:
            for metric in (self._confidence, self._answered, self._low):
                metric.labels(lane, name, arm)
            for each in paid:
                self._cost.labels(each, lane, arm)


def _bounded(value: float, most: float) -> float:
    """The value or ``most``: one that is no number would spoil a sum for as long as the worker lasts."""
    return min(value, most) if value > 0 else 0.0

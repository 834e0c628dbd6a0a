"""``watching``: what hears of a worker's jobs, put together from the settings, and the page where its figures are."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from earmark.clock import utc_now
from earmark.ports import Clock
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.backend import Backend
from runtime.experiments import make_registry
from runtime.metrics.exposition import is_shown, serving_metrics
from runtime.metrics.gpus import Gpus
from runtime.metrics.metric import Server
from runtime.metrics.worker_metrics import WorkerMetrics, WorkerScope
from workers.models.catalogue import find_provider
from workers.observer import Observers
from workers.worker import Worker


@dataclass(frozen=True, slots=True)
class Watching:
    """Those who watch a worker."""

    observers: Observers
    metrics: WorkerMetrics | None = None

    def begin(self, worker: Worker) -> None:
        """Watch the worker's breakers too, now that it is there."""
        if self.metrics is not None:
            self.metrics.watch(worker.breakers)


@contextmanager
def watching(
    settings: Settings, backend: Backend, lanes: frozenset[Lane], clock: Clock = utc_now
) -> Iterator[Watching]:
    """Those who watch, for as long as the context lasts; nobody where the settings forbid it.

    Raises:
        ConfigurationError: the port of the metrics is taken, or a setting is wrong.
    """
    if not is_shown(settings):
        yield Watching(Observers())
        return
    registry, gpus = CollectorRegistry(), Gpus.find()
    metrics = WorkerMetrics(registry, scope_of(settings, backend, lanes, clock), gpus=gpus)
    try:
        with serving_metrics(settings, Server.WORKER, registry, [metrics.sample]):
            yield Watching(Observers(metrics), metrics)
    finally:
        if gpus is not None:
            gpus.close()


def scope_of(settings: Settings, backend: Backend, lanes: frozenset[Lane], clock: Clock) -> WorkerScope:
    """What is known of a worker with these settings before its first job."""
    registry = make_registry(backend, clock)

    def arms() -> list[tuple[str, str]]:
        return [(arm.name, arm.model or settings.model) for trial in registry.live() for arm in trial.definition.arms]

    provider = find_provider(settings, settings.fallback) if settings.fallback else None
    return WorkerScope(
        lanes=lanes,
        model=settings.model,
        batch_jobs=settings.batch_jobs,
        batch_audio_s=settings.batch_audio_s,
        fallback="" if provider is None else f"{provider.name}/{provider.model}",
        arms=arms,
    )

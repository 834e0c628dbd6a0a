"""``RouterMetrics``, ``ArrivalMetrics`` and ``WebhookMetrics``: count what a router decides and does."""

from prometheus_client import CollectorRegistry

from earmark.domain import Upload
from earmark.vocabulary import Lane
from router.fate import Fate
from runtime.metrics.labels import known_kind
from runtime.metrics.of_router import ARRIVALS_REJECTED, ROUTED, ROUTED_BYTES, WEBHOOK_CALLS


class RouterMetrics:
    """One process's figures: those of a router, or of an API, which routes what it takes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the figures."""
        self._routed, self._bytes = ROUTED.counter(registry), ROUTED_BYTES.counter(registry)

    def routed(self, upload: Upload, lane: Lane, fate: Fate) -> None:
        """Count an upload."""
        self._routed.labels(lane, upload.origin, fate).inc()
        if fate is Fate.QUEUED:
            self._bytes.labels(lane).inc(upload.size_bytes)


class ArrivalMetrics:
    """What the process counts that hears of new objects."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the figure."""
        self._rejected = ARRIVALS_REJECTED.counter(registry)

    def rejected(self, fault: str) -> None:
        """Count an object that cannot be heard."""
        self._rejected.labels(known_kind(fault)).inc()


class WebhookMetrics:
    """What the process counts that calls customers' servers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the figure."""
        self._calls = WEBHOOK_CALLS.counter(registry)

    def called(self, outcome: str) -> None:
        """Count a call by what came of it, in the words of ``DeliveryRow.outcome``."""
        self._calls.labels(outcome).inc()

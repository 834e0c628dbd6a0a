"""``Metric``: name, kind, unit and labels of one metric, and the registered object that has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# A series more for each counter, which nothing asks for and the catalogue does not know.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Kind(StrEnum):
    """What a metric is, as Prometheus has it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Server(StrEnum):
    """Which process serves a metric."""

    API = "api"
    ROUTER = "router"
    WORKER = "worker"
    CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Label:
    """A label of metrics; its values are few and known, and never a customer or a job."""

    name: str
    meaning: str
    values: tuple[str, ...] = ()
    """All there can be, which are there from the start; empty = they depend on settings or on the machine."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the catalogue."""

    name: str
    """As it is scraped: counters end in ``_total``, all others in their unit."""
    kind: Kind
    unit: str
    """``seconds``, ``bytes``, ``dollars``, ``ratio``, or what is counted."""
    meaning: str
    served_by: Server
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, without infinity."""

    def counter(self, registry: CollectorRegistry) -> Counter:
        """The counter, registered, with a zero for each combination of labels that is known beforehand."""
        self._demand(Kind.COUNTER)
        made = Counter(self.name, self.meaning, self._label_names, registry=registry)
        for values in self._known:
            made.labels(*values)
        return made

    def gauge(self, registry: CollectorRegistry) -> Gauge:
        """The gauge, registered; it has a value once somebody has looked."""
        self._demand(Kind.GAUGE)
        return Gauge(self.name, self.meaning, self._label_names, registry=registry)

    def histogram(self, registry: CollectorRegistry) -> Histogram:
        """The histogram, registered, empty for each combination of labels that is known beforehand."""
        self._demand(Kind.HISTOGRAM)
        made = Histogram(self.name, self.meaning, self._label_names, registry=registry, buckets=self.buckets)
        for values in self._known:
            made.labels(*values)
        return made

    @property
    def series_names(self) -> tuple[str, ...]:
        """The names under which its samples are stored."""
        if self.kind is Kind.HISTOGRAM:
            return tuple(f"{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return (self.name,)

    @property
    def _label_names(self) -> Sequence[str]:
        return [label.name for label in self.labels]

    @property
    def _known(self) -> list[tuple[str, ...]]:
        """Combinations of labels, where each has known values and there is any label."""
        if not self.labels or not all(label.values for label in self.labels):
            return []
        return list(product(*(label.values for label in self.labels)))

    def _demand(self, kind: Kind) -> None:
        if self.kind is not kind:
            message = f"{self.name} is a {self.kind}, not a {kind}"
            raise TypeError(message)

"""``Controller``: looks at what all processes share, part by part, and shows what it saw as metrics.

What cannot be seen has no figures: a gauge that keeps its last value tells of a queue that nobody has looked at for
hours as if all were well, and an alert on a missing one does not fire.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from earmark.errors import EarmarkError
from earmark.log import event
from runtime.metrics.metric import Metric
from runtime.metrics.of_controller import LOOKED

_log = logging.getLogger(__name__)
WITHIN_S: Final = 10.0
"""Seconds in which a part must answer."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One value of one metric."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()
    """Values of its labels, in their order."""

    @property
    def label_values(self) -> dict[str, str]:
        """The same by name."""
        return {label.name: str(value) for label, value in zip(self.metric.labels, self.labels, strict=True)}


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is looked at."""

    name: str
    look: Callable[[], Sequence[Figure]]
    every_s: float = 0.0
    """Seconds for which a look stands; 0 = until the next round."""
    within_s: float = WITHIN_S


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of the latest look at a part."""

    part: str
    figures: tuple[Figure, ...] = ()
    looked_at: float | None = None
    """Seconds since 1970; ``None`` = nothing could be seen."""
    why: str = ""
    """Why not."""


@dataclass(slots=True)
class _Standing:
    seen: Seen
    due: float = float("-inf")
    asked: "Future[tuple[Sequence[Figure], float]] | None" = None
    """A look under way, or one whose answer nobody has taken yet: figures, and when they were there."""
    began: float = 0.0
    blind: bool = False
    """Whether the latest look failed, which is logged once."""


class Controller(Collector):
    """Looks at all parts side by side; one that is slow or hangs keeps neither the others nor a scrape waiting."""

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at nothing yet.

        Args:
            parts: what to look at.
            now: seconds since 1970.
            monotonic: seconds on a clock that never goes back.
        """
        self._parts, self._now, self._monotonic = parts, now, monotonic
        self._lock = threading.Lock()
        self._standing: Mapping[str, _Standing] = {part.name: _Standing(Seen(part.name)) for part in parts}

    def run_once(self, *, wait_s: float = WITHIN_S) -> list[Seen]:
        """Look at what is due, for ``wait_s`` at most; a part that may take longer is taken up in a later round."""
        for part in self._parts:
            standing = self._standing[part.name]
            if standing.asked is None and self._monotonic() >= standing.due:
                self._ask(part, standing)
        deadline = self._monotonic() + wait_s
        for part in self._parts:
            standing = self._standing[part.name]
            if standing.asked is not None:
                wait([standing.asked], max(0.0, min(deadline, standing.began + part.within_s) - self._monotonic()))
                self._take(part, standing, standing.asked)
        with self._lock:
            return [standing.seen for standing in self._standing.values()]

    @property
    def figures(self) -> list[Figure]:
        """All there are now, with the moment at which each part was seen; asks nobody."""
        with self._lock:
            seen = [standing.seen for standing in self._standing.values()]
        figures = [figure for each in seen for figure in each.figures]
        return figures + [Figure(LOOKED, each.looked_at, (each.part,)) for each in seen if each.looked_at is not None]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures as they stand; asks nobody."""
        by_metric: dict[str, list[Figure]] = {}
        for figure in self.figures:
            by_metric.setdefault(figure.metric.name, []).append(figure)
        for mine in by_metric.values():
            metric = mine[0].metric
            family = GaugeMetricFamily(metric.name, metric.meaning, labels=[label.name for label in metric.labels])
            for figure in mine:
                family.add_metric(list(figure.label_values.values()), float(figure.value))
            yield family

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing, so that registering it asks for nothing."""
        return []

    def _ask(self, part: Part, standing: _Standing) -> None:
        future: Future[tuple[Sequence[Figure], float]] = Future()
        standing.asked, standing.began = future, self._monotonic()

        def look() -> None:
            try:
                future.set_result((part.look(), self._monotonic()))
            except BaseException as error:  # noqa: BLE001  # told to whoever waits
                future.set_exception(error)

        threading.Thread(target=look, name=f"look-{part.name}", daemon=True).start()

    def _take(self, part: Part, standing: _Standing, asked: "Future[tuple[Sequence[Figure], float]]") -> None:
        """Note the answer where there is one, or that there is none in time; one that hangs is not asked twice."""
        if not asked.done():
            if self._monotonic() - standing.began >= part.within_s:
                self._note(part, standing, Seen(part.name, why=f"no answer within {part.within_s:g} s"))
            return
        standing.asked = None
        try:
            figures, ended = asked.result()
        except EarmarkError as error:
            seen = Seen(part.name, why=f"{error.kind}: {error}")
        except Exception as error:  # noqa: BLE001  # a fault in one look must not end the others
            seen = Seen(part.name, why=f"fails: {type(error).__name__}: {error}")
        else:
            took_s = ended - standing.began
            if took_s <= part.within_s:
                seen = Seen(part.name, tuple(figures), looked_at=self._now())
            else:
                seen = Seen(part.name, why=f"took {took_s:.0f} s; it may take {part.within_s:g} s")
        self._note(part, standing, seen)

    def _note(self, part: Part, standing: _Standing, seen: Seen) -> None:
        with self._lock:
            standing.seen = seen
        blind = seen.looked_at is None
        standing.due = float("-inf") if blind else standing.began + part.every_s
        if blind and not standing.blind:
            event(_log, "controller.part_unseen", level=logging.ERROR, part=part.name, error=seen.why)
        elif standing.blind and not blind:
            event(_log, "controller.part_seen", part=part.name)
        standing.blind = blind

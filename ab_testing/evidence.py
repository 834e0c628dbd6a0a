"""``Evidence``: all that the statistics need to know of an experiment, in sums that can be added to each other.

The same sums come from the rows of ``ab_trials`` one by one (``Evidence.add``, as the live counters do) and from the
views ``ab_hours`` and ``ab_bins`` in SQL; that both agree is tested.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from earmark.rows import TrialRow

BIN_RATIO: Final = 1.05
"""Upper edge of a bin over its lower one; quantiles are that exact."""
BIN_OF_ZERO: Final = -1000
"""The bin of zero and below, which have no logarithm, and of what is smaller than ``VALUE_LEAST``."""
VALUE_LEAST: Final = 1e-15
"""Smaller values count as zero in bins; ``ab_bins.sql`` has the same bound."""
VALUE_MOST: Final = 1e15
"""Larger values count as this, so that no sum of squares is infinite; ``ab_bins.sql`` and ``ab_cells.sql`` do alike."""
BINNED: Final = ("predict_s", "confidence", "cost_usd", "queued_s", "total_s")
COUNTS: Final = ("done", "failed", "rejected", "diverted", "fallback", "low_confidence", "over_sla", "review", "cold")


class Moments(NamedTuple):
    """Sums over some values y, each with the seconds of audio x that it belongs to."""

    n: int = 0
    y: float = 0.0
    yy: float = 0.0
    x: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    def plus(self, other: "Moments") -> "Moments":
        """The sums over both."""
        return Moments(
            self.n + other.n,
            self.y + other.y,
            self.yy + other.yy,
            self.x + other.x,
            self.xx + other.xx,
            self.xy + other.xy,
        )

    @classmethod
    def of(cls, value: float, audio_s: float) -> Self:
        """The sums over one value."""
        value, audio_s = bounded(value), bounded(audio_s)
        return cls(1, value, value * value, audio_s, audio_s * audio_s, value * audio_s)


def bounded(value: float) -> float:
    """The value, or the nearest one that sums can hold; what is no number is zero."""
    return 0.0 if math.isnan(value) else min(max(value, -VALUE_MOST), VALUE_MOST)


def bin_of(value: float) -> int:
    """The bin of a value: bin b holds from ``BIN_RATIO ** b`` to below ``BIN_RATIO ** (b + 1)``."""
    value = bounded(value)
    return BIN_OF_ZERO if value < VALUE_LEAST else math.floor(math.log(value) / math.log(BIN_RATIO))


BINS: Final = (bin_of(VALUE_LEAST), bin_of(VALUE_MOST))
"""The first and the last bin."""


def bin_edges(number: int) -> tuple[float, float]:
    """Lower and upper edge of a bin; of one that there cannot be, those of the nearest there is."""
    if number == BIN_OF_ZERO:
        return 0.0, 0.0
    number = min(max(number, BINS[0]), BINS[1])
    return BIN_RATIO**number, BIN_RATIO ** (number + 1)


@dataclass(slots=True)
class ArmEvidence:
    """What is known of one arm."""

    assigned: int = 0
    """Jobs the router put into it."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many jobs ended in each way, by ``COUNTS``."""
    bins: dict[str, dict[int, Moments]] = field(default_factory=lambda: defaultdict(dict))
    """Sums by metric and bin."""

    @property
    def jobs(self) -> int:
        """Jobs that rates are taken of."""
        return self.counts["done"] + self.counts["failed"]

    @property
    def ended(self) -> int:
        """Jobs that ended at all, for the second check of the sample ratio."""
        return self.jobs + self.counts["rejected"] + self.counts["diverted"]

    def add(self, row: TrialRow) -> None:
        """Count a row; those of shadows belong to no arm's traffic."""
        if row.shadow:
            return
        if row.diverted or row.status == "rejected":
            self.counts["diverted" if row.diverted else "rejected"] += 1
            return
        self.counts[row.status] += 1
        for name in ("fallback", "low_confidence", "over_sla", "review"):
            self.counts[name] += bool(getattr(row, name))
        self.counts["cold"] += not row.warm
        for metric in BINNED:
            value = getattr(row, metric)
            if value is not None and (row.warm or metric != "predict_s"):
                self.add_moments(metric, bin_of(value), Moments.of(value, row.audio_s))

    def add_moments(self, metric: str, number: int, moments: Moments) -> None:
        """Add sums to a bin."""
        bins = self.bins[metric]
        bins[number] = bins.get(number, Moments()).plus(moments)

    def include(self, other: "ArmEvidence") -> None:
        """Add all that another one knows."""
        self.assigned += other.assigned
        self.counts.update(other.counts)
        for metric, bins in other.bins.items():
            for number, moments in bins.items():
                self.add_moments(metric, number, moments)


@dataclass(slots=True)
class Evidence:
    """What is known of an experiment, by arm."""

    arms: dict[str, ArmEvidence] = field(default_factory=lambda: defaultdict(ArmEvidence))

    def add(self, rows: Iterable[TrialRow]) -> None:
        """Count rows, each of which must be a job's only one."""
        for row in rows:
            self.arms[row.arm].add(row)

    def include(self, other: "Evidence") -> None:
        """Add all that another one knows."""
        for name, arm in other.arms.items():
            self.arms[name].include(arm)

    def plus(self, other: "Evidence") -> "Evidence":
        """Both together."""
        total = Evidence()
        total.include(self)
        total.include(other)
        return total

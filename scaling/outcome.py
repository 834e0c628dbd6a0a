"""``Outcome``: what became of a trace under one way to scale."""

from collections.abc import Mapping
from dataclasses import dataclass

from earmark.vocabulary import Lane


@dataclass(frozen=True, slots=True)
class LaneOutcome:
    """Of one lane."""

    jobs: int
    late: int
    """Jobs that took longer than was promised."""
    unanswered: int
    """Of these, those that nobody had begun when the simulation ended, hours after the last arrival."""
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    """Seconds from arrival to answer, each of one job; ``None`` = it was not answered, or there were no jobs."""
    gpu_hours: float
    gpu_usd: float
    fallback_jobs: int
    fallback_usd: float
    most_workers: int
    lost_workers: int
    """That were taken away from outside."""

    @property
    def late_share(self) -> float:
        """Of the jobs; 0 where there were none."""
        return self.late / self.jobs if self.jobs else 0.0

    @property
    def usd(self) -> float:
        """All of it."""
        return self.gpu_usd + self.fallback_usd


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of all lanes."""

    scaler: str
    """What scaled."""
    lanes: Mapping[Lane, LaneOutcome]
    seconds: float
    """Of the trace, until the last answer or the end of the simulation; GPU hours are counted for as long."""

    @property
    def gpu_hours(self) -> float:
        """Of all lanes."""
        return sum(each.gpu_hours for each in self.lanes.values())

    @property
    def usd(self) -> float:
        """Of all lanes."""
        return sum(each.usd for each in self.lanes.values())

    @property
    def late(self) -> int:
        """Of all lanes."""
        return sum(each.late for each in self.lanes.values())

    @property
    def unanswered(self) -> int:
        """Of all lanes."""
        return sum(each.unanswered for each in self.lanes.values())

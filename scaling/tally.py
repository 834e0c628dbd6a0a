"""``Tally``: how the jobs of one lane fared, in a fixed amount of memory."""

import math
from array import array
from typing import Final

STEPS: Final = 16
"""Bins to a doubling, so that a quantile is right to 4 %."""
LEAST: Final = 1e-3
BINS: Final = 48 * STEPS


class Tally:
    """Counts and times; what was counted can be taken back, as when a machine is lost with its job."""

    __slots__ = ("_bins", "jobs", "late", "target_s", "total_s", "unanswered")

    def __init__(self, target_s: float) -> None:
        """Take the promise in seconds."""
        self.target_s = target_s
        self.jobs = 0
        self.late = 0
        self.total_s = 0.0

        self.unanswered = 0
        self._bins = array("q", bytes(8 * BINS))

    def count(self, took_s: float, by: int = 1) -> None:
        """One job took so long; -1 takes one back."""
        self.jobs += by
        self.total_s += by * took_s
        if took_s > self.target_s:
            self.late += by
        place = int(math.log2(took_s / LEAST) * STEPS) if took_s > LEAST else 0
        self._bins[min(place, BINS - 1)] += by

    def give_up(self) -> None:
        """One job is never answered: it is late, and nobody knows by how much."""
        self.jobs += 1
        self.late += 1
        self.unanswered += 1

    def quantile(self, share: float) -> float | None:
        """Seconds that this share of the jobs took at most, about; ``None`` = fewer were answered."""
        passed = 0
        for place, count in enumerate(self._bins):
            passed += count
            if count and passed >= share * self.jobs:
                return LEAST * float(2 ** ((place + 0.5) / STEPS))
        return None

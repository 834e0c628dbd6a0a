"""``Tally``: how long each job of one lane took, 8 bytes a job, so that what is told of them is exact."""

import math
from array import array
from typing import Final

EXACT_S: Final = 1e-6
"""Times of a year in seconds are not right to less, so a job that takes as long as was promised is not late by it."""


class Tally:
    """A job's time is written at its place, and taken back where it comes again, as when a machine is lost with it."""

    __slots__ = ("target_s", "took_s")

    def __init__(self, target_s: float, jobs: int) -> None:
        """Take the promise in seconds, and how many jobs there are."""
        self.target_s = target_s
        self.took_s = array("d", [math.nan]) * jobs
        """Seconds from arrival to answer by the job's place in the trace; NaN = there is no answer so far."""

    @property
    def late(self) -> int:
        """Jobs that took longer than was promised, or have no answer."""
        kept_s = self.target_s + EXACT_S
        return len(self.took_s) - sum(took_s <= kept_s for took_s in self.took_s)

    @property
    def unanswered(self) -> int:
        """Jobs without an answer."""
        return sum(map(math.isnan, self.took_s))

    def quantiles(self, *shares: float) -> list[float | None]:
        """Seconds that such shares of all jobs took at most, each of one job; ``None`` = fewer have an answer."""
        ordered = sorted(took_s for took_s in self.took_s if not math.isnan(took_s))
        places = [max(0, math.ceil(share * len(self.took_s) - EXACT_S) - 1) for share in shares]
        return [ordered[place] if place < len(ordered) else None for place in places]

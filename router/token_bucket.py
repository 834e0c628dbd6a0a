"""``TokenBuckets``: how often each customer may do something, as buckets that hold a minute's worth and fill evenly."""

import math
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

KEPT: Final = 10_000
"""Most buckets remembered; one that is forgotten is full again, and the longest unused is forgotten first."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What came of taking one from a bucket."""

    taken: bool
    left: int
    """How many more could be taken now."""
    full_s: int
    """Seconds, rounded up, until the bucket is full again if nothing more is taken."""
    retry_s: int
    """Seconds, rounded up, until there is one to take; 0 = there is one."""


class TokenBuckets:
    """Buckets by whom they are for, in memory; safe to use from several threads.

    A bucket of ``capacity`` fills with ``capacity / window_s`` a second.  So in no window is more taken than twice the
    capacity, and over many windows no more than the capacity in each.
    """

    def __init__(self, window_s: float, kept: int = KEPT) -> None:
        """Take the seconds in which an empty bucket fills, and how many buckets to remember."""
        self._window_s, self._kept = window_s, kept
        self._lock = threading.Lock()
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def draw(self, whose: Hashable, capacity: int, now_s: float, *, take: bool = True) -> Draw:
        """Take one, if there is one.

        Args:
            whose: bucket.
            capacity: of it, at least 1; it may differ from what it was.
            now_s: the present; a clock that goes back fills nothing.
            take: False = only look.
        """
        rate = capacity / self._window_s
        with self._lock:
            tokens, at_s = self._buckets.get(whose, (float(capacity), now_s))
            tokens = min(capacity, tokens + max(0.0, now_s - at_s) * rate)
            taken = tokens >= 1
            if take:
                tokens -= taken
                self._buckets[whose] = tokens, now_s
                self._buckets.move_to_end(whose)
                while len(self._buckets) > self._kept:
                    self._buckets.popitem(last=False)
        return Draw(
            taken=taken,
            left=int(tokens),
            full_s=math.ceil((capacity - tokens) / rate),
            retry_s=0 if tokens >= 1 else max(1, math.ceil((1 - tokens) / rate)),
        )

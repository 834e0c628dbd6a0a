"""``Pace``: no more than so many a second."""

from collections.abc import Callable
from typing import Final

BURST_S: Final = 0.1
"""So much of a second's worth may go at once."""


class Pace:
    """A token bucket that starts full; its owner sleeps."""

    def __init__(self, rate: float | None, *, monotonic: Callable[[], float]) -> None:
        """Take how many a second, more than 0; ``None`` = as many as there are."""
        self._rate = rate
        self._monotonic = monotonic
        self._burst = 1.0 if rate is None else max(1.0, rate * BURST_S)
        self._tokens = self._burst
        self._at = monotonic()

    def take(self, wanted: int) -> int:
        """How many of those wanted may go now."""
        if self._rate is None:
            return wanted
        now = self._monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        taken = min(wanted, int(self._tokens + 1e-9))
        self._tokens -= taken
        return taken

    def wait_s(self) -> float:
        """Seconds until one more may go."""
        return 0.0 if self._rate is None else max(0.0, (1.0 - self._tokens) / self._rate)

"""``Pace``: so many steps a second at most, over all threads that take one."""

import threading
from collections.abc import Callable
from typing import Final

BURST_S: Final = 0.1
"""So much of a second's worth may go at once."""


class Pace:
    """Gives every step its moment; who takes one sleeps until then."""

    def __init__(self, rate_per_s: float, *, monotonic: Callable[[], float], pause: Callable[[float], None]) -> None:
        """Take how many a second (more than 0), seconds of a clock that never goes back, and what sleeps."""
        self._step_s = 1.0 / rate_per_s
        self._monotonic, self._pause = monotonic, pause
        self._lock = threading.Lock()
        self._next_s = float("-inf")

    def take(self) -> None:
        """Wait until it is this step's turn."""
        with self._lock:
            now = self._monotonic()
            self._next_s = max(self._next_s, now - BURST_S) + self._step_s
            wait_s = self._next_s - now
        if wait_s > 0:
            self._pause(wait_s)

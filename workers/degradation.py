"""``Degradation``: whether a lane waits longer, or holds more, than it may, so that the fallback should help out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from earmark.errors import Unavailable
from earmark.vocabulary import Lane

LOOK_S = 5.0
"""Seconds between looks at how many jobs wait."""


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """When a lane counts as degraded; 0 = never."""

    wait_s: float
    backlog: int


class Degradation:
    """Watches the lanes of one worker."""

    def __init__(
        self,
        limits: Mapping[Lane, LaneLimits] | None = None,
        waiting: Callable[[Lane], int | None] = lambda _: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the limits (none: no lane is ever degraded), how many jobs wait in a lane, and a steady clock.

        ``waiting`` gives ``None`` where the queue cannot tell, and then is not asked again.
        """
        self._limits = limits or {}
        self._waiting = waiting
        self._now = now
        self._looked_at: dict[Lane, float] = {}
        self._backlog: dict[Lane, int | None] = {}

    def lasts(self, lane: Lane, waited_s: float) -> bool:
        """Whether a job that waited so long in this lane needs help."""
        limits = self._limits.get(lane)
        if limits is None:
            return False
        return 0 < limits.wait_s <= waited_s or (limits.backlog > 0 and self._count(lane) >= limits.backlog)

    def _count(self, lane: Lane) -> int:
        now = self._now()
        known = self._backlog.get(lane, 0)
        if known is None:  # this queue cannot tell, and asking it costs requests
            return 0
        if now - self._looked_at.get(lane, float("-inf")) >= LOOK_S:
            self._looked_at[lane] = now
            try:
                self._backlog[lane] = self._waiting(lane)
            except Unavailable:
                self._backlog[lane] = 0
        return self._backlog[lane] or 0

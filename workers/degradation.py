"""``Degradation``: whether a lane waits longer, or holds more, than it may, so that the fallback should help out."""

import time
from collections.abc import Callable, Collection, Mapping
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
    helped_s: float = 0.0
    """How long a job may wait while the controller says that the fallback is to help the lane out."""


class Degradation:
    """Watches the lanes of one worker."""

    def __init__(
        self,
        limits: Mapping[Lane, LaneLimits] | None = None,
        waiting: Callable[[Lane], int | None] = lambda _: None,
        now: Callable[[], float] = time.monotonic,
        helped: Callable[[], Collection[Lane]] = frozenset,
    ) -> None:
        """Take the limits (none: no lane is ever degraded), how many jobs wait in a lane, and a steady clock.

        ``waiting`` gives ``None`` where the queue cannot tell, and then is not asked again.  ``helped`` gives the lanes
        that no number of workers would serve in time, as the controller sees it.
        """
        self._limits = limits or {}
        self._waiting = waiting
        self._now = now
        self._ask_helped = helped
        self._helped: Collection[Lane] = frozenset()
        self._asked_at = float("-inf")
        self._looked_at: dict[Lane, float] = {}
        self._backlog: dict[Lane, int | None] = {}

    def lasts(self, lane: Lane, waited_s: float) -> bool:
        """Whether a job that waited so long in this lane needs help."""
        limits = self._limits.get(lane)
        if limits is None:
            return False
        if 0 < limits.wait_s <= waited_s or (limits.backlog > 0 and self._count(lane) >= limits.backlog):
            return True
        return 0 < limits.helped_s <= waited_s and lane in self._lanes_helped()

    def _lanes_helped(self) -> Collection[Lane]:
        now = self._now()
        if now - self._asked_at >= LOOK_S:
            self._asked_at = now
            try:
                self._helped = self._ask_helped()
            except Unavailable:  # who cannot be asked does not spend money
                self._helped = frozenset()
        return self._helped

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

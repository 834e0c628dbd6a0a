"""``Failover``: whether the fallback should help a lane out."""

from typing import Final

from scaling.policy import LanePolicy

HELP_SHARE: Final = 0.5
"""Once it helps, it takes jobs that waited for this share of the promise, and leaves the others to workers."""
CLEAR: Final = 0.5
"""It ends once jobs wait for less than this share of the promise, so that it does not flicker."""


class Failover:
    """On once the promise was out of reach for a while, off once it is well within reach for as long."""

    def __init__(self, lane: LanePolicy) -> None:
        """Take the lane's policy."""
        self._lane = lane
        self.on = False
        self._since_s: float | None = None
        """Since when what is seen speaks for a change."""

    @property
    def turns(self) -> bool:
        """Whether what was seen last speaks for a change, so that time alone may bring it."""
        return self._since_s is not None

    def step(self, now_s: float, wait_s: float | None, *, money: bool) -> bool:
        """Whether it is on now.

        Args:
            now_s: a steady clock, in seconds.
            wait_s: for how long a job waits that comes now, were all workers asked for; ``None`` = nobody can tell,
                and nothing changes.
            money: whether the fallback may be paid; where it may not, it is off.
        """
        if not money:
            self.on, self._since_s = False, None
            return False
        if wait_s is None:
            return self.on
        limit_s = self._lane.target_s * (CLEAR if self.on else 1.0)
        if (wait_s > limit_s) is self.on:
            self._since_s = None
            return self.on
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s >= self._lane.failover_after_s:
            self.on, self._since_s = not self.on, None
        return self.on

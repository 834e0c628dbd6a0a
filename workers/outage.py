"""``Outage``: a part that cannot be reached, told once when it goes and once when it comes back."""

import logging
import random
import time
from collections.abc import Callable

from earmark.errors import Unavailable
from earmark.log import event

_log = logging.getLogger(__name__)

PAUSE_MAX_S = 30.0
"""Longest pause before the next attempt: short enough that work resumes soon after the part does."""


class Outage:
    """Whether one part can be reached, and when it is worth asking again.

    The pause after a failure doubles with each one in a row, with jitter, so that a fleet of workers does not come
    back at the same moment.
    """

    def __init__(self, part: str, *, pause_s: float, now: Callable[[], float] = time.monotonic) -> None:
        """Begin in good order.

        Args:
            part: what it is, for the log: the events are ``<part>.unavailable`` and ``<part>.recovered``.
            pause_s: seconds of the first pause.
            now: seconds on a clock that never goes back.
        """
        self._part = part
        self._pause_s = pause_s
        self._now = now
        self._failures = 0
        self._since = 0.0
        self._resume_at = 0.0

    @property
    def resting(self) -> bool:
        """Whether it is too early to ask again."""
        return self._now() < self._resume_at

    @property
    def lasts(self) -> bool:
        """Whether the last attempt failed."""
        return self._failures > 0

    @property
    def lasted_s(self) -> float:
        """Seconds since the first failure in a row; 0 where the last attempt succeeded."""
        return self._now() - self._since if self._failures else 0.0

    def failed(self, error: Unavailable) -> float:
        """Note a failure; returns the seconds to pause.  Failures during a pause do not prolong it."""
        now = self._now()
        if not self._failures:
            self._since = now
            event(_log, f"{self._part}.unavailable", level=logging.ERROR, error=str(error))
        if now >= self._resume_at:
            longest_s = min(self._pause_s * 2**self._failures, PAUSE_MAX_S)
            self._resume_at = now + longest_s * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, no secret
            self._failures = min(self._failures + 1, 32)
        return self._resume_at - now

    def over(self) -> None:
        """Note a success."""
        if self._failures:
            event(_log, f"{self._part}.recovered", seconds=round(self._now() - self._since, 1))
        self._failures, self._resume_at = 0, 0.0

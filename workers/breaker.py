"""``Breaker``: whether a provider is worth asking."""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from earmark.errors import QuotaExhausted, RateLimited, Throttled, TimedOut, TransientError, Unavailable
from earmark.log import event

_log = logging.getLogger(__name__)

CALLS = 10
"""Latest calls that are looked at."""
FAILURES_LEAST = 3
"""Failures among them before the breaker opens, and at least half of them."""
PAUSE_S = 15.0
"""First pause; it doubles with each probe that fails."""
PAUSE_MAX_S = 300.0
QUOTA_PAUSE_S = 300.0
"""An empty account is not filled in seconds."""


class Breaker:
    """Opens when a provider fails, and lets one probe through after a pause; safe to use from several threads.

    ::

        closed ──failures──► open ──pause over──► half-open: one probe ──success──► closed
                              ▲                                    └──failure──┐
                              └────────────── a pause twice as long ◄──────────┘
    """

    def __init__(self, provider: str, *, now: Callable[[], float] = time.monotonic) -> None:
        """Begin closed; ``now`` gives seconds on a clock that never goes back."""
        self._provider = provider
        self._now = now
        self._lock = threading.Lock()
        self._latest: deque[bool] = deque(maxlen=CALLS)
        self._pause_s = PAUSE_S
        self._opens_until: float | None = None
        """``None`` = closed."""
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether calls are refused now; half-open counts as not open while nobody probes."""
        with self._lock:
            return self._opens_until is not None and (self._probing or self._now() < self._opens_until)

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        """How it stands; half-open from the end of the pause until the probe has an answer."""
        with self._lock:
            if self._opens_until is None:
                return "closed"
            return "open" if self._now() < self._opens_until and not self._probing else "half_open"

    def admit(self) -> bool:
        """Whether a call may be made; after True, ``succeeded``, ``failed`` or ``withdrawn`` must follow."""
        with self._lock:
            if self._opens_until is None:
                return True
            if self._probing or self._now() < self._opens_until:
                return False
            self._probing = True
            return True

    def withdrawn(self) -> None:
        """Note that the call was not made, or that its end says nothing about the provider."""
        with self._lock:
            self._probing = False

    def succeeded(self) -> None:
        """Note an answer."""
        with self._lock:
            was_open, self._opens_until, self._probing = self._opens_until is not None, None, False
            self._pause_s = PAUSE_S
            if was_open:
                self._latest.clear()
            self._latest.append(True)
        if was_open:
            event(_log, "provider.recovered", provider=self._provider)

    def failed(self, error: TransientError) -> None:
        """Note a failure of the provider; errors about one clip, or by our own limit, count as ``withdrawn``."""
        if isinstance(error, RateLimited) or not isinstance(error, (Unavailable, TimedOut)):
            self.withdrawn()
            return
        with self._lock:
            probed, self._probing = self._probing, False
            self._latest.append(False)
            failures = self._latest.count(False)
            if isinstance(error, QuotaExhausted):
                pause_s = QUOTA_PAUSE_S
            elif probed or (failures >= FAILURES_LEAST and 2 * failures >= len(self._latest)):
                pause_s = self._pause_s * random.uniform(0.75, 1.0)  # noqa: S311  # jitter, no secret
                self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
            else:
                return
            if isinstance(error, Throttled) and error.retry_after_s is not None:
                pause_s = max(pause_s, min(error.retry_after_s, PAUSE_MAX_S))
            if self._opens_until is not None and not probed:
                return  # one of several calls that were under way when it opened
            self._opens_until = self._now() + pause_s
        event(
            _log,
            "provider.opened",
            level=logging.ERROR,
            provider=self._provider,
            pause_s=round(pause_s, 1),
            error=f"{error.kind}: {error}",
        )

"""``RateLimit``: keeps the requests and tokens a minute that a provider allows, on our side of the line."""

import threading
import time
from collections.abc import Callable
from typing import Final

from earmark.errors import RateLimited, Throttled

LONGEST_WAIT_S: Final = 60.0
"""Longest our own limit holds a question up.  Whoever asks does so in a background thread, and one that is refused is
lost: so an empty bucket may fill once, and a provider's ``concurrency`` may be up to its ``requests_per_minute``."""
LONGEST_PAUSE_WAIT_S: Final = 30.0
"""Longest a provider's own word holds a question up; after a longer one it is better asked elsewhere."""
LONGEST_PAUSE_S: Final = 60.0
"""Longest a provider's own word stops us without asking it again."""
_MINUTE_S: Final = 60.0


class TokenBucket:
    """Holds up to a minute's allowance and fills steadily, as providers count themselves.

    Over any ``t`` seconds it gives at most ``per_minute * (1 + t / 60)``.  Not safe for several threads.
    """

    def __init__(self, per_minute: float, now_s: float) -> None:
        """Start full; 0 a minute = no limit."""
        self._most: Final = per_minute
        self._per_s: Final = per_minute / _MINUTE_S
        self._level = per_minute
        self._at_s = now_s

    def wait_s(self, amount: float, now_s: float) -> float:
        """Seconds until ``amount`` is there; more than it can ever hold counts as all it can hold."""
        if not self._most:
            return 0.0
        self._fill(now_s)
        return max(0.0, (min(amount, self._most) - self._level) / self._per_s)

    def take(self, amount: float, now_s: float) -> None:
        """Take an amount, also one that is still to come; a negative one is given back."""
        if self._most:
            self._fill(now_s)
            self._level = min(self._most, self._level - min(amount, self._most))

    def _fill(self, now_s: float) -> None:
        self._level = min(self._most, self._level + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = max(self._at_s, now_s)


class RateLimit:
    """Lets requests through in the order they come, none later than a bound; safe for several threads.

    It holds for one process: workers that share an account share its limits, and each must be given its part.
    """

    def __init__(
        self,
        requests_per_minute: float,
        tokens_per_minute: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        """Take the limits, 0 = none, a clock that counts seconds, and what waits for some."""
        self._clock = clock
        self._sleep = sleep
        self._longest_wait_s = longest_wait_s
        self._requests = TokenBucket(requests_per_minute, clock())
        self._tokens = TokenBucket(tokens_per_minute, clock())
        self._paused_until_s = float("-inf")
        self._lock = threading.Lock()

    def admit(self, tokens: float) -> float:
        """Reserve one request and its tokens, and wait for them; returns the seconds waited.

        Raises:
            Throttled: the provider wants too long a pause; nothing is reserved.
            RateLimited: our own limit makes the wait too long; nothing is reserved.
        """
        with self._lock:
            now_s = self._clock()
            pause_s = self._paused_until_s - now_s
            own_s = max(self._requests.wait_s(1, now_s), self._tokens.wait_s(tokens, now_s))
            wait_s = max(own_s, pause_s, 0.0)
            through = f"lets the next request through only in {wait_s:.0f} s"
            if pause_s > LONGEST_PAUSE_WAIT_S:
                message = f"The provider asked for a pause, which {through}"
                raise Throttled(message, wait_s)
            if own_s > self._longest_wait_s:
                message = f"Our limit on use per minute {through}"
                raise RateLimited(message, wait_s)
            self._requests.take(1, now_s)
            self._tokens.take(tokens, now_s)
        waited_s = 0.0
        while wait_s > 0:
            self._sleep(wait_s)
            waited_s += wait_s
            with self._lock:  # the provider may have asked for a pause meanwhile
                wait_s = min(self._paused_until_s - self._clock(), self._longest_wait_s - waited_s)
        return waited_s

    def settle(self, reserved: float, spent: float) -> None:
        """Correct a reservation once the bill is known."""
        with self._lock:
            self._tokens.take(spent - reserved, self._clock())

    def pause(self, seconds: float) -> None:
        """Let nothing through for a while, since the provider says so."""
        with self._lock:
            self._paused_until_s = max(self._paused_until_s, self._clock() + min(seconds, LONGEST_PAUSE_S))

"""``CallingOut``: what requests do out on the net, where others say how long it takes: few at once, in own threads."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple, TypeVar

from router.token_bucket import TokenBuckets
from runtime.endpoints.problem import Problem
from workers.daemon_threads import DaemonThreads

MOST: Final = 8
"""At the same time, of all customers."""
WITHIN_S: Final = 10.0
"""For which a request waits."""
MINUTE_S: Final = 60
BUSY_RETRY_S: Final = 2
Result = TypeVar("Result")


class Errand(NamedTuple):
    """A kind of call, of one customer."""

    tenant: str
    what: str
    """As ``tests``, for a person."""
    a_minute: int
    """How many there may be."""


class CallingOut:
    """Runs one call of a customer's at a time of each kind, in threads that serve nothing else."""

    def __init__(
        self, *, most: int = MOST, within_s: float = WITHIN_S, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Take how many may run at the same time, how long a request waits for one, and a clock; starts no thread."""
        self._most, self._within_s, self._monotonic = most, within_s, monotonic
        self._threads = DaemonThreads(most, "calling-out")
        self._buckets = TokenBuckets(MINUTE_S)
        self._lock = threading.Lock()
        self._under_way: dict[Errand, float] = {}
        """Since when."""

    async def run(self, errand: Errand, call: Callable[[], Result]) -> Result:
        """Give what a call gives.

        Raises:
            Problem: 429 where the customer has one under way, or had too many; 503 where too many others have, or it
                takes too long, and goes on unwatched.
        """
        self._begin(errand)
        future = self._threads.submit(call)
        future.add_done_callback(lambda _: self._end(errand))  # not when the request ends: the thread is still taken
        waited = asyncio.wrap_future(future)
        try:
            done, _ = await asyncio.wait({waited}, timeout=self._within_s)
            if not done:
                detail = f"This has not ended within {self._within_s:g} s."
                raise _away(detail, math.ceil(self._within_s))
            return waited.result()
        finally:
            waited.cancel()

    def _begin(self, errand: Errand) -> None:
        now = self._monotonic()
        with self._lock:
            since = self._under_way.get(errand)
            if since is not None:
                left_s = max(1, math.ceil(since + self._within_s - now))
                detail = f"One of your {errand.what} is under way."
                raise _too_many(detail, left_s)
            if len(self._under_way) >= self._most:
                detail = "Too many calls of this kind are under way."
                raise _away(detail, BUSY_RETRY_S)
            draw = self._buckets.draw((errand.tenant, errand.what), errand.a_minute, now)
            if not draw.taken:
                detail = f"More than {errand.a_minute} {errand.what} a minute."
                raise _too_many(detail, draw.retry_s)
            self._under_way[errand] = now

    def _end(self, errand: Errand) -> None:
        with self._lock:
            del self._under_way[errand]


def _too_many(detail: str, retry_s: int) -> Problem:
    headers = {"Retry-After": str(retry_s)}
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", detail, f"Wait {retry_s} s.", headers=headers)


def _away(detail: str, retry_s: int) -> Problem:
    headers = {"Retry-After": str(retry_s)}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, "Try again in a moment.", headers=headers)

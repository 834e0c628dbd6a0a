"""When a request that failed is sent again: rarely, later, never all at once, and never beyond a budget."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from earmark.log import event
from workers.models.call_failed import CallFailed

_log = logging.getLogger(__name__)

LONGEST_RETRY_AFTER_S: Final = 30.0
"""A provider that wants a longer pause is not asked again; whoever asked us is told when."""
LONGEST_WAIT_S: Final = 60.0
"""Seconds one request may wait in all between its sendings."""
JITTER: Final = 0.25
"""Share by which a pause that a provider asked for is drawn out, so that not everybody comes back at once."""
_BACKOFF = wait_random_exponential(multiplier=0.5, max=8)
_JITTER = wait_random_exponential(multiplier=1, max=1)


class RetryBudget:
    """Lets about one in ten requests be sent again over time, and a few at the start; safe for several threads.

    While a provider is down, every request fails; without a budget each would be sent ``retries`` times more.
    """

    SHARE: Final = 0.1
    MOST: Final = 10.0

    def __init__(self) -> None:
        """Start full."""
        self._left = self.MOST
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Count a first sending."""
        with self._lock:
            self._left = min(self.MOST, self._left + self.SHARE)

    def spend(self) -> bool:
        """Take one more sending; False = there is none left."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True


def retrying(what: str, retries: int, budget: RetryBudget, sleep: Callable[[float], object]) -> Retrying:
    """What sends a request again while ``CallFailed.again`` says that it may help.

    Args:
        what: is asked, for the log.
        retries: most further sendings of one request.
        budget: of all requests together.
        sleep: waits for some seconds.
    """

    def enough(state: RetryCallState) -> bool:
        wanted_s = _failure(state).retry_after_s or 0.0
        return (
            state.attempt_number > retries
            or wanted_s > LONGEST_RETRY_AFTER_S
            or state.idle_for + state.upcoming_sleep > LONGEST_WAIT_S
            or not budget.spend()
        )

    def wait(seconds: float) -> None:
        sleep(seconds)

    def noted(state: RetryCallState) -> None:
        failed = _failure(state)
        event(
            _log,
            "provider.asked_again",
            provider=what,
            attempt=state.attempt_number,
            after_s=round(state.upcoming_sleep, 2),
            error=failed.error.kind,
            reason=str(failed.error),
        )

    return Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, CallFailed) and error.again),
        stop=enough,
        wait=_pause_s,
        sleep=wait,
        before_sleep=noted,
        reraise=True,
    )


def _pause_s(state: RetryCallState) -> float:
    wanted_s = _failure(state).retry_after_s
    return _BACKOFF(state) if wanted_s is None else wanted_s + JITTER * max(wanted_s, 1.0) * _JITTER(state)


def _failure(state: RetryCallState) -> CallFailed:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, CallFailed)  # noqa: S101  # nothing else is tried again
    return error

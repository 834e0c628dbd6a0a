"""The breaker: opens on a provider's failures, probes with one call, and closes again."""

import pytest

from earmark.errors import NoAnswer, QuotaExhausted, Throttled, TimedOut, TransientError, Unavailable
from workers.breaker import PAUSE_MAX_S, PAUSE_S, QUOTA_PAUSE_S, Breaker


class Steady:
    """Seconds that go on when told to."""

    now = 0.0

    def __call__(self) -> float:
        """The present."""
        return self.now


@pytest.fixture
def clock() -> Steady:
    """A clock that stands still."""
    return Steady()


def opened(clock: Steady, error: TransientError | None = None) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker("test", now=clock)
    for _ in range(3):
        assert breaker.admit()
        breaker.failed(error or Unavailable("500"))
    return breaker


@pytest.mark.parametrize("error", [Unavailable("500"), TimedOut("slow"), Throttled("429")])
def test_three_failures_open_it(clock: Steady, error: TransientError) -> None:
    """Whatever the provider's failure is; until then calls are admitted."""
    breaker = opened(clock, error)
    assert breaker.open
    assert not breaker.admit()


def test_an_empty_account_opens_it_at_once(clock: Steady) -> None:
    """Asking again in seconds would not fill it."""
    breaker = Breaker("test", now=clock)
    breaker.admit()
    breaker.failed(QuotaExhausted("no money"))
    clock.now = QUOTA_PAUSE_S - 1
    assert not breaker.admit()
    clock.now = QUOTA_PAUSE_S
    assert breaker.admit()


def test_bad_answers_do_not_open_it(clock: Steady) -> None:
    """They are about a clip, not about the provider."""
    breaker = Breaker("test", now=clock)
    for _ in range(9):
        assert breaker.admit()
        breaker.failed(NoAnswer("no JSON"))
    assert not breaker.open


def test_failures_among_many_successes_do_not_open_it(clock: Steady) -> None:
    """Three in ten are fewer than half."""
    breaker = Breaker("test", now=clock)
    for number in range(30):
        assert breaker.admit()
        if number % 3 == 2:
            breaker.failed(Unavailable("500"))
        else:
            breaker.succeeded()


def test_one_probe_after_the_pause_and_success_closes_it(clock: Steady) -> None:
    """Half-open lets exactly one call through; the rest wait for its end."""
    breaker = opened(clock)
    clock.now = PAUSE_S
    assert breaker.admit()
    assert breaker.open
    assert not breaker.admit()
    breaker.succeeded()
    assert not breaker.open
    assert breaker.admit()
    breaker.failed(Unavailable("one failure is none"))
    assert breaker.admit()


def test_a_probe_that_fails_doubles_the_pause_up_to_a_limit(clock: Steady) -> None:
    """A provider that is down for an hour is asked every few minutes."""
    breaker = opened(clock)
    for round_ in range(1, 12):
        clock.now += min(PAUSE_S * 2**round_, PAUSE_MAX_S)
        assert breaker.admit(), round_
        breaker.failed(TimedOut("still"))
        assert breaker.open
    clock.now += PAUSE_MAX_S
    assert breaker.admit()


def test_a_probe_that_was_not_made_leaves_room_for_another(clock: Steady) -> None:
    """A cap may keep the admitted call from being made."""
    breaker = opened(clock)
    clock.now = PAUSE_S
    assert breaker.admit()
    breaker.withdrawn()
    assert breaker.admit()


def test_a_provider_that_asks_for_a_pause_gets_it(clock: Steady) -> None:
    """Longer than ours, though never longer than the limit."""
    breaker = opened(clock, Throttled("429", retry_after_s=100))
    clock.now = 99
    assert not breaker.admit()
    clock.now = 100
    assert breaker.admit()
    far = opened(clock, Throttled("429", retry_after_s=1e9))
    clock.now += PAUSE_MAX_S
    assert far.admit()

"""Limits on requests and tokens a minute, on a clock that moves only when somebody waits."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import RateLimited, Throttled
from workers.models.rate_limit import LONGEST_PAUSE_S, LONGEST_WAIT_S, RateLimit, TokenBucket


class Time:
    """Seconds that pass while somebody waits."""

    def __init__(self) -> None:
        """Begin at some moment."""
        self.now_s = 1000.0
        self.waits: list[float] = []
        self.lock = threading.Lock()

    def __call__(self) -> float:
        """The present."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self.lock:
            self.waits.append(seconds)
            self.now_s += seconds


def limit(time: Time, *, requests: float = 0, tokens: float = 0, longest_wait_s: float = 30.0) -> RateLimit:
    """A limit on that clock."""
    return RateLimit(requests, tokens, clock=time, sleep=time.sleep, longest_wait_s=longest_wait_s)


def test_a_minutes_allowance_at_once_then_a_steady_rate() -> None:
    """Sixty a minute: sixty now, then one a second."""
    time = Time()
    lim = limit(time, requests=60)
    assert [lim.admit(0) for _ in range(60)] == [0.0] * 60
    assert [lim.admit(0) for _ in range(3)] == pytest.approx([1.0] * 3)


def test_tokens_count_beside_requests() -> None:
    """The scarcer of the two decides."""
    time = Time()
    lim = limit(time, requests=1000, tokens=600)
    assert lim.admit(600) == 0.0
    assert lim.admit(100) == pytest.approx(10.0)


def test_no_limit_never_waits() -> None:
    """0 = none."""
    time = Time()
    lim = limit(time)
    assert all(lim.admit(1e9) == 0.0 for _ in range(100))
    assert not time.waits


def test_too_long_a_wait_is_refused_and_reserves_nothing() -> None:
    """It says when to come back; who comes with less is let through."""
    time = Time()
    lim = limit(time, tokens=600)
    lim.admit(600)
    with pytest.raises(RateLimited, match="Our limit") as caught:
        lim.admit(400)
    assert caught.value.retry_after_s == pytest.approx(40.0)
    assert not time.waits
    assert lim.admit(100) == pytest.approx(10.0)


def test_our_own_limit_waits_a_minute_where_a_providers_pause_does_not() -> None:
    """A question that is refused is lost, and nobody is at fault; a provider that wants a long pause is left alone."""
    time = Time()
    lim = RateLimit(6, 0, clock=time, sleep=lambda _: None)
    waits = [lim.admit(0) for _ in range(12)]
    assert waits[6:] == pytest.approx([10, 20, 30, 40, 50, LONGEST_WAIT_S])
    with pytest.raises(RateLimited):
        lim.admit(0)
    lim.pause(45)
    with pytest.raises(Throttled):
        lim.admit(0)


def test_more_than_a_minutes_allowance_waits_for_all_of_it() -> None:
    """It would wait forever otherwise."""
    time = Time()
    lim = limit(time, tokens=60, longest_wait_s=100)
    assert lim.admit(10_000) == 0.0
    assert lim.admit(10_000) == pytest.approx(60.0)


def test_a_reservation_is_corrected_by_the_bill() -> None:
    """What was not used is free again, what was used beyond it is owed."""
    time = Time()
    lim = limit(time, tokens=600)
    lim.admit(600)
    lim.settle(600, 100)
    assert lim.admit(500) == 0.0
    lim.settle(500, 600)
    assert lim.admit(10) == pytest.approx(11.0)


def test_a_pause_holds_everybody() -> None:
    """A provider that says wait is not asked by the next one either, and a longer word does not shorten it."""
    time = Time()
    lim = limit(time)
    lim.pause(5)
    lim.pause(2)
    assert lim.admit(1) == pytest.approx(5.0)
    assert lim.admit(1) == 0.0
    lim.pause(1e9)
    with pytest.raises(Throttled, match="provider asked for a pause") as caught:
        lim.admit(1)
    assert caught.value.retry_after_s == pytest.approx(LONGEST_PAUSE_S)


def test_a_pause_that_comes_while_one_waits_is_kept_too() -> None:
    """It is looked for again after each wait."""
    time = Time()
    lim = limit(time, requests=60)
    for _ in range(60):
        lim.admit(0)
    first = time.sleep
    lim._sleep = lambda seconds: (first(seconds), lim.pause(3.0) if len(time.waits) == 1 else None)
    assert lim.admit(0) == pytest.approx(4.0)


@given(
    per_minute=st.floats(1, 1000),
    steps=st.lists(st.tuples(st.floats(0, 30), st.floats(0, 500)), min_size=1, max_size=60),
)
def test_no_stretch_of_time_gets_more_than_its_share(per_minute: float, steps: list[tuple[float, float]]) -> None:
    """Between any two moments at most a full bucket and what flowed in meanwhile."""
    now_s, given_out = 0.0, []
    bucket = TokenBucket(per_minute, now_s)
    for gap_s, amount in steps:
        now_s += gap_s
        wanted = min(amount, per_minute)
        now_s += bucket.wait_s(wanted, now_s)
        bucket.take(wanted, now_s)
        given_out.append((now_s, wanted))
    for first in range(len(given_out)):
        total = 0.0
        for at_s, amount in given_out[first:]:
            total += amount
            assert total <= per_minute * (1 + (at_s - given_out[first][0]) / 60) * (1 + 1e-9) + 1e-6


def test_many_threads_share_one_limit() -> None:
    """Together they wait as long as one alone would for all they ask."""
    time = Time()
    lim = limit(time, requests=60, longest_wait_s=1e6)
    threads = [threading.Thread(target=lambda: [lim.admit(0) for _ in range(30)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lim._sleep = lambda _: None
    assert time.now_s - 1000.0 >= 60.0 - 1e-6  # 120 requests, of which 60 were there at the start

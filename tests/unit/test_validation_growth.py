"""The slope of memory over calls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from workers.validation.growth import growth

CALLS = list(range(1, 201))


def test_a_leak_is_found_through_noise() -> None:
    """Half a unit a call, in noise of ten: within its interval, which leaves no doubt that it grows."""
    chance = np.random.default_rng(0)
    slope = growth(CALLS, [0.5 * call + chance.normal(0, 10) for call in CALLS])
    assert slope is not None
    assert slope.low < 0.5 < slope.high
    assert slope.low > 0.3


def test_filling_up_once_is_no_leak() -> None:
    """What is taken in the first tenth of the calls, and one jump afterwards, move nothing."""
    amounts = [100.0 + min(call, 20) * 50 + (500 if call > 120 else 0) for call in CALLS]
    two_points = (amounts[-1] - amounts[0]) / 199
    slope = growth(CALLS, amounts)
    assert two_points > 5
    assert slope is not None
    assert slope.value == 0.0


def test_too_few_points_say_nothing() -> None:
    """No slope without five calls after the first five."""
    assert growth([], []) is None
    assert growth(list(range(1, 10)), [0.0] * 9) is None
    assert growth(list(range(1, 11)), [0.0] * 10) == (0.0, 0.0, 0.0)


@given(some.floats(-100, 100), some.floats(-1000, 1000), some.integers(20, 60))
def test_a_straight_line_has_its_own_slope(rise: float, start: float, count: int) -> None:
    """Exactly, with an interval of no width."""
    calls = list(range(1, count + 1))
    slope = growth(calls, [start + rise * call for call in calls])
    assert slope is not None
    assert slope == pytest.approx((rise, rise, rise), abs=1e-9, rel=1e-6)


@given(some.lists(some.floats(-1e6, 1e6), min_size=20, max_size=40))
def test_the_interval_holds_the_value(amounts: list[float]) -> None:
    """For any amounts."""
    slope = growth(list(range(1, len(amounts) + 1)), amounts)
    assert slope is not None
    assert slope.low <= slope.value <= slope.high

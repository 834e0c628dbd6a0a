"""The beta functions held against scipy and, where scipy itself loses digits, against exact counts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from ab_testing.statistics.incomplete_beta import incomplete_beta, log_beta, log_incomplete_beta

exponents = st.floats(-1, 7)


@given(st.integers(1, 20_000), st.integers(1, 3_000))
def test_log_beta_of_whole_numbers(a: int, b: int) -> None:
    """Counted exactly: 1 / B(a, b) = a times (a + b - 1 over a)."""
    assert log_beta(a, b) == pytest.approx(-math.log(a * math.comb(a + b - 1, a)), rel=1e-13, abs=1e-13)


@given(exponents, exponents)
def test_log_beta_keeps_its_digits_up_to_ten_million(first: float, second: float) -> None:
    """B(a + 1, b) = a / (a + b) B(a, b); differences of ``lgamma`` would lose seven digits, and scipy keeps nine."""
    a, b = 10**first, 10**second
    least = 1e-15 * abs(log_beta(a, b))
    assert log_beta(a + 1, b) - log_beta(a, b) == pytest.approx(math.log(a / (a + b)), rel=1e-11, abs=2e-14 + 4 * least)
    assert log_beta(a, b) == pytest.approx(special.betaln(a, b), rel=1e-7, abs=1e-7)


@given(exponents, exponents, st.floats(-6, 6))
def test_incomplete_beta_equals_scipy(first: float, second: float, deviations: float) -> None:
    """Around the mean, where the continued fraction is slowest, and both tails of it."""
    a, b = 10**first, 10**second
    mean = a / (a + b)
    x = min(max(mean + deviations * math.sqrt(mean * (1 - mean) / (a + b + 1)), 1e-12), 1 - 1e-12)
    lower, upper = log_incomplete_beta(a, b, x)
    assert math.exp(lower) == pytest.approx(special.betainc(a, b, x), rel=1e-7, abs=1e-290)
    assert math.exp(upper) == pytest.approx(special.betaincc(a, b, x), rel=1e-7, abs=1e-290)


def test_tails_too_small_for_a_float_keep_their_logarithm() -> None:
    """A broken arm's evidence is made of them."""
    lower, upper = log_incomplete_beta(3000.0, 20.0, 0.1)
    # for whole numbers: x**a times the sum over j < b of (a + j - 1 over j) (1 - x)**j
    truth = 3000 * math.log(0.1) + math.log(math.fsum(math.comb(2999 + j, j) * 0.9**j for j in range(20)))
    assert lower == pytest.approx(truth, rel=1e-12)
    assert upper == 0.0


def test_the_ends() -> None:
    """Nothing is below 0 and everything below 1."""
    assert incomplete_beta(2.0, 3.0, 0.0) == 0.0
    assert incomplete_beta(2.0, 3.0, 1.0) == 1.0
    assert log_incomplete_beta(2.0, 3.0, 1.0)[1] == -math.inf


def test_no_beta_function_of_nothing() -> None:
    """A parameter of zero is a mistake of the caller."""
    with pytest.raises(ValueError, match="positive"):
        log_beta(0.0, 1.0)

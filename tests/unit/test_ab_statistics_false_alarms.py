"""Simulated experiments: how often each method cries wolf when looked at all the time, and how soon it sees something.

The slack is what chance may add to the share of so many experiments: two standard errors and a half, at a true 5 %.
"""

import math

import numpy as np
import pytest

from ab_testing.statistics.sample_ratio import E_BROKEN
from benchmarks import ab_statistics as simulated

ALPHA = simulated.ALPHA


def most(repetitions: int, alpha: float = ALPHA) -> float:
    """The largest share that passes for alpha."""
    return alpha + 2.5 * math.sqrt(alpha * (1 - alpha) / repetitions)


def random(seed: int) -> np.random.Generator:
    """Chance that is the same each time."""
    return np.random.default_rng(seed)


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("rate", [0.01, 0.03, 0.3])
def test_rates_looked_at_after_every_event(rate: float, *, one_sided: bool) -> None:
    """5,000 jobs of arms that fail alike."""
    stops = simulated.rate_stops(rate, rate, random(1), repetitions=1000, jobs=5000, one_sided=one_sided)
    assert stops.share <= most(1000)


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_rates_at_other_shares(share: float) -> None:
    """At 1 % and at half and half."""
    stops = simulated.rate_stops(0.1, 0.1, random(2), repetitions=600, jobs=5000, share=share)
    assert stops.share <= most(600)


def test_rates_of_traffic_that_changes() -> None:
    """Failures come in waves from none to one in ten, with an outage for all in between."""
    rates = 0.05 + 0.05 * np.sin(np.arange(5000) / 300)
    rates[2000:2100] = 0.9
    assert simulated.rate_stops(rates, rates, random(3), repetitions=1000, jobs=5000).share <= most(1000)


def test_a_better_arm_raises_no_one_sided_alarm() -> None:
    """A guardrail looks one way."""
    stops = simulated.rate_stops(0.06, 0.03, random(4), repetitions=300, jobs=5000, one_sided=True)
    assert stops.share <= ALPHA / 5


def test_the_usual_z_test_cries_wolf() -> None:
    """In a third of all experiments: why none of it decides anything here."""
    assert simulated.z_stops(0.03, 0.03, random(5), repetitions=1000).share > 0.25


@pytest.mark.parametrize(
    ("treatment", "two_sided", "one_sided"), [(0.06, 3766, 2896), (0.08, 1815, 1457), (0.15, 566, 462)]
)
def test_time_to_detection_is_the_references(treatment: float, two_sided: int, one_sided: int) -> None:
    """Median jobs from 3 % of errors, at 90/10, within a seventh of what others measured."""
    for expected, flag in ((two_sided, False), (one_sided, True)):
        stops = simulated.rate_stops(0.03, treatment, random(6), repetitions=600, one_sided=flag)
        assert stops.share > 0.98
        assert stops.median == pytest.approx(expected, rel=1 / 7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["latency", "cost", "confidence"])
def test_means_looked_at_each_hundred_jobs(name: str) -> None:
    """Heavy tails, nine zeros in ten, and bounded values."""
    draw = getattr(simulated, name)
    told = simulated.mean_told(winsorised=name != "confidence", adjusted=name != "confidence")
    stops = simulated.value_stops(told, draw, draw, random(7), repetitions=120, jobs=8000)
    assert stops.share <= most(120)


@pytest.mark.slow
@pytest.mark.parametrize("q", [0.5, 0.95])
def test_quantiles_looked_at_each_hundred_jobs(q: float) -> None:
    """The difference lies in the interval at every look."""
    draw = simulated.latency
    stops = simulated.value_stops(simulated.quantile_told(q), draw, draw, random(8), repetitions=100, jobs=6000)
    assert stops.share <= most(100)


def test_a_slower_arm_is_seen_sooner_when_audio_length_is_allowed_for() -> None:
    """A fifth slower, within some thousand jobs."""
    slow = simulated.slower(simulated.latency, 1.2)
    jobs = {}
    for adjusted in (False, True):
        told = simulated.mean_told(winsorised=True, adjusted=adjusted)
        jobs[adjusted] = simulated.value_stops(told, simulated.latency, slow, random(9), repetitions=15).median
    assert jobs[True] < 0.6 * jobs[False]
    assert jobs[True] < 4000


def test_sample_ratio_looked_at_each_hundred_jobs() -> None:
    """At its own thousandth hardly ever; at 20 of evidence, in at most a twentieth."""
    stops = simulated.ratio_stops(simulated.SHARE, random(10), repetitions=600, wanted=1 / ALPHA)
    assert stops.share <= most(600)
    assert simulated.ratio_stops(simulated.SHARE, random(11), repetitions=600).share <= 1 / E_BROKEN + 0.004


@pytest.mark.parametrize(("share", "expected"), [(0.12, 4300), (0.15, 1300)])
def test_a_wrong_sample_ratio_is_seen_as_soon_as_the_reference_says(share: float, expected: int) -> None:
    """Median jobs, at a concentration of 1000."""
    stops = simulated.ratio_stops(share, random(12), repetitions=300)
    assert stops.median == pytest.approx(expected, rel=0.2)

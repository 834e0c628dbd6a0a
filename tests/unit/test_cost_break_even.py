"""Where machines of one's own become cheaper than a provider: the formulas against plain search and plain sums."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runtime.cost.break_even import Comparison, Fleet, table

usd = st.floats(1e-4, 50)
fleets = st.builds(
    Fleet,
    usd_per_hour=usd,
    predict_s_per_job=st.floats(0.01, 100),
    utilisation=st.floats(0.05, 1),
    least=st.integers(0, 5),
    whole=st.booleans(),
)
comparisons = st.builds(
    Comparison, fleets, fallback_usd_per_job=st.floats(0, 0.05), api_usd_per_job=st.floats(1e-4, 0.2)
)
volumes = st.floats(0.1, 1e7)
SLACK = 1e-9


def own(comparison: Comparison, jobs: float) -> float:
    """Dollars a day, hour by hour and job by job."""
    fleet = comparison.fleet
    busy_days = jobs * fleet.predict_s_per_job / fleet.utilisation / 86_400
    machines = max(fleet.least, math.ceil(busy_days) if fleet.whole else busy_days)
    return 24 * machines * fleet.usd_per_hour + jobs * comparison.fallback_usd_per_job


def test_by_hand() -> None:
    """One machine at a dollar an hour, 36 s a job, half of its time at work: 1200 jobs a day fill it."""
    fleet = Fleet(usd_per_hour=1.0, predict_s_per_job=36.0, utilisation=0.5)
    comparison = Comparison(fleet, fallback_usd_per_job=0.01, api_usd_per_job=0.05)
    assert fleet.usd_per_job == pytest.approx(0.02)
    turn = comparison.turn()
    assert turn is not None
    assert turn.first == turn.for_good == pytest.approx(600)  # 24 / (0.05 - 0.01)
    few, many = table(comparison, [2400, 600, 2400])
    assert (few.machines, few.machine_usd, few.fallback_usd, few.api_usd) == pytest.approx((1, 720, 180, 900))
    assert few.own_usd == pytest.approx(few.api_usd)
    assert (many.machines, many.machine_usd, many.cheaper) == pytest.approx((2, 1440, "own"))


def test_whole_machines_by_hand() -> None:
    """The second machine comes at 1200 jobs, when 1200 * 0.035 = 42 dollars are less than the 48 of two a day."""
    fleet = Fleet(usd_per_hour=1.0, predict_s_per_job=36.0, utilisation=0.5, whole=True)
    turn = Comparison(fleet, fallback_usd_per_job=0.0, api_usd_per_job=0.035).turn()
    assert turn is not None
    assert (turn.first, turn.for_good) == pytest.approx((24 / 0.035, 48 / 0.035))
    assert fleet.hours(1200) == 24
    assert fleet.hours(1201) == 48


@pytest.mark.parametrize("whole", [True, False])
def test_free_machines(whole: bool) -> None:  # noqa: FBT001  # a parameter
    """They cost less at once, unless the fallback alone costs as much as the provider."""
    fleet = Fleet(usd_per_hour=0.0, predict_s_per_job=1.0, utilisation=1.0, whole=whole)
    turn = Comparison(fleet, fallback_usd_per_job=0.01, api_usd_per_job=0.02).turn()
    assert turn is not None
    assert turn.for_good == 0
    assert Comparison(fleet, fallback_usd_per_job=0.02, api_usd_per_job=0.02).turn() is None


@given(comparisons, volumes)
def test_a_point_is_the_plain_sum(comparison: Comparison, jobs: float) -> None:
    """A month has 30 days of it; whole machines are whole."""
    point = comparison.at(jobs)
    assert point.own_usd == pytest.approx(30 * own(comparison, jobs), rel=1e-9)
    assert point.api_usd == pytest.approx(30 * jobs * comparison.api_usd_per_job)
    assert point.machines >= comparison.fleet.least
    if comparison.fleet.whole:
        assert point.machines == round(point.machines)


@given(comparisons, volumes, volumes)
def test_more_jobs_never_cost_less(comparison: Comparison, one: float, other: float) -> None:
    """Of either side."""
    less, more = sorted((one, other))
    assert comparison.at(less).own_usd <= comparison.at(more).own_usd
    assert comparison.at(less).api_usd <= comparison.at(more).api_usd


@given(comparisons, volumes)
def test_it_turns_where_it_is_said_to(comparison: Comparison, jobs: float) -> None:
    """Before the first turn the provider costs less, from the last one on the fleet does."""
    turn, point = comparison.turn(), comparison.at(jobs)
    if turn is None:
        # The margin of a job is no more than its machine time, so that even a full fleet does not pay.
        assert point.own_usd >= point.api_usd * (1 - SLACK)
        return
    assert 0 <= turn.first <= turn.for_good
    if jobs < turn.first * (1 - SLACK):
        assert point.own_usd > point.api_usd * (1 - SLACK)
    if jobs > turn.for_good * (1 + SLACK):
        assert point.own_usd <= point.api_usd * (1 + SLACK)


@given(comparisons)
def test_both_cost_the_same_where_it_turns(comparison: Comparison) -> None:
    """At both turns, and just before the last one the provider still cost less."""
    turn = comparison.turn()
    assume(turn is not None)
    assert turn is not None
    for jobs in {turn.first, turn.for_good} - {0.0}:
        full = comparison.at(jobs * (1 - SLACK))
        assert full.own_usd == pytest.approx(full.api_usd, rel=1e-6)
    before = comparison.at(turn.for_good * (1 - 1e-6))
    assert before.own_usd >= before.api_usd


@given(comparisons, st.floats(1.01, 10))
def test_a_dearer_provider_turns_it_sooner(comparison: Comparison, factor: float) -> None:
    """And a dearer machine later, if ever."""
    turn = comparison.turn()
    assume(turn is not None)
    assert turn is not None
    dearer = Comparison(comparison.fleet, comparison.fallback_usd_per_job, comparison.api_usd_per_job * factor).turn()
    assert dearer is not None
    assert dearer.first <= turn.first
    assert dearer.for_good <= turn.for_good * (1 + SLACK)
    fleet = comparison.fleet
    costly = Fleet(
        fleet.usd_per_hour * factor, fleet.predict_s_per_job, fleet.utilisation, least=fleet.least, whole=fleet.whole
    )
    later = Comparison(costly, comparison.fallback_usd_per_job, comparison.api_usd_per_job).turn()
    assert later is None or later.first >= turn.first

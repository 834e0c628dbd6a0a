"""How many workers a load and a backlog need."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.vocabulary import Lane
from scaling.policy import LanePolicy, load_policy
from scaling.quota import most, shared
from scaling.sizing import BOOST_MOST, Load, age_boost, need, wait_s

POLICY = load_policy()
HIGH, LOW = POLICY.lanes[Lane.HIGH], POLICY.lanes[Lane.LOW]
PLAIN = LOW.model_copy(update={"headroom": 0.0, "buffer_s": 0.0, "cold_start_s": 1e-9})
"""Little's law and nothing else."""

loads = st.floats(0, 1e4)
backlogs = st.floats(0, 1e7)
counts = st.integers(0, 500)
lanes = st.sampled_from([HIGH, LOW])


@st.composite
def any_load(draw: st.DrawFn) -> Load:
    """A lane in any state."""
    ages = st.one_of(st.none(), st.floats(0, 1e9))
    return Load(draw(loads), draw(backlogs), draw(ages), draw(counts), draw(counts))


@pytest.mark.parametrize(("drain_s", "workers"), [(60.0, 62), (900.0, 16)])
def test_littles_law(drain_s: float, workers: int) -> None:
    """Two jobs a second of 6 s each, and 500 that wait, are 12 busy workers and 3000 s to be worked off in time."""
    lane = PLAIN.model_copy(update={"drain_s": drain_s})
    assert math.ceil(need(lane, Load(12.0, 3000.0, None, 12, 0))) == workers


def test_what_the_workers_there_get_through_starts_nobody() -> None:
    """A burst that is over before a new worker would be there needs none; with fewer at work it does."""
    burst = Load(0.0, 100.0, None, 1, 0)
    assert need(HIGH, burst) == 0
    assert need(HIGH, replace(burst, backlog_s=HIGH.cold_start_s + 60.0)) == pytest.approx(60.0 / HIGH.drain_s)


def test_low_lets_its_buffer_stand() -> None:
    """With less than the buffer waiting fewer workers than are busy will do, with more of it more."""
    busy = 10.0
    usual = Load(busy, busy * LOW.buffer_s, None, 10, 0)
    assert need(LOW, usual) == pytest.approx(busy)
    assert need(LOW, replace(usual, backlog_s=0.0)) < busy < need(LOW, replace(usual, backlog_s=busy * LOW.target_s))


@given(lanes, any_load(), st.floats(0, 1e6))
def test_more_to_do_never_needs_fewer(lane: LanePolicy, load: Load, more: float) -> None:
    """Neither a larger backlog nor a larger age takes workers away."""
    found = need(lane, load)
    assert math.isfinite(found)
    assert found >= 0
    assert need(lane, replace(load, backlog_s=load.backlog_s + more)) >= found
    assert need(lane, replace(load, oldest_s=(load.oldest_s or 0.0) + more)) >= found


@given(lanes, any_load())
def test_age_alone_moves_little(lane: LanePolicy, load: Load) -> None:
    """However old the oldest is, what is worked off more quickly is twice the backlog's part at most."""
    young, old = need(lane, replace(load, oldest_s=0.0)), need(lane, replace(load, oldest_s=1e12))
    rest = need(lane, replace(load, backlog_s=0.0, there=10**9))
    assert old <= max(young, BOOST_MOST * young, rest) + 1e-6
    assert 1 <= age_boost(lane, load.oldest_s) <= BOOST_MOST


@given(lanes, any_load(), counts)
def test_more_workers_never_wait_longer(lane: LanePolicy, load: Load, limit: int) -> None:
    """The wait that can be reached falls with the workers that may be had."""
    assert wait_s(lane, load, limit + 1) <= wait_s(lane, load, limit)


def test_the_wait_that_can_be_reached() -> None:
    """Two workers have 240 s done when more come; ten then take a tenth of the rest, and nobody takes for ever."""
    lane = HIGH.model_copy(update={"cold_start_s": 120.0})
    assert wait_s(lane, Load(0.0, 100.0, None, 2, 0), 10) == 50.0
    assert wait_s(lane, Load(0.0, 340.0, None, 2, 0), 10) == 130.0
    assert wait_s(lane, Load(0.0, 1.0, None, 0, 0), 0) == math.inf


@given(st.integers(1, 100), st.integers(1, 100), st.integers(2, 60))
def test_no_more_than_there_are(high: int, low: int, gpus: int) -> None:
    """Never more than the GPUs, never more than wanted or the cap; high goes first, low keeps its floor."""
    lanes = {**POLICY.lanes, Lane.LOW: LOW.model_copy(update={"floor": 1})}
    policy = POLICY.model_copy(update={"gpus": gpus, "lanes": lanes})
    found = shared(policy, {Lane.HIGH: high, Lane.LOW: low})
    assert sum(found.values()) <= gpus
    assert found[Lane.HIGH] <= min(high, HIGH.cap)
    assert found[Lane.LOW] <= min(low, LOW.cap)
    assert found[Lane.LOW] >= min(low, 1, gpus)
    if found[Lane.HIGH] < min(high, HIGH.cap):
        assert found[Lane.LOW] <= 1, "low has more than its floor while high goes short"
    assert all(found[lane] <= most(policy, lane, found) for lane in Lane)

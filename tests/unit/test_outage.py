"""An outage is told once, ends once, and is asked about ever more rarely."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import Unavailable
from workers.outage import PAUSE_MAX_S, Outage


class Seconds:
    """A monotonic clock in the test's hands."""

    def __init__(self) -> None:
        """Start at some time."""
        self.now = 1000.0

    def __call__(self) -> float:
        """The present."""
        return self.now


def test_one_line_when_it_goes_and_one_when_it_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """Ten failures in a row are one event; the recovery says how long it took."""
    seconds = Seconds()
    outage = Outage("store", pause_s=1, now=seconds)
    with caplog.at_level(logging.INFO, "workers.outage"):
        for _ in range(10):
            seconds.now += outage.failed(Unavailable("no route"))
        assert outage.lasts
        outage.over()
        outage.over()
    assert [record.message for record in caplog.records] == ["store.unavailable", "store.recovered"]
    assert caplog.records[1].__dict__["fields"]["seconds"] == pytest.approx(seconds.now - 1000, abs=0.1)
    assert not outage.lasts
    assert not outage.resting


def test_failures_during_a_pause_do_not_prolong_it() -> None:
    """Eight jobs that fail at the same moment are one failure."""
    seconds = Seconds()
    outage = Outage("store", pause_s=1, now=seconds)
    pauses = {outage.failed(Unavailable("no route")) for _ in range(8)}
    assert len(pauses) == 1
    assert outage.resting
    seconds.now += pauses.pop()
    assert not outage.resting


@given(first_s=st.floats(0, 600), failures=st.integers(1, 200))
def test_pauses_grow_and_are_bounded(first_s: float, failures: int) -> None:
    """The n-th pause lies between half of and all of the first one doubled n - 1 times, and below the maximum."""
    seconds = Seconds()
    outage = Outage("store", pause_s=first_s, now=seconds)
    for number in range(failures):
        pause_s = outage.failed(Unavailable("no route"))
        longest_s = min(first_s * 2 ** min(number, 32), PAUSE_MAX_S)
        assert longest_s / 2 - 1e-6 <= pause_s <= longest_s + 1e-6
        seconds.now += pause_s + 1e-6

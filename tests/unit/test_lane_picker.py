"""Two lanes: high first, low its share, the aged upwards."""

import contextlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from earmark.domain import Lease
from earmark.errors import Unavailable
from earmark.vocabulary import Lane
from tests.clock import ManualClock
from tests.making import EPOCH, make_lease
from workers.lane_picker import LanePicker


class Line:
    """A queue that never ends, or is empty."""

    def __init__(self, lane: Lane, waiting: int = 10**9) -> None:
        """Hold so many jobs."""
        self.lane = lane
        self.waiting = waiting
        self.given = 0

    def lease(self, limit: int, lease_s: float) -> list[Lease]:
        """Give what there is."""
        count = min(limit, self.waiting)
        self.waiting -= count
        self.given += count
        return [make_lease(f"{self.lane}-{self.given}-{index}", self.lane) for index in range(count)]


def picker(high: Line, low: Line, share: float = 0.2) -> LanePicker:
    """A picker over two lines."""
    return LanePicker({Lane.HIGH: high, Lane.LOW: low}, low_share=share, low_max_wait_s=600)  # type: ignore[dict-item]


@given(st.floats(0, 1), st.integers(0, 3), st.lists(st.booleans(), max_size=60))
def test_no_lease_is_forgotten_when_a_queue_fails(share: float, high_waiting: int, failing: list[bool]) -> None:
    """Whatever call fails, what other calls have leased is given to the worker, or its tries would be lost."""
    faults = iter(failing)

    class Failing(Line):
        def lease(self, limit: int, lease_s: float) -> list[Lease]:
            if next(faults, False):
                message = "The queue cannot be reached"
                raise Unavailable(message)
            return super().lease(limit, lease_s)

    high, low = Failing(Lane.HIGH, high_waiting), Failing(Lane.LOW)
    lanes = picker(high, low, share)
    given = 0
    for _ in range(30):
        with contextlib.suppress(Unavailable):
            given += len(lanes.lease(4, 60, EPOCH))
    assert given == high.given + low.given


@given(st.floats(0, 1), st.lists(st.integers(1, 8), min_size=50, max_size=80))
def test_low_gets_its_share_while_high_never_stops(share: float, slots: list[int]) -> None:
    """Over any run of requests low has its share of the starts, to within one, and never more."""
    high, low = Line(Lane.HIGH), Line(Lane.LOW)
    lanes = picker(high, low, share)
    for count in slots:
        assert len(lanes.lease(count, 60, EPOCH)) == count
    assert abs(low.given - share * sum(slots)) <= 1.0 + 1e-6


def test_high_goes_first() -> None:
    """A few high jobs all start before low fills up, and come first in the list."""
    high, low = Line(Lane.HIGH, 3), Line(Lane.LOW)
    leases = picker(high, low).lease(8, 60, EPOCH)
    assert [lease.job.lane for lease in leases] == [Lane.HIGH] * 3 + [Lane.LOW] * 5


def test_what_low_gets_for_nothing_costs_it_nothing() -> None:
    """A long time alone neither earns low a debt nor builds up a claim on high's first burst."""
    high, low = Line(Lane.HIGH, 0), Line(Lane.LOW)
    lanes = picker(high, low)
    for _ in range(100):
        lanes.lease(4, 60, EPOCH)
    high.waiting, before = 10**9, low.given
    for _ in range(10):
        lanes.lease(10, 60, EPOCH)
    assert 18 <= low.given - before <= 21


def test_an_old_low_job_raises_the_share() -> None:
    """Once low jobs waited too long, every second start is theirs, until they are young again."""
    high, low, clock = Line(Lane.HIGH), Line(Lane.LOW), ManualClock()
    lanes = picker(high, low, 0.1)
    clock.move(601)
    for _ in range(10):
        lanes.lease(10, 60, clock())
    assert low.given >= 40


def test_one_lane_alone(tmp_path: Path) -> None:
    """A worker reserved for high takes nothing else."""
    high = Line(Lane.HIGH, 2)
    alone = LanePicker({Lane.HIGH: high}, low_share=0.2, low_max_wait_s=600)  # type: ignore[dict-item]
    assert len(alone.lease(8, 60, EPOCH)) == 2
    assert alone.lease(8, 60, EPOCH) == []


def test_an_empty_low_lane_saves_nothing_up() -> None:
    """While low has no jobs its share is high's; a job that comes later has the floor, not what was missed."""
    high, low = Line(Lane.HIGH), Line(Lane.LOW, 0)
    lanes = picker(high, low)
    for _ in range(100):
        lanes.lease(10, 60, EPOCH)
    low.waiting = 10**9
    lanes.lease(10, 60, EPOCH)
    assert 2 <= low.given <= 3


def test_the_share_of_an_old_backlog_ends_with_it() -> None:
    """Once the low jobs that come are young, low has its ordinary share again."""
    high, low, clock = Line(Lane.HIGH), Line(Lane.LOW), ManualClock()
    lanes = picker(high, low, 0.1)
    clock.move(601)
    for _ in range(5):
        lanes.lease(10, 60, clock())
    before = low.given
    for _ in range(10):
        lanes.lease(10, 60, EPOCH)  # the same jobs, seen before they were old
    assert low.given - before <= 16


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 4)), min_size=50, max_size=80))
def test_high_jobs_out_of_turn_are_paid_for(turns: list[tuple[int, int]]) -> None:
    """What high takes before a low batch that is ready counts: low still has its share, but for the last turn's."""
    high, low = Line(Lane.HIGH), Line(Lane.LOW)
    lanes = picker(high, low)
    starts = 0
    for slots, urgent in turns:
        starts += len(lanes.lease(slots, 60, EPOCH)) + len(lanes.urgent(urgent, 60))
    assert low.given >= 0.2 * starts - 2.0


def test_a_worker_for_one_lane_has_nothing_urgent() -> None:
    """A worker that serves low alone takes nothing of high, and one that serves high alone waits for its turn."""
    high, low = Line(Lane.HIGH), Line(Lane.LOW)
    assert LanePicker({Lane.LOW: low}, low_share=0.2, low_max_wait_s=600).urgent(4, 60) == []  # type: ignore[dict-item]
    assert LanePicker({Lane.HIGH: high}, low_share=0.2, low_max_wait_s=600).urgent(4, 60) == []  # type: ignore[dict-item]

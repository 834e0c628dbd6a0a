"""The controller: what it sees is not always there, and not always what it seems."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ConfigurationError
from earmark.vocabulary import Lane
from scaling.controller import Controller
from scaling.demand import Demand
from scaling.desired import Desired
from scaling.failover import Failover
from scaling.forecast import usual
from scaling.pace import Pace
from scaling.policy import SHIPPED, Policy, load_policy
from scaling.seen import Seen, Settled

POLICY = load_policy()
HIGH, LOW = POLICY.lanes[Lane.HIGH], POLICY.lanes[Lane.LOW]
IDLE = Seen(0, 0, 0.0, 0.0, Settled(15.0, 0, 0.0, 0.0, 0.0, 0.0))
EVERY_S = POLICY.every_s


def settled(jobs: int, *, span_s: float = 30.0, audio_s: float = 180.0, rate: float = 0.02) -> Settled:
    """So many jobs of one length that ended."""
    whole_s = jobs * audio_s
    return Settled(span_s, jobs, whole_s, whole_s, whole_s * rate, 0.0)


class Room:
    """A controller and its time."""

    def __init__(self, policy: Policy = POLICY) -> None:
        """Begin at zero."""
        self.controller, self.now_s = Controller(policy), 0.0

    def look(self, seen: Mapping[Lane, Seen], times: int = 1, *, money: bool = True) -> dict[Lane, Desired]:
        """Look so many times in a row; what came of the last one."""
        found: dict[Lane, Desired] = {}
        for _ in range(times):
            found = self.controller.step(self.now_s, seen, money=money)
            self.now_s += EVERY_S
        return found


def busy(waiting: int, jobs: int = 60) -> Seen:
    """Low with so many waiting, while 60 jobs of 3.6 s end in 30 s: 7.2 busy workers."""
    return Seen(waiting, 7, waiting * 180.0, 10.0, settled(jobs))


def test_it_settles_on_the_load() -> None:
    """Arrivals of 7.2 workers' worth, with the usual buffer waiting, are served by eight."""
    found = Room().look({Lane.HIGH: IDLE, Lane.LOW: busy(int(7.2 * LOW.buffer_s / 3.6))}, 60)[Lane.LOW]
    assert found.workers == 8
    assert found.service_s == pytest.approx(3.6)
    assert found.arrivals_per_s == pytest.approx(2.0)


def test_length_counts_and_not_number() -> None:
    """As many waiting jobs of an hour as of a minute need many times as many workers."""
    short, long = (
        Room().look({Lane.LOW: Seen(200, 0, 200 * audio_s, 60.0)}, 20)[Lane.LOW].workers for audio_s in (60.0, 3600.0)
    )
    assert long == LOW.cap
    assert short <= 3


def test_what_is_not_seen_is_not_zero() -> None:
    """Blind, nobody is taken away, however long it lasts; seen to be idle, the lane goes back to its floor."""
    room = Room()
    before = room.look({Lane.HIGH: IDLE, Lane.LOW: busy(2000)}, 20)[Lane.LOW].workers
    assert before > LOW.blind
    assert room.look({}, 400)[Lane.LOW].workers >= before
    found = room.look({Lane.HIGH: IDLE, Lane.LOW: IDLE}, 400)
    assert (found[Lane.LOW].workers, found[Lane.HIGH].workers) == (LOW.floor, HIGH.floor)


def test_nothing_ever_seen_is_the_policys_guess() -> None:
    """Without any sight there are the workers that the policy has for it, and nothing is made up."""
    found = Room().look({}, 100)
    assert {lane: each.workers for lane, each in found.items()} == {lane: POLICY.lanes[lane].blind for lane in Lane}
    assert all(each.service_s is each.arrivals_per_s is each.waiting_audio_s is None for each in found.values())
    assert not any(each.failover for each in found.values())


def test_no_queue_to_look_into() -> None:
    """Rows alone say what waits (Little's law) and what comes; at least one worker is there to tell."""
    low = Seen(None, 7, None, None, Settled(30.0, 60, 60 * 180.0, 60 * 180.0, 60 * 3.6, 60 * 1500.0))
    found = Room().look({Lane.HIGH: IDLE, Lane.LOW: low}, 30)[Lane.LOW]
    assert found.waiting_audio_s == pytest.approx(2.0 * 1500.0 * 180.0)
    assert found.workers == LOW.cap
    assert Room().look({Lane.LOW: Seen(None, 0)}, 200)[Lane.LOW].workers == 1


def test_a_poisoned_message_takes_no_fleet() -> None:
    """A job that comes again for ever, days old, has one worker of low, and none more of high than is usual."""
    poison = Seen(waiting=1, in_hand=0, waiting_audio_s=30.0, oldest_s=1e6, settled=settled(0))
    found = Room().look({Lane.HIGH: poison, Lane.LOW: poison}, 300)
    assert found[Lane.LOW].workers == 1
    assert found[Lane.HIGH].workers == HIGH.floor


@pytest.mark.parametrize("lane", list(Lane))
def test_one_job_is_never_done_by_two(lane: Lane) -> None:
    """However long it is; and once it has ended nobody is asked for on its account."""
    own, audio_s = POLICY.lanes[lane], 43_200.0
    none = settled(0, audio_s=10.0)
    looks = [replace(IDLE, settled=settled(1, audio_s=10.0))] + [replace(IDLE, settled=none)] * 40
    looks += [Seen(1, 0, audio_s, 100.0, none)] + [Seen(0, 1, 0.0, 0.0, none)] * 30
    looks += [Seen(0, 0, 0.0, 0.0, settled(1, audio_s=audio_s))] + [replace(IDLE, settled=none)] * 40
    room, found = Room(), list[Desired]()
    for look in looks:
        found.append(room.look({**dict.fromkeys(Lane, IDLE), lane: look})[lane])
        room.now_s += 30.0 - EVERY_S
    assert max(each.wanted for each in found[41:72]) == 1
    assert max(each.wanted for each in found[72:]) <= own.floor
    assert found[-1].workers == own.floor


def test_long_jobs_count_once() -> None:
    """One job of an hour every ten minutes among short ones is 7.2 s of a worker a minute, arriving or ending."""
    policy = LOW.model_copy(update={"rate_s": 3600.0})
    demand, short = Demand(policy), settled(3, audio_s=10.0)
    for _ in range(240):
        for step in range(20):
            hand = 1 if 2 <= step < 5 else 0  # the long job waits for a look, is in hand for three, and ends
            long = settled(4, audio_s=(30.0 + 3600.0) / 4) if step == 5 else short
            demand.take(Seen(int(step == 1), hand, 3600.0 if step == 1 else 0.0, 0.0, long))
    found = demand.load_in(0.0)
    assert found == pytest.approx((60 * 10.0 + 3600.0) * 0.02 / 600.0, rel=0.15)


def test_high_borrows_from_low() -> None:
    """With too few GPUs for both high has what it wants, low the rest, and gets its own back later."""
    policy = POLICY.model_copy(update={"gpus": 20})
    room = Room(policy)
    full = Seen(20_000, 20, 20_000 * 180.0, 100.0)
    assert room.look({Lane.HIGH: IDLE, Lane.LOW: full}, 40)[Lane.LOW].workers == 19
    found = room.look({Lane.HIGH: full, Lane.LOW: full}, 40)
    assert found[Lane.HIGH].workers == HIGH.cap
    assert found[Lane.LOW].workers == 4
    assert found[Lane.LOW].wanted > 4
    assert room.look({Lane.HIGH: IDLE, Lane.LOW: full}, 200)[Lane.LOW].workers == 19


def test_up_fast_down_slow() -> None:
    """A lane doubles or adds its step within a minute, and gives nothing back before it was too much for long."""
    pace = Pace(HIGH.model_copy(update={"up_step": 4}), 2)
    assert [pace.step(15.0 * look, 16) for look in range(10)] == [6, 6, 6, 6, 12, 12, 12, 12, 16, 16]
    later = [(look, pace.step(150.0 + 15.0 * look, 1)) for look in range(200)]
    first = next(look for look, workers in later if workers < 16)
    assert first * 15.0 >= HIGH.down_after_s - 15.0
    steps = [before - after for (_, before), (_, after) in pairwise(later)]
    assert max(steps) <= HIGH.down_step
    assert min(steps) >= 0
    assert later[-1][1] < 16


def test_low_waits_for_something_to_do() -> None:
    """One short job starts no machine at once; once it is old enough, or more have come, one does."""
    room = Room()
    room.look({Lane.HIGH: IDLE, Lane.LOW: IDLE}, 40)
    young = Seen(1, 0, 60.0, 5.0)
    assert room.look({Lane.HIGH: IDLE, Lane.LOW: young})[Lane.LOW].workers == 0
    old = Seen(1, 0, 60.0, LOW.target_s / 2)
    assert room.look({Lane.HIGH: IDLE, Lane.LOW: old})[Lane.LOW].workers == 1


def test_failover_when_no_fleet_makes_it() -> None:
    """Off while more workers would do; on once all that may be had would not, for long enough; never without money."""
    hopeless = {Lane.HIGH: IDLE, Lane.LOW: Seen(10**6, 20, 1e8, 700.0)}
    hopeful = {Lane.HIGH: IDLE, Lane.LOW: Seen(300, 5, 300 * 180.0, 300.0)}
    assert not Room().look(hopeful, 100)[Lane.LOW].failover
    assert not Room().look(hopeless, 10)[Lane.LOW].failover
    room = Room()
    assert room.look(hopeless, 40)[Lane.LOW].failover
    assert not room.look(hopeless, 1, money=False)[Lane.LOW].failover
    assert room.look(hopeless, 1)[Lane.LOW].reason == "more are needed than may be had"


def test_failover_does_not_flicker() -> None:
    """It ends once the promise is well within reach for as long as it took to begin; blind, it stays as it is."""
    failover = Failover(LOW)
    late, near = 2 * LOW.target_s, 0.9 * LOW.target_s
    assert [failover.step(at, late, money=True) for at in (0.0, 299.0, 300.0)] == [False, False, True]
    assert all(failover.step(at, near, money=True) for at in range(300, 2000, 15))
    assert failover.step(2000, None, money=True)
    assert [failover.step(at, 1.0, money=True) for at in (2001.0, 2300.0, 2301.0)] == [True, True, False]


def test_the_usual_is_a_floor() -> None:
    """What came at this hour of earlier weeks keeps workers ready; one such week is no habit."""
    assert usual([100.0, None, 0.0, None]) is None
    assert usual([100.0, 80.0, 120.0, 90.0]) == 120.0
    seen = Seen(0, 0, 0.0, 0.0, None, seasonal_per_s=500.0)
    found = Room().look({Lane.HIGH: IDLE, Lane.LOW: seen}, 10)[Lane.LOW]
    assert found.workers == 8, "500 s of audio a second, at 0.02, of which 0.8"


sights = st.builds(
    Seen,
    waiting=st.one_of(st.none(), st.integers(0, 10**7)),
    in_hand=st.one_of(st.none(), st.integers(0, 100)),
    waiting_audio_s=st.one_of(st.none(), st.floats(0, 1e12)),
    oldest_s=st.one_of(st.none(), st.floats(0, 1e12)),
    settled=st.one_of(
        st.none(),
        st.builds(
            Settled,
            span_s=st.floats(0, 1e5),
            jobs=st.integers(0, 10**6),
            audio_s=st.floats(0, 1e10),
            heard_audio_s=st.floats(0, 1e10),
            busy_s=st.floats(0, 1e10),
            queued_s=st.floats(0, 1e12),
        ),
    ),
    seasonal_per_s=st.one_of(st.none(), st.floats(0, 1e9)),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 1e5), sights, sights, st.booleans()), max_size=30))
def test_whatever_is_seen_the_limits_hold(looks: list[tuple[float, Seen, Seen, bool]]) -> None:
    """Floors, caps and GPUs hold, at any look, after any other."""
    controller, now_s = Controller(POLICY), 0.0
    for later_s, high, low, money in looks:
        now_s += later_s
        found = controller.step(now_s, {Lane.HIGH: high, Lane.LOW: low}, money=money)
        assert sum(each.workers for each in found.values()) <= POLICY.gpus
        for lane, each in found.items():
            assert POLICY.lanes[lane].floor <= each.workers <= POLICY.lanes[lane].cap
            assert money or not each.failover


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("floor = 1", "floor = 99"), "lanes.high: floor and blind must not exceed cap"),
        (("buffer_s = 150.0", "buffer_s = 900.0"), "buffer_s must be less than target_s"),
        (("gpus = 24", "gpus = 2"), "must fit into gpus"),
        (("headroom = 1.5", "headroom = nan"), "headroom"),
        (("cap = 16", "caps = 16"), "caps"),
        (("[lanes.low]", "[lanes.middle]"), "lanes.middle"),
        (("gpus = 24", "gpus ="), "Cannot read"),
    ],
)
def test_a_wrong_policy_is_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    """A number that cannot be is said by its name and file, and nothing runs on it."""
    path = tmp_path / "mine.toml"
    path.write_text(SHIPPED.read_text().replace(*change))
    with pytest.raises(ConfigurationError, match=said) as found:
        load_policy(path)
    assert "mine.toml" in str(found.value)


def test_promises_of_the_settings_go_first() -> None:
    """A policy is read with the promises that are set."""
    assert load_policy(targets_s={Lane.HIGH: 2.5, Lane.LOW: 900.0}).lanes[Lane.HIGH].target_s == 2.5

"""The simulator: nothing is lost or doubled in it, its queues are those of the textbooks, and its weather is felt."""

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.vocabulary import Lane
from scaling.comparing import DEPTH, FIXED, HELPED, MATCHED, OURS, Alone, Peers, as_dear, compare, match_depth
from scaling.controller import Controller
from scaling.desired import Desired
from scaling.outcome import Outcome
from scaling.policy import Policy, load_policy
from scaling.scalers import DepthScaler, FixedFleet, Scaler
from scaling.seen import Seen
from scaling.simulation import Simulation
from scaling.trace import Gathering, Trace
from scaling.trace_maker import Shape, make_trace
from scaling.weather import Span, Weather

POLICY = load_policy()
CALM = POLICY.model_copy(update={"simulation": POLICY.simulation.model_copy(update={"spot_losses_per_hour": 0.0})})
HOUR_S = 3600.0


@cache
def made(shape: Shape, seed: int, hours: float = 4.0) -> Trace:
    """A made-up trace."""
    gathering = Gathering()
    for each in make_trace(shape, seed, hours=hours):
        gathering.add(each.lane, each.at_s, each.audio_s)
    return gathering.trace()


def of(arrivals: list[tuple[Lane, float, float]]) -> Trace:
    """A trace of these."""
    gathering = Gathering()
    for each in arrivals:
        gathering.add(*each)
    return gathering.trace()


def play(
    trace: Trace, policy: Policy = CALM, weather: Weather | None = None, fixed: Mapping[Lane, int] | None = None
) -> Outcome:
    """What becomes of a trace under our controller, or a fixed fleet."""
    scaler = FixedFleet(fixed) if fixed else Alone(Controller(policy))
    return Simulation(trace, policy, scaler, weather or Weather()).run("it")


def test_one_worker_serves_one_after_the_other() -> None:
    """Three jobs of a second of work that come together take one, two and three seconds; the hours are those of one."""
    trace = of([(Lane.HIGH, 0.0, 50.0)] * 3)
    found = play(trace, fixed={Lane.HIGH: 1, Lane.LOW: 0}).lanes[Lane.HIGH]
    assert (found.jobs, found.late) == (3, 2)
    assert (found.p50_s, found.p99_s) == (2.0, 3.0)
    assert found.gpu_hours * HOUR_S == pytest.approx(3.0), "and not until the next look"


@pytest.mark.parametrize(("audio_s", "late"), [(49.9, 0), (50.0, 0), (50.01, 200)])
def test_percentiles_are_what_jobs_took(audio_s: float, late: int) -> None:
    """On the same side of the promise as the late jobs: what takes as long as was promised is not late."""
    trace = of([(Lane.HIGH, 100.1 * place, audio_s) for place in range(200)])
    found = play(trace, fixed={Lane.HIGH: 1, Lane.LOW: 0}).lanes[Lane.HIGH]
    assert CALM.lanes[Lane.HIGH].target_s == 1.0
    assert found.late == late
    for each in (found.p50_s, found.p95_s, found.p99_s):
        assert each == pytest.approx(audio_s * 0.02, abs=1e-9)


def test_percentiles_of_a_long_queue() -> None:
    """One worker, 21,600 jobs of a second that come together: the n-th takes n seconds."""
    found = play(of([(Lane.LOW, 0.0, 50.0)] * 21_600), fixed={Lane.HIGH: 0, Lane.LOW: 1}).lanes[Lane.LOW]
    assert [found.p50_s, found.p95_s, found.p99_s] == [10_800.0, 20_520.0, 21_384.0]
    assert found.late == 21_600 - 600
    assert found.gpu_hours == pytest.approx(6.0)


def test_machines_are_paid_for_until_the_last_answer() -> None:
    """Of both lanes, to the moment: idle ones too, and the one that is told to go with the last job in hand."""
    trace = of([(Lane.HIGH, 0.0, 10.0), (Lane.LOW, 2311.0, 18.5)])
    found = play(trace, fixed={Lane.HIGH: 1, Lane.LOW: 2})
    assert found.seconds == pytest.approx(2311.37)
    assert found.gpu_hours * HOUR_S == pytest.approx(3 * 2311.37)

    class Gone(FixedFleet):
        def step(self, now_s: float, seen: Mapping[Lane, Seen], *, money: bool = True) -> dict[Lane, Desired]:
            return FixedFleet({Lane.HIGH: 1, Lane.LOW: 0 if now_s else 1}).step(now_s, seen, money=money)

    drained = Simulation(of([(Lane.LOW, 0.0, 1000.0)]), CALM, Gone({}), Weather()).run("it")
    assert drained.lanes[Lane.LOW].p50_s == drained.seconds == pytest.approx(20.0)
    assert drained.gpu_hours * HOUR_S == pytest.approx(2 * 20.0)


def test_a_queue_of_the_textbook() -> None:
    """Poisson arrivals of one length at one worker wait as Pollaczek and Khinchine say: rho S / (2 (1 - rho))."""
    chance, at_s, arrivals, service_s, rho = random.Random(1), 0.0, [], 1.0, 0.7
    for _ in range(60_000):
        at_s += chance.expovariate(rho / service_s)
        arrivals.append((Lane.LOW, at_s, service_s / 0.02))
    fleet = Simulation(of(arrivals), CALM, FixedFleet({Lane.HIGH: 0, Lane.LOW: 1}), Weather())
    found = fleet.run("it").lanes[Lane.LOW]
    expected_s = service_s + rho * service_s / (2 * (1 - rho))
    tally = fleet._fleets[Lane.LOW].tally
    assert found.jobs == 60_000
    assert sum(tally.took_s) / found.jobs == pytest.approx(expected_s, rel=0.05)


arrivals = st.lists(
    st.tuples(st.sampled_from(list(Lane)), st.floats(0, 4000), st.floats(0, 2000)), min_size=1, max_size=60
)
spans = st.lists(st.builds(Span, st.floats(0, 5000), st.floats(1, 3000)), max_size=2)


@settings(max_examples=40, deadline=None)
@given(arrivals, spans, spans, st.integers(0, 5), st.sampled_from([0.0, 10.0]), st.sampled_from([HELPED, DEPTH]))
def test_every_job_ends_once(
    jobs: list[tuple[Lane, float, float]], lost: list[Span], unseen: list[Span], seed: int, spot: float, name: str
) -> None:
    """Whatever is lost or unseen, each job is counted once, machines stay within the quota, and money is paid for."""
    chance = {"spot_losses_per_hour": spot, "fallback_usd_per_audio_s": 0.0006}
    policy = POLICY.model_copy(update={"simulation": POLICY.simulation.model_copy(update=chance)})
    scaler = Controller(policy) if name == HELPED else DepthScaler(policy, {Lane.HIGH: 1.0, Lane.LOW: 20.0})
    simulation = Simulation(of(jobs), policy, scaler, Weather(seed, tuple(lost), tuple(unseen)))
    found = simulation.run("it")
    for lane in Lane:
        assert found.lanes[lane].jobs == sum(each[0] is lane for each in jobs)
        assert found.lanes[lane].most_workers <= policy.lanes[lane].cap
        answered = sum(math.isfinite(took_s) for took_s in simulation._fleets[lane].tally.took_s)
        assert answered + found.lanes[lane].unanswered == found.lanes[lane].jobs
    assert found.gpu_hours <= policy.gpus * found.seconds / HOUR_S + 1e-9
    days = math.ceil(found.seconds / 86_400)
    assert sum(each.fallback_usd for each in found.lanes.values()) <= policy.simulation.fallback_daily_usd * days + 1e-9


sparse = st.lists(
    st.tuples(st.sampled_from(list(Lane)), st.floats(0, 40_000), st.sampled_from([5.0, 180.0, 7200.0])),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25, deadline=None)
@given(
    sparse, spans, spans, st.sampled_from([0.0, 100.0]), st.sampled_from([0.0, 3.0]), st.sampled_from(["a", "b", "c"])
)
def test_looks_that_are_left_out_would_have_changed_nothing(
    jobs: list[tuple[Lane, float, float]], lost: list[Span], unseen: list[Span], late_s: float, spot: float, name: str
) -> None:
    """To the last figure, in any weather, with far fewer looks: as often as every 15 s, or only when it matters."""
    chance = {"spot_losses_per_hour": spot, "fallback_usd_per_audio_s": 0.0006}
    policy = POLICY.model_copy(update={"simulation": POLICY.simulation.model_copy(update=chance)})
    found = []
    for patient in (False, True):
        scalers: dict[str, Scaler] = {
            "a": Controller(policy),
            "b": DepthScaler(policy, {Lane.HIGH: 1.0, Lane.LOW: 20.0}),
            "c": FixedFleet({Lane.HIGH: 1, Lane.LOW: 1}),
        }
        simulation = Simulation(of(jobs), policy, scalers[name], Weather(1, tuple(lost), tuple(unseen), late_s))
        if patient:
            simulation._quiet_s = lambda _now_s, _next_s: policy.every_s  # type: ignore[method-assign]
        found.append(simulation.run("it"))
    assert found[0] == found[1]


def test_a_year_of_one_job_a_day_takes_few_looks() -> None:
    """A day has fifty that matter, of 5760."""
    looks = [0]

    class Counted(Controller):
        def step(self, now_s: float, seen: Mapping[Lane, Seen], *, money: bool = True) -> dict[Lane, Desired]:
            looks[0] += 1
            return super().step(now_s, seen, money=money)

    trace = of([(Lane.LOW, 86_400.0 * day, 180.0) for day in range(365)])
    found = Simulation(trace, CALM, Counted(CALM), Weather()).run("it")
    assert found.lanes[Lane.LOW].jobs == 365
    assert looks[0] < 365 * 50


def test_what_nobody_answers_is_told_and_has_no_time() -> None:
    """A pile that the fleet does not get through within hours: late, counted, and no quantile is made up for it."""
    trace = of([(Lane.LOW, 0.0, 36_000.0)] * 200)
    found = play(trace, fixed={Lane.HIGH: 0, Lane.LOW: 2}).lanes[Lane.LOW]
    assert (found.jobs, found.late) == (200, 200)
    assert found.unanswered == 200 - 2 * 30, "each of two begins one every 720 s, from 0 on, none at 6 hours"
    assert found.gpu_hours == pytest.approx(2 * 6.0)
    assert found.p50_s is found.p95_s is None
    few = play(trace, fixed={Lane.HIGH: 0, Lane.LOW: 4}).lanes[Lane.LOW]
    assert few.p50_s == 25 * 720.0
    assert few.p99_s is None


@pytest.mark.parametrize("shape", [Shape.BURST, Shape.STEADY])  # of seeds at which halving alone ends above ours
def test_a_matched_depth_costs_no_more_and_is_no_later_than_a_plain_one(shape: Shape) -> None:
    """In neither lane dearer than ours, and nowhere later than a plain depth that takes no more."""
    trace = made(shape, 6, hours=1.0)
    plain = {Lane.HIGH: 1.5, Lane.LOW: 150.0}
    named = {each.scaler: each for each in compare(trace, CALM, Weather(), Peers(plain), only=(OURS, DEPTH, MATCHED))}
    for lane in Lane:
        own, depth, matched = (named[name].lanes[lane] for name in (OURS, DEPTH, MATCHED))
        assert matched.gpu_hours <= own.gpu_hours
        if depth.gpu_hours <= own.gpu_hours:
            assert matched.late <= depth.late


def test_depth_takes_no_more_hours_than_it_has_use_for() -> None:
    """Where all are late whatever is done, the matched depth is the one that costs least."""
    trace = of([(Lane.HIGH, 1200.0 * place, 3600.0) for place in range(6)])
    ours = play(trace, fixed={Lane.HIGH: 8, Lane.LOW: 0})
    matched = match_depth(trace, CALM, Weather(), ours)[1].lanes[Lane.HIGH]
    assert matched.late == ours.lanes[Lane.HIGH].late == 6
    assert matched.gpu_hours < ours.lanes[Lane.HIGH].gpu_hours / 4


def test_the_same_seed_is_the_same_day() -> None:
    """To the last figure; another seed loses other machines."""
    stormy = POLICY.model_copy(
        update={"simulation": POLICY.simulation.model_copy(update={"spot_losses_per_hour": 2.0})}
    )
    first, again, other = (play(made(Shape.BURST, 1), stormy, Weather(seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert first.lanes[Lane.LOW].lost_workers > 0


def test_cold_starts_cost_time() -> None:
    """A burst after a quiet hour waits for workers that start; were they quick, it would not."""
    trace = of([(Lane.HIGH, 0.0, 10.0)] + [(Lane.HIGH, 3600.0 + 0.25 * place, 25.0) for place in range(2400)])
    quick = {**CALM.lanes, Lane.HIGH: CALM.lanes[Lane.HIGH].model_copy(update={"cold_start_s": 1.0})}
    slow_late = play(trace).lanes[Lane.HIGH].late
    assert slow_late > 2 * play(trace, CALM.model_copy(update={"lanes": quick})).lanes[Lane.HIGH].late


def test_a_lost_region_is_felt_and_made_up_for() -> None:
    """Half the machines go and their jobs come again; the rest arrives elsewhere, and no job is missing."""
    trace = made(Shape.STEADY, 1)
    calm, lost = play(trace), play(trace, weather=Weather(regions_lost=(Span(7200.0, 1800.0),)))
    assert sum(each.lost_workers for each in lost.lanes.values()) > 0
    assert lost.lanes[Lane.HIGH].late >= calm.lanes[Lane.HIGH].late
    assert lost.lanes[Lane.HIGH].late_share < 0.05, "two cold starts of four hours, not all of them"
    assert lost.lanes[Lane.LOW].jobs == calm.lanes[Lane.LOW].jobs


def test_the_fallback_helps_within_its_money() -> None:
    """A pile that no fleet gets through in time is cut short by it, at no more than its daily dollars."""
    trace = of([(Lane.LOW, place * 0.02, 300.0) for place in range(6000)])
    money = {"fallback_daily_usd": 300.0, "fallback_usd_per_audio_s": 0.0006}
    rich = CALM.model_copy(update={"simulation": CALM.simulation.model_copy(update=money)})
    alone, helped = list(compare(trace, rich, Weather(), only=(OURS, HELPED)))
    found = helped.lanes[Lane.LOW]
    assert helped.late + found.fallback_jobs / 2 < alone.late
    assert 250 < found.fallback_usd <= 300
    assert alone.lanes[Lane.LOW].fallback_jobs == 0


def test_late_numbers_and_hidden_lengths_still_scale() -> None:
    """With depths two minutes late, lengths unknown or only rows to go by, low keeps its promise for nearly all."""
    trace = made(Shape.DIURNAL, 5)
    for weather in (Weather(late_s=120.0), Weather(hides_length=True), Weather(hides_queue=True)):
        found = play(trace, weather=weather)
        assert found.lanes[Lane.LOW].late_share < 0.01, weather
        assert found.lanes[Lane.HIGH].late_share < 0.05, weather


def test_an_hour_of_blindness_takes_nobody_away() -> None:
    """While nothing can be seen what was there stays, and the promise with it."""
    trace = made(Shape.STEADY, 2)
    found = play(trace, weather=Weather(unseen=(Span(5400.0, 3600.0),)))
    assert found.lanes[Lane.LOW].late == 0
    assert found.lanes[Lane.HIGH].late_share < 0.01


SEEDS = [(shape, seed) for shape in Shape for seed in (11, 12)]


@pytest.mark.parametrize(("shape", "seed"), SEEDS)
def test_it_beats_depth_at_no_more_gpu_hours(shape: Shape, seed: int) -> None:
    """Of all depths a person might set, none of those that cost as little, lane by lane, lets fewer jobs be late.

    Half a percent of the jobs may lie between them, for both miss what comes while workers start.
    """
    trace = made(shape, seed)
    ours = play(trace)
    for high, low in ((0.5, 10.0), (0.75, 25.0), (1.0, 50.0), (1.5, 80.0), (2.5, 130.0)):
        depth = Simulation(trace, CALM, DepthScaler(CALM, {Lane.HIGH: high, Lane.LOW: low}), Weather()).run("depth")
        for lane in Lane:
            theirs, own = depth.lanes[lane], ours.lanes[lane]
            if theirs.gpu_hours <= own.gpu_hours:
                assert own.late_share <= theirs.late_share + 0.005, (lane, high, low)


def test_the_peers_are_played_in_the_same_weather() -> None:
    """All of them get every job; the fixed fleet is within half a worker a lane of ours."""
    found = {each.scaler: each for each in compare(made(Shape.BURST, 3), POLICY, Weather(3))}
    assert list(found) == [OURS, HELPED, DEPTH, FIXED]
    assert len({each.lanes[Lane.LOW].jobs for each in found.values()}) == 1
    for lane in Lane:
        own, fixed = found[OURS].lanes[lane], found[FIXED].lanes[lane]
        mean = own.gpu_hours / (found[OURS].seconds / HOUR_S)
        assert abs(mean - fixed.most_workers) <= 0.5


def test_a_fixed_fleet_is_as_dear_as_whole_workers_allow() -> None:
    """A trickle still has its one worker; a lane without jobs has none; more than half of one is one."""
    ours = play(made(Shape.STEADY, 1, hours=1.0))

    def sized(workers: float, jobs: int) -> int:
        own = replace(ours.lanes[Lane.LOW], gpu_hours=workers * ours.seconds / HOUR_S, jobs=jobs)
        return as_dear(replace(ours, lanes={**ours.lanes, Lane.LOW: own}), CALM)[Lane.LOW]

    found = [sized(workers, jobs) for workers, jobs in ((3.1, 9), (3.4, 9), (3.6, 9), (0.2, 9), (0.2, 0), (99.0, 9))]
    assert found == [3, 3, 4, 1, 0, CALM.lanes[Lane.LOW].cap]

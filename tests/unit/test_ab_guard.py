"""Guards: an arm that is broken or does harm goes at once and for good, and nothing else does."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ab_testing.counters import Counters
from ab_testing.evidence import Evidence
from ab_testing.experiment import Experiment
from ab_testing.finding import Alarm, Comparison
from ab_testing.guard import EVERY_S, Guard
from ab_testing.hard_break import CHANCE_MAX, Break, HardBreak
from ab_testing.registry import Registry
from ab_testing.state import Action, State, Trial
from earmark.errors import Unavailable
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock
from tests.flaky import FlakyStore
from tests.unit.test_ab_counters import trial_row

CONTROL, ARM = "primary", "experimental"


def fed(tries: str, *, watch: HardBreak | None = None, arm: str = ARM, start: int = 0) -> Break | None:
    """A break that tries bring, one job each: ``x`` failed, ``.`` did not; ``None`` = none, and it must be the last."""
    watch = watch or HardBreak(CONTROL)
    found = None
    for place, each in enumerate(tries):
        assert found is None, place
        found = watch.add(arm, f"{arm}-{start + place}", ok=each == ".")
    return found


def test_five_jobs_in_a_row() -> None:
    """Four do nothing, nor do five with a success between; the fifth is enough, however long it went well before."""
    assert fed("xxxx") is None
    assert fed("xxxx.xxxx.xxxx") is None
    for before in ("", "." * 500):
        found = fed(before + "xxxxx")
        assert found is not None
        assert (found.arm, found.chance < CHANCE_MAX) == (ARM, True)
        assert "5 jobs in a row failed in arm experimental" in found.sentence


def test_tries_of_one_job_are_one_witness() -> None:
    """A bad recording that fails thrice, and another after it, break no arm."""
    watch = HardBreak(CONTROL)
    for job in range(4):
        assert all(watch.add(ARM, f"job {job}", ok=False) is None for _ in range(3))
    assert watch.add(ARM, "job 4", ok=False) is not None


def test_a_fifth_of_fifty() -> None:
    """Ten failures spread over fifty jobs; nine are not enough, nor are ten in forty-nine."""
    pattern = ("x...." * 10)[::-1]
    assert fed(pattern[:-5] + ".....") is None
    assert fed(("....x" * 10)[1:]) is None
    found = fed("....x" * 10)
    assert found is not None
    assert "10 of the last 50 tries" in found.sentence


def test_what_fails_in_both_arms_is_not_the_arms_fault() -> None:
    """A store that is down, or uploads of which a fifth fail everywhere: nothing happens, until only the arm fails."""
    watch = HardBreak(CONTROL)
    fed("x" * 60, watch=watch, arm=CONTROL)
    assert fed("x" * 15, watch=watch) is None
    fed("." * 1000, watch=watch, arm=CONTROL, start=100)
    assert fed("x", watch=watch, start=100) is not None
    watch = HardBreak(CONTROL)
    fed("....x" * 200, watch=watch, arm=CONTROL)
    assert fed("....x" * 100, watch=watch) is None


def test_the_control_is_never_broken() -> None:
    """Whatever it does, for there is nobody to take its place."""
    assert fed("x" * 200, arm=CONTROL) is None


@pytest.mark.parametrize("rate", [0.01, 0.03, 0.05, 0.1, 0.2])
def test_false_breaks_are_rare(rate: float) -> None:
    """Both arms fail alike, 20 times over 20 000 jobs at 90/10: chance breaks none."""
    chance, broken = random.Random(5), 0
    for _ in range(20):
        watch = HardBreak(CONTROL)
        for job in range(20_000):
            arm = ARM if chance.random() < 0.1 else CONTROL
            if watch.add(arm, str(job), ok=chance.random() >= rate):
                broken += 1
                break
    assert broken == 0


class World:
    """Workers with a guard each, over one store."""

    def __init__(self, folder: Path, **fields: Any) -> None:
        """Start an experiment."""
        self.clock = ManualClock()
        self.store = FlakyStore(LocalObjectStore(folder, "state"))
        self.experiment = Experiment.model_validate({"name": "trial", **fields})
        self.alarms: tuple[Alarm, ...] = ()
        self.seen: list[int] = []
        self.registry = Registry(self.store, self.clock, monotonic=self.seconds)
        self.registry.start(self.experiment, actor="ada")

    def seconds(self) -> float:
        """The clock that only goes forward."""
        return self.clock().timestamp()

    def compare(self, experiment: Experiment, evidence: Evidence) -> Comparison:
        """Find what the test says there is."""
        self.seen.append(evidence.arms[CONTROL].jobs)
        return Comparison(experiment.name, experiment.version, (), (), self.alarms)

    def guard(self, worker: str = "here") -> Guard:
        """Of a worker of its own."""
        registry = Registry(self.store, self.clock, monotonic=self.seconds)
        return Guard(registry, self.store, worker, compare=self.compare, monotonic=self.seconds)

    @property
    def trial(self) -> Trial:
        """The version as it is now."""
        return self.registry.course("trial").latest


@pytest.fixture
def world(tmp_path: Path) -> World:
    """With an experiment that runs."""
    return World(tmp_path)


ALARM = Alarm("error_rate", ARM, "Errors rose by more than half.", float("inf"), 0.05)


def test_an_alarm_rolls_back_with_its_evidence(world: World) -> None:
    """Once, by the first who sees it, in words and in figures."""
    counters = Counters(world.store, "here")
    counters.add(trial_row(1))
    counters.flush()
    guards = [world.guard("one"), world.guard("two")]
    assert guards[0].step() == 0
    assert world.seen == [1]
    world.alarms = (ALARM,)
    world.clock.move(EVERY_S * 2)
    assert sum(guard.step() for guard in (*guards, *guards)) == 1
    decision = world.registry.course("trial").decisions[-1]
    assert (decision.action, decision.reason) == (Action.ROLL_BACK, ALARM.sentence)
    assert decision.actor.startswith("guard of ")
    [told] = json.loads(decision.evidence)["alarms"]
    assert (told["metric"], told["arm"], told["e_value"]) == ("error_rate", ARM, "inf")
    assert world.trial.state is State.ROLLED_BACK
    world.clock.move(EVERY_S * 2)
    assert sum(guard.step() for guard in guards) == 0


def test_all_workers_together_look_every_few_seconds(world: World) -> None:
    """Ten workers that step every second look about as often as one would."""
    guards = [world.guard(str(number)) for number in range(10)]
    for _ in range(60):
        for guard in guards:
            guard.step()
        world.clock.move(1.0)
    assert 60 / (EVERY_S + 2) <= len(world.seen) <= 60 / EVERY_S + 1


def test_when_the_one_who_looked_is_gone_another_looks(world: World) -> None:
    """After the same few seconds."""
    assert (world.guard("gone").step(), len(world.seen)) == (0, 1)
    other = world.guard("other")
    other.step()
    assert len(world.seen) == 1
    world.clock.move(EVERY_S)
    other.step()
    assert len(world.seen) == 2


def test_without_guardrails_nobody_looks(tmp_path: Path) -> None:
    """Nothing could come of it."""
    world = World(tmp_path, guardrails=[])
    world.guard().step()
    assert world.seen == []


def test_a_hard_break_rolls_back(world: World) -> None:
    """With the next step; failures of the control are heard too, and those after the end do nothing."""
    guard, trial = world.guard(), world.trial
    assert not any(guard.tried(trial, CONTROL, f"c{job}", ok=True) for job in range(20))
    said = [guard.tried(trial, ARM, f"t{job}", ok=False) for job in range(8)]
    assert said == [False] * 4 + [True] + [False] * 3
    assert (guard.step(), guard.step()) == (1, 0)
    decision = world.registry.course("trial").decisions[-1]
    assert decision.reason.startswith("Arm experimental is broken: 5 jobs in a row failed")
    assert json.loads(decision.evidence)["hard_break"]["control_tried"] == 20
    assert not any(guard.tried(world.trial, ARM, f"u{job}", ok=False) for job in range(20))


def test_an_arm_without_a_model_goes(world: World) -> None:
    """A control without one stays, for nobody else could answer."""
    guard = world.guard()
    assert not guard.lost(world.trial, CONTROL, "no weights")
    assert (guard.lost(world.trial, ARM, "no weights"), guard.lost(world.trial, ARM, "no weights")) == (True, False)
    assert guard.step() == 1
    assert world.registry.course("trial").decisions[-1].reason == "Arm experimental has no model: no weights"


def test_an_outage_only_delays(world: World) -> None:
    """What broke stays broken until the store takes the decision."""
    guard = world.guard()
    guard.step()
    for job in range(5):
        guard.tried(world.trial, ARM, str(job), ok=False)
    world.store.faults.down = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            guard.step()
    world.store.faults.down = False
    assert guard.step() == 1


def test_somebody_else_was_quicker(world: World) -> None:
    """An experiment that a person completed meanwhile stays completed."""
    guard = world.guard()
    guard.step()
    for job in range(5):
        guard.tried(world.trial, ARM, str(job), ok=False)
    world.registry.decide("trial", Action.COMPLETE, actor="ada", reason="enough")
    assert (guard.step(), guard.step()) == (0, 0)
    assert world.trial.state is State.COMPLETED


def test_a_new_version_begins_with_a_clean_sheet(world: World) -> None:
    """Failures of the old one are forgotten."""
    guard = world.guard()
    for job in range(4):
        guard.tried(world.trial, ARM, str(job), ok=False)
    world.registry.decide("trial", Action.COMPLETE, actor="ada", reason="next")
    world.registry.start(Experiment(name="trial", version=2), actor="ada")
    assert not guard.tried(world.trial, ARM, "5", ok=False)
    assert guard.step() == 0
    assert world.trial.state is State.RUNNING


def test_the_real_comparison_rolls_back_what_breaks(tmp_path: Path) -> None:
    """Counters of a control that fails once in fifty and an arm that fails every other time."""
    world = World(tmp_path)
    counters = Counters(world.store, "here")
    for number in range(1000):
        counters.add(trial_row(number, CONTROL, status="failed" if number % 50 == 0 else "done"))
    for number in range(1000, 1100):
        counters.add(trial_row(number, ARM, status="failed" if number % 2 else "done"))
    counters.flush()
    registry = Registry(world.store, world.clock, monotonic=world.seconds)
    assert Guard(registry, world.store, "here", monotonic=world.seconds).step() == 1
    decision = world.registry.course("trial").decisions[-1]
    assert json.loads(decision.evidence)["alarms"][0]["metric"] == "error_rate"

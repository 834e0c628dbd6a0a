"""Assignment: buckets that anybody can compute, even and independent, and a ramp that moves nobody."""

import hashlib
import itertools
import json
import math
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import chi2, chi2_contingency

from ab_testing import lifecycle
from ab_testing.assignment import Assigner, Placement, Salt, assign, buckets_of
from ab_testing.experiment import BUCKETS, Arm, Experiment
from ab_testing.lifecycle import Say
from ab_testing.state import State, Trial
from earmark.vocabulary import Tier
from tests.making import EPOCH, make_upload

SALTS: tuple[Salt, ...] = ("coverage", "arm", "shadow")
GOLDEN = Path(__file__).parents[1] / "data" / "ab-golden-vectors.json"
UNITS = [f"{random.Random(number).getrandbits(128):032x}" for number in range(20_000)]


def made(name: str = "trial", version: int = 1, shares: tuple[float, ...] = (0.9, 0.1), **fields: Any) -> Experiment:
    """An experiment with arms called a, b and so on."""
    arms = tuple(Arm(name="abcdefghij"[place], share=share) for place, share in enumerate(shares))
    return Experiment(name=name, version=version, arms=arms, **fields)


def running(experiment: Experiment, *, hours_ago: float = 0.0, state: State = State.RUNNING) -> Trial:
    """A version that was started some hours before the epoch of the tests."""
    return Trial(definition=experiment, state=state, started_at=EPOCH - timedelta(hours=hours_ago))


def buckets(experiment: Experiment, salt: Salt) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """The buckets of all units."""
    assigner = Assigner(experiment)
    return np.array([assigner.bucket(salt, unit) for unit in UNITS])


def test_golden_vectors() -> None:
    """The buckets in the file are those of the formula, computed here without a line of the code under test."""
    rows = json.loads(GOLDEN.read_text(encoding="utf-8"))["buckets"]
    assert len(rows) == 90
    for row in rows:
        assigner = Assigner(made(row["experiment"], row["version"]))
        for salt in SALTS:
            text = f"{row['experiment']}:{row['version']}:{salt}:{row['unit']}"
            bits = f"{int.from_bytes(hashlib.sha256(text.encode('utf-8')).digest(), 'big'):0256b}"[:60]
            assert assigner.bucket(salt, row["unit"]) == int(bits, 2) % 10_000 == row[salt], row
            assert assigner.bucket(salt, row["unit"].encode()) == row[salt]


def test_buckets_are_even() -> None:
    """Chi-square over a hundred groups of buckets, for each salt, with units as random ids and as counted names."""
    names = [f"tenant-{number}" for number in range(20_000)]
    for salt, units in itertools.product(SALTS, (UNITS, names)):
        assigner = Assigner(made())
        seen = np.bincount([assigner.bucket(salt, unit) // 100 for unit in units], minlength=100)
        statistic = float(((seen - 200) ** 2 / 200).sum())
        assert chi2.sf(statistic, 99) > 1e-3, (salt, statistic)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("trial", 1, "coverage"), ("trial", 1, "arm")),
        (("trial", 1, "shadow"), ("trial", 1, "arm")),
        (("trial", 1, "arm"), ("trial", 2, "arm")),
        (("trial", 1, "coverage"), ("trial", 2, "coverage")),
        (("trial-a", 1, "arm"), ("trial-b", 1, "arm")),
        (("trial", 1, "arm"), ("trial", 11, "arm")),
    ],
)
def test_hashes_are_independent(one: tuple[str, int, Salt], other: tuple[str, int, Salt]) -> None:
    """Across salts, versions and names that differ in one letter: a ten by ten table shows nothing."""
    tens = [buckets(made(name, version), salt) // 1000 for name, version, salt in (one, other)]
    table = np.zeros((10, 10))
    np.add.at(table, tuple(tens), 1)
    assert chi2_contingency(table).pvalue > 1e-3


@given(unit=st.text(max_size=40), shares=st.lists(st.integers(0, 100), min_size=2, max_size=6).filter(any))
def test_a_ramp_moves_nobody(unit: str, shares: list[int]) -> None:
    """From 1 to 10 to 50 to 100 %: who was covered stays covered, in the same arm."""
    try:
        assigner = Assigner(made(shares=tuple(share / sum(shares) for share in shares)))
    except ValidationError:  # a share in the middle between two buckets, as 1/32
        reject()
    arms = [assigner.arm(unit, coverage) for coverage in (0.0, 0.01, 0.1, 0.5, 1.0)]
    assert arms[0] is None
    assert arms[-1] is not None
    first = next(place for place, arm in enumerate(arms) if arm is not None)
    assert len(set(arms[first:])) == 1


def test_shares_are_exact() -> None:
    """To the bucket: 90/10, thirds, tenths of a percent, and arms that get nothing first, last or between."""
    for shares, sizes in {
        (0.9, 0.1): [9000, 1000],
        (1 / 3, 1 / 3, 1 / 3): [3333, 3334, 3333],
        (0.999, 0.001): [9990, 10],
        (0.1,) * 10: [1000] * 10,
        (1.0, 0.0): [10_000, 0],
        (0.0, 1.0): [0, 10_000],
        (0.5, 0.0, 0.5): [5000, 0, 5000],
    }.items():
        assigner = Assigner(made(shares=shares))
        arms = [assigner.arm_at(bucket) for bucket in range(BUCKETS)]
        assert arms == sorted(arms)
        assert [arms.count("abcdefghij"[place]) for place in range(len(shares))] == sizes


def test_coverage_is_exact() -> None:
    """Half-open: a unit in bucket b is covered from b + 1 buckets on, and a third of all is 3333 buckets."""
    assigner = Assigner(made())
    for unit in UNITS[:200]:
        bucket = assigner.bucket("coverage", unit)
        assert assigner.arm(unit, bucket / BUCKETS) is None
        assert assigner.arm(unit, (bucket + 1) / BUCKETS) is not None
    assert [buckets_of(share) for share in (0, 0.01, 0.29, 1 / 3, 0.57, 1)] == [0, 100, 2900, 3333, 5700, 10_000]


def test_the_shadow_is_a_share_of_the_control() -> None:
    """By a hash of its own, and only for uploads of the control."""
    trial = running(made(shares=(0.5, 0.5), shadow=0.2))
    placement = Placement([trial])
    found = [placement.assign(make_upload(), unit, EPOCH) for unit in UNITS[:5000]]
    shadows = {arm: [each.shadow for each in found if each and each.arm == arm] for arm in "ab"}
    assert not any(shadows["b"])
    assert sum(shadows["a"]) / len(shadows["a"]) == pytest.approx(0.2, abs=0.03)


def test_an_exposure_says_all() -> None:
    """Experiment, version, arm, its share, the coverage of that moment and what was hashed."""
    trial = running(made(version=3, coverage=0.75))
    unit = next(unit for unit in UNITS if Assigner(trial.definition).arm(unit, 0.75) == "b")
    exposure = assign([trial], make_upload(), unit, EPOCH)
    assert exposure is not None
    assert exposure.model_dump(exclude_defaults=True) == {
        "experiment": "trial",
        "version": 3,
        "arm": "b",
        "share": 0.1,
        "coverage": 0.75,
        "unit": unit,
    }


def test_a_tenant_sees_one_model() -> None:
    """With tenants as units, all uploads of one are in the arm of its name."""
    trial = running(made(unit="tenant", shares=(0.5, 0.5)))
    for tenant in ("acme", "umbrella", "initech"):
        found = {assign([trial], make_upload(tenant=tenant), unit, EPOCH) for unit in UNITS[:50]}
        [exposure] = found
        assert exposure is not None
        assert (exposure.unit, exposure.arm) == (tenant, Assigner(trial.definition).arm(tenant, 1.0))


def test_who_is_left_out() -> None:
    """Tenants and tiers that take no part are in no arm, and free for the next experiment."""
    first = running(made("first", exclude={"tenants": ["acme"], "tiers": ["enterprise"]}), hours_ago=2)
    second = running(made("second"), hours_ago=1)
    for upload, name in {
        make_upload(tenant="acme"): "second",
        make_upload(tenant="other", tier=Tier.ENTERPRISE): "second",
        make_upload(tenant="other"): "first",
    }.items():
        exposure = assign([second, first], upload, UNITS[0], EPOCH)
        assert exposure is not None
        assert exposure.experiment == name
        assert assign([first], upload, UNITS[0], EPOCH) == (exposure if name == "first" else None)


RAMP = ({"after_h": 0, "coverage": 0.01}, {"after_h": 1, "coverage": 0.1}, {"after_h": 2, "coverage": 0.5})


def test_the_ramp_of_one_moves_no_unit_of_another() -> None:
    """A unit that the first will cover some day is never the second's; hours count from the start, pauses too."""
    first, second = made("first", ramp=RAMP), made("second")
    seen: dict[str, set[tuple[str, str] | None]] = {unit: set() for unit in UNITS[:2000]}
    covered = []
    for hours, state in ((0.0, State.RUNNING), (1.0, State.RUNNING), (1.5, State.PAUSED), (2.0, State.RUNNING)):
        live = [running(second), running(first, hours_ago=hours + 1e-6, state=state)]
        placement = Placement(live)
        found = {unit: placement.assign(make_upload(), unit, EPOCH) for unit in seen}
        for unit, exposure in found.items():
            seen[unit].add(None if exposure is None else (exposure.experiment, exposure.arm))
        covered.append(sum(each is not None and each.experiment == "first" for each in found.values()) / 2000)
    assert covered == pytest.approx([0.01, 0.1, 0.0, 0.5], abs=0.03)
    assert all(len(found - {None}) <= 1 for found in seen.values())
    assert sum(any(each and each[0] == "second" for each in found) for found in seen.values()) == pytest.approx(
        1000, abs=80
    )


def test_before_its_start_by_another_clock() -> None:
    """A router whose clock is behind takes the first step of the ramp."""
    trial = running(made(ramp=({"after_h": 0, "coverage": 1.0},)), hours_ago=-1)
    assert assign([trial], make_upload(), UNITS[0], EPOCH) is not None


def test_an_ended_experiment_or_none() -> None:
    """Nobody is put anywhere, and by one that pauses nobody either."""
    assert assign([], make_upload(), UNITS[0], EPOCH) is None
    assert assign([running(made(), state=State.PAUSED)], make_upload(), UNITS[0], EPOCH) is None


def test_less_coverage_and_more_again_moves_nobody_between_experiments() -> None:
    """The first one lowered, another one started meanwhile, the first one raised again: no unit is ever in both."""
    first = lifecycle.start(None, made("first", coverage=0.25), Say("ada", EPOCH))
    lowered = lifecycle.start(first, made("first", coverage=0.1), Say("ada", EPOCH))
    raised = lifecycle.start(lowered, made("first", coverage=0.25), Say("ada", EPOCH))
    second = Trial(definition=made("second"), state=State.RUNNING, started_at=EPOCH + timedelta(hours=1))
    seen: dict[str, set[str]] = {unit: set() for unit in UNITS[:4000]}
    taken = []
    for course in (first, lowered, raised):
        placement = Placement([course.latest, second])
        found = {unit: placement.assign(make_upload(), unit, EPOCH + timedelta(hours=2)) for unit in seen}
        for unit, exposure in found.items():
            seen[unit] |= {exposure.experiment} if exposure else set()
        taken.append(sum(each is not None and each.experiment == "first" for each in found.values()) / len(seen))
    assert taken == pytest.approx([0.25, 0.1, 0.25], abs=0.03)
    assert all(len(experiments) <= 1 for experiments in seen.values())


@given(share=st.floats(0, 1))
def test_a_share_that_is_taken_rounds_alike_everywhere(share: float) -> None:
    """Half to even as Python does, and half away from zero as SQL does; what would differ is refused."""
    try:
        experiment = made(coverage=share)
    except ValidationError:
        assert abs(share * BUCKETS % 1 - 0.5) < 1e-5
    else:
        assert buckets_of(experiment.coverage) == math.floor(share * BUCKETS + 0.5)

"""Whatever finite values the rows hold, a look at them says something, and never raises or says "nan"."""

import json
import math
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ab_testing.comparison import compare
from ab_testing.counter_file import Counted, read, written
from ab_testing.evidence import BIN_OF_ZERO, BINS, VALUE_MOST, Evidence, Moments, bin_edges, bin_of
from ab_testing.evidence_rows import read_evidence, read_segments
from ab_testing.report import build_report
from ab_testing.statistics.mean_difference import mean_difference
from runtime.ab.report import FORMATS, rendered
from runtime.local.warehouse import LocalWarehouse
from tests.ab_arms import EXPERIMENT, THREE, arm, of, two
from tests.experiment_rows import NAMES, START, plain, trial_row

finite = st.floats(allow_nan=False, allow_infinity=False)
extreme = st.one_of(finite, st.sampled_from([0.0, -1.0, 5e-324, 1e-200, 1e-15, 1e15, 1e200, 1.7976931348623157e308]))
trials = st.builds(
    lambda number, numbers, words, flags: trial_row(
        number,
        arm=words[0],
        status=words[1],
        fallback=flags[0],
        over_sla=flags[1],
        warm=flags[2],
        **dict(zip(("predict_s", "confidence", "cost_usd", "queued_s", "total_s", "audio_s"), numbers, strict=True)),
    ),
    st.integers(),
    st.tuples(*[extreme] * 6),
    st.tuples(st.sampled_from(["primary", "experimental"]), st.sampled_from(["done", "failed", "rejected"])),
    st.tuples(*[st.booleans()] * 3),
)
sums = st.builds(Moments, st.integers(1, 10**9), *[extreme] * 5)


def check(evidence: Evidence) -> None:
    """Every format can be written, and no number of it is none."""
    for experiment in (EXPERIMENT, THREE):
        found = compare(experiment, evidence)
        for finding in found.findings:
            numbers = (finding.control, finding.treatment, finding.difference, finding.low, finding.high)
            assert all(each is None or math.isfinite(each) for each in (*numbers, finding.relative, finding.e_value))
            assert "nan" not in finding.sentence.replace("finance", "")
        assert all(each.e_value is None or math.isfinite(each.e_value) for each in found.alarms)
    steps = [(START, evidence), (START + timedelta(hours=1), evidence)]
    report = build_report(
        EXPERIMENT,
        "running",
        evidence,
        seen_at=START + timedelta(hours=2),
        steps=steps,
        segments={("tier", "a"): evidence},
    )
    for output in FORMATS:
        assert rendered(report, output)
    json.loads(rendered(report, "json"))


@settings(deadline=None, max_examples=50)
@given(st.lists(trials, max_size=12), st.booleans())
def test_rows_of_any_finite_values_are_compared(rows: list, among: bool) -> None:  # type: ignore[type-arg]  # noqa: FBT001
    """A few alone, or among thousands of good ones; their counters can be kept and read again."""
    evidence = two(arm(2700, 30), arm(300, 3, seed=1)) if among else Evidence()
    evidence.add(rows)
    check(evidence)
    assert plain(read(written(Counted(evidence))).evidence) == plain(evidence)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(-(10**6), 10**6), sums), min_size=2, max_size=6))
def test_sums_of_any_finite_size_are_compared(parts: list[tuple[int, Moments]]) -> None:
    """As a warehouse may hold them from before values were bounded: sums may even overflow."""
    evidence = two(arm(2700, 30, values=0), arm(300, 3, values=0))
    for place, (number, moments) in enumerate(parts):
        name = ("primary", "experimental")[place % 2]
        for metric in ("predict_s", "confidence", "cost_usd"):
            evidence.arms[name].add_moments(metric, number, moments)
    check(evidence)


def test_one_absurd_row_leaves_the_rest_comparable() -> None:
    """A time and a cost of 1e200 among thousands: the winsorised difference hardly moves."""
    evidence = two(arm(3600), arm(400, seed=1))
    calm = of(compare(EXPERIMENT, evidence), "predict_s")
    evidence.add([trial_row(1, arm="experimental", predict_s=1e200, cost_usd=1e200)])
    struck = of(compare(EXPERIMENT, evidence), "predict_s")
    assert struck.difference == pytest.approx(calm.difference, abs=0.5)
    assert struck.low is not None
    check(evidence)


@given(finite)
def test_every_value_has_a_bin_of_its_size(value: float) -> None:
    """Also the largest and the least, which stay within the bins there are."""
    number = bin_of(value)
    low, high = bin_edges(number)
    if number == BIN_OF_ZERO:
        assert value < 1e-15
        return
    assert BINS[0] <= number <= BINS[1]
    assert low * (1 - 1e-9) <= min(value, VALUE_MOST) <= high * (1 + 1e-9)


def test_audio_of_one_length_makes_no_slope() -> None:
    """What is left of its spread is rounding, and no slope is fitted to that."""
    bins = [
        {0: Moments(3000, 3000.0 + by, 3200.0 + by, 3000 * 0.1, 3000 * 0.1 * 0.1 + 1e-13, 300.0 + by)} for by in (0, 9)
    ]
    assert mean_difference(*bins, adjusted=True).slope == 0.0


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("name", ["predict_s", "cost_usd", "audio_s", "confidence", "share"])
def test_a_trial_that_is_not_finite_is_no_row(name: str, value: float) -> None:
    """Nobody can append one, and so spoil the sums of all others."""
    with pytest.raises(ValidationError, match="finite"):
        trial_row(1, **{name: value})


def test_the_views_bound_values_alike(tmp_path: Path) -> None:
    """What SQL makes of extreme rows is what the counters make of them; its segments are finite too."""
    values = [0.0, -1e300, 1e-300, 1e-16, 1.1e-15, 1.0, 1e14, 1e16, 1e200, -1.0]
    rows = [
        trial_row(place, predict_s=value, cost_usd=value, total_s=value, queued_s=value, audio_s=abs(value))
        for place, value in enumerate(values)
    ]
    warehouse = LocalWarehouse(tmp_path / "w.sqlite")
    warehouse.append(rows)
    counted = Evidence()
    counted.add(rows)
    found = read_evidence(warehouse.query, NAMES[0], 1)
    for metric, bins in counted.arms["primary"].bins.items():
        assert set(found.arms["primary"].bins[metric]) == set(bins)
        for number, moments in bins.items():
            assert tuple(found.arms["primary"].bins[metric][number]) == pytest.approx(tuple(moments), rel=1e-9)
    for segment in read_segments(warehouse.query, NAMES[0], 1).values():
        for each in segment.arms["primary"].bins.values():
            assert all(math.isfinite(part) for moments in each.values() for part in moments)

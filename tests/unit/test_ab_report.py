"""What a report says, before it is rendered."""

from datetime import timedelta

import pytest

from ab_testing.comparison import compare
from ab_testing.evidence import ArmEvidence, Evidence, Moments
from ab_testing.evidence_rows import ShadowEvidence
from ab_testing.experiment import Arm
from ab_testing.finding import Verdict
from ab_testing.metrics import METRICS
from ab_testing.report import Report, build_report
from ab_testing.report_pairs import shadow_pairs
from ab_testing.report_sections import sections
from ab_testing.report_summary import headline, standing, summary
from ab_testing.report_words import DASH, count, days, difference, evidence, figure, interval, relative, shown, signed
from ab_testing.state import Action, State
from tests.ab_reports import BEGAN, decision, experiment, full_report, hourly, total

RATE, TIME, COST = METRICS["error_rate"], METRICS["predict_s"], METRICS["cost_usd"]


def empty(**fields: object) -> Report:
    """Nothing has come yet."""
    return build_report(experiment(**fields), "running", Evidence(), seen_at=BEGAN, started_at=BEGAN)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (0.0000123456, "0.0000123"),
        (12345.678, "12,346"),
        (0.9999, "1"),
        (999.96, "1,000"),
        (0.0, "0"),
        (-0.0, "0"),
        (-0.00251, "-0.00251"),
        (1e-15, "0"),
        (None, DASH),
        (float("nan"), DASH),
        (float("inf"), DASH),
    ],
)
def test_figures_have_three_digits_and_no_exponents(value: float | None, text: str) -> None:
    """Whatever their size; what is not known is a dash."""
    assert figure(value) == text


def test_figures_have_units_and_signs() -> None:
    """Rates are percent and their differences points."""
    assert shown(RATE, 0.0325) == "3.25 %"
    assert shown(COST, 0.0000213) == "0.0000213 USD"
    assert (shown(TIME, None), difference(TIME, None), relative(None), count(None)) == (DASH,) * 4
    assert difference(RATE, 0.0041) == "+0.41 points"
    assert difference(TIME, -0.2) == "-0.2 s"
    assert (signed(0.0), signed(3.0), relative(0.5)) == ("0", "+3", "+50 %")
    assert interval(RATE, -0.001, 0.008) == "-0.1 to +0.8"
    assert interval(TIME, None, 0.5) == "up to +0.5"
    assert interval(TIME, 0.5, float("inf")) == "from +0.5"
    assert interval(TIME, None, None) == DASH
    assert [evidence(each) for each in (None, 1e9, float("inf"), 23.456, 1e-9, 0.0)] == [
        DASH, "> 1 million", "> 1 million", "23.5", "< 0.001", "0",
    ]  # fmt: skip
    assert [days(each) for each in (None, 0.0, 0.01, 0.5, 3.456)] == [
        DASH,
        "less than a minute",
        "14 min",
        "12 h",
        "3.5 days",
    ]


def test_a_report_holds_what_was_counted() -> None:
    """Totals by arm, the comparison itself, and looks that add up to it."""
    report = full_report()
    assert [arm.name for arm in report.arms] == ["primary", "experimental"]
    whole = total(hourly())
    assert report.arms[1].failed == whole.arms["experimental"].counts["failed"]
    assert report.arms[0].cost_usd == pytest.approx(sum(m.y for m in whole.arms["primary"].bins["cost_usd"].values()))
    assert report.comparison == compare(report.experiment, whole)
    assert len(report.looks) == 52
    last = {past.metric: past for past in report.looks[-1].findings}
    for finding in report.comparison.findings:
        if METRICS[finding.metric].quantile is None:
            assert last[finding.metric].low == finding.low
            assert last[finding.metric].difference == pytest.approx(finding.difference)
        else:
            assert finding.metric not in last
    assert report.looks[-1].at == report.seen_at
    assert [look.at for look in report.looks] == sorted(look.at for look in report.looks)


def test_steps_in_any_order_give_the_same_looks() -> None:
    """They are sorted by their begin."""
    parts = [(BEGAN + timedelta(hours=hour), part) for hour, part in enumerate(hourly(hours=5))]
    made = [
        build_report(experiment(), "running", Evidence(), seen_at=BEGAN + timedelta(hours=5), steps=steps).looks
        for steps in (parts, parts[::-1])
    ]
    assert made[0] == made[1]


def test_segments_are_told_largest_first_and_without_verdicts() -> None:
    """Empty ones are left out; the words say that they decide nothing."""
    report = full_report()
    assert [segment.value for segment in report.segments if segment.kind == "tier"] == ["free", "pro", "enterprise"]
    told = next(section for section in sections(report) if section.key == "segments")
    assert "Exploratory" in told.texts[0]
    assert not told.explained
    assert all("verdict" not in {column.name for column in sheet.columns} for sheet in told.sheets)
    assert all({"better", "worse", "open"}.isdisjoint(row) for sheet in told.sheets for row in sheet.rows)
    none = build_report(experiment(), "running", Evidence(), seen_at=BEGAN, segments={("tier", "free"): Evidence()})
    assert none.segments == ()


def test_the_first_paragraph_says_what_matters() -> None:
    """Which arm is better or worse in what, the sample ratio and the guardrails."""
    report = full_report()
    text = " ".join(summary(report))
    assert standing(report, "experimental") == "better in some and worse in others"
    for words in (
        "is running",
        "covers 10 % of the uploads",
        "worse than primary in jobs whose tries all failed (5.62 % against 2.95 %)",
        "better than primary in mean inference time",
        "The sample ratio holds so far",
        "No guardrail has fired so far",
    ):
        assert words in text
    assert headline(report).startswith("qwen-or-listener, version 2: experimental is")


def test_a_guardrail_that_fires_and_a_rollback_are_told_first() -> None:
    """With the evidence, who did it and why."""
    back = decision(number=2, actor="guard of w1", action=Action.ROLL_BACK, state=State.ROLLED_BACK, reason="It broke.")
    report = build_report(
        experiment(),
        "rolled_back",
        total(hourly(hours=20, errors=0.3)),
        seen_at=BEGAN + timedelta(hours=20),
        started_at=BEGAN,
        decisions=[decision(), back],
    )
    text = " ".join(summary(report))
    assert report.comparison.alarms
    assert "A guardrail fired: Jobs whose tries all failed" in text
    assert "was rolled back" in text
    assert "It was rolled back by guard of w1: It broke." in text
    assert standing(report, "experimental") in {"worse", "better in some and worse in others"}
    checks = next(section for section in sections(report) if section.key == "checks")
    assert checks.sheets[0].rows[0][-1] == "fired"


def test_a_broken_sample_ratio_is_told() -> None:
    """And nothing is called better or worse then."""
    broken = total(hourly(hours=10))
    broken.arms["experimental"].assigned *= 3
    report = build_report(experiment(), "running", broken, seen_at=BEGAN)
    words = " ".join(summary(report))
    assert "did not get their shares" in words
    assert "1 of 2 guardrails is not judged, because the sample ratio is broken" in words
    assert standing(report, "experimental") == "withheld"


def withheld(**fields: object) -> Report:
    """Half of the experimental jobs that were assigned never ended, or customers were dealt."""
    parts = hourly(hours=4)
    parts[0].arms["experimental"].assigned += 500
    return build_report(
        experiment(**fields),
        "running",
        total(parts),
        seen_at=BEGAN + timedelta(hours=4),
        steps=[(BEGAN + timedelta(hours=hour), part) for hour, part in enumerate(parts)],
        segments={("tier", "free"): total(parts[1:])},
        pairs={"experimental": ShadowEvidence(400, 3, Moments(390, -78.0, 30.0), Moments(), {"key": (390, 312)})},
    )


@pytest.mark.parametrize("unit", ["upload", "tenant"])
def test_what_is_withheld_is_told_once_and_shows_no_interval(unit: str) -> None:
    """Not in a segment and at no earlier look either; a word in each row, the reason at the top."""
    report = withheld(unit=unit)
    told = next(section for section in sections(report) if section.key == "metrics")
    assert {row[-1] for row in told.sheets[0].rows} == {"withheld"}
    assert {row[4] for row in told.sheets[0].rows} == {row[6] for row in told.sheets[0].rows} == {DASH}
    assert told.explained == ()
    findings = [finding for segment in report.segments for finding in segment.findings]
    pasts = [past for look in report.looks for past in look.findings]
    assert {(each.low, each.high) for each in [*findings, *pasts]} == {(None, None)}
    words = [*summary(report), *(text for section in sections(report) for text in section.texts)]
    assert words.count(report.comparison.withheld) == 1
    assert "sample ratio holds" not in " ".join(words)
    assert (report.pairs[0].agreements[0].low is None) is (unit == "tenant")
    assert (report.pairs[0].differences[0].low is None) is (unit == "tenant")


def test_a_relative_difference_follows_from_what_is_shown() -> None:
    """Difference over the control's value, also where a mean's difference is capped and adjusted."""
    for finding in full_report().comparison.findings:
        assert finding.difference is not None
        assert finding.control is not None
        assert finding.relative == pytest.approx(finding.difference / finding.control)


def test_an_empty_experiment_says_so() -> None:
    """No verdict, no ratio and no alarm, but all sections stand."""
    report = empty()
    assert report.empty
    text = " ".join(summary(report))
    assert "there is nothing to compare" in text
    assert "sample ratio" not in text
    assert {finding.verdict for finding in report.comparison.findings} <= {Verdict.TOO_FEW, Verdict.OPEN}
    told = next(section for section in sections(report) if section.key == "metrics")
    assert all(row[1:5] == (DASH,) * 4 for row in told.sheets[0].rows)
    checks = next(section for section in sections(report) if section.key == "checks")
    assert all(row[-1].startswith("not judged, because ") for row in checks.sheets[0].rows)


def test_three_arms_are_told_one_by_one() -> None:
    """Each against the control."""
    arms = [Arm(name="primary", share=0.8), Arm(name="b", share=0.1), Arm(name="c", share=0.1)]
    parts = total(hourly(hours=4))
    parts.arms["b"], parts.arms["c"] = parts.arms.pop("experimental"), ArmEvidence()
    report = build_report(experiment(arms=arms), "running", parts, seen_at=BEGAN)
    assert [section.title for section in sections(report) if section.key == "metrics"] == [
        "b against primary",
        "c against primary",
    ]
    assert standing(report, "c") == "open"
    assert headline(report).count(" is ") == 2


def test_pairs_are_compared_upload_by_upload() -> None:
    """The interval is that of the differences, and needs some pairs; agreement has one too."""
    many = ShadowEvidence(400, 3, Moments(390, -78.0, 30.0), Moments(), {"key": (390, 312), "genres": (0, 0)})
    found = shadow_pairs("experimental", many, 0.05)
    seconds, confidence = found.differences
    assert seconds.difference == pytest.approx(-0.2)
    assert seconds.low is not None
    assert seconds.high is not None
    assert seconds.low < -0.2 < seconds.high < 0
    assert (confidence.pairs, confidence.difference, confidence.low) == (0, None, None)
    genres, key = found.agreements
    assert key.share == pytest.approx(0.8)
    assert key.low < 0.8 < key.high
    assert (genres.share, genres.low, genres.high) == (None, 0.0, 1.0)
    few = shadow_pairs("experimental", ShadowEvidence(5, 0, Moments(5, 1.0, 0.4)), 0.05)
    assert few.differences[0].difference == pytest.approx(0.2)
    assert few.differences[0].low is None

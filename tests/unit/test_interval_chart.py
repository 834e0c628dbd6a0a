"""Charts of intervals: what is drawn lies where it should, and axes can be read."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runtime.ab.interval_chart import (
    HEIGHT,
    LEFT,
    LOWER,
    RIGHT,
    UPPER,
    WIDTH,
    MetricInterval,
    TimedInterval,
    interval_chart,
    metric_chart,
    tick_words,
    ticks,
)

LOOKS = [TimedInterval(hour, 0.02, 0.02 - 0.3 / hour, 0.02 + 0.3 / hour, f"hour {hour}") for hour in range(1, 41)]


def course(looks: list[TimedInterval], title: str = "errors", **fields: object) -> str:
    """A chart over time."""
    return interval_chart("a", title, looks, **{"unit": "points", "scale": 100.0, "worse_above": True, **fields})  # type: ignore[arg-type]


def elements(svg: str, tag: str) -> list[ET.Element]:
    """Those of a well-formed picture."""
    return list(ET.fromstring(svg).iter(tag))  # noqa: S314  # our own


def words(svg: str) -> list[str]:
    """The texts in it."""
    return [element.text or "" for element in elements(svg, "text")]


def test_all_looks_are_drawn_inside_the_frame() -> None:
    """Dots always; the band is clipped to it."""
    svg = course(LOOKS)
    dots = elements(svg, "circle")
    assert len(dots) == 40
    for dot in dots:
        assert LEFT <= float(dot.attrib["cx"]) <= WIDTH - RIGHT
        assert UPPER <= float(dot.attrib["cy"]) <= HEIGHT - LOWER
    assert [title.text for title in elements(svg, "title")][1:3] == ["hour 1", "hour 2"]
    for tag in ("polygon", "polyline"):
        assert all(element.attrib["clip-path"] == "url(#a-c)" for element in elements(svg, tag))


def test_first_wide_intervals_do_not_squash_the_rest() -> None:
    """The axis goes by later looks."""
    numbers = [float(word) for word in words(course(LOOKS)) if re.fullmatch(r"[+-]\d+", word)]
    assert max(numbers) <= 10
    assert min(numbers) >= -10


def test_the_worse_side_is_named() -> None:
    """Above for what should be low, below for what should be high."""
    sides = {}
    for above in (True, False):
        texts = elements(course(LOOKS, worse_above=above), "text")
        sides[above] = {each.text: float(each.attrib["y"]) for each in texts if each.text in {"worse", "better"}}
    assert sides[True]["worse"] < sides[True]["better"]
    assert sides[False]["worse"] > sides[False]["better"]


def test_long_runs_are_told_in_days() -> None:
    """From three days on."""
    assert "hours since the start" in words(course(LOOKS))
    assert "days since the start" in words(course([look._replace(hours=look.hours * 24) for look in LOOKS]))


def test_nothing_known_draws_nothing() -> None:
    """No empty frames."""
    assert course([]) == ""
    assert course([TimedInterval(1, 0.1, None, 0.2)]) == ""
    assert metric_chart("a", "all", [MetricInterval("x", None, None, None, "too few")]) == ""


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-7])
def test_a_single_look_is_drawn_too(value: float) -> None:
    """Also one without any width."""
    for half in (0.0, abs(value) / 2):
        svg = course([TimedInterval(0.5, value, value - half, value + half)])
        assert len(elements(svg, "circle")) == 1


def test_names_are_escaped() -> None:
    """In titles, labels and tips."""
    odd = '<script>"&\x1b'
    over_time = course([TimedInterval(1, 0.1, 0.0, 0.2, odd)], title=odd, unit=odd)
    beside = metric_chart("a", odd, [MetricInterval(odd, 0.1, 0.0, 0.2, odd, tip=odd)])
    for svg in (over_time, beside):
        assert "<script" not in svg
        assert any("<script>" in word for word in words(svg))


def test_metrics_lie_to_the_side_that_they_are_on() -> None:
    """Better left of zero, worse right of it; what goes on has an arrow; the guardrail has its mark."""
    svg = metric_chart(
        "a",
        "all",
        [
            MetricInterval("better", -0.2, -0.3, -0.1, "better"),
            MetricInterval("worse", 0.4, 0.2, 9.0, "worse", margin=0.3),
            MetricInterval("unknown", None, None, None, "too few"),
            MetricInterval("open ended", 0.0, None, 0.1, "open"),
        ],
    )
    zero = next(float(line.attrib["x1"]) for line in elements(svg, "line") if line.attrib["class"] == "zero")
    dots = {dot.attrib["class"]: float(dot.attrib["cx"]) for dot in elements(svg, "circle")}
    assert dots["point better"] < zero < dots["point worse"]
    assert dots["point open"] == zero
    assert len(elements(svg, "polyline")) == 2
    assert sum(line.attrib["class"] == "margin" for line in elements(svg, "line")) == 1
    assert {"no data", "too few", "the same", "100 % worse"} <= set(words(svg))
    width = float(ET.fromstring(svg).attrib["viewBox"].split()[2])  # noqa: S314  # our own
    assert all(0 <= float(line.attrib[end]) <= width for line in elements(svg, "line") for end in ("x1", "x2"))


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6))
def test_ticks_enclose_their_range_and_differ(low: float, width: float) -> None:
    """A handful of round numbers, each with words of its own."""
    assume(abs(low) <= 1e6 * width)
    steps = ticks(low, low + width, 5)
    assert steps[0] <= low + width * 1e-6
    assert steps[-1] >= low + width * (1 - 1e-6)
    assert 2 <= len(steps) <= 8
    told = [tick_words(step, steps) for step in steps]
    assert len(set(told)) == len(told)

"""The pictures and the text of a calibration."""

import xml.etree.ElementTree as ET
from collections import Counter

import pytest

from runtime.calibration.cost_quality_chart import cost_quality_chart
from runtime.calibration.reliability_chart import axis_top, reliability_chart
from runtime.calibration.text import report_lines
from tests.making import EPOCH
from tests.unit.test_calibration import IDENTITY, LABELS, fitted, over_confident
from workers.calibration import ALL, Identity
from workers.calibration_fit import Label, fit

pytestmark = pytest.mark.usefixtures("few_draws")

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """The words of a picture that is well-formed."""
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314  # our own


def test_every_field_has_its_two_panels() -> None:
    """And all fields together have a third pair; what is drawn is inside the picture."""
    calibration = fitted(over_confident(1200) + [Label("tags", right=n % 3 > 0, recording=str(n)) for n in range(60)])
    words = texts(reliability_chart(calibration))
    assert {"content_type", "tags", "all fields"} <= set(words)
    assert words.count("wrong among the kept") == 3
    root = ET.fromstring(reliability_chart(calibration))  # noqa: S314  # our own
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for mark in root.iter(f"{SVG}circle"):
        assert 0 <= float(mark.attrib["cx"]) <= width
        assert 0 <= float(mark.attrib["cy"]) <= height


def test_one_field_is_told_once() -> None:
    """Neither text nor picture repeats it as all fields together."""
    calibration = fitted(over_confident(100))
    assert "all fields" not in " ".join(texts(reliability_chart(calibration)))
    assert "all fields" not in "\n".join(report_lines(calibration, Counter()))


def test_names_are_escaped() -> None:
    """A model may be called anything."""
    odd = Identity('<script>"&', "1")
    calibration = fit(over_confident(40), identity=odd, label_set=LABELS, fitted_at=EPOCH)
    assert any("<script>" in word for word in texts(reliability_chart(calibration)))
    assert "<script>" not in reliability_chart(calibration)
    assert "<script>" not in cost_quality_chart(calibration.report[ALL].curve, None, str(odd))


def test_the_chosen_threshold_is_named() -> None:
    """With what it sends and what stays wrong."""
    curve = fitted(over_confident(400)).report[ALL].curve
    chosen = next(point for point in curve if point.threshold == pytest.approx(0.7))
    assert any("threshold 0.70" in word for word in texts(cost_quality_chart(curve, chosen, str(IDENTITY), 0.004)))


def test_an_axis_holds_its_values() -> None:
    """Also none, and certain errors."""
    assert [axis_top(values) for values in ([], [0.0], [0.11], [1.0])] == [1.0, 0.05, 0.2, 1.0]


def test_the_report_says_what_was_fitted() -> None:
    """The kind of curve, figures before and after, octaves, and the fields that stay uncalibrated."""
    labels = [
        *over_confident(1200),
        *(Label("vocals", right=True, recording=str(n), score=0.99) for n in range(40)),
        *(Label("tempo_bpm", right=n % 2 > 0, recording=str(n), score=0.5) for n in range(40)),
        *(Label("moods", right=n % 6 > 0, recording=str(n), score=0.95 if n % 6 else 0.05) for n in range(40)),
        Label("key", right=True, recording="r"),
    ]
    text = "\n".join(report_lines(fitted(labels), Counter(answers=40, right=20, near=30)))
    for words in (
        "content_type (isotonic)",
        "vocals: 40 right and 0 wrong answers; it takes 5 of either",
        "tempo_bpm (level: the score tells nothing)",
        "right but for the octave 75.0%",
        "before, 0.0",
        "key: 1 labels from 1 recordings",
        "all fields together",
        "No better than before",
    ):
        assert words in text

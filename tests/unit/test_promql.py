"""The reader of PromQL that the tests of alerts stand on sees what there is."""

import pytest

from tests.promql import Asked, Matcher, Selector, asked

LANE = (Matcher("q", "=~", "h|l"), Matcher("r", "!=", "s"))


def reads(*selectors: Selector, grouped: str = "", made: str = "") -> Asked:
    """What is expected; labels divided by spaces."""
    return Asked(selectors, frozenset(grouped.split()), frozenset(made.split()))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a > 1", reads(Selector("a", ()))),
        ("time() - max by (p) (a{x='1'})", reads(Selector("a", (Matcher("x", "=", "1"),)), grouped="p")),
        ("sum(rate(a_b[5m])) by (l) / on (m) b", reads(Selector("a_b", ()), Selector("b", ()), grouped="l m")),
        (
            'label_replace(x:y{q=~"h|l", r!="s"} offset 1h, "lane", "$1", "q", "(.+)") unless on () absent(z)',
            reads(Selector("x:y", LANE), Selector("z", ()), made="lane"),
        ),
        ("a and b or c unless d == bool 1e3  # e", reads(*(Selector(name, ()) for name in "abcd"))),
    ],
)
def test_an_expression_is_read(expression: str, expected: Asked) -> None:
    """Metrics, what they are selected by, what is grouped by and what is made; functions and words are none."""
    assert asked(expression) == expected

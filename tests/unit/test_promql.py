"""The reader of PromQL that the tests of alerts stand on sees what there is."""

import pytest

from tests.promql import Asked, Matcher, Selector, asked


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a > 1", Asked((Selector("a", ()),), frozenset(), frozenset())),
        ("time() - max by (p) (a{x='1'})", Asked((Selector("a", (Matcher("x", "=", "1"),)),), frozenset({"p"}), frozenset())),
        ("sum(rate(a_total[5m])) by (l) / on (l) b", Asked((Selector("a_total", ()), Selector("b", ())), frozenset({"l"}), frozenset())),
        (
            'label_replace(x:y{q=~"h|l", r!="s"} offset 1h, "lane", "$1", "q", "(.+)") unless on () absent(z)',
            Asked(
                (Selector("x:y", (Matcher("q", "=~", "h|l"), Matcher("r", "!=", "s"))), Selector("z", ())),
                frozenset(),
                frozenset({"lane"}),
            ),
        ),
        ("a and b or c unless d == bool 1e3", Asked(tuple(Selector(name, ()) for name in "abcd"), frozenset(), frozenset())),
    ],
)  # fmt: skip
def test_an_expression_is_read(expression: str, expected: Asked) -> None:
    """Metrics, what they are selected by, what is grouped by and what is made; functions and words are none."""
    assert asked(expression) == expected

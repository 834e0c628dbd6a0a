"""The spans of an answer's values, by bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.models.answer_reader import BadAnswer, value_spans

PLAIN = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)


@given(
    values=st.dictionaries(WORDS, PLAIN | WORDS | st.lists(PLAIN | WORDS, max_size=3), max_size=4),
    ascii_only=st.booleans(),
)
@example(values={"a": 'q"\\\n', "é": ["😀", "", None], "": []}, ascii_only=False)
@example(values={"a": "😀", "b": ["漢", 1.5e300]}, ascii_only=True)
def test_spans_hold_the_values(values: dict[str, Any], ascii_only: bool) -> None:  # noqa: FBT001
    """The bytes of each span are the value's, whatever characters and escapes stand before it and in it."""
    written = json.dumps(values, separators=(",", ":"), ensure_ascii=ascii_only).encode()
    spans = value_spans(written.decode())
    assert set(spans) == set(values)
    for name, value in values.items():
        entries = value if isinstance(value, list) else [value]
        assert len(spans[name]) == len(entries)
        for entry, (start, stop) in zip(entries, spans[name], strict=True):
            quote = b'"' if isinstance(entry, str) else b""
            assert written[start - len(quote) : stop + len(quote)] == quote + written[start:stop] + quote
            assert json.loads(quote + written[start:stop] + quote) == entry


def test_spans_of_an_answer() -> None:
    """By hand: offsets count bytes, quotes stay outside, an empty list has none."""
    assert value_spans('{"a":"é😀","b":["x","yz"],"c":[],"d":null,"e":120}') == {
        "a": ((6, 12),),
        "b": ((20, 21), (24, 26)),
        "c": (),
        "d": ((40, 44),),
        "e": ((49, 52),),
    }
    with pytest.raises(BadAnswer, match="twice"):
        value_spans('{"a":1,"a":2}')


@pytest.mark.parametrize("text", ["", "[]", '{"a":', '{"a":{}}', '{"a":"', '{"a":1}{', '{"a":"\\ud800"}'])
def test_what_is_no_answer_has_no_spans(text: str) -> None:
    """Cut off, nested, doubled: an error, not half of the spans."""
    with pytest.raises(BadAnswer):
        value_spans(text)

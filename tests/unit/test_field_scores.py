"""From the tokens of an answer to a raw score per field."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.models.answer import FIELDS, answer_schema
from workers.models.constrained import Trace
from workers.models.field_scores import FREE_TEXT, LISTS, field_scores

Token = tuple[str, float, float, int]
"""Text, constrained probability, coverage, tokens allowed."""


def sure(text: str) -> Token:
    """A token of which nothing was in doubt and of which many were allowed."""
    return text, 1.0, 1.0, 9


def trace(*tokens: Token | str) -> Trace:
    """A trace of these tokens; a text alone stands for a token that the grammar forced."""
    rows = [(token, 1.0, 1.0, 1) if isinstance(token, str) else token for token in tokens]
    constrained = np.log(np.array([row[1] for row in rows], np.float32))
    coverage = np.array([row[2] for row in rows], np.float32)
    return Trace(
        pieces=tuple(row[0].encode() for row in rows),
        raw_logprob=constrained + np.log(coverage),
        constrained_logprob=constrained,
        margin=np.exp(constrained),
        coverage=coverage,
        allowed=np.array([row[3] for row in rows], np.int32),
    )


def test_an_enum_is_the_product_of_its_tokens() -> None:
    """Quotes, keys and braces do not count, however unsure."""
    found = field_scores(
        trace(('{"', 0.1, 1.0, 5), 'content_type":"', ("mu", 0.8, 1.0, 5), ("sic", 0.5, 1.0, 3), ('"}', 0.2, 1.0, 2))
    )
    assert found == {"content_type": pytest.approx(0.4)}


def test_a_number_and_null_are_products_too() -> None:
    """Tokens that hold more than the value count with it."""
    assert field_scores(trace('{"tempo_bpm":', ("1", 0.9, 1.0, 9), ("20}", 0.5, 1.0, 9))) == {
        "tempo_bpm": pytest.approx(0.45)
    }
    assert field_scores(trace('{"key":', ("null", 0.7, 1.0, 9), "}")) == {"key": pytest.approx(0.7)}


def test_a_list_has_a_score_for_each_entry() -> None:
    """The least of an entry's tokens; an empty list has none."""
    found = field_scores(
        trace(
            '{"genres":["', ("ro", 0.9, 1.0, 9), ("ck", 0.6, 1.0, 9), '","', ("pop", 0.3, 1.0, 9), '"],"tags":[', "]}"
        )
    )
    assert found["genres"] == (pytest.approx(0.6), pytest.approx(0.3))
    assert found["tags"] == ()


def test_a_text_is_its_tenth_quantile() -> None:
    """One bad word in thirty is not the whole text; three are."""
    words = [(" w", 0.9, 1.0, 9)] * 29
    one_bad = field_scores(trace('{"transcript":"', sure("w"), *words, (" x", 0.01, 1.0, 9), '"}'))
    many_bad = field_scores(trace('{"transcript":"', sure("w"), *words[:20], *[(" x", 0.01, 1.0, 9)] * 6, '"}'))
    assert one_bad["transcript"] == pytest.approx(0.9)
    assert many_bad["transcript"] == pytest.approx(0.01)


def test_bytes_are_counted_not_characters() -> None:
    """Text that is not ASCII does not shift the tokens of the fields behind it."""
    found = field_scores(trace('{"transcript":"', sure("žluťoučký"), '","description":"', ("🎵", 0.25, 1.0, 9), '"}'))
    assert found == {"transcript": pytest.approx(1.0), "description": pytest.approx(0.25)}


def test_a_forced_value_has_the_raw_probability_it_had() -> None:
    """Where the grammar left one token, being certain of it says nothing."""
    forced = field_scores(trace('{"key":"', ("C", 1.0, 0.5, 1), (" major", 1.0, 0.4, 1), '"}'))
    assert forced == {"key": pytest.approx(0.2)}


def test_low_coverage_lowers_a_score() -> None:
    """A model that wanted to say something else is less sure than its choice among what was left."""

    def content(coverage: float) -> object:
        return field_scores(trace('{"content_type":"', ("music", 0.9, coverage, 5), '"}'))["content_type"]

    assert content(0.6) == pytest.approx(0.9)
    assert content(0.1) == pytest.approx(0.18)


def test_an_empty_text_is_scored_by_the_token_that_ended_it() -> None:
    """To say nothing is a choice as well."""
    assert field_scores(trace('{"transcript":"', ('"', 0.3, 1.0, 9), "}")) == {"transcript": pytest.approx(0.3)}


@given(st.lists(st.tuples(st.floats(1e-6, 1.0), st.floats(1e-6, 1.0), st.integers(1, 9)), min_size=5, max_size=5))
def test_scores_are_between_0_and_1(rows: list[tuple[float, float, int]]) -> None:
    """Whatever the numbers."""
    texts = ('{"vocals":"', "no", "ne", '","genres":["', 'jazz"]}')
    found = field_scores(trace(*((text, *row) for text, row in zip(texts, rows, strict=True))))
    scores = [found["vocals"], *found["genres"]]  # type: ignore[misc]
    assert all(isinstance(score, float) and 0.0 <= score <= 1.0 and math.isfinite(score) for score in scores)


def test_the_kinds_of_fields_are_those_of_the_schema() -> None:
    """Lists are lists there, and free texts are what has no list of words and no short form."""
    properties = answer_schema(FIELDS)["properties"]
    assert {name for name in FIELDS if properties[name].get("type") == "array"} == LISTS
    texts = {
        name
        for name in FIELDS
        if any(option.get("maxLength", 0) > 100 for option in properties[name].get("anyOf", [properties[name]]))
    }
    assert texts == FREE_TEXT

"""What two windows both heard is said once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.models.transcript_join import joined


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("we went to the old house", "The old house, was empty", "we went to the old house was empty"),
        ("one two one two", "one two one two three", "one two one two three"),
        ("nothing", "in common", "nothing in common"),
        ("", "first", "first"),
        ("last", "", "last"),
        ("the same", "the same", "the same"),
        ("wait - what", "what — now?", "wait - what — now?"),
        ("今日は良い天気", "天気です。", "今日は良い天気です。"),
        ("今日は。", "はい。", "今日は。い。"),
        ("Straße", "STRASSE nine", "Straße nine"),
    ],
)
def test_shared_words_are_said_once(before: str, after: str, expected: str) -> None:
    """Without regard to case and punctuation, in scripts with and without spaces."""
    assert joined(before, after, overlap_s=10) == expected


def test_only_what_fits_the_overlap_is_shared() -> None:
    """Half a second holds four words at most; no overlap none."""
    assert joined("a b c d e", "a b c d e", overlap_s=0.5) == "a b c d e a b c d e"
    assert joined("so so", "so so", overlap_s=0.0) == "so so so so"


@given(st.lists(st.sampled_from("abcdefgh"), max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_cut_text_is_put_together_again(words: list[str], first: int, second: int) -> None:
    """Whatever overlap a text of different words was cut with, joining gives it back."""
    words = [f"{word}{index}" for index, word in enumerate(words)]
    start, stop = sorted((min(first, len(words)), min(second, len(words))))
    assert joined(" ".join(words[:stop]), " ".join(words[start:]), overlap_s=30) == " ".join(words)

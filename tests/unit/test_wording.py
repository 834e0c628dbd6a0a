"""Word errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.wording import spoken_number, word_errors, words

sentences = st.lists(st.sampled_from(["one", "two", "the", "tone"]), max_size=12).map(" ".join)


@pytest.mark.parametrize(
    ("number", "spoken"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (42, "forty two"),
        (305, "three hundred five"),
        (4815, "four eight one five"),
    ],
)
def test_numbers_are_spelled_out(number: int, spoken: str) -> None:
    """Numbers become the words that are said."""
    assert spoken_number(number) == spoken


def test_spelling_does_not_count() -> None:
    """Case, punctuation, hyphens and digits make no error."""
    assert word_errors("It's twenty-one, OK?", "its 21 okay") == (0, 4)


@pytest.mark.parametrize(
    ("heard", "errors"), [("a b c", 0), ("a c", 1), ("a x c", 1), ("a b x c", 1), ("", 3), ("c b a", 2)]
)
def test_each_change_is_one_error(heard: str, errors: int) -> None:
    """A word missing, wrong or added counts once."""
    assert word_errors("a b c", heard) == (errors, 3)


@given(sentences, sentences)
def test_errors_are_bounded(wanted: str, heard: str) -> None:
    """There are at least as many errors as words too few or too many, and at most as many as the longer text has."""
    wrong, count = word_errors(wanted, heard)
    assert count == len(words(wanted))
    assert abs(len(words(heard)) - count) <= wrong <= max(len(words(heard)), count)

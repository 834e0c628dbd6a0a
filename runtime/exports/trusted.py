"""``trusted``: which answers go out as facts, into tags and descriptions where no confidence stands beside them."""

from collections.abc import Iterable
from typing import Final, TypeVar

from earmark.metadata import Rated

Value = TypeVar("Value")
SCORE_LEAST: Final = 0.5
"""Raw score from which an answer without a calibrated confidence counts: the model thinks it more likely than not."""


def trusted(rated: Rated[Value], threshold: float) -> Value | None:
    """The answer, if it can be told as a fact; ``None`` = it is unknown, or too uncertain.

    Args:
        rated: the answer.
        threshold: confidence, 0 to 1, from which it counts; an answer that has none counts by its raw score.
    """
    sure = rated.confidence >= threshold if rated.confidence is not None else (rated.score or 0.0) >= SCORE_LEAST
    return rated.value if sure else None


def all_trusted(entries: Iterable[Rated[Value]], threshold: float) -> list[Value]:
    """Those of a list that can be told as facts."""
    return [value for each in entries if (value := trusted(each, threshold)) is not None]

"""Whether two answers about the same clip are the same."""

from __future__ import annotations

from dataclasses import dataclass

from earmark.domain import Prediction
from workers.validation.soundness import rated_of


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two answers compare."""

    differs: str
    """The first thing that is said differently; empty = the values are the same."""
    score_difference: float
    """The greatest difference of a score or confidence; 1 where only one answer has one."""


def compare(one: Prediction | None, other: Prediction | None) -> Agreement:
    """Compare values, coverage and scores; no answer is like no other answer, and is not agreement."""
    if one is None or other is None:
        return Agreement("no answer" if one is other else "an answer and none", 0.0 if one is other else 1.0)
    first, second = list(rated_of(one.metadata)), list(rated_of(other.metadata))
    said = [(field, rated.value, rated.basis) for field, rated in first]
    also = [(field, rated.value, rated.basis) for field, rated in second]
    if said != also:
        return Agreement(_first_difference(one, other), _difference(one, other))
    if one.covered_s != other.covered_s:
        return Agreement(f"{one.covered_s:g} s covered and {other.covered_s:g} s", _difference(one, other))
    return Agreement("", _difference(one, other))


def _first_difference(one: Prediction, other: Prediction) -> str:
    for field in type(one.metadata).model_fields:
        values = [[rated.value for name, rated in rated_of(each.metadata) if name == field] for each in (one, other)]
        if values[0] != values[1]:
            return f"{field} {_short(values[0])} and {_short(values[1])}"
    return "the basis of an answer"


def _difference(one: Prediction, other: Prediction) -> float:
    """Over the answers that both give, in their order."""
    pairs = [
        pair
        for (_, first), (_, second) in zip(rated_of(one.metadata), rated_of(other.metadata), strict=False)
        for pair in ((first.score, second.score), (first.confidence, second.confidence))
    ]
    return max(
        (
            abs(first - second) if first is not None and second is not None else 1.0
            for first, second in pairs
            if first is not second
        ),
        default=0.0,
    )


def _short(values: list[object]) -> str:
    text = ", ".join(str(value) for value in values)
    return repr(text if len(text) <= 40 else f"{text[:39]}…")  # noqa: PLR2004  # enough to see what it is

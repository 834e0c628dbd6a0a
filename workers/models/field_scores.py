"""From tokens to a raw score per field: how sure the model was of each value while it wrote the answer.

Only tokens that carry a value count, for braces, keys and quotes are nearly certain and drown the rest.  With ``p`` the
constrained probabilities of a value's tokens at which the grammar left a choice:

======================================= =================================================================
enums, numbers, short codes, null        the product of ``p``: the probability of that value
entries of lists                         the least ``p`` of the entry
free text (transcript, description)      the 10 % quantile of ``p``, so that a long text is not a bad one
======================================= =================================================================

each times ``min(1, coverage / 0.5)``, with the least coverage (raw probability of all that the grammar allowed) at
those tokens: below one half the model mostly wanted to say something that the schema has no word for.  A value at
whose tokens the grammar left no choice says nothing about the model, but the raw probability that it had for that
value does: its score is the product of its coverages.

Quantiles and minima instead of sums or means, which prefer short answers: Gupta et al., "Language Model Cascades:
Token-level uncertainty and beyond", ICLR 2024 (arXiv 2404.10136).  Value tokens alone, and a coverage below one half as
the sign of a question outside what the model knows: the documentation of llm-structured-confidence.  A score is no
probability that the value is right; ``workers.calibration`` makes it one.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workers.models.answer import value_spans
from workers.models.constrained import Trace

FREE_TEXT: Final = frozenset({"transcript", "description"})
"""Fields whose value is a text of any length."""
LISTS: Final = frozenset({"genres", "moods", "instruments", "tags"})
"""Fields with a score for each entry."""
QUANTILE: Final = 0.1
COVERAGE_ENOUGH: Final = 0.5
DIGITS: Final = 4
"""Decimals of a score.  Sums in another order, as in a batch of another size, change digits far behind these."""

Score = float | None
Reals = NDArray[np.float64]


def field_scores(trace: Trace) -> dict[str, Score | tuple[Score, ...]]:
    """The raw score of each field of an answer, 0 to 1; for a list one an entry.

    ``None`` = nothing is known, which takes a value without a token.

    Raises:
        BadAnswer: the text of the trace is no answer.
    """
    stops = np.cumsum([len(piece) for piece in trace.pieces])
    starts = stops - [len(piece) for piece in trace.pieces]
    scores: dict[str, Score | tuple[Score, ...]] = {}
    for field, spans in value_spans(trace.text).items():
        each = tuple(_score(field, trace, _tokens(span, starts, stops)) for span in spans)
        scores[field] = each if field in LISTS else each[0]
    return scores


def _tokens(span: tuple[int, int], starts: NDArray[np.int_], stops: NDArray[np.int_]) -> Sequence[int]:
    """The tokens that a span of bytes lies in; of an empty one the token it lies in front of, where a text ended."""
    start, stop = span
    return [int(index) for index in np.flatnonzero((starts < max(stop, start + 1)) & (stops > start))]


def _score(field: str, trace: Trace, tokens: Sequence[int]) -> Score:
    if not tokens:
        return None
    coverage = trace.coverage[tokens].astype(np.float64)
    free = trace.allowed[tokens] > 1
    if not free.any():
        return _tidy(float(coverage.prod()))
    sure = np.exp(trace.constrained_logprob[tokens].astype(np.float64)[free])
    if field in FREE_TEXT:
        score = float(np.quantile(sure, QUANTILE))
    elif field in LISTS:
        score = float(sure.min())
    else:
        score = float(sure.prod())
    return _tidy(score * min(1.0, float(coverage[free].min()) / COVERAGE_ENOUGH))


def _tidy(score: float) -> float:
    return round(min(1.0, max(0.0, score)), DIGITS)

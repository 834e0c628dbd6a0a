"""Raw scores of an answer's fields from the probabilities of its tokens, as far as a provider gives them.

Only the tokens of values count; those of keys and punctuation say nothing.  A value scores the product of its tokens'
probabilities, an entry of a list the least of them, free text their 10 % quantile, for a product would punish length
(Gupta et al., "Language Model Cascades", ICLR 2024, arXiv 2404.10136).  Providers do not say how much their grammar
left to choose, so this is less than ``field_scores`` knows of a model of our own: a calibration holds for one engine.
"""

import math
from collections.abc import Sequence
from typing import Final

from workers.models.answer import shapes
from workers.models.answer_reader import BadAnswer, value_spans
from workers.models.chat_answer import TokenLogprob

FREE_TEXT: Final = frozenset({"transcript", "description"})
QUANTILE: Final = 0.1
DIGITS: Final = 4
"""Decimals of a score."""

Score = float | None
Scores = dict[str, Score | Sequence[Score]]


def logprob_scores(text: str, tokens: Sequence[TokenLogprob]) -> Scores:
    """A score, 0 to 1, for each field of an answer, for a list one an entry.

    Args:
        text: The answer; ``parse_answer`` has taken it.
        tokens: All that the model wrote, in order; may hold more than the answer, such as a fence around it.

    Returns:
        Nothing where the tokens do not spell the answer.
    """
    written = b"".join(token.piece for token in tokens)
    offset = written.find(text.encode("utf-8", "surrogatepass"))
    if not tokens or not text or offset < 0:
        return {}
    try:
        spans = value_spans(text)
    except BadAnswer:
        return {}
    places: list[tuple[int, int, float]] = []
    at = -offset
    for token in tokens:
        places.append((at, at + len(token.piece), math.exp(token.logprob)))
        at += len(token.piece)
    scores: Scores = {}
    for name, pairs in spans.items():
        each = [_score(name, span, places) for span in pairs]
        scores[name] = each if shapes()[name].is_list else each[0]
    return scores


def _score(name: str, span: tuple[int, int], places: Sequence[tuple[int, int, float]]) -> Score:
    start, stop = span[0], max(span[1], span[0] + 1)  # an empty text is scored by the token that ended it
    sure = [probability for first, last, probability in places if first < stop and last > start]
    if not sure:
        return None
    if name in FREE_TEXT:
        return round(sorted(sure)[int(QUANTILE * (len(sure) - 1))], DIGITS)
    return round(min(sure) if shapes()[name].is_list else math.prod(sure), DIGITS)

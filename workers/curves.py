"""Curves from a raw score to the probability that an answer is right: fitted, kept as plain numbers, applied.

Which curve suits is a matter of how many labels there are: a logistic one has two numbers to learn and is right after
some dozens, a stepwise one takes any rising shape and needs about a thousand (Niculescu-Mizil and Caruana 2005,
https://doi.org/10.1145/1102351.1102430).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST, MOST = 0.01, 0.99
"""No fitted confidence is more certain than the few hundred examples behind it can show."""
EDGE: Final = 1e-6
LOG_ODDS: Final = "log_odds"
"""The feature that a curve over the score alone has."""
ISOTONIC_FROM: Final = 1000
"""Labels from which a stepwise curve errs less than a logistic one."""
STEPS_MAX: Final = 50
LEVEL_SPAN: Final = 0.01
"""A curve whose confidences differ by less is level: thresholds are hundredths and cannot tell them apart."""
SETTLED: Final = 1e-10
"""Mean gradient at which the logistic fit has come to rest."""

_STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, slots=True, config=_STRICT)
class Platt:
    """A logistic curve over named features: 1 / (1 + exp(-(bias + sum of weight x feature)))."""

    bias: float
    weights: Mapping[str, float]
    kind: Literal["platt"] = "platt"

    @property
    def is_level(self) -> bool:
        """Whether all answers get the same confidence."""
        return not any(self.weights.values())

    def probability(self, features: Mapping[str, float]) -> float:
        """The probability that an answer with these features is right, within ``LEAST`` to ``MOST``.

        Raises:
            KeyError: a feature is missing.
        """
        total = self.bias + sum(weight * features[name] for name, weight in self.weights.items())
        return _kept(1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total)))))

    def confidence(self, score: float) -> float:
        """The probability that an answer of this score, 0 to 1, is right."""
        return self.probability({LOG_ODDS: log_odds(score)})


@dataclass(frozen=True, slots=True, config=_STRICT)
class Isotonic:
    """A rising curve through points, straight between them and level outside."""

    scores: tuple[float, ...]
    confidences: tuple[float, ...]
    kind: Literal["isotonic"] = "isotonic"

    def __post_init__(self) -> None:
        """Refuse points that make no rising curve."""
        rising = all(one < other for one, other in pairwise(self.scores))
        never_falling = all(one <= other for one, other in pairwise(self.confidences))
        if not self.scores or len(self.scores) != len(self.confidences) or not rising or not never_falling:
            message = "an isotonic curve needs as many confidences as scores, in rising order"
            raise ValueError(message)

    @property
    def is_level(self) -> bool:
        """Whether all answers get the same confidence, but for less than ``LEVEL_SPAN``."""
        return _kept(self.confidences[-1]) - _kept(self.confidences[0]) < LEVEL_SPAN

    def confidence(self, score: float) -> float:
        """The probability that an answer of this score, 0 to 1, is right."""
        return _kept(float(np.interp(score, self.scores, self.confidences)))


@dataclass(frozen=True, slots=True, config=_STRICT)
class Constant:
    """The same for all answers: those of a model that gives no score."""

    share: Annotated[float, Field(ge=0.0, le=1.0)]
    kind: Literal["constant"] = "constant"

    def confidence(self) -> float:
        """The probability that an answer is right."""
        return _kept(self.share)


ScoreCurve = Annotated[Platt | Isotonic, Field(discriminator="kind")]


def log_odds(probability: float) -> float:
    """The logarithm of p / (1 - p), with p kept off 0 and 1."""
    kept = min(1.0 - EDGE, max(EDGE, probability))
    return math.log(kept / (1.0 - kept))


def fit_platt(scores: Sequence[float] | Floats, right: Sequence[bool] | Flags) -> Platt:
    """The logistic curve over the log odds of the score that fits best.

    The answers are not taken for 0 and 1 but for 1 / (n- + 2) and (n+ + 1) / (n+ + 2), as Platt proposed, so that
    labels which are all right give a finite curve.  Where a higher score means less, the score is noise and the curve
    is made level, so that no calibration turns an order round.

    Args:
        scores: 0 to 1, (n,).
        right: whether each answer is, (n,).
    """
    flags = np.asarray(right, bool)
    rows = np.array([(1.0, log_odds(score)) for score in scores])
    good, bad = int(flags.sum()), int((~flags).sum())
    targets = np.where(flags, (good + 1.0) / (good + 2.0), 1.0 / (bad + 2.0))
    bias, slope = (float(value) for value in _logistic(rows, targets))
    if slope < 0.0:
        bias, slope = log_odds(float(targets.mean())), 0.0
    return Platt(round(bias, 6), {LOG_ODDS: round(slope, 6)})


def fit_isotonic(scores: Sequence[float] | Floats, right: Sequence[bool] | Flags) -> Isotonic:
    """The rising curve with the least squared error: pool adjacent violators (Ayer et al. 1955).

    Args:
        scores: 0 to 1, (n,).
        right: whether each answer is, (n,).
    """
    levels, places = np.unique(np.asarray(scores, float), return_inverse=True)
    counts = np.bincount(places).astype(float)
    shares = np.bincount(places, np.asarray(right, float)) / counts
    blocks: list[tuple[float, float, int]] = []  # share, answers, levels
    for share, count in zip(shares.tolist(), counts.tolist(), strict=True):
        block = (share, count, 1)
        while blocks and blocks[-1][0] >= block[0]:
            before = blocks.pop()
            answers = before[1] + block[1]
            block = ((before[0] * before[1] + block[0] * block[1]) / answers, answers, before[2] + block[2])
        blocks.append(block)
    points: list[tuple[float, float]] = []
    first = 0
    for share, _, width in blocks:
        points += [(float(levels[place]), share) for place in dict.fromkeys((first, first + width - 1))]
        first += width
    return Isotonic(tuple(point[0] for point in points), tuple(point[1] for point in points))


def fit_constant(right: Sequence[bool] | Flags) -> Constant:
    """The share of right answers, with one right and one wrong added: the mean of the posterior of a flat prior."""
    return Constant((int(np.sum(right)) + 1) / (len(right) + 2))


def fit_scores(scores: Sequence[float] | Floats, right: Sequence[bool] | Flags, kind: str) -> Platt | Isotonic:
    """The curve of a kind, ``platt`` or ``isotonic``; level where a higher score means less, whichever the kind."""
    logistic = fit_platt(scores, right)
    if kind != "isotonic":
        return logistic
    if logistic.is_level:  # pooled steps would still rise at the ends, by chance
        return Isotonic((float(np.min(scores)),), (fit_constant(right).share,))
    return fit_isotonic(scores, right)


def kind_for(labels: int) -> Literal["platt", "isotonic"]:
    """The kind of curve that so many labels are enough for."""
    return "isotonic" if labels >= ISOTONIC_FROM else "platt"


def _logistic(rows: Floats, targets: Floats) -> Floats:
    """The weights of least cross entropy, by Newton steps that are halved until they help (Lin et al. 2007)."""
    weights = np.array([log_odds(float(targets.mean())), 0.0])
    loss = _loss(rows @ weights, targets)
    for _ in range(STEPS_MAX):
        chances = 1.0 / (1.0 + np.exp(-np.clip(rows @ weights, -500.0, 500.0)))
        gradient = rows.T @ (chances - targets)
        if np.abs(gradient).max() < SETTLED * len(rows):
            break
        curvature = (rows * (chances * (1.0 - chances))[:, None]).T @ rows + np.eye(2) * 1e-9
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while (next_loss := _loss(rows @ (weights - size * step), targets)) > loss and size > EDGE:
            size /= 2.0
        weights, loss = weights - size * step, min(loss, next_loss)
    return weights


def _loss(odds: Floats, targets: Floats) -> float:
    return float(np.sum(np.logaddexp(0.0, odds) - targets * odds))


def _kept(probability: float) -> float:
    return min(MOST, max(LEAST, probability))

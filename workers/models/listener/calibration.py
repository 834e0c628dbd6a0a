"""Confidences that hold: among answers given 0.8, about 80 % are right.

``weights/calibration.json`` is fitted by ``training.fit``; ``docs/calibration.md`` defines "right" for each field and
shows how well the confidences hold on sources the fit never saw.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from earmark.metadata import Rated
from earmark.vocabulary import Basis

Value = TypeVar("Value")

FITTED = Path(__file__).parent / "weights" / "calibration.json"
TEMPO_AND_KEY = Path(__file__).parent / "weights" / "tempo_key_calibration.json"
"""Fitted with the rules of tempo and key themselves, by ``training.fit_tempo_and_key``."""
VERSION = 1
"""Of the file's format."""
LEAST, MOST = 0.01, 0.99
"""No fitted confidence is more certain than the few hundred examples behind it can show."""
EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Platt:
    """A logistic curve over named features: 1 / (1 + exp(-(bias + sum of weight x feature)))."""

    bias: float
    weights: Mapping[str, float]

    def probability(self, features: Mapping[str, float]) -> float:
        """The probability that an answer with these features is right, within ``LEAST`` to ``MOST``.

        Raises:
            KeyError: a feature is missing.
        """
        total = self.bias + sum(weight * features[name] for name, weight in self.weights.items())
        return min(MOST, max(LEAST, 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))))


def log_odds(probability: float) -> float:
    """The logarithm of p / (1 - p), with p kept off 0 and 1."""
    kept = min(1.0 - EDGE, max(EDGE, probability))
    return math.log(kept / (1.0 - kept))


class Calibration:
    """The fitted curves, by field or by ``field/label``."""

    def __init__(self, curves: Mapping[str, Platt], made: Mapping[str, Any] | None = None) -> None:
        """Keep curves; ``Calibration.load()`` reads those that ship."""
        self._curves = dict(curves)
        self.made: Mapping[str, Any] = made or {}
        """What the curves were fitted on: ``corpus_sha256``, ``clips``, ``fitted_at``."""

    @classmethod
    def load(cls, *paths: Path) -> Calibration:
        """The curves in some files, by default ``FITTED``; ``made`` is that of the first.

        Raises:
            ValueError: a file has another format version.
        """
        curves: dict[str, Platt] = {}
        made: dict[str, Any] = {}
        for path in paths or (FITTED,):
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["version"] != VERSION:
                message = f"{path} has format version {stored['version']}, not {VERSION}"
                raise ValueError(message)
            curves |= {name: Platt(curve["bias"], curve["weights"]) for name, curve in stored["curves"].items()}
            made = {**stored["made"], **made}
        return cls(curves, made)

    def calibrated(self, field: str, features: Mapping[str, float]) -> float | None:
        """The confidence of an answer; ``None`` where no curve was fitted for the field."""
        curve = self._curves.get(field)
        return None if curve is None else curve.probability(features)

    def rated(self, field: str, value: Value, score: float) -> Rated[Value]:
        """An answer with the confidence that its raw score (0 to 1) deserves.

        ``field`` may be ``field/label``; the curve of the field alone is used where the label has none.
        """
        features = {"log_odds": log_odds(score)}
        confidence = self.calibrated(field, features)
        if confidence is None and "/" in field:
            confidence = self.calibrated(field.partition("/")[0], features)
        if confidence is None:
            return Rated[Any](value=value, basis=Basis.UNCALIBRATED, score=score)
        return Rated[Any](value=value, confidence=confidence, basis=Basis.CALIBRATED)

"""The curves that ship with the listener: its confidences hold without anybody fitting anything.

``weights/calibration.json`` is fitted by ``training.fit``; ``docs/calibration.md`` defines "right" for each field and
shows how well the confidences hold on sources the fit never saw.  Every answer keeps its raw score, so that
``earmark calibrate`` can fit other curves over these on somebody's own recordings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from earmark.metadata import Rated
from earmark.vocabulary import Basis
from workers.curves import LOG_ODDS, Platt, log_odds

Value = TypeVar("Value")

FITTED = Path(__file__).parent / "weights" / "calibration.json"
TEMPO_AND_KEY = Path(__file__).parent / "weights" / "tempo_key_calibration.json"
"""Fitted with the rules of tempo and key themselves, by ``training.fit_tempo_and_key``."""
VERSION = 1
"""Of the file's format."""


class BuiltInCurves:
    """The fitted curves, by field or by ``field/label``."""

    def __init__(self, curves: Mapping[str, Platt], made: Mapping[str, Any] | None = None) -> None:
        """Keep curves; ``BuiltInCurves.load()`` reads those that ship."""
        self._curves = dict(curves)
        self.made: Mapping[str, Any] = made or {}
        """What the curves were fitted on: ``corpus_sha256``, ``clips``, ``fitted_at``."""

    @classmethod
    def load(cls, *paths: Path) -> BuiltInCurves:
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
        features = {LOG_ODDS: log_odds(score)}
        confidence = self.calibrated(field, features)
        if confidence is None and "/" in field:
            confidence = self.calibrated(field.partition("/")[0], features)
        if confidence is None:
            return Rated[Any](value=value, basis=Basis.UNCALIBRATED, score=score)
        return Rated[Any](value=value, confidence=confidence, basis=Basis.CALIBRATED, score=score)

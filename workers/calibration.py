"""``Calibration``: the artefact that turns the raw scores of one model into confidences that hold.

A score means what it means for one model in one version on one engine, asked with one prompt: an artefact names these
four and is refused by any other.  ``docs/confidence.md`` says how one is made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import AwareDatetime, NonNegativeInt, ValidationError, model_validator

from earmark.errors import ConfigurationError
from earmark.metadata import AudioMetadata, Frozen, Rated
from earmark.named_file import printable, read_bounded, write_whole
from earmark.vocabulary import Basis
from workers.curves import LOG_ODDS, Constant, Platt, ScoreCurve
from workers.reliability import Measures, ReliabilityBin
from workers.risk_coverage import RiskPoint

FORMAT: Final = 2
"""Of the file."""
ID_CHARS: Final = 16
FILE_BYTES_MAX: Final = 64 * 1024**2
ALL: Final = "all"
"""Name of the report over the fields together."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a score was given by."""

    model: str
    model_version: str = ""
    engine: str = ""
    prompt_version: str = ""

    def __str__(self) -> str:
        """As ``qwen2_audio 1 on vllm, prompt 3fa2``."""
        engine = f" on {self.engine}" if self.engine else ""
        prompt = f", prompt {self.prompt_version}" if self.prompt_version else ""
        return printable(f"{self.model} {self.model_version}".strip() + engine + prompt)


class FieldCurves(Frozen):
    """What was fitted for one field."""

    scored: ScoreCurve | None = None
    """For answers with a score; None = there were too few of them."""
    unscored: Constant | None = None
    """For answers without one."""

    @model_validator(mode="after")
    def _over_the_score(self) -> FieldCurves:
        if isinstance(self.scored, Platt) and set(self.scored.weights) != {LOG_ODDS}:
            message = f"a curve over the score has the feature {LOG_ODDS} alone"
            raise ValueError(message)
        return self

    def is_level(self, score: float | None) -> bool:
        """Whether all answers like one of this score get the same confidence."""
        return score is None or (self.scored is not None and self.scored.is_level)

    def confidence(self, score: float | None) -> float | None:
        """The probability that an answer is right; None = nothing was fitted for its like."""
        if score is None:
            return None if self.unscored is None else self.unscored.confidence()
        return None if self.scored is None else self.scored.confidence(score)


class LabelSet(Frozen):
    """What a calibration was fitted on."""

    source: str
    """Name of the file, or ``reviews``."""
    sha256: str
    count: NonNegativeInt
    recordings: NonNegativeInt


class FieldReport(Frozen):
    """How well the confidences of one field hold on recordings that their curves were not fitted on."""

    labels: int
    recordings: int
    right: float
    """Share of right answers."""
    before: Measures | None
    """What the model said before, its score taken for a confidence where it gave none; None = it said nothing."""
    before_labels: int
    after: Measures
    bins: tuple[ReliabilityBin, ...]
    before_bins: tuple[ReliabilityBin, ...]
    curve: tuple[RiskPoint, ...]


class Calibration(Frozen):
    """The curves of one model by field, what they were fitted on, and how well they hold."""

    model: str
    model_version: str
    engine: str
    prompt_version: str
    fitted_at: AwareDatetime
    labels: LabelSet
    curves: Mapping[str, FieldCurves]
    report: Mapping[str, FieldReport] = {}
    """By field, and ``all`` for the fields together."""
    unfitted: Mapping[str, str] = {}
    """Fields that stay uncalibrated, and why."""

    @property
    def id(self) -> str:
        """Short SHA-256 of what decides confidences: whose scores, and the curves; provenance names it.

        Neither report nor time are in it: the same curves fitted again are no new pipeline version.
        """
        return _digest(self.model_dump(mode="json", include={*Identity.__dataclass_fields__, "curves"}))[:ID_CHARS]

    @property
    def sha256(self) -> str:
        """Of the whole content, the report included."""
        return _digest(self.model_dump(mode="json"))

    @property
    def identity(self) -> Identity:
        """Whose scores it is for."""
        return Identity(self.model, self.model_version, self.engine, self.prompt_version)

    def apply(self, metadata: AudioMetadata) -> AudioMetadata:
        """A model's answers with the confidences that their scores deserve.

        Answers of fields without a curve, what was measured and what follows from other fields stay as they are, and
        so do the scores; list entries each get their own confidence and keep their order.
        """
        changes: dict[str, Any] = {}
        for field, curves in self.curves.items():
            rated = getattr(metadata, field, None)
            if isinstance(rated, tuple):
                changes[field] = tuple(_applied(curves, entry) for entry in rated)
            elif rated is not None:
                changes[field] = _applied(curves, rated)
        return metadata.model_copy(update=changes)

    def check(
        self,
        place: str,
        *,
        model: str | None = None,
        model_version: str | None = None,
        engine: str | None = None,
        prompt_version: str | None = None,
    ) -> None:
        """See that it was made for a model; what is None is not looked at.

        Raises:
            ConfigurationError: it was made for another model, version, engine or prompt; names both.
        """
        wanted = {"model": model, "model_version": model_version, "engine": engine, "prompt_version": prompt_version}
        differing = [name for name, value in wanted.items() if value is not None and value != getattr(self, name)]
        if differing:
            told = "; ".join(
                f"it has the {name.replace('_', ' ')} {getattr(self, name)!r}, and {wanted[name]!r} runs"
                for name in differing
            )
            message = (
                f"The calibration {place} is for {self.identity}: {told}.  Scores of one are not those of another: "
                "fit one for what runs with `earmark calibrate`, or take this one out of the settings."
            )
            raise ConfigurationError(message)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all; a link stays one, and what it leads to is written.

        Raises:
            ConfigurationError: it cannot be written there.
        """
        content = {"format": FORMAT, "id": self.id, "sha256": self.sha256, **self.model_dump(mode="json")}
        write_whole(path, _text(content), "--out")


def load(
    path: Path,
    *,
    model: str | None = None,
    model_version: str | None = None,
    engine: str | None = None,
    prompt_version: str | None = None,
) -> Calibration:
    """Read a calibration and see that it was made for the model that runs; what is None is not looked at.

    Raises:
        ConfigurationError: it cannot be read, was changed by hand, has another format, or is for another model.
    """
    stored = _read(path)
    found, content_id, sha256 = (stored.pop(name, None) for name in ("format", "id", "sha256"))
    if found != FORMAT:
        message = f"The calibration {path} has the format {found!r}, not {FORMAT}.  Fit it anew: `earmark calibrate`."
        raise ConfigurationError(message)
    try:
        calibration = Calibration.model_validate(stored)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))
        message = f"The calibration {path} is damaged at {place}: {fault['msg']}.  Fit it anew: `earmark calibrate`."
        raise ConfigurationError(message) from None
    if (calibration.id, calibration.sha256) != (content_id, sha256):
        message = f"The calibration {path} was changed after it was made.  Fit it anew: `earmark calibrate`."
        raise ConfigurationError(message)
    calibration.check(str(path), model=model, model_version=model_version, engine=engine, prompt_version=prompt_version)
    return calibration


def _read(path: Path) -> dict[str, Any]:
    text = read_bounded(path, "calibration", most_bytes=FILE_BYTES_MAX)
    try:
        stored = json.loads(text)
    except (ValueError, RecursionError):
        stored = None
    if not isinstance(stored, dict):
        message = f"{path} is no calibration.  Name a file that `earmark calibrate` said it wrote."
        raise ConfigurationError(message)
    return stored


def _text(stored: Mapping[str, Any]) -> str:
    """JSON with a line for each entry, and for each field within it: it can be read, and compared line by line."""
    lines = []
    for name, value in stored.items():
        if isinstance(value, dict) and value:
            inner = ",\n  ".join(f"{json.dumps(key)}: {json.dumps(each)}" for key, each in value.items())
            lines.append(f"{json.dumps(name)}: {{\n  {inner}\n }}")
        else:
            lines.append(f"{json.dumps(name)}: {json.dumps(value)}")
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _applied(curves: FieldCurves, rated: Rated[Any]) -> Rated[Any]:
    if rated.value is None or rated.basis in {Basis.MEASURED, Basis.DERIVED}:
        return rated
    confidence = curves.confidence(rated.score)
    if confidence is None:
        return rated
    return rated.model_copy(update={"confidence": round(confidence, 4), "basis": Basis.CALIBRATED})

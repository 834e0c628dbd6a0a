"""What ``earmark calibrate`` does: gather labels, fit, report, and keep the artefact."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from earmark.clock import utc_now
from earmark.errors import ConfigurationError
from earmark.named_file import write_whole
from earmark.settings import Settings
from router.intake import display
from runtime import exit_status
from runtime.analyzing.outputs import check_outputs
from runtime.calibration.gathering import Gathered, gather_file, gather_reviews, say
from runtime.calibration.listening import Predict, open_listening
from runtime.calibration.reliability_chart import reliability_chart
from runtime.calibration.text import report_lines, warnings
from runtime.cascading import fallback_spec
from runtime.wiring import connect_existing
from workers.calibration import Calibration, Identity
from workers.calibration_fit import fit
from workers.models.catalogue import ModelSpec, check_packages, find_model

FOLDER: Final = "calibrations"
"""Of the data folder; where artefacts go unless told otherwise."""


ANYBODY: Final = Identity("")


@dataclass(frozen=True, slots=True)
class LabelSource:
    """Where labels come from, and whose answers they are about."""

    file: Path | None
    """None = the reviews in the warehouse."""
    asked: Identity = ANYBODY
    """What the person named; empty parts were not named."""
    fallback: bool = False
    """About the fallback, not the primary."""


def calibrate(settings: Settings, source: LabelSource, *, out: Path | None, svg: Path | None, as_json: bool) -> int:
    """Fit a calibration, print how well it holds and write it; returns the exit status.

    Raises:
        ConfigurationError: the labels cannot be used, or no field has enough of them.
        Unavailable: the model does not load, or the warehouse cannot be reached.
    """
    check_outputs({"--out": out, "--svg": svg}, [source.file])
    gathered, calibration = fitted(settings, source)
    check_outputs({"--out": out, "--svg": svg}, gathered.heard)
    for field, reason in calibration.unfitted.items():
        say(f"{field} stays uncalibrated: {reason}")
    if not calibration.curves:
        message = (
            f"No field of {calibration.identity} has enough labels, right and wrong; nothing was written.  "
            "Label more answers."
        )
        raise ConfigurationError(message)
    path = out or Path(settings.data) / FOLDER / f"{display(calibration.model)}-{calibration.id}.json".replace("/", "-")
    check_outputs({"--out": path, "--svg": svg}, [source.file])
    calibration.save(path)
    if svg is not None:
        write_whole(svg, reliability_chart(calibration), "--svg")
    for warning in warnings(calibration):
        say(warning)
    if as_json:
        content = {
            "id": calibration.id,
            "sha256": calibration.sha256,
            "path": str(path),
            **calibration.model_dump(mode="json"),
        }
        sys.stdout.write(json.dumps(content, indent=1) + "\n")
    else:
        sys.stdout.write("\n".join(report_lines(calibration, gathered.tempo)) + "\n")
        variable = "EARMARK_FALLBACK_CALIBRATION" if source.fallback else "EARMARK_CALIBRATION"
        say(f"Written: {display(path)}.  {variable}={display(path)} puts it to use.")
    return exit_status.SOME_NOT_DONE if gathered.skipped else 0


def fitted(settings: Settings, source: LabelSource) -> tuple[Gathered, Calibration]:
    """The labels of a source and what can be fitted to them; raises as ``calibrate``."""
    spec = _spec(settings, source)
    identity = None if spec is None else Identity(spec.name, spec.version, spec.engine, spec.prompt_version)
    asked = source.asked
    if identity is None and not asked.model:
        asked = Identity(settings.model, asked.model_version, asked.engine, asked.prompt_version)
    if source.file is None:
        gathered = gather_reviews(connect_existing(settings).warehouse, asked=asked, spec=identity)
    else:
        gathered = gather_file(source.file, asked=asked, spec=identity, listening=lambda: _listening(settings, source))
    if source.fallback:
        gathered.identity = Identity(gathered.identity.model, gathered.identity.model_version, gathered.identity.engine)
    now = utc_now()
    return gathered, fit(gathered.labels, identity=gathered.identity, label_set=gathered.label_set, fitted_at=now)


def _spec(settings: Settings, source: LabelSource) -> ModelSpec | None:
    """The model the labels are about; None = it cannot run here, which labels of answers do not need."""
    try:
        return _runnable(settings, source)
    except ConfigurationError:
        if source.fallback:
            raise
        return None


def _runnable(settings: Settings, source: LabelSource) -> ModelSpec:
    if source.fallback:
        spec = fallback_spec(settings)
        if spec is None:
            message = "There is no fallback.  Set EARMARK_FALLBACK, or leave --fallback out."
            raise ConfigurationError(message)
        return spec
    return find_model(source.asked.model or settings.model, settings)


@contextmanager
def _listening(settings: Settings, source: LabelSource) -> Iterator[Predict]:
    spec = _runnable(settings, source)
    check_packages(spec)
    with open_listening(settings, spec.factory, spec.options, Path(settings.data) / "scratch") as predict:
        yield predict

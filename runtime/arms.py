"""``ArmModels``: the models of the experiments that run, opened when the first job needs one, closed after the last."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ab_testing.experiment import Arm
from earmark.domain import Exposure, Job, Upload
from earmark.errors import ConfigurationError
from earmark.log import event
from workers.models.catalogue import ModelSpec
from workers.primary import Primary

_log = logging.getLogger(__name__)

REFUSED_S: Final = 60.0
"""Seconds until a model that this worker cannot open is tried again."""
Key = tuple[str | None, tuple[tuple[str, object], ...]]
"""What an arm's model depends on: its name and its settings."""


@dataclass(slots=True)
class _Opened:
    """A model, and a job's place in the experiment that last needed it."""

    primary: Primary
    spec: ModelSpec
    needed_by: Exposure


class ArmModels:
    """Finds the model of a job's arm; used by one thread."""

    def __init__(
        self,
        default: Primary,
        *,
        arm_of: Callable[[Exposure], Arm | None],
        make: Callable[[Arm], tuple[ModelSpec, Primary]],
        regions_of: Callable[[Upload], frozenset[str]],
        refused: Callable[[Job, str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open nothing yet.

        Args:
            default: the worker's own model, which an arm without a model of its own uses too.
            arm_of: the arm as its experiment defines it; None = it has ended.
            make: gives an arm's model, not started; raises ``ConfigurationError``.
            regions_of: where an upload's data must stay; a model elsewhere does not hear it.
            refused: hears of a job whose arm's model cannot be made here, and why.
            now: seconds on a clock that never goes back.
        """
        self._default = default
        self._arm_of = arm_of
        self._make = make
        self._regions_of = regions_of
        self._refused = refused
        self._now = now
        self._opened: dict[Key, _Opened] = {}
        self._retry_at: dict[Key, float] = {}

    def find(self, job: Job) -> Primary | None:
        """The model of a job's arm; None = the default has to answer in its place."""
        assert job.exposure is not None  # noqa: S101  # only jobs of an experiment have an arm
        arm = self._arm_of(job.exposure)
        if arm is None:
            return None
        if arm.model is None and not arm.settings:
            return self._default
        key = (arm.model, tuple(sorted(arm.settings.items())))
        opened = self._opened.get(key) or self._open(key, arm, job)
        if opened is None:
            return None
        opened.needed_by = job.exposure
        keeps_in = opened.spec.regions
        return opened.primary if keeps_in is None or self._regions_of(job.upload) <= keeps_in else None

    def retired(self) -> list[Primary]:
        """Models whose experiments have ended, each told of once."""
        ended = [key for key, opened in self._opened.items() if self._arm_of(opened.needed_by) is None]
        return [primary for key in ended if (primary := self._opened.pop(key).primary) is not self._default]

    def close(self) -> None:
        """End all models but the default."""
        for opened in self._opened.values():
            if opened.primary is not self._default:
                opened.primary.model.close()
        self._opened.clear()

    def _open(self, key: Key, arm: Arm, job: Job) -> _Opened | None:
        if self._now() < self._retry_at.get(key, 0.0):
            return None
        assert job.exposure is not None  # noqa: S101
        try:
            spec, primary = self._make(arm)
        except ConfigurationError as error:
            self._retry_at[key] = self._now() + REFUSED_S
            event(_log, "arm.refused", level=logging.ERROR, arm=arm.name, model=arm.model, error=str(error))
            self._refused(job, str(error))
            return None
        same = (spec.name, spec.version, primary.calibration) == (
            self._default.name,
            self._default.version,
            self._default.calibration,
        )
        self._opened[key] = _Opened(self._default if same else primary, spec, job.exposure)
        return self._opened[key]

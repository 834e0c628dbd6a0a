"""The third part of wiring: experiments in the router, which stamps jobs, and in the worker, which hears their arms."""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from pydantic import ValidationError

from ab_testing import faults
from ab_testing.assignment import Placement
from ab_testing.counters import Counters
from ab_testing.experiment import Arm
from ab_testing.guard import Guard
from ab_testing.registry import Registry
from ab_testing.state import State, Trial
from earmark.audit import AuditTrail
from earmark.domain import Exposure, Job, Upload
from earmark.errors import ConfigurationError, EarmarkError
from earmark.log import event
from earmark.ports import Clock
from earmark.rows import AssignmentRow
from earmark.settings import Settings
from runtime.arms import ArmModels
from runtime.backend import Backend
from runtime.cascading import calibrator
from runtime.chores import doing
from runtime.worker_name import own_name
from workers.model_process import ModelProcess
from workers.models.catalogue import ModelSpec, check_packages, find_model
from workers.primary import Arms, Primary

_log = logging.getLogger(__name__)

PLACES: Final = 16
"""Objects of a machine that its processes share to count in."""
STEP_S: Final = 2.0
"""Seconds between a worker's looks at its experiments."""


def counters_place() -> str:
    """Where this process counts: one of a few objects of its machine, so that it seldom meets another one there."""
    return f"{socket.gethostname()}-{os.getpid() % PLACES}"


def make_registry(backend: Backend, clock: Clock) -> Registry:
    """The experiments."""
    chain = AuditTrail(backend.audit, backend.warehouse, clock, hints=backend.state).intent
    return Registry(backend.state, clock, warehouse=backend.warehouse, chain=chain)


class Assigning:
    """The router's part: where an upload belongs, and what is written down of it; safe to use from several threads."""

    def __init__(self, backend: Backend, clock: Clock) -> None:
        """Take the stores and the present."""
        self._registry = make_registry(backend, clock)
        self._warehouse = backend.warehouse
        self._counters = Counters(backend.state, counters_place())
        self._clock = clock
        self._placed: tuple[tuple[Trial, ...], Placement] = ((), Placement(()))

    def assign(self, upload: Upload, job_id: str) -> Exposure | None:
        """The experiment and arm of an upload; raises ``Unavailable`` where no experiment was ever seen."""
        live = self._registry.live()
        placed, placement = self._placed
        if placed is not live:
            placement = Placement(live)
            self._placed = (live, placement)
        return placement.assign(upload, job_id, self._clock())

    def exposed(self, jobs: Sequence[Job]) -> None:
        """Write assignments down; a warehouse that is down keeps no upload from its queue."""
        try:
            self._warehouse.append([_row(job) for job in jobs])
            for job in jobs:
                if job.exposure is not None:
                    self._counters.assigned(job.exposure, job.id)
            self._counters.flush()
        except EarmarkError as error:
            event(_log, "assignment.not_written", level=logging.WARNING, jobs=len(jobs), error=str(error))


def _row(job: Job) -> AssignmentRow:
    exposure = job.exposure
    assert exposure is not None  # noqa: S101  # the router tells of no others
    return AssignmentRow(
        row_id=f"{exposure.experiment}:{exposure.version}:{job.id}",
        tenant=job.upload.tenant,
        at=job.enqueued_at,
        experiment=exposure.experiment,
        version=exposure.version,
        arm=exposure.arm,
        unit=exposure.unit,
        share=exposure.share,
        coverage=exposure.coverage,
        shadow=exposure.shadow,
        job_id=job.id,
        tier=job.upload.tier,
    )


def arm_settings(settings: Settings, arm: Arm) -> Settings:
    """The settings with those of an arm in their place.

    Raises:
        ConfigurationError: a value does not fit.
    """
    own: dict[str, object] = {**arm.settings}
    if arm.model is not None and arm.model != settings.model:  # what was set for one model means nothing to another
        own = {"model": arm.model, "calibration": None, "model_version": "", "model_revision": "", **own}
    try:
        return Settings.model_validate({**settings.model_dump(), **own})
    except ValidationError as error:
        message = f"The arm {arm.name} has wrong settings: {faults.told(error)}.  `docs/settings.md` describes each."
        raise ConfigurationError(message) from None


def arm_spec(settings: Settings, arm: Arm) -> ModelSpec:
    """The model of an arm.

    Raises:
        ConfigurationError: there is no such model, or it lacks a setting.
    """
    own = arm_settings(settings, arm)
    return find_model(own.model, own)


class Experimenting:
    """The worker's part: the models of arms, what became of their jobs, and the guard that takes a bad arm out."""

    def __init__(self, registry: Registry, counters: Counters, guard: Guard) -> None:
        """Take what all parts of a worker share."""
        self._registry = registry
        self._counters = counters
        self._guard = guard

    @property
    def counters(self) -> Counters:
        """What this worker has counted."""
        return self._counters

    def step(self) -> None:
        """A bounded step to take every second or two: write counters down, look whether an arm does harm."""
        self._counters.flush()
        self._guard.step()
        self._registry.tell()

    def tried(self, job: Job, *, ok: bool) -> None:
        """Hear of a try; five failures in a row break an arm."""
        trial = self._trial(job)
        if trial is not None:
            self._guard.tried(trial, job.arm, job.id, ok=ok)

    def lost(self, job: Job, why: str) -> None:
        """Hear that the model of an arm cannot be had."""
        trial = self._trial(job)
        if trial is not None:
            self._guard.lost(trial, job.arm, why)

    def arm(self, exposure: Exposure) -> Arm | None:
        """The arm of a job as long as its experiment runs or pauses; a control that is the default outlives it."""
        trial = self._registry.find(exposure.experiment, exposure.version)
        arm = None if trial is None else trial.definition.arm(exposure.arm)
        if trial is None or arm is None or trial.live:
            return arm
        return arm if arm == trial.definition.control and arm.model is None and not arm.settings else None

    def shadows(self, job: Job) -> list[str]:
        """The arms that are to hear a job of the control in the shadow, while its experiment runs."""
        trial = self._trial(job)
        if trial is None or trial.state is not State.RUNNING:
            return []
        return [arm.name for arm in trial.definition.treatments]

    def _trial(self, job: Job) -> Trial | None:
        exposure = job.exposure
        return None if exposure is None else self._registry.find(exposure.experiment, exposure.version)


@contextmanager
def experimenting(backend: Backend, clock: Clock) -> Iterator[Experimenting]:
    """A worker's part in the experiments, its chore done every other second for as long as the context lasts."""
    registry = make_registry(backend, clock)
    counters = Counters(backend.state, counters_place())
    part = Experimenting(registry, counters, Guard(registry, backend.state, own_name()))
    with doing([part.step], every_s=STEP_S):
        yield part


@contextmanager
def open_arms(
    settings: Settings,
    part: Experimenting,
    default: Primary,
    regions_of: Callable[[Upload], frozenset[str]],
    loaded: Callable[[str, float, int], None],
) -> Iterator[Arms]:
    """The models of arms; leaving the context ends their processes.

    ``loaded`` hears of each that became ready: its name, after how many seconds, and as which process.
    """

    def make(arm: Arm) -> tuple[ModelSpec, Primary]:
        own = arm_settings(settings, arm)
        spec = find_model(own.model, own)
        check_packages(spec)
        calibrate, calibrated_as = calibrator(own.calibration, spec)
        process = ModelProcess(
            spec.factory,
            spec.options,
            start_timeout_s=own.model_start_timeout_s,
            nice=settings.niceness,
            loaded=partial(loaded, spec.name),
        )
        primary = Primary(
            spec.name,
            spec.version,
            process,
            pause_s=own.retry_delay_s,
            part=f"arm_{arm.name}",
            calibrate=calibrate,
            calibration=calibrated_as,
        )
        return spec, primary

    models = ArmModels(default, arm_of=part.arm, make=make, regions_of=regions_of, refused=part.lost)
    try:
        yield Arms(default, find=models.find, tried=part.tried, lost=part.lost, retired=models.retired)
    finally:
        models.close()

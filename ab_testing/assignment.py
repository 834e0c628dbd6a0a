"""``Assigner``: which units an experiment covers and which arm each is in, by hashes that anybody can compute again.

::

    bucket(salt, unit) = (first 60 bits of SHA-256 of "{experiment}:{version}:{salt}:{unit}" in UTF-8) mod 10000

A unit is covered where ``bucket("coverage")`` is below ``round(coverage * 10000)``; the arms take consecutive ranges
of ``bucket("arm")`` in the order of the file, the last bucket of each below ``round(10000 * the sum of the shares so
far)``.  The salts make the two independent, so that more coverage adds units and moves none between arms.
"""

import hashlib
import math
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from ab_testing.experiment import BUCKETS, Experiment, Unit
from ab_testing.state import State, Trial
from earmark.domain import Exposure, Upload

Salt = Literal["coverage", "arm", "shadow"]
_from_bytes = int.from_bytes


class Assigner:
    """Puts the units of one version of an experiment into arms; safe to use from several threads."""

    def __init__(self, experiment: Experiment) -> None:
        """Hash what all units have in common once."""
        self._coverage, self._arm, self._shadow = (
            hashlib.sha256(f"{experiment.name}:{experiment.version}:{salt}:".encode())
            for salt in ("coverage", "arm", "shadow")
        )
        self._names = tuple(arm.name for arm in experiment.arms)
        shares = [arm.share for arm in experiment.arms]
        self._edges = [buckets_of(math.fsum(shares[: place + 1])) for place in range(len(shares))]
        self._shadowed = buckets_of(experiment.shadow)

    def bucket(self, salt: Salt, unit: str | bytes) -> int:
        """The bucket of a unit, 0 to 9999.

        Args:
            salt: which of the hashes.
            unit: a job's id or a tenant's name, or its UTF-8 bytes.
        """
        begun = self._coverage if salt == "coverage" else self._arm if salt == "arm" else self._shadow
        return _bucket(begun, unit.encode() if isinstance(unit, str) else unit)

    def arm(self, unit: str, coverage: float) -> str | None:
        """The arm of a unit while so much is covered; ``None`` = it takes no part."""
        encoded = unit.encode()
        if _bucket(self._coverage, encoded) >= round(coverage * BUCKETS):
            return None
        return self._names[bisect_right(self._edges, _bucket(self._arm, encoded))]

    def arm_at(self, bucket: int) -> str:
        """The arm that a bucket belongs to."""
        return self._names[bisect_right(self._edges, bucket)]

    def in_shadow(self, unit: str) -> bool:
        """Whether the models of the other arms are to hear an upload of the control too."""
        return self.bucket("shadow", unit) < self._shadowed


def _bucket(begun: "hashlib._Hash", unit: bytes) -> int:
    """The bucket of a unit, by a hash that has taken in all that stands before it."""
    state = begun.copy()
    state.update(unit)
    return (_from_bytes(state.digest()[:8], "big") >> 4) % BUCKETS


def buckets_of(share: float) -> int:
    """How many buckets a share of all is."""
    return round(share * BUCKETS)


class Placement:
    """Puts uploads into the experiments that are live: first come, first served, by what each will ever cover."""

    def __init__(self, live: Sequence[Trial]) -> None:
        """Take the experiments that run or pause, in any order."""
        self._live = [(trial, Assigner(trial.definition)) for trial in sorted(live, key=lambda trial: trial.order)]

    def assign(self, upload: Upload, job_id: str, now: datetime) -> Exposure | None:
        """Where an upload belongs; ``None`` = in no experiment.

        A unit belongs to the experiment started first whose reserved coverage includes it, covered by now or not, and
        pausing or not: neither the ramp of one, nor its pause, nor a change of its coverage moves units of another.
        """
        for trial, assigner in self._live:
            experiment = trial.definition
            if upload.tenant in experiment.exclude.tenants or upload.tier in experiment.exclude.tiers:
                continue
            unit = upload.tenant if experiment.unit is Unit.TENANT else job_id
            bucket = assigner.bucket("coverage", unit)
            if bucket >= buckets_of(trial.reserved):
                continue
            coverage = trial.coverage_at(now)
            if trial.state is not State.RUNNING or bucket >= buckets_of(coverage):
                return None
            name = assigner.arm_at(assigner.bucket("arm", unit))
            arm = experiment.arm(name)
            return Exposure(
                experiment=experiment.name,
                version=experiment.version,
                arm=name,
                share=0.0 if arm is None else arm.share,
                coverage=coverage,
                unit=unit,
                shadow=name == experiment.control.name and assigner.in_shadow(unit),
            )
        return None


def assign(live: Sequence[Trial], upload: Upload, job_id: str, now: datetime) -> Exposure | None:
    """Where an upload belongs; see ``Placement``, which is quicker for many uploads."""
    return Placement(live).assign(upload, job_id, now)

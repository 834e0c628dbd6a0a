"""What some processes counted of one version of an experiment, as JSON in the state store.

A few processes of a machine share an object, so that many short ones leave no heap of them; all objects are added up
when somebody looks.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from ab_testing.evidence import BINNED, COUNTS, ArmEvidence, Evidence, Moments

FORMAT: Final = 1
BYTES_MAX: Final = 32 * 1024 * 1024
"""More than any evidence can have; what is larger is nothing of ours."""
ARMS_MAX: Final = 1000
WRITERS_MAX: Final = 256
"""Processes whose last part is remembered; more do not add to one object at the same time."""
_SUMS: Final = len(Moments._fields)


@dataclass(slots=True)
class Counted:
    """What an object holds."""

    evidence: Evidence = field(default_factory=Evidence)
    writers: dict[str, int] = field(default_factory=dict)
    """The last part that each process added, the latest last; one whose answer was lost is not added again."""


def folder_of(name: str, version: int) -> str:
    """Where the counters of a version are."""
    return f"experiments/{name}/v{version}/counters/"


def counters_name(name: str, version: int, place: str) -> str:
    """One of its objects."""
    return f"{folder_of(name, version)}{place.replace('/', '_')}.json"


def written(counted: Counted) -> bytes:
    """The object as JSON."""
    arms = {
        name: {
            "assigned": arm.assigned,
            "counts": {key: count for key, count in arm.counts.items() if count},
            "bins": {
                metric: {str(each): list(sums) for each, sums in bins.items()} for metric, bins in arm.bins.items()
            },
        }
        for name, arm in counted.evidence.arms.items()
    }
    writers = dict(list(counted.writers.items())[-WRITERS_MAX:])
    return json.dumps({"format": FORMAT, "writers": writers, "arms": arms}, separators=(",", ":")).encode()


def read(content: bytes) -> Counted:
    """The object from JSON.

    Raises:
        ValueError: it is not what ``written`` writes.
    """
    try:
        fields = json.loads(content)
        if fields["format"] != FORMAT or len(fields["arms"]) > ARMS_MAX:
            message = f"format {fields['format']} with {len(fields['arms'])} arms"
            raise ValueError(message)
        counted = Counted(writers={str(name): _count(number) for name, number in fields["writers"].items()})
        for name, arm in fields["arms"].items():
            counted.evidence.arms[name] = _arm(arm)
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        message = f"no counters: {error!r}"
        raise ValueError(message) from error
    return counted


def _arm(fields: Any) -> ArmEvidence:
    arm = ArmEvidence(_count(fields["assigned"]))
    arm.counts = Counter({key: _count(count) for key, count in fields["counts"].items() if key in COUNTS})
    for metric, bins in fields["bins"].items():
        if metric in BINNED:
            for number, sums in bins.items():
                arm.add_moments(metric, int(number), _moments(sums))
    return arm


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        message = f"{value!r} is no count"
        raise ValueError(message)
    return value


def _moments(sums: Any) -> Moments:
    n, *rest = sums
    if len(rest) != _SUMS - 1 or not all(isinstance(each, int | float) and math.isfinite(each) for each in rest):
        message = f"{sums!r} are no sums"
        raise ValueError(message)
    return Moments(_count(n), *map(float, rest))

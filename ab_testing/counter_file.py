"""What one process counted of one version of an experiment, as JSON in the state store.

Each process writes an object of its own, so nobody waits for anybody, and all of them are added up when somebody looks.
"""

import json
import math
from collections import Counter
from typing import Any, Final

from ab_testing.evidence import BINNED, COUNTS, ArmEvidence, Evidence, Moments

FORMAT: Final = 1
BYTES_MAX: Final = 32 * 1024 * 1024
"""More than any evidence can have; what is larger is nothing of ours."""
ARMS_MAX: Final = 1000
_SUMS: Final = len(Moments._fields)


def folder_of(name: str, version: int) -> str:
    """Where the counters of a version are."""
    return f"experiments/{name}/v{version}/counters/"


def counters_name(name: str, version: int, worker: str) -> str:
    """The object of one process."""
    return f"{folder_of(name, version)}{worker.replace('/', '_')}.json"


def written(evidence: Evidence) -> bytes:
    """Evidence as JSON."""
    arms = {
        name: {
            "assigned": arm.assigned,
            "counts": {key: count for key, count in arm.counts.items() if count},
            "bins": {
                metric: {str(each): list(sums) for each, sums in bins.items()} for metric, bins in arm.bins.items()
            },
        }
        for name, arm in evidence.arms.items()
    }
    return json.dumps({"format": FORMAT, "arms": arms}, separators=(",", ":")).encode()


def read(content: bytes) -> Evidence:
    """Evidence from JSON.

    Raises:
        ValueError: it is not what ``written`` writes.
    """
    try:
        fields = json.loads(content)
        if fields["format"] != FORMAT or len(fields["arms"]) > ARMS_MAX:
            message = f"format {fields['format']} with {len(fields['arms'])} arms"
            raise ValueError(message)
        evidence = Evidence()
        for name, arm in fields["arms"].items():
            evidence.arms[name] = _arm(arm)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"no counters: {error!r}"
        raise ValueError(message) from error
    return evidence


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

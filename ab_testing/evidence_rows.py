"""``Evidence`` out of the warehouse's views, by named queries: what the live counters say, from the rows themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from ab_testing.evidence import BINNED, COUNTS, ArmEvidence, Evidence, Moments, bin_of

Query = Callable[[str, Mapping[str, object]], list[dict[str, object]]]
"""Runs a named query, as ``Warehouse.query`` does."""

EVER: Final = (datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
STEPS_MAX: Final = 60
"""Points of a history; more cannot be told apart on a page, and memory stays bounded."""
STEPS_H: Final = (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672)
"""Hours of a step to choose from; beyond, as many times 28 days as are needed."""
_ONE_STEP_S: Final = 10**12
_NOTHING: Final = Moments()


@dataclass(slots=True)
class ShadowEvidence:
    """What is known of an arm whose model listens in the shadow, beside what the customers were given."""

    pairs: int = 0
    errors: int = 0
    """Pairs without an answer of the shadow."""
    predict_s: Moments = _NOTHING
    """Differences of inference time, shadow minus primary, of warm pairs; of ``Moments`` n, y and yy alone."""
    confidence: Moments = _NOTHING
    """Differences of confidence before the fallback."""
    fields: dict[str, tuple[int, int]] = field(default_factory=dict)
    """How often both answered a field, and how often alike."""


def read_evidence(
    query: Query, experiment: str, version: int, *, since: datetime = EVER[0], until: datetime = EVER[1]
) -> Evidence:
    """All that is known of an experiment.

    Args:
        query: runs a named query.
        experiment: its name.
        version: its version.
        since: the first hour, by the time it begins; of an hour that has begun earlier nothing counts.
        until: of an hour that begins then or later nothing counts.
    """
    return _by_step(query, experiment, version, (since, until), _ONE_STEP_S).get(0, Evidence())


def read_history(query: Query, experiment: str, version: int) -> list[tuple[datetime, Evidence]]:
    """What came in, step by step of one to some hours, so that there are at most ``STEPS_MAX``; each with its begin.

    The steps do not overlap: their sum is what ``read_evidence`` gives.  Steps in which nothing happened are left out.
    """
    span = query("ab_span", {"experiment": experiment, "version": version})
    if not span:
        return []
    hours = (_whole(span[0]["last_s"]) - _whole(span[0]["first_s"])) // 3600 + 1
    # A span of k steps touches up to k + 1 of them.
    step_h = next((step for step in STEPS_H if hours <= step * (STEPS_MAX - 1)), None)
    step_h = step_h or STEPS_H[-1] * -(-hours // (STEPS_H[-1] * (STEPS_MAX - 1)))
    steps = _by_step(query, experiment, version, EVER, step_h * 3600)
    return [(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=start), steps[start]) for start in sorted(steps)]


def read_segments(query: Query, experiment: str, version: int) -> dict[tuple[str, str], Evidence]:
    """What is known of each part of the traffic, by kind (``tier``, ``duration``, ``language``) and value; exploratory.

    Counts and sums are exact.  All values of a metric are in the one bin of their mean, so that rates and means can be
    compared, while quantiles cannot, nothing is winsorised, and nobody knows how many jobs were assigned.
    """
    found: dict[tuple[str, str], Evidence] = {}
    for row in query("ab_evidence_segments", {"experiment": experiment, "version": version}):
        evidence = found.setdefault((str(row["segment"]), str(row["value"])), Evidence())
        arm = evidence.arms[str(row["arm"])]
        _add_counts(arm, row)
        for metric in BINNED:
            names = ("n", "sum", "squares", "audio", "audio_squares", "product")
            moments = _moments(row, [f"{metric}_{name}" for name in names])
            if moments.n:
                arm.add_moments(metric, bin_of(moments.y / moments.n), moments)
    return found


def read_pairs(query: Query, experiment: str, version: int) -> dict[str, ShadowEvidence]:
    """What is known of the arms that listen in the shadow."""
    parameters = {"experiment": experiment, "version": version}
    found: dict[str, ShadowEvidence] = {}
    for row in query("ab_evidence_pairs", parameters):
        found[str(row["arm"])] = ShadowEvidence(
            _whole(row["pairs"]),
            _whole(row["errors"]),
            _moments(row, ["predict_s_n", "predict_s_sum", "predict_s_squares"]),
            _moments(row, ["confidence_n", "confidence_sum", "confidence_squares"]),
        )
    for row in query("ab_evidence_fields", parameters):
        arm = found.setdefault(str(row["arm"]), ShadowEvidence())
        arm.fields[str(row["field"])] = (_whole(row["compared"]), _whole(row["agreeing"]))
    return found


def _by_step(
    query: Query, experiment: str, version: int, window: tuple[datetime, datetime], step_s: int
) -> dict[int, Evidence]:
    """The evidence by the first second of each step."""
    parameters = {
        "experiment": experiment, "version": version, "since": window[0], "until": window[1], "step_s": step_s
    }  # fmt: skip
    steps: dict[int, Evidence] = {}

    def arm(row: dict[str, object]) -> ArmEvidence:
        return steps.setdefault(_whole(row["step"]), Evidence()).arms[str(row["arm"])]

    for row in query("ab_evidence_assigned", parameters):
        arm(row).assigned += _whole(row["assigned"])
    for row in query("ab_evidence_counts", parameters):
        _add_counts(arm(row), row)
    for row in query("ab_evidence_bins", parameters):
        arm(row).add_moments(str(row["metric"]), _whole(row["bin"]), _moments(row, list(Moments._fields)))
    return steps


def _add_counts(arm: ArmEvidence, row: Mapping[str, object]) -> None:
    for name in COUNTS:
        if count := _whole(row[name]):
            arm.counts[name] += count


def _moments(row: Mapping[str, object], names: list[str]) -> Moments:
    """The sums in these columns, the number first."""
    return Moments(_whole(row[names[0]]), *(_number(row[name]) for name in names[1:]))


def _whole(value: object) -> int:
    return int(_number(value))


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0

"""``Report``: everything that can be said of an experiment at one moment, for all its renderings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ab_testing.comparison import compare
from ab_testing.evidence import ArmEvidence, Evidence
from ab_testing.evidence_rows import ShadowEvidence
from ab_testing.experiment import Experiment, Unit
from ab_testing.finding import Comparison, Finding
from ab_testing.metrics import METRICS, Kind
from ab_testing.report_pairs import ShadowPairs, shadow_pairs
from ab_testing.state import Decision

SEGMENTS_MOST: Final = 24
"""Segments of a kind that are told, those with the most jobs."""


@dataclass(frozen=True, slots=True)
class ArmTotals:
    """What happened to one arm."""

    name: str
    model: str | None
    """None = the primary model that is set."""
    share: float
    assigned: int
    ended: int
    done: int
    failed: int
    rejected: int
    diverted: int
    cold: int
    cost_usd: float
    """Of all jobs, as it was."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The same comparison over a part of the jobs; exploratory, so that nobody reads a verdict into it."""

    kind: str
    """As ``tier``."""
    value: str
    jobs: tuple[tuple[str, int], ...]
    """Done and failed, by arm."""
    findings: tuple[Finding, ...]
    """Of which the verdicts are shown nowhere."""


@dataclass(frozen=True, slots=True)
class PastFinding:
    """A difference as one would have seen it at an earlier look."""

    metric: str
    arm: str
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Look:
    """What one would have seen at an earlier moment."""

    at: datetime
    """Everything before it is counted."""
    findings: tuple[PastFinding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """An experiment at one moment."""

    experiment: Experiment
    state: str
    started_at: datetime | None
    seen_at: datetime
    coverage: float
    """Share of the units that is covered now."""
    arms: tuple[ArmTotals, ...]
    comparison: Comparison
    segments: tuple[Segment, ...] = ()
    looks: tuple[Look, ...] = ()
    """In the order of time."""
    pairs: tuple[ShadowPairs, ...] = ()
    """By treatment arm; empty where nothing listened in the shadow."""
    decisions: tuple[Decision, ...] = ()
    """Who changed its state, when and why."""

    @property
    def empty(self) -> bool:
        """Whether there is no job yet."""
        return not any(arm.assigned or arm.ended for arm in self.arms)


def build_report(
    experiment: Experiment,
    state: str,
    evidence: Evidence,
    *,
    seen_at: datetime,
    started_at: datetime | None = None,
    coverage: float | None = None,
    segments: Mapping[tuple[str, str], Evidence] | None = None,
    steps: Sequence[tuple[datetime, Evidence]] = (),
    pairs: Mapping[str, ShadowEvidence] | None = None,
    decisions: Sequence[Decision] = (),
) -> Report:
    """Say everything that can be said of an experiment.

    Args:
        experiment: the version that the evidence is of.
        state: of that version, as ``running``.
        evidence: all of its jobs, each once.
        seen_at: when the evidence was read.
        started_at: of that version; None = not yet.
        coverage: share of the units that is covered now; None = the most it will ever be.
        segments: what is known of parts of the jobs, by kind (as ``tier``) and value.
        steps: what came in each step of time, with its begin; in any order, and not added up.
        pairs: what shadows showed, by arm.
        decisions: who changed its state.
    """
    comparison = compare(experiment, evidence)
    return Report(
        experiment=experiment,
        state=state,
        started_at=started_at,
        seen_at=seen_at,
        coverage=experiment.final_coverage if coverage is None else coverage,
        arms=tuple(
            _totals(arm.name, arm.model, arm.share, evidence.arms.get(arm.name) or ArmEvidence())
            for arm in experiment.arms
        ),
        comparison=comparison,
        segments=_segments(experiment, segments or {}, comparison.withheld),
        looks=_looks(experiment, steps, seen_at, comparison.withheld),
        pairs=tuple(
            shadow_pairs(arm, known, experiment.alpha, alike=experiment.unit is not Unit.UPLOAD)
            for arm, known in sorted((pairs or {}).items())
        ),
        decisions=tuple(decisions),
    )


def _totals(name: str, model: str | None, share: float, arm: ArmEvidence) -> ArmTotals:
    counts = arm.counts
    return ArmTotals(
        name=name,
        model=model,
        share=share,
        assigned=arm.assigned,
        ended=arm.ended,
        done=counts["done"],
        failed=counts["failed"],
        rejected=counts["rejected"],
        diverted=counts["diverted"],
        cold=counts["cold"],
        cost_usd=sum(moments.y for moments in arm.bins.get("cost_usd", {}).values()),
    )


def _segments(
    experiment: Experiment, segments: Mapping[tuple[str, str], Evidence], withheld: str
) -> tuple[Segment, ...]:
    """What holds for none of the jobs together holds for no part of them."""
    watched, made = _without_quantiles(experiment), []
    for (kind, value), evidence in segments.items():
        jobs = tuple((arm.name, (evidence.arms.get(arm.name) or ArmEvidence()).jobs) for arm in experiment.arms)
        if any(count for _, count in jobs):
            made.append(Segment(kind, value, jobs, compare(watched, evidence, withheld=withheld).findings))
    kinds = list(dict.fromkeys(kind for kind, _ in segments))
    told: list[Segment] = []
    for kind in kinds:
        same = [segment for segment in made if segment.kind == kind]
        same.sort(key=lambda segment: (-sum(count for _, count in segment.jobs), segment.value))
        told += same[:SEGMENTS_MOST]
    return tuple(told)


def _looks(
    experiment: Experiment, steps: Sequence[tuple[datetime, Evidence]], seen_at: datetime, withheld: str
) -> tuple[Look, ...]:
    """Each look counts all steps before it, and is made when the next one begins.

    Where verdicts are withheld now, earlier looks have no intervals either: what is broken may have been so then.
    """
    watched = _without_quantiles(experiment)
    ordered = sorted(steps, key=lambda step: step[0])
    moments = [*(begin for begin, _ in ordered[1:]), seen_at]
    evidence, looks = Evidence(), []
    for (_, fresh), at in zip(ordered, moments, strict=False):
        evidence = evidence.plus(fresh)
        looks.append(Look(at, tuple(map(_past, compare(watched, evidence, withheld=withheld).findings))))
    return tuple(looks)


def _without_quantiles(experiment: Experiment) -> Experiment:
    """Quantiles cost most to compare, and parts of the jobs have no bins to take them from."""
    metrics = tuple(name for name in experiment.metrics if METRICS[name].kind is not Kind.QUANTILE)
    return experiment.model_copy(update={"metrics": metrics, "guardrails": ()})


def _past(finding: Finding) -> PastFinding:
    return PastFinding(finding.metric, finding.arm, finding.difference, finding.low, finding.high)

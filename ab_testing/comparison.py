"""One look at an experiment: what each metric says of each treatment arm, whether a guardrail fires, and what to know.

Everything here may be asked as often as one likes: every figure that decides anything holds at every look.  It is made
of counters alone, so that workers can ask it every few seconds.
"""

from dataclasses import replace

from ab_testing.arm_pair import MINIMUM, ArmPair, MinimumData
from ab_testing.comparison_words import chosen_percent, jobs_words
from ab_testing.evidence import ArmEvidence, Evidence
from ab_testing.experiment import Experiment, Unit
from ab_testing.finding import Alarm, Comparison, Finding, GuardrailStanding, GuardrailState, SampleRatio
from ab_testing.guardrail_alarms import guardrail_alarm, not_judged
from ab_testing.mean_finding import mean_finding
from ab_testing.metrics import METRICS, Kind
from ab_testing.quantile_finding import quantile_finding
from ab_testing.rate_finding import rate_finding
from ab_testing.ratio_check import ratio_checks

CONFIDENCE_METRICS = frozenset({"confidence", "low_confidence_rate", "fallback_rate"})
SHARED_METRICS = frozenset({"over_sla_rate"})
"""What an arm does to the other through the queue and the machines they share."""


def compare(
    experiment: Experiment, evidence: Evidence, *, minimum: MinimumData = MINIMUM, withheld: str = ""
) -> Comparison:
    """Compare the arms of an experiment.

    Args:
        experiment: the version the evidence is of.
        evidence: all jobs of it, each once.
        minimum: what there must be before a mean may be judged.
        withheld: why there may be no verdict whatever this evidence says, where it is but a part of all.
    """
    ratios = ratio_checks(experiment, evidence)
    withheld = withheld or _withheld(experiment, ratios)
    findings = tuple(
        _finding(name, pair, minimum)
        for pair in _pairs(experiment, evidence, withheld=bool(withheld))
        for name in experiment.metrics
    )
    alarms = _alarms(experiment, evidence, minimum, ratios)
    return Comparison(
        experiment=experiment.name,
        version=experiment.version,
        findings=findings,
        ratios=ratios,
        alarms=alarms,
        notes=(*([withheld] if withheld else []), *_notes(experiment, evidence)),
        guardrails=_standings(experiment, evidence, minimum, ratios, alarms),
        withheld=withheld,
    )


def guardrail_alarms(
    experiment: Experiment, evidence: Evidence, *, minimum: MinimumData = MINIMUM
) -> tuple[Alarm, ...]:
    """The alarms of ``compare``, without the rest: for those who ask every few seconds."""
    return _alarms(experiment, evidence, minimum, ratio_checks(experiment, evidence))


def guardrail_alpha(experiment: Experiment) -> float:
    """Each guardrail's part of alpha: the same for each, in each treatment arm (Bonferroni)."""
    return experiment.alpha / max(1, len(experiment.guardrails) * len(experiment.treatments))


def _pairs(experiment: Experiment, evidence: Evidence, *, withheld: bool = False) -> list[ArmPair]:
    return [
        ArmPair(
            names=(experiment.control.name, arm.name),
            shares=(experiment.control.share, arm.share),
            control=_arm(evidence, experiment.control.name),
            treatment=_arm(evidence, arm.name),
            alpha=experiment.alpha,
            withheld=withheld,
        )
        for arm in experiment.treatments
    ]


def _arm(evidence: Evidence, name: str) -> ArmEvidence:
    # asking evidence.arms[name] would make the arm
    return evidence.arms.get(name, ArmEvidence())


def _withheld(experiment: Experiment, ratios: tuple[SampleRatio, ...]) -> str:
    if experiment.unit is not Unit.UPLOAD:
        return (
            "All verdicts are withheld: customers, not uploads, were dealt to the arms.  Jobs of one customer are "
            "alike, so counts of jobs cannot say how likely chance is: values and differences are shown, intervals and "
            "e-values are not, and no guardrail is judged.  A run of failures still takes an arm out.  A new version "
            "with unit: upload, which deals each upload by itself, would give verdicts."
        )
    broken = " and ".join(ratio.stage for ratio in ratios if ratio.broken)
    if not broken:
        return ""
    return (
        f"All verdicts are withheld: the sample ratio is broken, for the arms did not get their shares of the jobs "
        f"{broken}.  The jobs that are missing may be just those that differ, so values and differences are shown, "
        f"intervals and e-values are not, and no guardrail on a mean is judged.  Guardrails on rates still fire, where "
        f"an arm has too many bad jobs for as many as it can have got.  Once the cause is found and put right, a new "
        f"version, which starts to count anew, would give verdicts."
    )


def _finding(name: str, pair: ArmPair, minimum: MinimumData) -> Finding:
    metric = METRICS[name]
    if metric.kind is Kind.RATE:
        return rate_finding(metric, pair)
    if metric.kind is Kind.MEAN:
        return mean_finding(metric, pair, minimum)
    return quantile_finding(metric, pair)


def _alarms(
    experiment: Experiment, evidence: Evidence, minimum: MinimumData, ratios: tuple[SampleRatio, ...]
) -> tuple[Alarm, ...]:
    if experiment.unit is not Unit.UPLOAD:
        return ()
    broken = any(ratio.broken for ratio in ratios)
    found = [
        guardrail_alarm(guardrail, replace(pair, alpha=guardrail_alpha(experiment)), minimum, broken=broken)
        for pair in _pairs(experiment, evidence)
        for guardrail in experiment.guardrails
    ]
    return tuple(alarm for alarm in found if alarm is not None)


def _standings(
    experiment: Experiment,
    evidence: Evidence,
    minimum: MinimumData,
    ratios: tuple[SampleRatio, ...],
    alarms: tuple[Alarm, ...],
) -> tuple[GuardrailStanding, ...]:
    fired = {(alarm.metric, alarm.arm) for alarm in alarms}
    broken = any(ratio.broken for ratio in ratios)
    found = []
    for pair in _pairs(experiment, evidence):
        own = replace(pair, alpha=guardrail_alpha(experiment))
        for guardrail in experiment.guardrails:
            if experiment.unit is not Unit.UPLOAD:
                because = "customers, not uploads, were dealt to the arms"
            else:
                because = not_judged(guardrail, own, minimum, broken=broken)
            key = guardrail.metric, pair.names[1]
            state = GuardrailState.NOT_JUDGED if because else GuardrailState.HOLDS
            found.append(GuardrailStanding(*key, GuardrailState.FIRED if key in fired else state, because))
    return tuple(found)


def _notes(experiment: Experiment, evidence: Evidence) -> tuple[str, ...]:
    arms = [arm.name for arm in experiment.arms]
    metrics = {METRICS[name] for name in experiment.metrics}
    notes = []
    checked = len(experiment.metrics) * len(experiment.treatments)
    if checked > 1:
        notes.append(
            f"{checked} comparisons are made, each wrong in at most {chosen_percent(experiment.alpha)} % of "
            f"experiments in which nothing differs. The more there are, the likelier is one of them; guardrails share "
            f"another {chosen_percent(experiment.alpha)} % between them."
        )
    if any(metric.kind is not Kind.RATE or metric.name in SHARED_METRICS for metric in metrics):
        notes.append(
            "All arms share queues and machines, so a slow arm delays the others too. Compare inference time, which is "
            "measured inside the worker; waiting and total time say little about an arm."
        )
    if CONFIDENCE_METRICS & set(experiment.metrics):
        notes.append(
            "Confidences of two models are not on one scale: a model can be surer and not righter. Read them beside "
            "calibration on labelled recordings, and beside the agreement of both models in shadow mode."
        )
    for name, why in (
        ("cold", "ran right after their model was loaded; their inference times are left out, in all arms"),
        ("diverted", "were answered by another model than their arm's, as after a rollback, and are compared nowhere"),
        ("rejected", "held no usable audio, whatever the arm, and are compared nowhere"),
    ):
        counts = {arm: _arm(evidence, arm).counts[name] for arm in arms}
        if any(counts.values()):
            listed = ", ".join(f"{count:,} in {arm}" for arm, count in counts.items() if count)
            notes.append(f"{jobs_words(sum(counts.values()))} ({listed}) {why}.")
    strangers = sorted(set(evidence.arms) - set(arms))
    if strangers:
        notes.append(
            f"There are jobs of arms that this version does not have, and they are left out: {', '.join(strangers)}."
        )
    return tuple(notes)

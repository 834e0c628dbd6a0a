"""Experiments and what is known of their arms, for tests of the comparison."""

import numpy as np

from ab_testing.evidence import ArmEvidence, Evidence, Moments, bin_of
from ab_testing.experiment import Arm, Experiment, Guardrail
from ab_testing.finding import Comparison, Finding

GUARDRAILS = (Guardrail(metric="error_rate", margin=0.5), Guardrail(metric="predict_s", margin=0.25))
EXPERIMENT = Experiment(name="trial", guardrails=GUARDRAILS)
THREE = Experiment(
    name="three",
    arms=(Arm(name="primary", share=0.8), Arm(name="one", share=0.1), Arm(name="two", share=0.1)),
    guardrails=GUARDRAILS,
)


def arm(
    jobs: int,
    failed: int = 0,
    *,
    seed: int = 0,
    slower: float = 1.0,
    assigned: int | None = None,
    values: int | None = None,
    **counts: int,
) -> ArmEvidence:
    """An arm with so many jobs, and inference times that follow the length of the audio."""
    found = ArmEvidence(jobs if assigned is None else assigned)
    found.counts.update({"done": jobs - failed, "failed": failed, **counts})
    random = np.random.default_rng(seed)
    count = jobs if values is None else values
    audio_s = random.lognormal(4, 1, count)
    for metric, drawn in (
        ("predict_s", slower * 0.05 * audio_s * random.lognormal(0, 0.3, count)),
        ("confidence", random.beta(8, 2, count)),
        ("cost_usd", np.where(random.random(count) < 0.1, 0.001 * audio_s, 0.0)),
    ):
        for value, seconds in zip(drawn.tolist(), audio_s.tolist(), strict=True):
            found.add_moments(metric, bin_of(value), Moments.of(value, seconds))
    return found


def two(control: ArmEvidence, treatment: ArmEvidence) -> Evidence:
    """Of the experiment with two arms."""
    evidence = Evidence()
    evidence.arms.update({"primary": control, "experimental": treatment})
    return evidence


def rates(hits: int, others: int, jobs: int = 10_000) -> Evidence:
    """Failures of a tenth and of nine tenths of the jobs, and no values."""
    return two(arm(jobs * 9 // 10, others, values=0), arm(jobs // 10, hits, values=0))


def of(comparison: Comparison, metric: str, name: str = "experimental") -> Finding:
    """The finding of a metric."""
    return next(each for each in comparison.findings if (each.metric, each.arm) == (metric, name))

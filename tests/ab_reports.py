"""Makes experiments, evidence and reports for tests: drawn with a fixed seed, as a running system would give them."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np

from ab_testing.evidence import ArmEvidence, Evidence, Moments, bin_of
from ab_testing.evidence_rows import ShadowEvidence
from ab_testing.experiment import Arm, Experiment, Guardrail
from ab_testing.report import Report, build_report
from ab_testing.state import Action, Decision, State

BEGAN = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOURS = 52
PER_HOUR = 400


def experiment(**fields: object) -> Experiment:
    """Two arms at 90/10, guarded by their errors and their time."""
    return Experiment.model_validate(
        {
            "name": "qwen-or-listener",
            "version": 2,
            "description": "Whether the larger model is worth its seconds.",
            "arms": [Arm(name="primary", share=0.9), Arm(name="experimental", share=0.1, model="qwen2_audio")],
            "guardrails": [Guardrail(metric="error_rate", margin=0.5), Guardrail(metric="predict_s", margin=0.2)],
            **fields,
        }
    )


def arm_evidence(random: np.random.Generator, jobs: int, *, errors: float, seconds: float, usd: float) -> ArmEvidence:
    """What an arm with these rates shows."""
    arm = ArmEvidence(assigned=jobs + int(random.integers(0, 3)))
    failed = int(random.binomial(jobs, errors))
    arm.counts = Counter(
        done=jobs - failed,
        failed=failed,
        rejected=int(random.binomial(jobs, 0.004)),
        fallback=int(random.binomial(jobs, 0.12)),
        low_confidence=int(random.binomial(jobs, 0.15)),
        over_sla=int(random.binomial(jobs, 0.01)),
    )
    audio = random.lognormal(3.5, 0.7, jobs)
    values = {
        "predict_s": seconds * random.lognormal(0, 0.4, jobs) * (0.5 + audio / 80),
        "confidence": np.clip(random.normal(0.84, 0.09, jobs), 0.01, 0.999),
        "cost_usd": usd * random.lognormal(0, 0.8, jobs),
    }
    for metric, drawn in values.items():
        for value, audio_s in zip(drawn.tolist(), audio.tolist(), strict=True):
            arm.add_moments(metric, bin_of(value), Moments.of(value, audio_s))
    return arm


def hourly(seed: int = 7, hours: int = HOURS, jobs: int = PER_HOUR, errors: float = 0.055) -> list[Evidence]:
    """So many hours, in which the experimental arm fails more, is faster and costs less."""
    random = np.random.default_rng(seed)
    return [
        Evidence(
            {
                "primary": arm_evidence(random, 9 * jobs // 10, errors=0.03, seconds=1.2, usd=0.0000213),
                "experimental": arm_evidence(random, jobs // 10, errors=errors, seconds=1.0, usd=0.0000187),
            }
        )
        for _ in range(hours)
    ]


def total(parts: list[Evidence]) -> Evidence:
    """All of them together."""
    added = Evidence()
    for part in parts:
        added = added.plus(part)
    return added


@lru_cache(maxsize=1)
def full_report() -> Report:
    """A report with everything in it."""
    parts = hourly()
    shadow = ShadowEvidence(
        pairs=812,
        errors=9,
        predict_s=Moments(780, -156.0, 110.0),
        confidence=Moments(803, 12.0, 4.0),
        fields={"content_type": (803, 771), "genres": (640, 402), "key": (12, 7)},
    )
    return build_report(
        experiment(),
        "running",
        total(parts),
        seen_at=BEGAN + timedelta(hours=HOURS),
        started_at=BEGAN,
        coverage=0.1,
        segments={
            ("tier", "free"): total(parts[:26]),
            ("tier", "pro"): total(parts[26:44]),
            ("tier", "enterprise"): total(parts[44:]),
            ("duration", "under 30 s"): total(parts[:40]),
            ("duration", "30 s to 5 min"): total(parts[40:]),
            ("language", "en"): total(parts[10:]),
            ("language", ""): total(parts[:10]),
        },
        steps=[(BEGAN + timedelta(hours=hour), part) for hour, part in enumerate(parts)],
        pairs={"experimental": shadow},
        decisions=[decision()],
    )


def decision(**fields: object) -> Decision:
    """Somebody started it."""
    return Decision.model_validate(
        {
            "number": 1,
            "at": BEGAN,
            "actor": "dana",
            "action": Action.START,
            "version": 2,
            "before": State.DRAFT,
            "state": State.RUNNING,
            "coverage": 0.1,
            "reason": "ticket 4711",
            **fields,
        }
    )

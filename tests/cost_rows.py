"""Jobs of every kind, for tests of what things cost."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from earmark.rows import JobRow
from tests.contracts.test_warehouse import job_row

START = datetime(2027, 3, 1, 22, tzinfo=UTC)
FALLBACK = "openai/gpt-audio-1.5"


def some_jobs(seed: int, count: int = 120) -> list[JobRow]:
    """Jobs of three days: some asked about, some answered by the fallback alone, some failed, some of before prices."""
    dice = random.Random(seed)
    return [_job(dice, number) for number in range(count)]


def _job(dice: random.Random, number: int) -> JobRow:
    status = dice.choices(["done", "failed", "rejected"], [8, 1, 1])[0]
    done, asked = status == "done", status == "done" and dice.random() < 0.3
    machine_usd = dice.choice([None, 0.0, dice.uniform(0, 0.01)]) if done else None
    fallback_usd = dice.uniform(0, 0.05) if asked else 0.0 if done else None
    billed_usd = dice.choice([0.0, dice.uniform(0, 0.1)]) if done else 0.0
    alone = asked and dice.random() < 0.2
    return job_row(
        number,
        START + timedelta(minutes=dice.uniform(0, 3000)),
        status=status,
        tenant=dice.choice(["acme", "beta", "gamma"]),
        tier=dice.choice(["free", "pro"]),
        lane=dice.choice(["high", "low"]),
        arm=dice.choice(["primary", "treatment"]),
        model=FALLBACK if alone else dice.choice(["listener", "qwen2_audio", ""]),
        audio_s=dice.choice([0.0, 29.5, 30.0, 61.0, dice.uniform(1, 500)]),
        predict_s=dice.choice([0.0, dice.uniform(0.01, 9)]) if done else 0.0,
        size_bytes=dice.randrange(1, 10**7),
        cost_usd=(machine_usd or 0.0) + (fallback_usd or 0.0) + billed_usd,
        machine_usd=machine_usd,
        hardware=None if alone or not done else dice.choice([None, "NVIDIA L4", "AMD EPYC"]),
        fallback_model=FALLBACK if asked else None,
        fallback_fields=1 if asked else None,
        fallback_usd=fallback_usd,
        warm=dice.random() < 0.9,
    )


def heard_jobs(count: int, hardware: str | None, *, s_per_s: float, audio_s: Sequence[float] = (60.0,)) -> list[JobRow]:
    """Jobs, one a minute, that the primary heard at one pace on one kind of hardware."""
    return [
        job_row(
            number,
            START + timedelta(minutes=number),
            row_id=f"{hardware} {number}",
            hardware=hardware,
            audio_s=audio_s[number % len(audio_s)],
            predict_s=audio_s[number % len(audio_s)] * s_per_s,
            size_bytes=1000,
            cost_usd=0.0,
        )
        for number in range(count)
    ]

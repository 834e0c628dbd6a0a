"""Rows of experiments for tests: whatever the warehouse may be given, in any order and more than once."""

import hashlib
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from ab_testing.evidence import Evidence
from earmark.rows import AgreementRow, AssignmentRow, ExperimentRow, PairRow, Row, TrialRow

START = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)
NAMES = ("qwen-or-listener", "Größe 🎧 'quoted'")
ARMS = ("primary", "experimental", "dritter Arm — é")
VERSIONS = (1, 2)
RowType = TypeVar("RowType", bound=Row)


def trial_row(number: int = 1, at: datetime = START, **fields: object) -> TrialRow:
    """A job that went well."""
    return TrialRow.model_validate(
        {
            "row_id": f"trial {number}", "tenant": "acme", "at": at, "experiment": NAMES[0], "version": 1,
            "arm": "primary", "unit": f"job {number}", "share": 0.9, "job_id": f"job {number}", "shadow": False,
            "diverted": False, "status": "done", "error_kind": None, "tries": 1, "lane": "low", "tier": "free",
            "origin": "command", "content_type": "music", "language": None, "model": "listener",
            "model_version": "1", "engine": "onnx", "hardware": "cpu", "warm": True, "audio_s": 12.5, "queued_s": 1.0,
            "predict_s": 0.5, "total_s": 2.0, "over_sla": False, "raw_confidence": 0.9, "confidence": 0.8,
            "low_confidence": False, "fallback": False, "fallback_fields": 0, "review": False, "cost_usd": 0.01,
            **fields,
        }
    )  # fmt: skip


def any_trial(dice: random.Random, rows: int = 150) -> TrialRow:
    """A row as odd as they come; of ``rows`` different ones, so that some are versions of another."""
    moment = START + timedelta(microseconds=dice.randrange(5 * 3600 * 10**6))
    if dice.random() < 0.1:
        moment = moment.replace(minute=59, second=59, microsecond=999_999)
    number = dice.randrange(rows)
    return trial_row(
        number,
        moment,
        tenant=("acme", "Zoë")[number % 2],  # versions of a row are about the same tenant
        experiment=dice.choice(NAMES),
        version=dice.choice(VERSIONS),
        arm=dice.choice(ARMS),
        shadow=dice.random() < 0.1,
        diverted=dice.random() < 0.1,
        status=dice.choice(["done", "done", "done", "failed", "rejected"]),
        warm=dice.random() < 0.8,
        tier=dice.choice(["free", "pro", "enterprise"]),
        language=dice.choice([None, "en", "日本語"]),
        audio_s=dice.choice([0.0, 10.0, 30.0, 60.0, 300.0, dice.lognormvariate(3, 1.5)]),
        predict_s=dice.choice([None, 0.0, dice.lognormvariate(0, 1)]),
        queued_s=dice.choice([0.0, -0.001, dice.lognormvariate(-2, 2)]),
        total_s=dice.lognormvariate(1, 1),
        confidence=dice.choice([None, 0.0, 1.0, dice.random()]),
        cost_usd=dice.choice([0.0, dice.lognormvariate(-6, 2)]),
        low_confidence=dice.random() < 0.3,
        fallback=dice.random() < 0.3,
        over_sla=dice.random() < 0.2,
        review=dice.random() < 0.2,
    )


def any_assignment(dice: random.Random, rows: int = 150) -> AssignmentRow:
    """An assignment, right or wrong."""
    number = dice.randrange(rows)
    return AssignmentRow(
        row_id=f"assignment {number}", tenant="acme", at=START + timedelta(seconds=dice.randrange(5 * 3600)),
        experiment=dice.choice(NAMES), version=dice.choice(VERSIONS), arm=dice.choice(ARMS), unit=f"unité {number}",
        share=0.5, coverage=dice.choice([0.1, 0.5, 1.0]), shadow=dice.random() < 0.2, job_id=f"job {number}",
        tier="free",
    )  # fmt: skip


def any_pair(dice: random.Random, rows: int = 60) -> PairRow:
    """An upload that two models heard."""
    number = dice.randrange(rows)
    return PairRow(
        row_id=f"pair {number}", tenant="acme", at=START + timedelta(seconds=dice.randrange(5 * 3600)),
        experiment=dice.choice(NAMES), version=1, arm=dice.choice(ARMS[1:]), job_id=f"job {number}",
        error_kind=dice.choice([None, None, "model_crashed"]), audio_s=10.0,
        primary_predict_s=dice.choice([None, dice.random()]), shadow_predict_s=dice.choice([None, dice.random()]),
        primary_confidence=dice.choice([None, dice.random()]), shadow_confidence=dice.choice([None, dice.random()]),
        warm=dice.random() < 0.7,
    )  # fmt: skip


def any_agreement(dice: random.Random, rows: int = 120) -> AgreementRow:
    """A field that both answered."""
    number = dice.randrange(rows)
    return AgreementRow(
        row_id=f"agreement {number}", tenant="acme", at=START + timedelta(seconds=dice.randrange(5 * 3600)),
        experiment=dice.choice(NAMES), version=1, arm=dice.choice(ARMS[1:]), job_id=f"job {number}",
        field=dice.choice(["language", "genres"]), agrees=dice.random() < 0.6, primary_value="a", shadow_value="b",
    )  # fmt: skip


def experiment_row(name: str, version: int, shares: dict[str, float], number: int = 1) -> ExperimentRow:
    """The start of an experiment with these arms."""
    arms = [{"name": arm, "share": share} for arm, share in shares.items()]
    return ExperimentRow(
        row_id=f"{name}:{version}:{number}", tenant="", at=START + timedelta(hours=number), experiment=name,
        version=version, state="running", coverage=1.0, actor="ann", reason="", evidence="",
        definition=json.dumps({"name": name, "version": version, "arms": arms}),
    )  # fmt: skip


def latest(rows: list[RowType]) -> list[RowType]:
    """Each row once, in its latest version."""
    found: dict[str, RowType] = {}
    for row in rows:
        if row.row_id not in found or row.at >= found[row.row_id].at:
            found[row.row_id] = row
    return list(found.values())


def bucket(name: str, version: int, salt: str, unit: str) -> int:
    """The bucket as the documentation defines it."""
    return int(hashlib.sha256(f"{name}:{version}:{salt}:{unit}".encode()).hexdigest()[:15], 16) % 10_000


def plain(evidence: Evidence) -> dict[str, Any]:
    """Evidence that can be compared: without what is empty."""
    return {
        name: {
            "assigned": arm.assigned,
            "counts": {key: count for key, count in arm.counts.items() if count},
            "bins": {
                (metric, number): moments._asdict()
                for metric, bins in arm.bins.items()
                for number, moments in bins.items()
            },
        }
        for name, arm in evidence.arms.items()
        if arm.assigned or any(arm.counts.values())
    }

"""Decisions about experiments as rows for analysts and for the audit log, the same each time they are made."""

import json

from ab_testing.state import Course, Decision, dumped
from earmark.audit import AuditEntry
from earmark.rows import AuditRow, ExperimentRow, Row


def decision_rows(course: Course, decision: Decision) -> list[Row]:
    """The two rows of a decision."""
    trial = course.trial(decision.version) or course.latest
    return [
        ExperimentRow(
            row_id=f"{course.name}:{decision.number}",
            tenant="",
            at=decision.at,
            experiment=course.name,
            version=decision.version,
            state=decision.state,
            coverage=decision.coverage,
            actor=decision.actor,
            reason=decision.reason,
            definition=json.dumps(dumped(trial.definition)),
            evidence=decision.evidence,
        ),
        AuditRow(
            row_id=f"experiment:{course.name}:{decision.number}",
            tenant="",
            at=decision.at,
            actor=decision.actor,
            action=f"experiment.{decision.action}",
            subject=f"{course.name}:{decision.version}",
            reason=decision.reason,
            detail=decision.evidence or f"{decision.before} to {decision.state}, coverage {decision.coverage:g}",
        ),
    ]


def decision_entry(course: Course, decision: Decision) -> AuditEntry:
    """A decision as it goes into the chain of the audit trail before it is in force."""
    return AuditEntry(
        at=decision.at,
        actor=decision.actor,
        action=f"experiment.{decision.action}",
        target=f"{course.name}:{decision.version}",
        before=str(decision.before),
        after=str(decision.state),
        reason=decision.reason,
        detail=f"coverage {decision.coverage:g}",
    )

"""``Audit``: what was done to letters, by whom and when, as links before it is done and as rows after.

What is about to be done goes into the chain of the audit trail first.  The letter itself holds its acts, written in the
same step as the change.  Their rows follow at once, and once more before a letter is deleted, so that no crash in
between leaves an act out.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from earmark.audit import AuditEntry, Auditing, nothing_audited
from earmark.log import event
from earmark.ports import Warehouse
from earmark.rows import AuditRow, Row
from router.dead_letters.letter import Act, DeadLetter

_log = logging.getLogger(__name__)


class Audit:
    """The audit log of dead letters."""

    def __init__(self, warehouse: Warehouse, chain: Auditing = nothing_audited) -> None:
        """Take the warehouse that has the table ``audit``, and what writes links of the audit trail without rows."""
        self._warehouse = warehouse
        self._chain = chain

    def before(
        self, letters: Iterable[tuple[str, str]], action: str, *, at: datetime, actor: str, reason: str = ""
    ) -> None:
        """Write down what is about to be done to letters, in one link.

        Args:
            letters: id and customer of each; the customer may be empty where the reason names nobody.
            action: what is done.
            at: when.
            actor: by whom.
            reason: why.

        Raises:
            Unavailable: it could not be written; nothing must be done.
        """
        self._chain(
            [
                AuditEntry(at=at, actor=actor, action=action, target=job_id, tenant=tenant, reason=reason)
                for job_id, tenant in letters
            ]
        )

    def append(self, letters: Sequence[DeadLetter]) -> None:
        """Add all acts of these letters, each once however often it is told.

        Raises:
            Unavailable: the warehouse cannot be reached; the letters keep their acts.
        """
        self._append([_row(letter, act) for letter in letters for act in letter.acts])

    def append_expired(self, letters: Sequence[DeadLetter], acts: Sequence[Act]) -> None:
        """Add all acts of letters that are about to be deleted, and the last act of each, which no letter will hold.

        Raises:
            Unavailable: the warehouse cannot be reached; the letters keep their acts.
        """
        rows = [_row(letter, act) for letter in letters for act in letter.acts]
        self._append(rows + [_row(letter, act) for letter, act in zip(letters, acts, strict=True)])

    def _append(self, rows: Sequence[Row]) -> None:
        if rows:
            self._warehouse.append(rows)


def log_act(letter: DeadLetter, act: Act) -> None:
    """One log line for an act that was done now."""
    event(
        _log,
        f"letter.{_VERBS[act.action]}",
        job_id=letter.id,
        tenant=letter.tenant,
        fingerprint=letter.fingerprint,
        kind=letter.kind,
        actor=act.actor,
        reason=act.reason or None,
        detail=act.detail or None,
    )


_VERBS = {
    "dlq.replay": "replayed",
    "dlq.discard": "discarded",
    "dlq.quarantine": "quarantined",
    "dlq.expire": "expired",
}


def _row(letter: DeadLetter, act: Act) -> AuditRow:
    return AuditRow(
        row_id=f"{letter.id}:{act.action}:{act.at.isoformat()}",
        tenant=letter.tenant,
        at=act.at,
        actor=act.actor,
        action=act.action,
        subject=letter.id,
        reason=act.reason,
        detail=act.detail,
    )

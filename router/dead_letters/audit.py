"""``Audit``: what was done to letters, by whom and when, as rows that nobody changes.

The letter itself holds its acts, written in the same step as the change.  Their rows follow at once, and once more
before a letter is deleted, so that no crash in between leaves an act out.
"""

import getpass
import logging
import os
from collections.abc import Sequence

from earmark.log import event
from earmark.ports import Warehouse
from earmark.rows import AuditRow, Row
from router.dead_letters.letter import Act, DeadLetter

_log = logging.getLogger(__name__)


class Audit:
    """The audit log of dead letters."""

    def __init__(self, warehouse: Warehouse) -> None:
        """Take the warehouse that has the table ``audit``."""
        self._warehouse = warehouse

    def append(self, letters: Sequence[DeadLetter], *, expired: Act | None = None) -> None:
        """Add all acts of these letters, each once however often it is told; ``expired`` is one of each of them.

        Raises:
            Unavailable: the warehouse cannot be reached; the letters keep their acts.
        """
        rows: list[Row] = [_row(letter, act) for letter in letters for act in letter.acts]
        rows += [_row(letter, expired) for letter in letters if expired]
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


def actor_name(setting: str) -> str:
    """Who acts: the setting, else the name of the operating system's user."""
    if setting:
        return setting
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run under a number that has no name
        return f"uid {os.getuid()}"


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

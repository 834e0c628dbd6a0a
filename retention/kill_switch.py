"""``KillSwitch``: stops all runs of retention between two batches, and keeps new ones from starting."""

import logging
from typing import Final

from pydantic import AwareDatetime, ValidationError

from earmark.audit import AuditEntry, Auditing
from earmark.errors import ConfigurationError, ObjectMissing, Unavailable
from earmark.log import event
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectStore

_log = logging.getLogger(__name__)

NAME: Final = "retention/stopped.json"
"""In the state store; while there is such an object, whatever it holds, nothing is deleted."""
ACTION_STOP: Final = "retention.stop"
ACTION_RESUME: Final = "retention.resume"


class Stop(Frozen):
    """Who stopped it, when and why."""

    actor: str
    reason: str
    at: AwareDatetime


class KillSwitch:
    """One switch for all runs; all methods raise ``Unavailable`` when the store cannot be reached."""

    def __init__(self, store: ObjectStore, clock: Clock, audit: Auditing) -> None:
        """Take the state store, the time and who writes changes down."""
        self._store, self._clock, self._audit = store, clock, audit

    def stopped(self) -> Stop | None:
        """Why nothing may be deleted; ``None`` = it may."""
        info = self._store.stat(NAME)
        if info is None:
            return None
        try:
            return Stop.model_validate_json(b"".join(self._store.read(NAME)))
        except ObjectMissing:
            return None
        except ValidationError:
            return Stop(actor="", reason=f"the object {NAME} is there, and does not say why", at=info.created_at)

    def stop(self, reason: str, actor: str) -> Stop:
        """Stop; where it is stopped already, that stays as it is.

        The one change that is made even where it cannot be written down: what stops deletion must not itself be
        stopped.

        Raises:
            ConfigurationError: no reason or actor was given.
            Unavailable: the audit trail could not be reached; everything is stopped all the same.
        """
        _demand(reason, actor)
        present = self.stopped()
        if present is not None:
            return present
        stop = Stop(actor=actor, reason=reason, at=self._clock())
        try:
            self._tell(ACTION_STOP, actor, reason, after="stopped")
        except Unavailable:
            self._write(stop)
            raise
        self._write(stop)
        return stop

    def resume(self, reason: str, actor: str) -> bool:
        """Let runs go on; False where nothing was stopped.

        Raises:
            ConfigurationError: no reason or actor was given.
            PreconditionFailed: somebody stopped it anew meanwhile.
        """
        _demand(reason, actor)
        info = self._store.stat(NAME)
        if info is None:
            return False
        self._tell(ACTION_RESUME, actor, reason, before="stopped")
        done = self._store.delete(NAME, if_generation=info.generation)
        event(_log, "retention.resumed", actor=actor, reason=reason)
        return done

    def _write(self, stop: Stop) -> None:
        self._store.write(NAME, stop.model_dump_json(indent=1).encode(), content_type="application/json")
        event(_log, "retention.stopped", level=logging.WARNING, actor=stop.actor, reason=stop.reason)

    def _tell(self, action: str, actor: str, reason: str, *, before: str = "", after: str = "") -> None:
        entry = AuditEntry(
            at=self._clock(),
            actor=actor,
            action=action,
            target="retention",
            before=before,
            after=after,
            reason=reason,
        )
        self._audit([entry])


def _demand(reason: str, actor: str) -> None:
    if not reason.strip() or not actor.strip():
        message = "Retention is stopped and resumed by somebody, for a reason: give both"
        raise ConfigurationError(message)

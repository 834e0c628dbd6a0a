"""``Holds``: what must not be deleted while somebody says so, as for a court; kept on record after their release."""

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime

from earmark.audit import AuditEntry, Auditing
from earmark.errors import ConfigurationError, PreconditionFailed, Unavailable
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectStore
from earmark.rows import CatalogueRow
from retention.folder import Folder
from retention.scope import Scope
from retention.scope_index import ScopeIndex

FOLDER: Final = "retention/holds/"
CHANGES_MAX: Final = 8
"""Attempts to change what others change at the same time."""


class Hold(Frozen):
    """One hold; while ``released_at`` is ``None`` it stands."""

    id: str
    scope: Scope
    reason: str
    actor: str
    """Who placed it."""
    placed_at: AwareDatetime
    released_at: AwareDatetime | None = None
    released_by: str = ""
    release_reason: str = ""


class HoldsNow:
    """The holds of one moment, for asking about millions of objects."""

    def __init__(self, holds: Iterable[Hold]) -> None:
        """Take all holds, released ones too."""
        holds = list(holds)
        self._standing = ScopeIndex((hold.scope, hold) for hold in holds if hold.released_at is None)
        self._released = ScopeIndex((hold.scope, hold.released_at) for hold in holds if hold.released_at is not None)

    def covering(self, row: CatalogueRow) -> Hold | None:
        """The hold that stands and covers an object, the oldest of several."""
        if not self._standing:
            return None
        return min(self._standing.covering(row), key=lambda hold: (hold.placed_at, hold.id), default=None)

    def released_after(self, row: CatalogueRow, at: datetime) -> bool:
        """Whether a hold that covered an object was released later than ``at``."""
        return any(released_at > at for released_at in self._released.covering(row))


class Holds:
    """All holds; safe to use from several threads and processes.

    All methods raise ``Unavailable`` when the store cannot be reached, and ``ConfigurationError`` where what is stored
    is no hold.
    """

    def __init__(self, store: ObjectStore, clock: Clock, audit: Auditing | None = None) -> None:
        """Take the state store, the time, and who writes changes down; ``None`` = nothing will be changed."""
        self._folder = Folder(store, FOLDER, Hold, "hold")
        self._clock, self._audit = clock, audit

    def place(self, scope: Scope, reason: str, actor: str) -> Hold:
        """Hold an object, a prefix or a customer; a second hold of the same is a hold of its own.

        Raises:
            ConfigurationError: no reason or actor was given.
        """
        _demand(reason, actor)
        now = self._clock()
        hold = Hold(id=made_id(now), scope=scope, reason=reason, actor=actor, placed_at=now)
        self._tell(hold, "retention.hold", now, actor, "", "held", reason)
        self._folder.write(hold.id, hold, if_generation=0)
        return hold

    def release(self, hold_id: str, reason: str, actor: str) -> Hold:
        """End a hold; one that is released already stays as it is.

        Raises:
            ConfigurationError: there is no such hold, or no reason or actor was given.
        """
        _demand(reason, actor)
        for _ in range(CHANGES_MAX):
            found = self._folder.find(hold_id)
            if found is None:
                message = f"There is no hold {hold_id!r}.  `earmark retention holds` shows all there are."
                raise ConfigurationError(message)
            hold, generation = found
            if hold.released_at is not None:
                return hold
            now = self._clock()
            change = {"released_at": now, "released_by": actor, "release_reason": reason}
            after = hold.model_copy(update=change)
            self._tell(hold, "retention.release", now, actor, "held", "released", reason)
            try:
                self._folder.write(hold_id, after, if_generation=generation)
            except PreconditionFailed:
                continue
            return after
        message = f"The hold {hold_id} keeps changing"
        raise Unavailable(message)

    def all(self) -> list[Hold]:
        """Every hold, released ones too, oldest first, looked at now."""
        return self._folder.all()

    def view(self) -> HoldsNow:
        """The holds as they are now."""
        return HoldsNow(self.all())

    def _tell(self, hold: Hold, action: str, now: datetime, actor: str, before: str, after: str, reason: str) -> None:
        if self._audit is None:
            message = "These holds were opened for reading: nobody would write the change down"
            raise ConfigurationError(message)
        self._audit(
            [
                AuditEntry(
                    at=now,
                    actor=actor,
                    action=action,
                    target=hold.id,
                    tenant=hold.scope.tenant or "",
                    before=before,
                    after=after,
                    reason=reason,
                    detail=hold.scope.kind,
                )
            ]
        )


def made_id(now: datetime) -> str:
    """A new id that sorts by time, as ``20260131T120000Z-9f31c2a4``."""
    return f"{now:%Y%m%dT%H%M%S}Z-{secrets.token_hex(4)}"


def _demand(reason: str, actor: str) -> None:
    if not reason.strip() or not actor.strip():
        message = "A hold is placed and released by somebody, for a reason: give both"
        raise ConfigurationError(message)

"""``Extensions``: what an enterprise customer keeps for longer, until when, and who approved it."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime

from earmark.audit import AuditEntry, Auditing
from earmark.domain import TenantName
from earmark.errors import ConfigurationError, PreconditionFailed, Unavailable
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectStore
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass, Tier
from retention.folder import Folder
from retention.holds import CHANGES_MAX, made_id
from retention.policy import Policy
from retention.scope import Scope
from retention.scope_index import ScopeIndex
from retention.timeline import TierOf

FOLDER: Final = "retention/extensions/"


class Extension(Frozen):
    """One extension.  It stays on record, and counts, after ``until``: an object is noticed of its end there."""

    id: str
    scope: Scope
    tenant: TenantName
    """Whose objects; those of others are not covered, whatever the scope."""
    until: AwareDatetime
    reason: str
    actor: str
    approved_by: str
    granted_at: AwareDatetime
    withdrawn_at: AwareDatetime | None = None
    """When it was ended before its time; from then on it is as if it had never been."""
    withdrawn_by: str = ""
    withdraw_reason: str = ""


class ExtensionsNow:
    """The extensions of one moment, for asking about millions of objects."""

    def __init__(self, extensions: Iterable[Extension]) -> None:
        """Take all extensions, ended and withdrawn ones too."""
        self._all = ScopeIndex((extension.scope, extension) for extension in extensions)

    def covering(self, row: CatalogueRow) -> Extension | None:
        """The extension that keeps an object longest; a temporary object is never extended."""
        if not self._all:
            return None
        counted = (each for each in self._of(row) if each.withdrawn_at is None)
        return max(counted, key=lambda each: (each.until, each.id), default=None)

    def until(self, row: CatalogueRow) -> datetime | None:
        """Until when an object is kept by extension, which may be over; ``None`` = none covers it."""
        extension = self.covering(row)
        return None if extension is None else extension.until

    def withdrawn_after(self, row: CatalogueRow, at: datetime) -> bool:
        """Whether an extension that covered an object was ended before its time, and later than ``at``."""
        return any(each.withdrawn_at is not None and each.withdrawn_at > at for each in self._of(row))

    def _of(self, row: CatalogueRow) -> Iterable[Extension]:
        if not self._all or row.object_class == ObjectClass.TEMPORARY:
            return ()
        return (each for each in self._all.covering(row) if each.tenant == row.tenant)


class Extensions:
    """All extensions; safe to use from several threads and processes.

    All methods raise ``Unavailable`` when the store cannot be reached, and ``ConfigurationError`` where what is stored
    is no extension.
    """

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        audit: Auditing | None = None,
        *,
        tier_of: TierOf | None = None,
        policy: Callable[[], Policy] | None = None,
    ) -> None:
        """Take the state store and the time; the rest is needed for changes only.

        Args:
            store: the state store.
            clock: gives the time.
            audit: writes changes down.
            tier_of: gives the tier that a customer has now.
            policy: gives the policy in force now.
        """
        self._folder = Folder(store, FOLDER, Extension, "extension")
        self._clock, self._audit, self._tier_of, self._policy = clock, audit, tier_of, policy

    def grant(
        self, scope: Scope, until: datetime, reason: str, actor: str, approved_by: str, *, tenant: str | None = None
    ) -> Extension:
        """Keep an object, a prefix or all of a customer for longer.

        Args:
            scope: what is kept.
            until: when that ends.
            reason: why.
            actor: who does it.
            approved_by: who allowed it.
            tenant: whose it is, where neither the scope nor the beginning of the name tells.

        Raises:
            ConfigurationError: the customer is not of the enterprise tier, ``until`` is past or beyond what the policy
                allows, or a reason, an actor or an approver is missing.
        """
        if not (reason.strip() and actor.strip() and approved_by.strip()):
            message = "An extension is granted by somebody, approved by somebody, for a reason: give all three"
            raise ConfigurationError(message)
        if self._policy is None or self._tier_of is None:
            raise ConfigurationError(_READ_ONLY)
        owner, now = tenant or owner_of(scope), self._clock()
        tier = self._tier_of(owner, Tier.FREE)
        if tier != Tier.ENTERPRISE:
            message = f"{owner} has the tier {tier}; only enterprise customers get extensions"
            raise ConfigurationError(message)
        most = self._policy().extension_most.after(now)
        if not now < until <= most:
            message = f"An extension ends later than now and at {most:%Y-%m-%d %H:%M} UTC at the latest, not at {until}"
            raise ConfigurationError(message)
        extension = Extension(
            id=made_id(now),
            scope=scope,
            tenant=owner,
            until=until,
            reason=reason,
            actor=actor,
            approved_by=approved_by,
            granted_at=now,
        )
        self._tell(extension, "retention.extend", now, actor, reason)
        self._folder.write(extension.id, extension, if_generation=0)
        return extension

    def withdraw(self, extension_id: str, reason: str, actor: str) -> Extension:
        """End an extension before its time; one that is withdrawn already stays as it is.

        Raises:
            ConfigurationError: there is no such extension, it is over, or no reason or actor was given.
        """
        if not reason.strip() or not actor.strip():
            message = "An extension is withdrawn by somebody, for a reason: give both"
            raise ConfigurationError(message)
        for _ in range(CHANGES_MAX):
            found = self._folder.find(extension_id)
            if found is None:
                message = f"There is no extension {extension_id!r}.  `earmark retention holds` shows all there are."
                raise ConfigurationError(message)
            extension, generation = found
            if extension.withdrawn_at is not None:
                return extension
            now = self._clock()
            if extension.until <= now:
                message = f"The extension {extension_id} was over at {extension.until:%Y-%m-%d %H:%M} UTC already"
                raise ConfigurationError(message)
            change = {"withdrawn_at": now, "withdrawn_by": actor, "withdraw_reason": reason}
            after = extension.model_copy(update=change)
            self._tell(extension, "retention.withdraw", now, actor, reason)
            try:
                self._folder.write(extension_id, after, if_generation=generation)
            except PreconditionFailed:
                continue
            return after
        message = f"The extension {extension_id} keeps changing"
        raise Unavailable(message)

    def all(self) -> list[Extension]:
        """Every extension, ended and withdrawn ones too, oldest first, looked at now."""
        return self._folder.all()

    def view(self) -> ExtensionsNow:
        """The extensions as they are now."""
        return ExtensionsNow(self.all())

    def _tell(self, extension: Extension, action: str, now: datetime, actor: str, reason: str) -> None:
        if self._audit is None:
            raise ConfigurationError(_READ_ONLY)
        until, withdrawn = extension.until.isoformat(), action == "retention.withdraw"
        self._audit(
            [
                AuditEntry(
                    at=now,
                    actor=actor,
                    action=action,
                    target=extension.id,
                    tenant=extension.tenant,
                    before=f"until {until}" if withdrawn else "",
                    after="withdrawn" if withdrawn else f"until {until}",
                    reason=reason,
                    detail=f"{extension.scope.kind}, approved by {extension.approved_by}",
                )
            ]
        )


_READ_ONLY: Final = "These extensions were opened for reading: nobody would write the change down"


def owner_of(scope: Scope) -> str:
    """Whose objects a scope is about: names in buckets begin with the customer's, those of records with a folder.

    Raises:
        ConfigurationError: it may be about objects of several customers.
    """
    if scope.tenant is not None:
        return scope.tenant
    segments = scope.name.split("/")[:-1]
    owner = segments[1:2] if scope.bucket == "results" else segments[:1]
    if not owner or not owner[0]:
        message = f"{scope} may be about several customers: name what begins with one of them"
        raise ConfigurationError(message)
    return owner[0]

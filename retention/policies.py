"""``Policies``: the versions of the policy, each in force from a moment on; none is ever changed or removed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import AwareDatetime, PositiveInt

from earmark.audit import AuditEntry, Auditing
from earmark.errors import ConfigurationError, PreconditionFailed
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectStore
from retention.folder import Folder
from retention.policy import Policy, load_policy

FOLDER: Final = "retention/policies/"
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When version 1 came into force."""


class Version(Frozen):
    """A policy, its number and when it comes into force."""

    number: PositiveInt
    effective_from: AwareDatetime
    policy: Policy
    registered_at: AwareDatetime
    actor: str
    reason: str


class Policies:
    """All versions; safe to use from several threads and processes.

    All methods raise ``Unavailable`` when the store cannot be reached, and ``ConfigurationError`` where what is stored
    is no policy.
    """

    def __init__(
        self, store: ObjectStore, clock: Clock, audit: Auditing | None = None, *, shipped: Policy | None = None
    ) -> None:
        """Take the state store and the time.

        Args:
            store: the state store.
            clock: gives the time.
            audit: writes changes down; ``None`` = nothing will be changed.
            shipped: version 1 where none is stored; ``None`` = the one that ships.
        """
        self._folder = Folder(store, FOLDER, Version, "policy")
        self._clock, self._audit = clock, audit
        self._first = first_version(shipped or load_policy())

    def register(self, policy: Policy, effective_from: datetime | None, actor: str, reason: str) -> Version:
        """Make a policy the next version, in force from a moment on; ``None`` = from now on.

        Version 1 is stored with it, so that no later release of Earmark changes what was in force.

        Raises:
            ConfigurationError: it would begin in the past, an actor or a reason is missing, or somebody else registered
                one at the same moment.
        """
        if not actor.strip() or not reason.strip():
            message = "A policy is registered by somebody, for a reason: give both"
            raise ConfigurationError(message)
        now, versions = self._clock(), self.versions()
        effective_from = now if effective_from is None else effective_from
        if effective_from < now:
            message = f"A policy cannot begin in the past: {effective_from:%Y-%m-%d %H:%M} UTC is over"
            raise ConfigurationError(message)
        version = Version(
            number=versions[-1].number + 1,
            effective_from=effective_from,
            policy=policy,
            registered_at=now,
            actor=actor,
            reason=reason,
        )
        self._tell(version, versions[-1].number)
        self.pin()
        try:
            self._folder.write(f"{version.number:06d}", version, if_generation=0)
        except PreconditionFailed as error:
            message = (
                f"Somebody else registered version {version.number} at the same moment.  See what it says with "
                "`earmark retention policy show`, then register again."
            )
            raise ConfigurationError(message) from error
        return version

    def pin(self) -> None:
        """Store version 1 as it ships now, unless one is stored."""
        if self._folder.find("000001") is None:
            try:
                self._folder.write("000001", self._first, if_generation=0)
            except PreconditionFailed:  # another process was first, with what shipped there
                return

    def versions(self) -> list[Version]:
        """All versions by number, looked at now."""
        stored = sorted(self._folder.all(), key=lambda version: version.number)
        return stored if stored and stored[0].number == 1 else [self._first, *stored]

    def in_force(self, at: datetime) -> Version:
        """The version in force at a moment, as far as is known now."""
        return in_force(self.versions(), at)

    def _tell(self, version: Version, before: int) -> None:
        if self._audit is None:
            message = "The policies were opened for reading: nobody would write the change down"
            raise ConfigurationError(message)
        self._audit(
            [
                AuditEntry(
                    at=version.registered_at,
                    actor=version.actor,
                    action="retention.policy",
                    target=f"policy-{version.number}",
                    before=f"version {before}",
                    after=f"version {version.number} from {version.effective_from.isoformat()}",
                    reason=version.reason,
                    policy_version=version.number,
                )
            ]
        )


def first_version(policy: Policy) -> Version:
    """A policy as version 1, in force since ever."""
    return Version(
        number=1,
        effective_from=BEGINNING,
        policy=policy,
        registered_at=BEGINNING,
        actor="earmark",
        reason="ships with Earmark",
    )


def in_force(versions: Sequence[Version], at: datetime) -> Version:
    """The version that began last of those begun at ``at``; of several that began together the one numbered highest."""
    begun = [version for version in versions if version.effective_from <= at] or [min(versions, key=_order)]
    return max(begun, key=_order)


def _order(version: Version) -> tuple[datetime, int]:
    return version.effective_from, version.number

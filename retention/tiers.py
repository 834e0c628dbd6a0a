"""``Tiers``: which tier each customer was last seen with, and since when, so that a lowered tier is told of afresh.

The file of tenants knows the present only.  A customer who was told of an end, took a higher tier, and much later goes
back to the lower one, must be told again: that the end was over when the tier was lowered is seen here.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from earmark.domain import TenantName
from earmark.errors import PreconditionFailed, Unavailable
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectStore
from retention.folder import Folder
from retention.holds import CHANGES_MAX
from retention.timeline import TierChange

PREFIX: Final = "retention/"
OBJECT: Final = "tiers"
CHANGING: Final = "The record of tiers keeps changing"
KEPT: Final = 20
"""Changes of one customer; older ones matter to nothing that is still there."""


class Seen(Frozen):
    """A customer's tier."""

    tier: str
    changes: tuple[TierChange, ...] = ()
    """When it was seen with another one than before, the latest last."""

    def now(self, tier: str, at: datetime) -> "Seen":
        """The same customer, seen with a tier."""
        return Seen(tier=tier, changes=(*self.changes, TierChange(self.tier, at))[-KEPT:])


class TiersSeen(Frozen):
    """The tiers of all customers of the file, those who left it too."""

    tenants: dict[TenantName, Seen]

    def tier_of(self, tenant: str, tier: str) -> str:
        """The tier that a customer has, or had when it left; that of its object where nothing is known."""
        seen = self.tenants.get(tenant)
        return tier if seen is None else seen.tier

    def changed(self, tenant: str) -> Sequence[TierChange]:
        """The changes that were seen, the latest last."""
        seen = self.tenants.get(tenant)
        return () if seen is None else seen.changes


class Tiers:
    """What was seen; safe to use from several threads and processes."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        """Take the state store and the time."""
        self._folder = Folder(store, PREFIX, TiersSeen, "record of tiers")
        self._clock = clock

    def observe(self, present: Mapping[str, str]) -> TiersSeen:
        """Remember the tiers that customers have now, and give what is to be judged by.

        Raises:
            Unavailable: the store cannot be reached, or others change it all the time.
            ConfigurationError: what is stored there is no record of tiers.
        """
        for _ in range(CHANGES_MAX):
            known, generation = self._folder.find(OBJECT) or (TiersSeen(tenants={}), 0)
            now = self._clock()
            changes = {
                tenant: Seen(tier=tier) if seen is None else seen.now(tier, now)
                for tenant, tier in present.items()
                for seen in [known.tenants.get(tenant)]
                if seen is None or seen.tier != tier
            }
            if not changes:
                return known
            after = TiersSeen(tenants={**known.tenants, **changes})
            try:
                self._folder.write(OBJECT, after, if_generation=generation)
            except PreconditionFailed:
                continue
            return after
        raise Unavailable(CHANGING)

    def seen(self) -> TiersSeen:
        """What is remembered, looked at now; raises as ``observe`` does."""
        found = self._folder.find(OBJECT)
        return TiersSeen(tenants={}) if found is None else found[0]

    def forget(self, tenant: str) -> bool:
        """Remember a customer no more, until it is seen again; whether it was known.

        Raises:
            Unavailable: the store cannot be reached, or others change it all the time.
            ConfigurationError: what is stored there is no record of tiers.
        """
        for _ in range(CHANGES_MAX):
            known, generation = self._folder.find(OBJECT) or (TiersSeen(tenants={}), 0)
            if tenant not in known.tenants:
                return False
            after = TiersSeen(tenants={name: seen for name, seen in known.tenants.items() if name != tenant})
            with suppress(PreconditionFailed):
                self._folder.write(OBJECT, after, if_generation=generation)
                return True
        raise Unavailable(CHANGING)

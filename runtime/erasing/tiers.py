"""The record of tiers as a store that can be erased: one object that names every customer."""

from collections.abc import Iterator
from datetime import timedelta

from earmark.clock import utc_now
from earmark.ports import ObjectStore
from retention.stores import Erased, ErasureRequest
from retention.tiers import Tiers


class TiersStore:
    """Which tier each customer was last seen with; one whom the file of tenants still names is remembered anew."""

    name = "tiers"
    holds = "the tier that a customer was last seen with, and when it changed"
    remains = "written again for as long as the file of tenants names the customer: take it out there"
    remains_for: timedelta | None = None

    def __init__(self, state: ObjectStore) -> None:
        """Take the state store."""
        self._tiers = Tiers(state, utc_now)

    def erase(self, request: ErasureRequest) -> Erased:
        """Forget a customer; single contents have no tier."""
        return Erased(int(request.whole and self._tiers.forget(request.tenant)))

    def left(self, request: ErasureRequest) -> int:
        """One while the customer is known."""
        return int(request.whole and request.tenant in self._tiers.seen().tenants)

    def held(self, request: ErasureRequest) -> int:
        """Nothing here is held."""
        del request
        return 0

    def tenants(self) -> Iterator[str]:
        """Those who were seen."""
        return iter(self._tiers.seen().tenants)

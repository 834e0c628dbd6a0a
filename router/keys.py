"""``Keys``: the register of the keys that customers call with."""

from pydantic import AwareDatetime

from earmark.domain import TenantName
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectStore
from router.access_scopes import AccessScope


class ApiKey(Frozen):
    """What is kept of a key: never the key."""

    id: str
    tenant: TenantName
    sha256: str
    scopes: frozenset[AccessScope]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None


class Keys:
    """Objects ``keys/ID.json`` of the state store."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        """Take the store."""
        self._store, self._clock = store, clock

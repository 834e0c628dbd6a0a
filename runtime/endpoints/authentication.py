"""``Authentication``: which key a bearer token is."""

from earmark.ports import Clock
from router.access_scopes import AccessScope
from router.keys import ApiKey, Keys


class Authentication:
    """Checks keys, some seconds of them from memory, so that a revoked one ends within a minute."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        """Take the register of keys."""
        self._keys, self._clock = keys, clock

    def check(self, token: str, scope: AccessScope, address: str) -> ApiKey:
        """The key of a token.

        Raises:
            Problem: 401 (none, unknown, expired, revoked), 403 (not for this), 429 (too many bad ones from there).
        """
        raise NotImplementedError

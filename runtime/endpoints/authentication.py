"""``Authentication``: which key a bearer token is."""

import ipaddress
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from earmark.errors import ConfigurationError, Unavailable
from earmark.log import event
from earmark.ports import Clock
from router.access_scopes import AccessScope
from router.keys import ApiKey, Keys, read_key
from router.token_bucket import TokenBuckets
from runtime.endpoints.problem import Problem

_log = logging.getLogger(__name__)
REMEMBERED_S: Final = 20.0
"""For which a look at the register counts, also one that found nothing: a revoked key ends by then."""
REMEMBERED_AT_MOST_S: Final = 50.0
"""For which it counts while the register cannot be reached: still less than the minute that is promised."""
KEPT: Final = 10_000
"""Most keys, good and bad, that are remembered."""
BAD_MAX: Final = 30
"""Bad keys that one address may send at once; as many more come back in ``BAD_WINDOW_S``."""
BAD_WINDOW_S: Final = 60.0
NOTED_MAX: Final = 10_000
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_REALM: Final = 'Bearer realm="earmark"'
_REMEDY: Final = "Send `Authorization: Bearer KEY`, with a key of `earmark tenant key NAME`."


@dataclass(frozen=True, slots=True)
class _Seen:
    key: ApiKey | None
    """``None`` = there is none of that id, or it has another secret."""
    at_s: float


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a key that was sent is not taken."""

    kind: str
    detail: str
    remedy: str

    def problem(self) -> Problem:
        headers = {"WWW-Authenticate": f'{_REALM}, error="invalid_token"'}
        return Problem(_UNAUTHORIZED, self.kind, self.detail, self.remedy, headers=headers)


_UNKNOWN: Final = _Refusal("unknown_key", "There is no such key.", _REMEDY)


class Authentication:
    """Checks keys, some seconds of them from memory, so that a revoked one ends within a minute.

    Safe to use from several threads.
    """

    def __init__(self, keys: Keys, clock: Clock) -> None:
        """Take the register of keys, and the present."""
        self._keys, self._clock = keys, clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._bad = TokenBuckets(BAD_WINDOW_S)
        self._used: set[str] = set()

    def check(self, token: str, scope: AccessScope, address: str) -> ApiKey:
        """The key of a token.

        Args:
            token: as it was sent; empty = none was.
            scope: what it is to be used for.
            address: of who sent it.

        Raises:
            Problem: 401 (none, unknown, expired, revoked), 403 (not for this), 429 (too many bad ones from there).
            Unavailable: the register cannot be reached.
        """
        if not token:
            raise Problem(
                _UNAUTHORIZED, "no_key", "The request bears no key.", _REMEDY, headers={"WWW-Authenticate": _REALM}
            )
        now_s = self._clock().timestamp()
        read = read_key(token)
        key = None if read is None else self._find(*read, now_s, address)
        if key is None:
            self._count_bad(address, now_s)
            raise _UNKNOWN.problem()
        if (state := key.state(self._clock())) != "active":
            raise _Refusal(f"{state}_key", f"The key {key.id} is {state}.", "Use the one that follows it.").problem()
        if scope not in key.scopes:
            raise Problem(
                _FORBIDDEN,
                "missing_scope",
                f"The key {key.id} is not for this: it lacks the scope {scope.value}.",
                f"Make one with it: `earmark tenant key NAME --scopes {scope.value},…`.",
                headers={"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope.value}"'},
            )
        with self._lock:
            if len(self._used) < NOTED_MAX:
                self._used.add(key.id)
        return key

    def note_uses(self) -> None:
        """Write down which keys were used since the last time: a step for the background, about once a minute.

        Raises:
            Unavailable: the register cannot be reached; what was used is forgotten.
        """
        with self._lock:
            used, self._used = self._used, set()
        for key_id in sorted(used):
            self._keys.note_use(key_id)

    def _find(self, key_id: str, digest: str, now_s: float, address: str) -> ApiKey | None:
        with self._lock:
            seen = self._seen.get(digest)
        age_s = now_s - seen.at_s if seen is not None else -1.0
        if seen is not None and 0 <= age_s < REMEMBERED_S:
            return seen.key
        if (seen is None or seen.key is None) and not self._bad.draw(
            _network(address), BAD_MAX, now_s, take=False
        ).taken:
            raise self._too_many_bad(address, now_s)
        try:
            key = self._keys.find(key_id)
        except Unavailable:
            if seen is not None and 0 <= age_s < REMEMBERED_AT_MOST_S:
                return seen.key
            raise
        except ConfigurationError as error:
            event(_log, "key.unreadable", level=logging.ERROR, key=key_id, error=str(error))
            key = None
        found = key if key is not None and key.is_of(digest) else None
        with self._lock:
            self._seen[digest] = _Seen(found, now_s)
            self._seen.move_to_end(digest)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        return found

    def _count_bad(self, address: str, now_s: float) -> None:
        if not self._bad.draw(_network(address), BAD_MAX, now_s).taken:
            raise self._too_many_bad(address, now_s)

    def _too_many_bad(self, address: str, now_s: float) -> Problem:
        wait_s = self._bad.draw(_network(address), BAD_MAX, now_s, take=False).retry_s
        return Problem(
            _TOO_MANY,
            "too_many_bad_keys",
            "Too many bad keys came from this address.",
            f"Wait {wait_s} s, and look at the key.",
            headers={"Retry-After": str(wait_s)},
        )


def _network(address: str) -> str:
    """Whose address it is: of IPv6 the first 64 bits, for whoever has one address has all of those."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)

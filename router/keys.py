"""``Keys``: the register of the keys that customers call with.

A key is ``em_live_ID_SECRETCHECK``: 12 characters by which it is found, 30 that are the secret, and 6 that are the
CRC-32 of all before them, so that a typing error, or a scanner's false alarm, is told without a look at the register.
What is kept is its SHA-256: a secret of 178 random bits needs no slow hash, for nobody can go through them.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, SecretStr, ValidationError

from earmark.domain import Sha256, TenantName
from earmark.errors import ConfigurationError, PreconditionFailed, Unavailable
from earmark.latest import read_latest
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectStore
from router.access_scopes import AccessScope

FOLDER: Final = "keys/"
RINGS: Final = "keys/rings/"
"""Which keys each customer has: ``keys/rings/NAME.json``."""
ACTIVE_MAX: Final = 2
"""One in use and the one that is to follow it."""
KEPT: Final = 20
"""Keys of a customer that are remembered, revoked and expired ones among them."""
MAKING: Final = timedelta(minutes=1)
"""For which a key that is on the ring and not in the register yet counts as active: somebody is making it."""
USED_EVERY: Final = timedelta(minutes=1)
"""Between two notes that a key was used."""
ATTEMPTS: Final = 8

_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_CHARS: Final = 12
_SECRET_CHARS: Final = 30
_CHECK_CHARS: Final = 6
_PREFIX: Final = "em_live_"
_ID: Final = re.compile(rf"[0-9A-Za-z]{{{_ID_CHARS}}}")
_TEXT: Final = re.compile(
    rf"({_PREFIX}([0-9A-Za-z]{{{_ID_CHARS}}})_[0-9A-Za-z]{{{_SECRET_CHARS}}})([0-9A-Za-z]{{{_CHECK_CHARS}}})"
)
_JSON: Final = "application/json"


class ApiKey(Frozen):
    """What is kept of a key: never the key."""

    id: str
    tenant: TenantName
    sha256: Sha256
    scopes: frozenset[AccessScope]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    used_at: AwareDatetime | None = None
    """When it was last seen, to the minute, as far as that could be noted; ``None`` = never."""

    def state(self, at: datetime) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= at else "active"

    def is_of(self, digest: str) -> bool:
        """Whether this is the key with that SHA-256, compared in constant time."""
        return hmac.compare_digest(self.sha256, digest)


class NewKey(Frozen):
    """A key that was just made; its text is nowhere else."""

    key: ApiKey
    text: SecretStr


class _Ring(Frozen):
    """The keys of a customer, the newest last."""

    keys: tuple[tuple[str, AwareDatetime], ...] = ()
    """Id of each, and when it was made."""


def read_key(text: str) -> tuple[str, str] | None:
    """Id and SHA-256 of the text of a key; ``None`` = it is none, or was copied wrongly."""
    found = _TEXT.fullmatch(text)
    if found is None or not hmac.compare_digest(_check(found[1]), found[3]):
        return None
    return found[2], _digest(text)


def is_key_id(text: str) -> bool:
    """Whether it can be the id of a key."""
    return _ID.fullmatch(text) is not None


class Keys:
    """Objects ``keys/ID.json`` of the state store; safe to use from several threads and processes.

    All methods raise ``Unavailable`` when the store cannot be reached.
    """

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        """Take the store, and the present."""
        self._store, self._clock = store, clock

    def draft(
        self,
        tenant: str,
        scopes: Collection[AccessScope] = frozenset(AccessScope),
        lifetime: timedelta | None = None,
    ) -> NewKey:
        """Think of a key, which is none before it was added; without a lifetime it holds until it is revoked."""
        now = self._clock()
        key_id = _random(_ID_CHARS)
        body = f"{_PREFIX}{key_id}_{_random(_SECRET_CHARS)}"
        text = body + _check(body)
        key = ApiKey(
            id=key_id,
            tenant=tenant,
            sha256=_digest(text),
            scopes=frozenset(scopes),
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
        )
        return NewKey(key=key, text=SecretStr(text))

    def add(self, new: NewKey) -> None:
        """Let a key be one from now on.

        Raises:
            ConfigurationError: its customer has as many active keys as may be.
        """
        key = new.key
        for _ in range(ATTEMPTS):
            ring, generation, found = self._room(key.tenant, besides=key.id)
            known = [entry for entry in ring.keys if found[entry[0]] is not None or self._is_made(entry)]
            ended = [entry for entry in known if not self._is_active(entry, found)]
            gone = ended[: max(0, len(known) + 1 - KEPT)]
            after = _Ring(keys=(*(entry for entry in known if entry not in gone), (key.id, self._clock())))
            if self._write(f"{RINGS}{key.tenant}.json", after, generation):
                self._write(_name(key.id), key, 0)
                for key_id, _ in gone:
                    self._forget(key_id)
                return
        message = f"The keys of {key.tenant} are changed by others all the time"
        raise Unavailable(message)

    def demand_room(self, tenant: str) -> None:
        """Raise ``ConfigurationError`` where a customer has as many active keys as may be."""
        self._room(tenant)

    def find(self, key_id: str) -> ApiKey | None:
        """A key by its id.

        Raises:
            ConfigurationError: the object of that name is no key.
        """
        found = self._find(key_id) if is_key_id(key_id) else None
        return found[0] if found else None

    def of(self, tenant: str) -> list[ApiKey]:
        """The keys of a customer, the newest last, those that ended too."""
        ring, _ = self._ring(tenant)
        return [found for key_id, _ in ring.keys if (found := self.find(key_id)) is not None]

    def revoke(self, key_id: str) -> ApiKey:
        """End a key at once; whoever remembers it forgets it within a minute.

        Raises:
            ConfigurationError: there is no such key.
        """
        for _ in range(ATTEMPTS):
            found = self._find(key_id) if is_key_id(key_id) else None
            if found is None:
                message = f"There is no key {key_id!r}.  `earmark tenant keys NAME` lists those of a customer."
                raise ConfigurationError(message)
            key, generation = found
            revoked = key.model_copy(update={"revoked_at": key.revoked_at or self._clock()})
            if revoked == key or self._write(_name(key_id), revoked, generation):
                return revoked
        message = f"The key {key_id} is changed by others all the time"
        raise Unavailable(message)

    def note_use(self, key_id: str) -> None:
        """Remember that a key was used just now, unless that was noted lately or somebody changes the key."""
        found = self._find(key_id)
        now = self._clock()
        if found is None or (found[0].used_at is not None and now - found[0].used_at < USED_EVERY):
            return
        self._write(_name(key_id), found[0].model_copy(update={"used_at": now}), found[1])

    def _room(self, tenant: str, besides: str = "") -> tuple[_Ring, int, dict[str, ApiKey | None]]:
        """The ring without one key, which is being added: the store may have kept an attempt whose answer was lost."""
        ring, generation = self._ring(tenant)
        ring = _Ring(keys=tuple(entry for entry in ring.keys if entry[0] != besides))
        found = {key_id: self.find(key_id) for key_id, _ in ring.keys}
        active = [entry[0] for entry in ring.keys if self._is_active(entry, found)]
        if len(active) >= ACTIVE_MAX:
            message = (
                f"{tenant} has {len(active)} active keys already: {', '.join(active)}.  "
                f"Revoke the older one first: `earmark tenant revoke {active[0]}`."
            )
            raise ConfigurationError(message)
        return ring, generation, found

    def _is_active(self, entry: tuple[str, datetime], found: Mapping[str, ApiKey | None]) -> bool:
        key = found[entry[0]]
        return self._is_made(entry) if key is None else key.state(self._clock()) == "active"

    def _is_made(self, entry: tuple[str, datetime]) -> bool:
        """Whether somebody may be making a key that is on the ring and not in the register yet."""
        return self._clock() - entry[1] < MAKING

    def _find(self, key_id: str) -> tuple[ApiKey, int] | None:
        name = _name(key_id)
        found = read_latest(self._store, name)
        if found is None:
            return None
        try:
            return ApiKey.model_validate_json(found[0]), found[1]
        except ValidationError:
            message = f"The object {name} in the state store is no key.  Delete it, and make the customer another."
            raise ConfigurationError(message) from None

    def _ring(self, tenant: str) -> tuple[_Ring, int]:
        name = f"{RINGS}{tenant}.json"
        found = read_latest(self._store, name)
        if found is None:
            return _Ring(), 0
        try:
            return _Ring.model_validate_json(found[0]), found[1]
        except ValidationError:
            message = f"The object {name} in the state store is no list of keys.  Put it right."
            raise ConfigurationError(message) from None

    def _write(self, name: str, value: ApiKey | _Ring, generation: int) -> bool:
        content = value.model_dump_json(indent=1, exclude_none=True).encode()
        try:
            self._store.write(name, content, content_type=_JSON, if_generation=generation)
        except PreconditionFailed:
            return False
        return True

    def _forget(self, key_id: str) -> None:
        found = self._find(key_id)
        if found is not None:
            try:
                self._store.delete(_name(key_id), if_generation=found[1])
            except PreconditionFailed:
                return


def _name(key_id: str) -> str:
    return f"{FOLDER}{key_id}.json"


def _random(chars: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(chars))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check(body: str) -> str:
    """CRC-32 of the text before it, in six digits of base 62."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_CHARS):
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits

"""``IdempotencyKeys``: a request that is sent twice under one key has the answer of the first.

``idempotency/TENANT/SHA256.json`` in the state store, named by the hash of the key, for a day.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, ValidationError

from earmark.domain import JobId
from earmark.errors import ObjectMissing, PreconditionFailed
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectInfo, ObjectStore
from runtime.worker_name import is_dead, own_name

FOLDER: Final = "idempotency"
KEPT: Final = timedelta(hours=24)
"""Age at which a key is forgotten."""
UNDER_WAY: Final = timedelta(minutes=1)
"""Age from which a request that was never answered is taken for dead: what is claimed is over in seconds.

On one machine its process tells at once."""


class Clash(StrEnum):
    """Why a key cannot be used."""

    MISMATCH = "idempotency_mismatch"
    """Another request came under it."""
    UNDER_WAY = "idempotency_under_way"
    """The first request under it has not been answered yet."""


class IdempotencyClash(Exception):
    """A key cannot be used."""

    def __init__(self, clash: Clash) -> None:
        """Take why."""
        super().__init__(clash)
        self.clash = clash


class Claimed(Frozen):
    """A request that came under a key."""

    fingerprint: str
    """Hash of what was asked."""
    at: AwareDatetime
    holder: str = ""
    """The process that is at it."""
    job_id: JobId | None = None
    """What it became; ``None`` = it is under way."""


class Claim:
    """The right to answer the first request of a key; ``answer`` is what it became."""

    def __init__(self, earlier: str | None) -> None:
        """Take the job of an earlier request of the same key, if there was one."""
        self.earlier = earlier
        self.answer: str | None = None


class IdempotencyKeys:
    """The keys of all customers; safe to use from several threads and processes."""

    def __init__(self, state: ObjectStore, clock: Clock) -> None:
        """Take the store they are in, and the present."""
        self._state, self._clock = state, clock

    @contextmanager
    def claim(self, tenant: str, key: str, fingerprint: str) -> Iterator[Claim]:
        """Hold a key while its first request is answered; one that ends in an error gives it back.

        Args:
            tenant: whose key.
            key: as the customer sent it; empty = none, and nothing is held.
            fingerprint: hash of all that is asked.

        Raises:
            IdempotencyClash: the key stands for another request, or its first one is under way.
            Unavailable: the store cannot be reached.
        """
        if not key:
            yield Claim(None)
            return
        name = f"{FOLDER}/{tenant}/{hashlib.sha256(key.encode()).hexdigest()}.json"
        mine = Claimed(fingerprint=fingerprint, at=self._clock(), holder=own_name())
        earlier = self._take(name, mine)
        if isinstance(earlier, str):
            yield Claim(earlier)
            return
        claim = Claim(None)
        try:
            yield claim
        finally:
            if claim.answer is None:
                with suppress(PreconditionFailed):
                    self._state.delete(name, if_generation=earlier.generation)
            else:
                with suppress(PreconditionFailed):  # it took so long that somebody else has it
                    self._write(name, mine.model_copy(update={"job_id": claim.answer}), earlier.generation)

    def sweep(self) -> int:
        """Forget keys that are a day old; returns how many."""
        forgotten = 0
        for info in self._state.scan(f"{FOLDER}/"):
            if self._clock() - info.created_at > KEPT:
                with suppress(PreconditionFailed):
                    forgotten += self._state.delete(info.name, if_generation=info.generation)
        return forgotten

    def _take(self, name: str, mine: Claimed) -> str | ObjectInfo:
        """The object that holds the key for us, or the job that an earlier request became."""
        try:
            return self._write(name, mine, 0)
        except PreconditionFailed:
            info, found = self._state.stat(name), self._read(name)
        generation = info.generation if info else 0
        if found is not None and mine.at - found.at < KEPT:
            if found.fingerprint != mine.fingerprint:
                raise IdempotencyClash(Clash.MISMATCH)
            if found.job_id is not None:
                return found.job_id
            if mine.at - found.at < UNDER_WAY and not is_dead(found.holder):
                raise IdempotencyClash(Clash.UNDER_WAY)
        try:
            return self._write(name, mine, generation)
        except PreconditionFailed:
            raise IdempotencyClash(Clash.UNDER_WAY) from None

    def _read(self, name: str) -> Claimed | None:
        with suppress(ObjectMissing, ValidationError):
            return Claimed.model_validate_json(b"".join(self._state.read(name)))
        return None

    def _write(self, name: str, content: Claimed, generation: int) -> ObjectInfo:
        text = content.model_dump_json().encode()
        return self._state.write(name, text, content_type="application/json", if_generation=generation)

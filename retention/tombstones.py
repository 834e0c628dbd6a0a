"""``Tombstones``: what was erased at its owner's request, so that no backup, queue or replay brings it back.

A tombstone is an object ``retention/tombstones/tenants/HASH.json`` or ``retention/tombstones/contents/HASH.json``.  Its
name is the SHA-256 of the customer's name, or of that and the content's hash: whoever knows what was erased finds it,
and it tells nobody else.  It stays for ever; lifting one lets new uploads in, never what came before.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Final, Literal

from pydantic import AwareDatetime, ValidationError

from earmark.audit import pseudonym
from earmark.domain import Job, Upload
from earmark.errors import ConfigurationError, InputFault, InputRejected, PreconditionFailed, Unavailable
from earmark.latest import read_latest
from earmark.log import event
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectStore

_log = logging.getLogger(__name__)

FOLDER: Final = "retention/tombstones/"
FRESH_S: Final = 2.0
"""Seconds for which a view is taken for true; an erasure waits for longer before it looks a second time."""
LISTED: Final = 1000
"""Tombstones up to which all are known from one listing; with more, each question looks for its own two."""
CHANGES_MAX: Final = 8
"""Attempts to change a tombstone that others change at the same time."""
_JSON: Final = "application/json"


class Tombstone(Frozen):
    """One erasure's mark; while ``lifted_at`` is ``None`` it stands."""

    kind: Literal["tenant", "content"]
    erasure: str
    """Id of the erasure that left it last."""
    at: AwareDatetime
    tenant: str
    """The customer's pseudonym."""
    jobs: tuple[str, ...] = ()
    """Ids of the content's jobs: what came back of it is found by them."""
    places: tuple[str, ...] = ()
    """Hashes of the addresses the content had: what came back of it is found by them too."""
    objects: tuple[str, ...] = ()
    """Ids of the objects in the catalogue."""
    lifted_at: AwareDatetime | None = None

    def covers(self, received_at: datetime) -> bool:
        """Whether what was received at that time is not to be: anything while it stands, else what came before."""
        return self.lifted_at is None or received_at <= self.lifted_at


class Tombstones:
    """All tombstones; safe to use from several threads and processes."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        fresh_s: float = FRESH_S,
    ) -> None:
        """Take the state store and the present; a view is ``fresh_s`` seconds old at most."""
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._names: dict[str, int] | None = None
        self._whole = True
        self._looked_s = float("-inf")
        self._read: dict[str, tuple[int, Tombstone]] = {}

    def erased(self, tenant: str, content_sha256: str, received_at: datetime) -> bool:
        """Whether an upload was erased, or is of a customer who was, as of at most two seconds ago.

        While the store is down the last view stands: nobody can erase anything meanwhile.

        Raises:
            Unavailable: the store could not be reached even once.
        """
        for name in (tenant_name(tenant), content_name(tenant, content_sha256)):
            found = self._find(name)
            if found is not None and found.covers(received_at):
                return True
        return False

    def dropped(self, job: Job) -> bool:
        """Whether a job's upload was erased; see ``erased``."""
        return self.erased(job.upload.tenant, job.upload.content_sha256, job.upload.received_at)

    def refuse(self, upload: Upload) -> None:
        """Let an upload pass that was not erased; see ``erased``.

        Raises:
            InputRejected: ``erased``; it names neither the customer nor the file.
        """
        if self.erased(upload.tenant, upload.content_sha256, upload.received_at):
            message = "This content, or its customer, was erased on request"
            raise InputRejected(InputFault.ERASED, message)

    def tenant(self, tenant: str) -> Tombstone | None:
        """A customer's tombstone, looked at now."""
        return self._load(tenant_name(tenant))[0]

    def content(self, tenant: str, content_sha256: str) -> Tombstone | None:
        """The tombstone of one content, looked at now."""
        return self._load(content_name(tenant, content_sha256))[0]

    def standing(self) -> Iterator[tuple[str, Tombstone]]:
        """Names and values of all that stand, looked at now."""
        for info in self._store.scan(FOLDER):
            found, _ = self._load(info.name)
            if found is not None and found.lifted_at is None:
                yield info.name, found

    def lay(
        self,
        erasure: str,
        tenant: str,
        contents: Iterable[str] | None = None,
        *,
        jobs: Iterable[str] = (),
        places: Iterable[str] = (),
        objects: Iterable[str] = (),
    ) -> None:
        """Leave tombstones for a customer, or for some contents of one; one that is there already is joined.

        Raises:
            Unavailable: the store cannot be reached.
        """
        if contents is None:
            fresh = Tombstone(kind="tenant", erasure=erasure, at=self._clock(), tenant=pseudonym(tenant))
            self._change(tenant_name(tenant), lambda _: fresh)
            return
        for content in contents:
            self._change(
                content_name(tenant, content),
                lambda known: Tombstone(
                    kind="content",
                    erasure=erasure,
                    at=self._clock(),
                    tenant=pseudonym(tenant),
                    jobs=tuple(sorted({*jobs, *(known.jobs if known else ())})),
                    places=tuple(sorted({*places, *(known.places if known else ())})),
                    objects=tuple(sorted({*objects, *(known.objects if known else ())})),
                ),
            )

    def of_tenant(self, tenant: str) -> dict[str, Tombstone]:
        """A customer's tombstone by its name, if it stands."""
        name = tenant_name(tenant)
        found, _ = self._load(name)
        return {} if found is None or found.lifted_at is not None else {name: found}

    def at_place(self, bucket: str, name: str) -> dict[str, Tombstone]:
        """Tombstones that stand for contents of an object, by their names."""
        place = place_hash(bucket, name)
        return {name: each for name, each in self.standing() if place in each.places}

    def lift(self, name: str) -> None:
        """Let new uploads in; what was received before stays erased.  A tombstone that is lifted stays as it is.

        Raises:
            Unavailable: the store cannot be reached.
        """

        def rule(known: Tombstone | None) -> Tombstone | None:
            if known is None or known.lifted_at is not None:
                return None
            return known.model_copy(update={"lifted_at": self._clock()})

        self._change(name, rule)

    def _change(self, name: str, rule: Callable[[Tombstone | None], Tombstone | None]) -> None:
        for _ in range(CHANGES_MAX):
            known, generation = self._load(name)
            after = rule(known)
            if after is None:
                return
            with suppress(PreconditionFailed):
                self._store.write(name, after.model_dump_json().encode(), content_type=_JSON, if_generation=generation)
                self._looked_s = float("-inf")
                return
        message = f"{name} keeps changing"
        raise Unavailable(message)

    def _find(self, name: str) -> Tombstone | None:
        """A tombstone as of at most ``fresh_s`` seconds ago."""
        with self._lock:
            if self._monotonic() - self._looked_s >= self._fresh_s:
                self._look()
            names, whole = self._names or {}, self._whole
            generation = names.get(name)
            known = self._read.get(name)
        if not whole:
            return self._load(name)[0]
        if generation is None:
            return None
        if known is not None and known[0] == generation:
            return known[1]
        found, generation = self._load(name)
        if found is not None:
            with self._lock:
                self._read[name] = (generation, found)
        return found

    def _look(self) -> None:
        try:
            listed = {info.name: info.generation for info in islice(self._store.scan(FOLDER), LISTED + 1)}
        except Unavailable as error:
            if self._names is None:
                raise
            event(_log, "tombstones.not_seen", level=logging.WARNING, error=str(error))
        else:
            self._names, self._whole = listed, len(listed) <= LISTED
            self._read = {name: each for name, each in self._read.items() if name in listed}
        self._looked_s = self._monotonic()

    def _load(self, name: str) -> tuple[Tombstone | None, int]:
        """A tombstone and its generation; 0 = there is none.

        Raises:
            ConfigurationError: what is stored is none; what it protects cannot be told, so nothing must go on.
        """
        found = read_latest(self._store, name)
        if found is None:
            return None, 0
        try:
            return Tombstone.model_validate_json(found[0]), found[1]
        except ValidationError as error:
            message = f"The object {name} in the state store is no tombstone.  Restore it from a backup."
            raise ConfigurationError(message) from error


def tenant_name(tenant: str) -> str:
    """Name of a customer's tombstone."""
    return f"{FOLDER}tenants/{_hashed(tenant)}.json"


def content_name(tenant: str, content_sha256: str) -> str:
    """Name of the tombstone of one content of a customer."""
    return f"{FOLDER}contents/{_hashed(f'{tenant} {content_sha256}')}.json"


def place_hash(bucket: str, name: str) -> str:
    """What stands for an object's address."""
    return _hashed(f"{bucket}/{name}")


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

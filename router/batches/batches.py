"""``Batches``: the register of batches, in the state store.

``open-batches/TENANT/ID`` is written first, which marks it for whoever feeds and follows until its end is told, then
``batches/TENANT/ID/manifest``, then ``batches/TENANT/ID/batch.json``, with which it exists.  Whoever changes a batch
demands the generation that it has looked at.
"""

import hashlib
import heapq
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import chain
from typing import BinaryIO, Final, NamedTuple

from pydantic import ValidationError

from earmark.errors import InputFault, InputRejected, PreconditionFailed, Unavailable
from earmark.latest import read_latest
from earmark.log import event
from earmark.ports import Clock, ObjectStore
from router.batches.batch import BATCH_ID, OPEN, Batch, BatchState, new_batch_id
from router.batches.form import ManifestForm, form_of, head_of
from router.batches.manifest import LineCount

_log = logging.getLogger(__name__)
FOLDER: Final = "batches/"
OPEN_FOLDER: Final = "open-batches/"
CHANGES_MAX: Final = 20
"""Attempts to change a batch that others change at the same time."""
_ABANDONED: Final = timedelta(days=1)
"""Age of a mark without a batch, whose maker must be dead."""
_MARKED: Final = OPEN | {BatchState.ENDED}
_CHUNK_BYTES: Final = 1 << 20
_RECORD: Final = "batch.json"
_JSON: Final = "application/json"
_BYTES: Final = "application/octet-stream"


class Found(NamedTuple):
    """A batch as somebody looked at it."""

    batch: Batch
    generation: int


class Batches:
    """All batches; safe to use from several threads and processes."""

    def __init__(self, state: ObjectStore, clock: Clock, *, max_entries: int) -> None:
        """Take the state store, the present, and the most entries a batch may have."""
        self._state, self._clock, self._max_entries = state, clock, max_entries

    @property
    def max_entries(self) -> int:
        """The most entries a batch may have."""
        return self._max_entries

    def make(
        self,
        tenant: str,
        manifest: BinaryIO,
        *,
        made_by: str,
        media_type: str = "",
        name: str | None = None,
        paths_on: str = "",
        folder: str = "",
        before: Callable[[Batch], None] = lambda _: None,
    ) -> Batch:
        """Store a manifest as a batch; it is fed by whoever feeds.

        Args:
            tenant: whose it is; the name was checked.
            manifest: at its beginning, and can be read twice.
            made_by: a key or a person.
            media_type: that the manifest was sent as.
            name: what the customer calls it.
            paths_on: the machine whose files it may name.
            folder: where relative paths begin there.
            before: is called with the batch when it was looked through, and before it exists.

        Raises:
            InputRejected: the manifest is empty, too long or in no form that is known.
            Unavailable: the store cannot be reached.
        """
        form, sha256, size_bytes = self._examined(manifest, media_type)
        batch = Batch(
            id=new_batch_id(self._clock()),
            tenant=tenant,
            state=BatchState.FEEDING,
            made_at=self._clock(),
            made_by=made_by,
            name=name,
            form=form,
            manifest_sha256=sha256,
            manifest_bytes=size_bytes,
            paths_on=paths_on,
            folder=folder,
        )
        before(batch)
        manifest.seek(0)
        return self._made(batch, manifest)

    def make_of_prefix(
        self,
        tenant: str,
        prefix: str,
        *,
        made_by: str,
        name: str | None = None,
        before: Callable[[Batch], None] = lambda _: None,
    ) -> Batch:
        """Make a batch of everything under an address, which was checked; see ``make``."""
        batch = Batch(
            id=new_batch_id(self._clock()),
            tenant=tenant,
            state=BatchState.ACCEPTING,
            made_at=self._clock(),
            made_by=made_by,
            name=name,
            prefix=prefix,
        )
        before(batch)
        return self._made(batch)

    def listed(self, found: Found, manifest: BinaryIO) -> Found | None:
        """Give a batch of a prefix its manifest; ``None`` = somebody else has changed the batch meanwhile."""
        size_bytes = manifest.seek(0, 2)
        manifest.seek(0)
        self._state.write(manifest_name(found.batch), manifest, content_type=_BYTES)
        change = {"state": BatchState.FEEDING, "form": ManifestForm(kind="jsonl"), "manifest_bytes": size_bytes}
        return self.save(found, found.batch.model_copy(update=change))

    def find(self, tenant: str, batch_id: str) -> Found | None:
        """A batch of a customer; ``None`` = there is none.

        Raises:
            Unavailable: the store cannot be reached.
        """
        if not BATCH_ID.fullmatch(batch_id):
            return None
        name = _name(tenant, batch_id)
        found = read_latest(self._state, name)
        if found is None:
            return None
        try:
            return Found(Batch.model_validate_json(found[0]), found[1])
        except ValidationError:
            event(_log, "batch.unreadable", level=logging.ERROR, tenant=tenant, batch=batch_id)
            return None

    def of_tenant(self, tenant: str, *, after: str = "") -> Iterator[Batch]:
        """A customer's batches, the latest first, from behind that id on."""
        folder = f"{FOLDER}{tenant}/"
        start = f"{folder}{after}/\U0010ffff" if after else ""
        for info in self._state.scan(folder, start_after=start):
            if info.name.endswith(f"/{_RECORD}"):
                found = self.find(tenant, info.name.split("/")[2])
                if found is not None:
                    yield found.batch

    def everybodys(self, most: int) -> list[Batch]:
        """The latest batches of all customers, the latest first; looks at every batch's name."""
        ids = ((batch_id, tenant) for tenant, batch_id in self._all())
        found = (self.find(tenant, batch_id) for batch_id, tenant in heapq.nsmallest(most, ids))
        return [each.batch for each in found if each is not None]

    def owner(self, batch_id: str) -> str | None:
        """Whose batch that is; ``None`` = there is none.  Customers never ask: it looks at everybody's."""
        for tenant, each in chain(self.open(), self._all()):
            if each == batch_id and self.find(tenant, batch_id) is not None:
                return tenant
        return None

    def open(self, tenant: str = "") -> Iterator[tuple[str, str]]:
        """Tenants and ids of batches with which there is something to do; of all tenants unless one is named."""
        for info in self._state.scan(f"{OPEN_FOLDER}{tenant}/" if tenant else OPEN_FOLDER):
            _, owner, batch_id = info.name.split("/")
            yield owner, batch_id

    def is_marked(self, tenant: str, batch_id: str) -> bool:
        """Whether there is something to do with a batch."""
        return self._state.stat(f"{OPEN_FOLDER}{tenant}/{batch_id}") is not None

    def stands(self, found: Found) -> bool:
        """Whether nobody has changed or removed a batch since it was found."""
        info = self._state.stat(_name(found.batch.tenant, found.batch.id))
        return info is not None and info.generation == found.generation

    def save(self, found: Found, batch: Batch, *, marked: bool = False) -> Found | None:
        """Store a batch in place of how it was found; ``None`` = somebody else was first.

        Args:
            found: as it was.
            batch: as it is to be.
            marked: whether its mark stays though it is over, until ``close``: there is something left to do.

        Raises:
            Unavailable: the store cannot be reached.
        """
        try:
            info = self._state.write(
                _name(batch.tenant, batch.id),
                batch.model_dump_json().encode(),
                content_type=_JSON,
                if_generation=found.generation,
            )
        except PreconditionFailed:
            return None
        if batch.state not in OPEN and not marked:
            self.close(batch.tenant, batch.id)
        return Found(batch, info.generation)

    def change(self, tenant: str, batch_id: str, rule: Callable[[Batch], Batch | None]) -> Batch | None:
        """Change a batch, whoever else does; the rule gives what it becomes, ``None`` = it is to stay.

        Returns:
            The batch as it is now; ``None`` = there is none.
        """
        for _ in range(CHANGES_MAX):
            found = self.find(tenant, batch_id)
            if found is None:
                return None
            after = rule(found.batch)
            if after is None:
                return found.batch
            saved = self.save(found, after)
            if saved is not None:
                return saved.batch
        message = f"The batch {batch_id} keeps changing"
        raise Unavailable(message)

    def cancel(self, tenant: str, batch_id: str, *, before: Callable[[Batch], None] = lambda _: None) -> Batch | None:
        """Stop a batch that is under way; one that has ended stays as it is.

        Args:
            tenant: whose it is.
            batch_id: its id.
            before: is called before it is cancelled.

        Returns:
            The batch as it is now; ``None`` = there is none.
        """

        def rule(batch: Batch) -> Batch | None:
            if batch.state not in OPEN:
                return None
            before(batch)
            return batch.model_copy(update={"state": BatchState.CANCELLED, "ended_at": self._clock(), "feeder": ""})

        return self.change(tenant, batch_id, rule)

    def manifest(self, batch: Batch) -> Iterator[bytes]:
        """A batch's manifest in chunks; raises ``ObjectMissing`` where it is gone."""
        return self._state.read(manifest_name(batch))

    def close(self, tenant: str, batch_id: str) -> None:
        """Let go of what only an open batch needs: its mark, and the manifest with the customer's names of files."""
        for name in (f"{FOLDER}{tenant}/{batch_id}/manifest", f"{OPEN_FOLDER}{tenant}/{batch_id}"):
            info = self._state.stat(name)
            if info is not None:
                with suppress(PreconditionFailed):
                    self._state.delete(name, if_generation=info.generation)

    def sweep(self) -> int:
        """Remove marks and manifests of batches that never came to be, or are over; returns how many were removed.

        Those of one that has ended are left to whoever tells of the end.
        """
        removed = 0
        for info in self._state.scan(OPEN_FOLDER):
            _, tenant, batch_id = info.name.split("/")
            found = self.find(tenant, batch_id)
            young = self._clock() - info.created_at <= _ABANDONED
            if (found is None and not young) or (found is not None and found.batch.state not in _MARKED):
                self.close(tenant, batch_id)
                removed += 1
        return removed

    def _all(self) -> Iterator[tuple[str, str]]:
        """Tenants and ids of all batches that there are."""
        for info in self._state.scan(FOLDER):
            if info.name.endswith(f"/{_RECORD}"):
                _, tenant, batch_id, _ = info.name.split("/")
                yield tenant, batch_id

    def _made(self, batch: Batch, manifest: BinaryIO | None = None) -> Batch:
        mark = json.dumps({"at": batch.made_at.isoformat()}).encode()
        self._state.write(f"{OPEN_FOLDER}{batch.tenant}/{batch.id}", mark, content_type=_JSON, if_generation=0)
        if manifest is not None:
            self._state.write(manifest_name(batch), manifest, content_type=_BYTES, if_generation=0)
        content = batch.model_dump_json().encode()
        self._state.write(_name(batch.tenant, batch.id), content, content_type=_JSON, if_generation=0)
        event(_log, "batch.made", batch=batch.id, tenant=batch.tenant, size_bytes=batch.manifest_bytes)
        return batch

    def _examined(self, manifest: BinaryIO, media_type: str) -> tuple[ManifestForm, str, int]:
        """Form, SHA-256 and size of a manifest."""
        digest, size_bytes, lines = hashlib.sha256(), 0, LineCount(self._max_entries)
        while chunk := manifest.read(_CHUNK_BYTES):
            lines.add(chunk)
            digest.update(chunk)
            size_bytes += len(chunk)
        if not size_bytes:
            raise InputRejected(InputFault.EMPTY, "The manifest is empty", "Send one entry a line.")
        manifest.seek(0)
        head, before = head_of(iter(lambda: manifest.read(_CHUNK_BYTES), b""), lines.line_end)
        return form_of(head, media_type, line_end=lines.line_end, before=before), digest.hexdigest(), size_bytes


def manifest_name(batch: Batch) -> str:
    """Name of a batch's manifest in the state store."""
    return f"{FOLDER}{batch.tenant}/{batch.id}/manifest"


def _name(tenant: str, batch_id: str) -> str:
    return f"{FOLDER}{tenant}/{batch_id}/{_RECORD}"

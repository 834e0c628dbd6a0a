"""``BatchAudio``: an entry of a batch becomes an ``Upload``: found, measured and hashed where it lies."""

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Final

from earmark.address import Address
from earmark.domain import Upload
from earmark.errors import ConfigurationError, InputFault, InputRejected, InvalidName, ObjectMissing
from earmark.ports import Clock, ObjectInfo, ObjectStore
from earmark.vocabulary import Origin
from router.addresses import UPLOADS, resolve, resolve_prefix, shown
from router.batches.batch import Batch
from router.batches.contents import Content, ContentHashes
from router.batches.entry import Entry
from router.tenant import Tenant

_LOOKS: Final = 3
"""How often an object may be replaced while it is read."""
_SCHEME: Final = re.compile(r"gs://|uploads/|upload:")
"""How addresses begin that are no paths."""
_GRANT: Final = "Let the service account of Earmark read the objects of that bucket."
_NO_PATHS: Final = "Send the address of audio that was uploaded; files can be named only by command, on their machine."


@dataclass(frozen=True, slots=True)
class Opened:
    """Audio that was found."""

    upload: Upload
    info: ObjectInfo | None = None
    """Of the object, where it lies in the upload bucket."""


class BatchAudio:
    """Finds the audio of entries; safe to use from several threads."""

    def __init__(
        self,
        *,
        bucket: Callable[[str], ObjectStore],
        upload_bucket: str,
        uri_of: Callable[[ObjectInfo], str],
        max_input_bytes: int,
        clock: Clock,
        refuse: Callable[[Upload], None] = lambda _: None,
        of_file: Callable[[Path, Tenant], Upload] | None = None,
        machine: str = "",
        known_sha256: Callable[[ObjectInfo], str | None] = lambda _: None,
    ) -> None:
        """Take what opens a bucket by its name, and the upload bucket's full name.

        ``uri_of`` says where workers find an object of the upload bucket; ``refuse`` raises ``InputRejected`` for what
        nobody may hear; ``of_file`` makes uploads of files of this ``machine``, where it may; ``known_sha256`` gives
        the hash of an object of the upload bucket, where somebody knows it without reading.
        """
        self._bucket, self._upload_bucket, self._uri_of = bucket, upload_bucket, uri_of
        self._max_input_bytes, self._clock, self._refuse = max_input_bytes, clock, refuse
        self._of_file, self._machine, self._known_sha256 = of_file, machine, known_sha256
        self._hashes = ContentHashes()
        self._counting = threading.Lock()
        self._hashed_bytes = 0

    @property
    def hashed_bytes(self) -> int:
        """Bytes that were read so far, to hash them."""
        return self._hashed_bytes

    def serves(self, batch: Batch) -> bool:
        """Whether the files of a batch are on this machine, if it names files."""
        return not batch.paths_on or (self._of_file is not None and batch.paths_on == self._machine)

    def open(self, entry: Entry, batch: Batch, tenant: Tenant) -> Opened:
        """The audio of an entry.

        Raises:
            InputRejected: why it cannot be heard.
            Unavailable: a store cannot be reached.
        """
        if entry.fault is not None:
            raise entry.fault
        if entry.path is not None or (batch.paths_on and not _SCHEME.match(entry.address or "")):
            return self._open_file(entry, batch, tenant)
        address = resolve(entry.address or "", tenant, upload_bucket=self._upload_bucket)
        try:
            return self._look(address, entry.source, batch, tenant)
        except ConfigurationError as error:
            if address.bucket == UPLOADS:
                raise
            raise InputRejected(
                InputFault.UNREADABLE, f"{shown(entry.source)} cannot be read", _GRANT, own=entry.source
            ) from error

    def under(self, prefix: str, tenant: Tenant) -> tuple[ObjectStore, Address]:
        """The bucket and the beginning of names that a prefix means.

        Raises:
            InputRejected: ``not_found``.
        """
        address = resolve_prefix(prefix, tenant, upload_bucket=self._upload_bucket)
        return self._open_bucket(address.bucket, prefix), address

    def _open_file(self, entry: Entry, batch: Batch, tenant: Tenant) -> Opened:
        if not batch.paths_on or self._of_file is None:
            raise InputRejected(InputFault.NOT_FOUND, "Files cannot be named here", _NO_PATHS)
        try:
            found = self._of_file(Path(batch.folder) / (entry.path or entry.address or ""), tenant)
        except ValueError:  # no file can have that name
            raise _missing(entry.source) from None
        self._count(found.size_bytes)
        return Opened(found.model_copy(update={"batch": batch.id}))

    def _look(self, address: Address, source: str, batch: Batch, tenant: Tenant) -> Opened:
        store = self._open_bucket(address.bucket, source)
        for _ in range(_LOOKS):
            try:
                info = store.stat(address.name)
            except InvalidName:
                break
            if info is None or address.generation not in {None, info.generation}:
                break
            try:
                return self._read(store, info, address.bucket, batch, tenant)
            except ObjectMissing:
                continue
        raise _missing(source)

    def _open_bucket(self, name: str, source: str) -> ObjectStore:
        try:
            return self._bucket(name)
        except ConfigurationError:
            raise _missing(source) from None

    def _read(self, store: ObjectStore, info: ObjectInfo, bucket: str, batch: Batch, tenant: Tenant) -> Opened:
        limit = min(self._max_input_bytes, tenant.max_input_bytes or self._max_input_bytes)
        if info.size_bytes > limit:
            raise InputRejected(InputFault.TOO_LARGE, f"It has {info.size_bytes} bytes; the limit is {limit}")
        ours = bucket == UPLOADS

        def find() -> str:
            return (self._known_sha256(info) if ours else None) or self._hash(store, info)

        content = Content(bucket, info.name, info.generation, info.size_bytes)
        upload = Upload(
            uri=self._uri_of(info) if ours else Address(bucket, info.name, info.generation).uri,
            tenant=tenant.name,
            tier=tenant.tier,
            origin=Origin.BATCH,
            content_sha256=self._hashes.of(content, find),
            size_bytes=info.size_bytes,
            received_at=self._clock().astimezone(UTC),
            region=tenant.region,
            batch=batch.id,
        )
        self._refuse(upload)
        return Opened(upload, info if ours else None)

    def _hash(self, store: ObjectStore, info: ObjectInfo) -> str:
        digest = hashlib.sha256()
        for chunk in store.read(info.name, generation=info.generation):
            digest.update(chunk)
            self._count(len(chunk))
        return digest.hexdigest()

    def _count(self, size_bytes: int) -> None:
        with self._counting:
            self._hashed_bytes += size_bytes


def address_line(address: Address, info: ObjectInfo) -> str:
    """How a manifest names an object that was listed."""
    return f"{UPLOADS}/{info.name}" if address.bucket == UPLOADS else Address(address.bucket, info.name, None).uri


def _missing(source: str) -> InputRejected:
    message = f"There is nothing at {shown(source)}"
    return InputRejected(InputFault.NOT_FOUND, message, "Upload it first; check the name.", own=source)

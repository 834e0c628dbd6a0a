"""``DirectUploads``: places that customers put audio into themselves, each for one file and a short while.

On Google Cloud the place is an address that Cloud Storage signed off on; on one machine it is one of the API, signed by
us.  Either leads to one object, ``TENANT/direct/ID`` of the upload bucket, which must not exist yet; that it came is
told of as of any other upload, and what it became says ``routed/BUCKET/NAME``.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, ValidationError

from earmark.domain import JobId, Sha256, TenantName
from earmark.errors import InputFault, InputRejected, ObjectMissing, PreconditionFailed
from earmark.metadata import Frozen
from earmark.ports import Clock
from router.addresses import DIRECT
from router.arrivals import PREFIX, Arrival, Routed
from router.tenants import Tenant
from runtime.backend import UPLOADS, Backend

FOLDER: Final = "uploads"
KEY: Final = "signing/uploads.key"
"""What addresses of the API are signed with, in the state store; removing it ends all that were given."""
KEPT: Final = timedelta(days=1)
"""For which a place is remembered once it has expired."""
_KEY_BYTES: Final = 32


class UploadStatus(StrEnum):
    """What became of a place."""

    WAITING = "waiting"
    """Nothing was put there, or nobody told of it yet."""
    QUEUED = "queued"
    """There is an analysis, which may have ended by now."""
    REJECTED = "rejected"
    EXPIRED = "expired"


class DirectUpload(Frozen):
    """A place for one file."""

    id: JobId
    """128 random bits; no job has it."""
    tenant: TenantName
    name: str
    """Of the object in the upload bucket."""
    size_bytes: int
    """The file must have exactly so many bytes."""
    content_type: str
    content_sha256: Sha256 | None = None
    """The file must have it."""
    created_at: AwareDatetime
    expires_at: AwareDatetime


class Fate(Frozen):
    """What became of a place."""

    status: UploadStatus
    job_id: JobId | None = None
    fault: str | None = None
    """An ``InputFault``."""


class DirectUploads:
    """Makes places, and takes what is put there where the API itself does."""

    def __init__(
        self,
        backend: Backend,
        *,
        arrive: Callable[[str], Routed],
        valid_s: float,
        clock: Clock,
    ) -> None:
        """Take the adapters.

        Args:
            backend: the adapters.
            arrive: routes a new object of the upload bucket by its name.
            valid_s: seconds for which a place holds.
            clock: the present.
        """
        self._backend, self._clock = backend, clock
        self._arrive, self._valid = arrive, timedelta(seconds=valid_s)
        self._markers = f"{PREFIX}{backend.upload_bucket}/"

    def make(self, tenant: Tenant, *, size_bytes: int, content_type: str, content_sha256: str | None) -> DirectUpload:
        """A new place.

        Raises:
            Unavailable: the state store cannot be reached.
        """
        identity, now = secrets.token_hex(16), self._clock()
        upload = DirectUpload(
            id=identity,
            tenant=tenant.name,
            name=f"{tenant.name}/{DIRECT}/{identity}",
            size_bytes=size_bytes,
            content_type=content_type,
            content_sha256=content_sha256,
            created_at=now,
            expires_at=now + self._valid,
        )
        content = upload.model_dump_json().encode()
        self._backend.state.write(
            _name(tenant.name, identity), content, content_type="application/json", if_generation=0
        )
        return upload

    def find(self, tenant: str, identity: str) -> DirectUpload | None:
        """A place of a customer's."""
        with suppress(ObjectMissing, ValidationError):
            content = b"".join(self._backend.state.read(_name(tenant, identity)))
            return DirectUpload.model_validate_json(content)
        return None

    def fate(self, upload: DirectUpload) -> Fate:
        """What became of a place.

        Raises:
            Unavailable: the state store cannot be reached.
        """
        with suppress(ObjectMissing, ValueError, KeyError, TypeError):
            marker = json.loads(b"".join(self._backend.state.read(self._markers + upload.name)))
            status = UploadStatus.REJECTED if marker["arrival"] == Arrival.REJECTED else UploadStatus.QUEUED
            return Fate(status=status, job_id=marker["job_id"], fault=marker.get("fault"))
        expired = self._clock() >= upload.expires_at
        return Fate(status=UploadStatus.EXPIRED if expired else UploadStatus.WAITING)

    def take(self, upload: DirectUpload, path: Path, content_sha256: str, size_bytes: int) -> Fate:
        """Put a file into its place, and route it.

        Raises:
            InputRejected: it is not the file that was announced; the place still waits for that.
            PreconditionFailed: something was put there before.
            Unavailable: a store cannot be reached; what was put there is found by ``earmark route --reconcile``.
        """
        if size_bytes != upload.size_bytes:
            message = f"The file has {size_bytes} bytes, and {upload.size_bytes} were announced"
            raise InputRejected(InputFault.CHANGED, message, "Send the whole file to the same address.")
        if upload.content_sha256 not in {None, content_sha256}:
            message = "The file has another SHA-256 than was announced"
            raise InputRejected(InputFault.CHANGED, message, "Ask for a new address, and send the file again.")
        with path.open("rb") as file:
            self._backend.bucket(UPLOADS).write(upload.name, file, content_type=upload.content_type, if_generation=0)
        self._arrive(upload.name)
        return self.fate(upload)

    def signature(self, upload: DirectUpload) -> str:
        """What shows that we gave the address: HMAC-SHA256 over all that it is about, in hex."""
        told = [upload.id, upload.tenant, upload.size_bytes, upload.content_type, upload.expires_at.isoformat()]
        return hmac.new(self._key(), json.dumps(told).encode(), hashlib.sha256).hexdigest()

    def sweep(self) -> int:
        """Forget places that expired a day ago; returns how many."""
        forgotten, state = 0, self._backend.state
        for info in state.scan(f"{FOLDER}/"):
            if self._clock() - info.created_at > self._valid + KEPT:
                with suppress(PreconditionFailed):
                    forgotten += state.delete(info.name, if_generation=info.generation)
        return forgotten

    def _key(self) -> bytes:
        state = self._backend.state
        with suppress(ObjectMissing):
            return b"".join(state.read(KEY))
        with suppress(PreconditionFailed):  # another process was quicker
            content = secrets.token_bytes(_KEY_BYTES)
            state.write(KEY, content, content_type="application/octet-stream", if_generation=0)
        return b"".join(state.read(KEY))


def _name(tenant: str, identity: str) -> str:
    return f"{FOLDER}/{tenant}/{identity}.json"

"""``Placing``: puts copies of local files into a bucket of ours, and lets go of those that were for one job only.

A file that is to stay is named after its content, so that putting it there twice stores it once.  A customer who brings
it again when it is older than a day gets a copy of its own, whose time begins then, and which nobody is about to delete
for its age.  A temporary one always is a copy of its own: the job that it is for deletes it.

Whoever puts a copy there routes it: routers take no copy of these for an upload that nobody told of.
"""

import hashlib
import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final

from earmark.address import Address
from earmark.catalogued import upload_row
from earmark.domain import Job, Upload
from earmark.errors import InputFault, InputRejected, PreconditionFailed, Unavailable
from earmark.kept_bucket import KeptBucket
from earmark.log import event
from earmark.ports import ObjectInfo
from earmark.trace import trace_id_of
from earmark.vocabulary import ObjectClass, ObjectState
from router.addresses import BY_CONTENT
from router.intake import display

_log = logging.getLogger(__name__)
FRESH: Final = timedelta(days=1)
"""A copy that is no older serves another upload of the same content."""
_CONTENT_TYPE: Final = "application/octet-stream"


class Placing:
    """Puts files into one bucket."""

    def __init__(self, kept: KeptBucket, uri_of: Callable[[ObjectInfo], str]) -> None:
        """Take the bucket, and what says where workers find an object of it."""
        self._kept = kept
        self._uri_of = uri_of

    def place(self, path: Path, upload: Upload) -> Upload:
        """Put a file into the bucket, unless its content is there.

        Raises:
            InputRejected: it changed since it was hashed.
            Unavailable: the bucket cannot be reached.
        """
        name = f"{upload.tenant}/{BY_CONTENT}/{upload.content_sha256}"
        if self._kept.object_class == ObjectClass.TEMPORARY:
            return self._written(f"{name}-{secrets.token_hex(8)}", path, upload)
        info = self._kept.store.stat(name)
        now = self._kept.clock()
        if info is not None and now - info.created_at > FRESH:
            name = f"{name}-{now:%Y-%m-%d}"
            info = self._kept.store.stat(name)
        return self._written(name, path, upload) if info is None else self._at(info, upload)

    def _written(self, name: str, path: Path, upload: Upload) -> Upload:
        store = self._kept.store
        try:
            with path.open("rb") as file:
                reader = _Hashing(file)
                info = store.write(name, reader, content_type=_CONTENT_TYPE, if_generation=0)  # type: ignore[arg-type]
        except PreconditionFailed:
            found = store.stat(name)
            if found is None:
                message = f"{name} was deleted while it was uploaded"
                raise Unavailable(message) from None
            return self._at(found, upload)
        except OSError as error:
            raise InputRejected(InputFault.UNREADABLE, f"{display(path)} cannot be read: {error.strerror}") from error
        if reader.digest.hexdigest() != upload.content_sha256:
            store.delete(name, if_generation=info.generation)
            raise InputRejected(InputFault.CHANGED, f"{display(path)} changed while it was uploaded")
        row = upload_row(self._kept.name, info, upload, object_class=self._kept.object_class)
        self._kept.came(row, replaced=False)
        return self._at(info, upload)

    def _at(self, info: ObjectInfo, upload: Upload) -> Upload:
        return upload.model_copy(update={"uri": self._uri_of(info)})


class TemporaryUploads:
    """Removes the audio of jobs that have ended, where it was kept for them alone."""

    def __init__(self, kept: KeptBucket, object_of: Callable[[str], Address | None]) -> None:
        """Take the bucket, and what finds an object of ours by an upload's address."""
        self._kept = kept
        self._object_of = object_of

    def discard(self, job: Job) -> None:
        """Remove the audio of a job, as far as it is in this bucket; raises what the store does.

        All copies of the content go: who brought it while the job waited put one there that nobody will hear.  Where a
        look costs a request, that is left to jobs of temporary audio; other copies go by their age.
        """
        upload, address = job.upload, self._object_of(job.upload.uri)
        self.remove(upload, job_id=job.id)
        if self._kept.dates_itself and (address is None or address.bucket != self._kept.name):
            return
        for info in list(self._kept.store.scan(f"{upload.tenant}/{BY_CONTENT}/{upload.content_sha256}-")):
            self._remove(info, upload, job.id)

    def remove(self, upload: Upload, *, job_id: str | None = None) -> None:
        """Remove an upload, if it is in this bucket; raises what the store does."""
        address = self._object_of(upload.uri)
        if address is None or address.bucket != self._kept.name:
            return
        info = self._kept.store.stat(address.name)
        if info is not None and address.generation in {None, info.generation}:
            self._remove(info, upload, job_id)

    def _remove(self, info: ObjectInfo, upload: Upload, job_id: str | None) -> None:
        if self._kept.store.delete(info.name, if_generation=info.generation):
            event(_log, "upload.discarded", job_id=job_id, tenant=upload.tenant, trace_id=trace_id_of(upload.trace))
            self._kept.went(
                upload_row(
                    self._kept.name,
                    info,
                    upload,
                    object_class=self._kept.object_class,
                    job_id=job_id,
                    at=max(self._kept.clock(), info.created_at + timedelta.resolution),
                    state=ObjectState.DELETED,
                )
            )


class _Hashing:
    """A file that hashes what is read of it, from its beginning on."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self._hashed = 0

    def read(self, size: int = -1) -> bytes:
        start = self._file.tell()
        chunk = self._file.read(size)
        new = chunk[max(0, self._hashed - start) :]
        self.digest.update(new)
        self._hashed += len(new)
        return chunk

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

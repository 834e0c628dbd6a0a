"""Batches as a place that can hold a customer's data: addresses in manifests, what the customer calls them."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

from earmark.errors import InputRejected, ObjectMissing, PreconditionFailed
from earmark.ports import ObjectInfo, ObjectStore
from retention.stores import Erased, ErasureRequest, ObjectsStore, below, segments
from router.addresses import UPLOADS, resolve
from router.batches.batch import Batch
from router.batches.batches import FOLDER, OPEN_FOLDER
from router.batches.manifest import entries_of
from router.tenant import Tenant


class BatchesStore:
    """All of a customer's batches; of single contents the lines of manifests that name them, blanked in place.

    Only open batches have a manifest.  A line becomes as many spaces, so that whoever is feeding goes on where it was.
    """

    name = "batches"
    holds = "names of batches and files, in manifests that are being worked through"
    remains = ""
    remains_for: timedelta | None = None

    def __init__(self, state: ObjectStore, *, upload_bucket: str) -> None:
        """Take the state store and the full name of the upload bucket."""
        self._state, self._upload_bucket = state, upload_bucket
        folders = (lambda tenant: f"{OPEN_FOLDER}{tenant}/", lambda tenant: f"{FOLDER}{tenant}/")
        self._whole = ObjectsStore(self.name, self.holds, state, below(state, *folders))

    def erase(self, request: ErasureRequest) -> Erased:
        """Delete, or blank lines."""
        if request.whole:
            return self._whole.erase(request)
        blanked = 0
        for info, batch in self._manifests(request):
            content = b"".join(self._state.read(info.name, generation=info.generation))
            spans = list(self._spans(request, batch, content))
            if not spans:
                continue
            kept = bytearray(content)
            for start, end in spans:
                kept[start:end] = b"".join(bytes([each]) if each in b"\r\n" else b" " for each in kept[start:end])
            with suppress(PreconditionFailed):  # the next look finds what is there by then
                self._state.write(
                    info.name, bytes(kept), content_type="application/octet-stream", if_generation=info.generation
                )
                blanked += len(spans)
        return Erased(blanked)

    def left(self, request: ErasureRequest) -> int:
        """Count objects, or lines."""
        if request.whole:
            return self._whole.left(request)
        return sum(
            len(list(self._spans(request, batch, b"".join(self._state.read(info.name)))))
            for info, batch in self._manifests(request)
        )

    def held(self, request: ErasureRequest) -> int:
        """Count those with a hold of their own."""
        return self._whole.held(request) if request.whole else 0

    def tenants(self) -> Iterator[str]:
        """As the names tell."""
        return segments(self._state, FOLDER)

    def _manifests(self, request: ErasureRequest) -> Iterator[tuple[ObjectInfo, Batch]]:
        for info in self._state.scan(f"{FOLDER}{request.tenant}/"):
            if info.name.endswith("/manifest"):
                with suppress(ObjectMissing, ValueError):
                    batch = f"{info.name.removesuffix('manifest')}batch.json"
                    yield info, Batch.model_validate_json(b"".join(self._state.read(batch)))

    def _spans(self, request: ErasureRequest, batch: Batch, content: bytes) -> Iterator[tuple[int, int]]:
        """Where lines begin and end that name one of the contents."""
        places, tenant, start = {place.name for place in request.places}, Tenant(name=request.tenant), 0
        if batch.form is None:
            return
        for cursor, entry in entries_of([content], batch.form):
            if entry is not None and entry.address is not None:
                with suppress(InputRejected):
                    address = resolve(entry.address, tenant, upload_bucket=self._upload_bucket)
                    if address.bucket == UPLOADS and address.name in places:
                        yield start, cursor.byte
            start = cursor.byte

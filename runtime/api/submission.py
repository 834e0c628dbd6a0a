"""``Submission``: audio that came through the API becomes a job, or is found to be known."""

import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from earmark.address import Address
from earmark.domain import Record, Upload
from earmark.errors import ConfigurationError, InputFault, InputRejected, ObjectMissing
from earmark.log import event
from earmark.ports import Clock, ObjectInfo, ObjectStore
from earmark.sniff import SNIFF_BYTES, sniff
from earmark.vocabulary import Origin
from router.addresses import shown
from router.router import Known, Router
from router.tenants import Tenant
from runtime.api.deferred_rows import DeferredRows
from runtime.api.job_requests import JobRequest, JobRequests
from runtime.backend import TEMPORARY, UPLOADS, Backend
from runtime.routing.arriving import placing_into
from runtime.routing.placing import TemporaryUploads
from workers.settle import read_record

_log = logging.getLogger(__name__)
THREADS: Final = 16


@dataclass(frozen=True, slots=True)
class Submitted:
    """What audio became."""

    job_id: str
    record: Record | None = None
    """Its analysis, where it was known."""
    request: JobRequest | None = None
    """The job that waits, where it was not."""


class Submission:
    """Takes audio of customers."""

    def __init__(
        self,
        backend: Backend,
        router: Router,
        requests: JobRequests,
        *,
        max_input_bytes: int,
        clock: Clock,
        refuse: Callable[[Upload], None],
    ) -> None:
        """Take the adapters, the router and the register.

        Args:
            backend: the adapters.
            router: decides where a job goes.
            requests: hears of a job before it is queued.
            max_input_bytes: largest file taken.
            clock: the present.
            refuse: raises ``InputRejected`` for an upload that nobody may hear.
        """
        self._backend, self._router, self._requests, self._clock = backend, router, requests, clock
        self._max_input_bytes, self._refuse = max_input_bytes, refuse
        self._rows = DeferredRows(backend.catalogue.record)
        kept = {name: replace(bucket, record=self._rows.record) for name, bucket in backend.kept.items()}
        self._into = {name: placing_into(replace(backend, kept=kept), name) for name in (UPLOADS, TEMPORARY)}
        self._threads = ThreadPoolExecutor(THREADS, "submission")
        self._temporary = TemporaryUploads(backend.kept[TEMPORARY], backend.object_of)

    def limit_bytes(self, tenant: Tenant) -> int:
        """The largest file that a customer may send."""
        return min(self._max_input_bytes, tenant.max_input_bytes or self._max_input_bytes)

    def of_file(self, path: Path, content_sha256: str, size_bytes: int, tenant: Tenant, *, keep: bool) -> Submitted:
        """Put a file where workers find it, and queue its job unless its content is known.

        Args:
            path: the file.
            content_sha256: its hash.
            size_bytes: its size.
            tenant: whose it is.
            keep: whether the customer may want the audio again; else it goes with the job.

        Raises:
            InputRejected: nobody may hear it.
            Unavailable: a store or a queue cannot be reached; sending it again is safe.
        """
        upload = self._upload(path.as_uri(), content_sha256, size_bytes, tenant)
        known = self._known(upload)
        if known is not None:
            return known
        return self._queue(self._into[UPLOADS if keep else TEMPORARY](path, upload))

    def of_object(self, address: Address, tenant: Tenant) -> Submitted:
        """The same for an object that lies in a bucket; it is read once, and not copied.

        Args:
            address: it must be the customer's.
            tenant: the customer.

        Raises:
            InputRejected: there is no such object, it is too large, or no audio.
            Unavailable: a store or a queue cannot be reached.
        """
        store, info = self._find(address)
        limit = self.limit_bytes(tenant)
        if info.size_bytes > limit:
            message = f"{_name(address)} has {info.size_bytes} bytes; the limit is {limit}"
            raise InputRejected(
                InputFault.TOO_LARGE, message, "Split it, or bring it in a smaller format.", own=_name(address)
            )
        if not info.size_bytes:
            raise InputRejected(InputFault.EMPTY, f"{_name(address)} is empty", own=_name(address))
        uri = (
            self._backend.uri_of(UPLOADS, info)
            if address.bucket == UPLOADS
            else Address(address.bucket, info.name, info.generation).uri
        )
        upload = self._upload(uri, _hash(store, info, address), info.size_bytes, tenant)
        return self._known(upload) or self._queue(upload)

    def again(self, upload: Upload) -> None:
        """Queue a job again that no queue may know any more.

        Raises:
            InputRejected: it was erased.
            Unavailable: a queue cannot be reached.
        """
        self._refuse(upload)
        self._router.route([upload])

    def close(self) -> None:
        """Write what is still to be written."""
        self._rows.flush()

    def _upload(self, uri: str, content_sha256: str, size_bytes: int, tenant: Tenant) -> Upload:
        upload = Upload(
            uri=uri,
            tenant=tenant.name,
            tier=tenant.tier,
            origin=Origin.API,
            content_sha256=content_sha256,
            size_bytes=size_bytes,
            received_at=self._clock(),
            region=tenant.region,
        )
        self._refuse(upload)
        return upload

    def _known(self, upload: Upload) -> Submitted | None:
        record = read_record(self._backend.results, upload.tenant, self._router.identity(upload))
        if record is None or record.status != "done":
            return None
        event(_log, "upload.known", job_id=record.job_id, tenant=upload.tenant)
        self._router.found(upload)
        return Submitted(record.job_id, record)

    def _queue(self, upload: Upload) -> Submitted:
        job_id = self._router.identity(upload)
        before = self._requests.before(upload.tenant, job_id)
        # Side by side, for each is a write to a disk; nobody has been told of the job yet.
        adding = self._threads.submit(self._requests.add, job_id, upload, before)
        try:
            [routed] = self._router.route([upload])
        finally:
            wait([adding])
        request = adding.result()
        if isinstance(routed, Known):  # it was settled at this very moment
            self._temporary.remove(upload)
            self._requests.ended(upload.tenant, job_id)
            return Submitted(job_id, routed.record)
        return Submitted(job_id, request=request)

    def _find(self, address: Address) -> tuple[ObjectStore, ObjectInfo]:
        try:
            store = self._backend.bucket(address.bucket)
            info = store.stat(address.name)
        except ConfigurationError:  # there is no such bucket, or we may not look into it
            raise _missing(address) from None
        if info is None or address.generation not in {None, info.generation}:
            raise _missing(address)
        return store, info


def _hash(store: ObjectStore, info: ObjectInfo, address: Address) -> str:
    digest, head = hashlib.sha256(), bytearray()
    try:
        for chunk in store.read(info.name, generation=info.generation):
            digest.update(chunk)
            if len(head) < SNIFF_BYTES:
                head += chunk[: SNIFF_BYTES - len(head)]
                if len(head) >= SNIFF_BYTES or len(head) >= info.size_bytes:
                    _demand_audio(bytes(head), address)
    except (ObjectMissing, ConfigurationError):
        raise _missing(address) from None
    return digest.hexdigest()


def _demand_audio(head: bytes, address: Address) -> None:
    if sniff(head) is None:
        name = _name(address)
        raise InputRejected(InputFault.NOT_AUDIO, f"{name} has the bytes of no audio format that is known", own=name)


def _missing(address: Address) -> InputRejected:
    remedy = "Check the address; what was put there a moment ago may not be there yet."
    name = _name(address)
    return InputRejected(InputFault.NOT_FOUND, f"There is no audio of yours at {name}", remedy, own=name)


def _name(address: Address) -> str:
    """As the customer knows it."""
    return shown(f"{UPLOADS}/{address.name}" if address.bucket == UPLOADS else address.uri)

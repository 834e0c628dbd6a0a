"""Arrivals: objects that customers put into the upload bucket become uploads.

Notifications about them come twice, in any order, or not at all.  ``routed/<bucket>/<object>`` remembers for each
object which generation was routed and what was in it, so that a second notification costs one look and no reading,
and so that what was missed can be found by comparing two listings.  Copies that we put into our own bucket are routed
by whoever puts them there, and are none of these.

The catalogue hears of each, of those that were rejected too: they lie in the bucket until their time is over.
"""

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from enum import StrEnum
from typing import Final

from earmark.address import Address
from earmark.catalogued import catalogue_row
from earmark.domain import Upload
from earmark.errors import ConfigurationError, InputFault, InputRejected, InvalidName, ObjectMissing, PreconditionFailed
from earmark.kept_bucket import KeptBucket
from earmark.log import event
from earmark.ports import Clock, ObjectInfo, ObjectStore
from earmark.vocabulary import Origin
from router.addresses import is_placed
from router.intake import display
from router.router import Known, Router
from router.tenants import Tenant, Tenants

_log = logging.getLogger(__name__)
PREFIX: Final = "routed/"
_SURE: Final = timedelta(minutes=10)
"""Routing takes less: a marker that is so much younger than its object was not written for an earlier generation."""


class Arrival(StrEnum):
    """What became of an object."""

    QUEUED = "queued"
    KNOWN = "known"
    """Its content was analysed before."""
    REPEATED = "repeated"
    """This generation was routed before, or is by whoever of us put it there."""
    SUPERSEDED = "superseded"
    """There is a newer generation, or none any more."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Routed:
    """An object and what became of it."""

    uri: str
    arrival: Arrival
    job_id: str | None = None
    error: InputRejected | None = None
    content_sha256: str | None = None
    """Of what was read."""


class Arrivals:
    """Routes the objects of one bucket; the first segment of an object's name is its tenant."""

    def __init__(
        self,
        *,
        bucket: str,
        uploads: ObjectStore,
        state: ObjectStore,
        router: Router,
        tenants: Tenants,
        max_input_bytes: int,
        clock: Clock,
        uri_of: Callable[[ObjectInfo], str] | None = None,
        kept: KeptBucket | None = None,
        refuse: Callable[[Upload], None] = lambda _: None,
        expect: Callable[[str, Upload], None] = lambda _name, _upload: None,
    ) -> None:
        """Take the bucket by name and as a store, and the one that remembers.

        ``uri_of`` says where workers find an object, ``None`` = at its ``gs:`` address; ``kept`` is the bucket where it
        is one of ours; ``refuse`` raises ``InputRejected`` for an upload that nobody may hear; ``expect`` is told an
        object's name and the upload that it is before that is routed.
        """
        self._bucket = bucket
        self._uri_of = uri_of or (lambda info: Address(bucket, info.name, info.generation).uri)
        self._kept = kept
        self._refuse = refuse
        self._expect = expect
        self._markers = f"{PREFIX}{bucket}/"
        self._uploads = uploads
        self._state = state
        self._router = router
        self._tenants = tenants
        self._max_input_bytes = max_input_bytes
        self._clock = clock

    def arrive(self, name: str, generation: int | None = None) -> Routed:
        """Route an object, or find that there is nothing to do.

        Args:
            name: of the object.
            generation: the one the notification is about; None = whichever is there.

        Raises:
            Unavailable: a store or a queue cannot be reached; try again.
        """
        info = self._uploads.stat(name)
        uri = self._uri_of(info) if info else Address(self._bucket, name, generation).uri
        if info is None or (generation is not None and generation != info.generation):
            event(_log, "upload.superseded", uri=display(uri))
            return Routed(uri, Arrival.SUPERSEDED)
        placed = self._is_placed(name)
        marker = None if placed else self._state.stat(self._markers + name)
        if placed or (marker is not None and self._routed_generation(marker) == info.generation):
            event(_log, "upload.repeated", uri=display(uri))
            return Routed(uri, Arrival.REPEATED)
        try:
            routed = self._route(info, uri)
        except ObjectMissing:
            return Routed(uri, Arrival.SUPERSEDED)
        if routed.error is not None:
            event(_log, "upload.rejected", level=logging.WARNING, uri=display(uri), kind=routed.error.fault,
                  error=routed.error.message)  # fmt: skip
        self._catalogue(info, routed, replaced=marker is not None)
        self._remember(info, routed, marker)
        return routed

    def missed(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects that were never routed in their present generation, by comparing two listings in step."""
        routed = self._state.scan(self._markers + prefix)
        marker = next(routed, None)
        for info in self._uploads.scan(prefix):
            if self._is_placed(info.name):
                continue
            while marker is not None and marker.name.removeprefix(self._markers).encode() < info.name.encode():
                marker = next(routed, None)
            if marker is None or marker.name.removeprefix(self._markers) != info.name or not self._covers(marker, info):
                yield info

    def forget_gone(self, prefix: str = "") -> int:
        """Forget objects that are gone, for their names are a customer's; returns how many.

        One that comes back at this very moment is routed once more, which changes nothing.
        """
        forgotten = 0
        present = self._uploads.scan(prefix)
        info = next(present, None)
        for marker in self._state.scan(self._markers + prefix):
            name = marker.name.removeprefix(self._markers)
            while info is not None and info.name.encode() < name.encode():
                info = next(present, None)
            if (info is None or info.name != name) and self._clock() - marker.created_at > _SURE:
                with contextlib.suppress(PreconditionFailed):
                    forgotten += self._state.delete(marker.name, if_generation=marker.generation)
        return forgotten

    def _is_placed(self, name: str) -> bool:
        """Whether it is a copy of ours; in other buckets than ours it is a name like any other."""
        return self._kept is not None and is_placed(name)

    def _route(self, info: ObjectInfo, uri: str) -> Routed:
        content_sha256 = None
        try:
            upload = self._upload(info, uri)
            content_sha256 = upload.content_sha256
            self._refuse(upload)
            self._expect(info.name, upload)
            [routed] = self._router.route([upload])
        except InputRejected as rejection:
            return Routed(uri, Arrival.REJECTED, error=rejection, content_sha256=content_sha256)
        arrival = Arrival.KNOWN if isinstance(routed, Known) else Arrival.QUEUED
        return Routed(uri, arrival, self._router.identity(upload), content_sha256=content_sha256)

    def _upload(self, info: ObjectInfo, uri: str) -> Upload:
        try:
            tenant = self._tenant_of(info)
        except ConfigurationError as error:
            message = f"{display(uri)} belongs to no tenant: {error}"
            raise InputRejected(
                InputFault.NOT_FOUND, message, "Put uploads under the name of their tenant: TENANT/FILE."
            ) from error
        limit = min(self._max_input_bytes, tenant.max_input_bytes or self._max_input_bytes)
        if info.size_bytes > limit:
            raise InputRejected(InputFault.TOO_LARGE, f"{display(uri)} has {info.size_bytes} bytes; limit {limit}")
        digest = hashlib.sha256()
        for chunk in self._uploads.read(info.name, generation=info.generation):
            digest.update(chunk)
        return Upload(
            uri=uri,
            tenant=tenant.name,
            tier=tenant.tier,
            origin=Origin.NOTIFICATION,
            content_sha256=digest.hexdigest(),
            size_bytes=info.size_bytes,
            received_at=self._clock().astimezone(UTC),
            region=tenant.region,
        )

    def _tenant_of(self, info: ObjectInfo) -> Tenant:
        owner, _, rest = info.name.partition("/")
        return self._tenants.find(owner if rest else "")

    def _catalogue(self, info: ObjectInfo, routed: Routed, *, replaced: bool) -> None:
        """Tell the catalogue of an object; one that is nobody's is left for the inventory to tell of."""
        if self._kept is None:
            return
        try:
            tenant = self._tenant_of(info)
        except ConfigurationError:
            return
        row = catalogue_row(
            self._kept.name,
            info,
            tenant=tenant.name,
            tier=tenant.tier,
            object_class=self._kept.object_class,
            region=tenant.region,
            content_sha256=routed.content_sha256,
            job_id=routed.job_id,
            created_at=None if self._kept.dates_itself else max(info.created_at, self._clock()),
        )
        self._kept.came(row, replaced=replaced)

    def _covers(self, marker: ObjectInfo, info: ObjectInfo) -> bool:
        """Whether the marker is about this generation; only one that was written soon after it has to be read."""
        later = marker.created_at - info.created_at
        return later > _SURE or (later > -_SURE and self._routed_generation(marker) == info.generation)

    def _routed_generation(self, marker: ObjectInfo) -> int:
        try:
            return int(json.loads(b"".join(self._state.read(marker.name)))["generation"])
        except (ObjectMissing, ValueError, KeyError, TypeError, RecursionError):
            return 0

    def _remember(self, info: ObjectInfo, routed: Routed, marker: ObjectInfo | None) -> None:
        content = {"generation": info.generation, "arrival": routed.arrival, "job_id": routed.job_id}
        if routed.error is not None:
            content["fault"] = routed.error.fault
        try:
            self._state.write(
                self._markers + info.name,
                json.dumps(content).encode(),
                content_type="application/json",
                if_generation=marker.generation if marker else 0,
            )
        except (PreconditionFailed, InvalidName):
            return  # another router was at the same object; both found the same

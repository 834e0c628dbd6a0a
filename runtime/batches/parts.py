"""What batches are made of, from the adapters of a backend."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from earmark.address import Address
from earmark.catalogued import upload_row
from earmark.domain import Job, Upload
from earmark.errors import ConfigurationError, StorageError, Unavailable
from earmark.kept_bucket import KeptBucket
from earmark.log import event
from earmark.ports import Clock, ObjectInfo
from earmark.settings import Settings
from earmark.vocabulary import Origin
from router.arrivals import PREFIX as ROUTED
from router.batches.audio import BatchAudio, Opened
from router.batches.batch import Batch
from router.batches.batches import Batches
from router.batches.cancelled import CancelledJobs
from router.batches.feeding import Feeding
from router.batches.routing import EntryRouting
from router.intake import upload_file
from router.router import Router
from router.tenant import Tenant
from router.tiers import load_tiers
from runtime.backend import UPLOADS, Backend
from runtime.batches.following import BatchFollowing
from runtime.batches.progress import BatchCounting
from runtime.batches.room import BatchRoom
from runtime.endpoints.audio_today import AudioToday
from runtime.tenants.tenancy import open_tenants
from runtime.worker_name import is_dead, own_name

_log = logging.getLogger(__name__)
SLICES: Final = {"local": 1, "gcp": 16}
"""In how many parts entries are routed side by side, by backend: on one machine one write for all is quickest."""
FRESH_S: Final = {"local": 0.2, "gcp": 10.0}
"""Seconds for which a count is good, by backend: in BigQuery each look costs money."""
ROOM_REMEMBERED_S: Final = {"local": 2.0, "gcp": 30.0}
"""Seconds for which it is remembered how much audio of a customer's day is left, by backend, for the same reason."""
_CATALOGUED_BYTES: Final = 1024**2
"""From so many on it is quicker to look a hash up than to read the object, on one machine."""
_NAME: Final = "{number} {worker}"
_numbers = iter(range(1 << 62))


def machine() -> str:
    """What tells machines apart whose files have the same names."""
    return ":".join(own_name().split(":")[:2])


def open_batches(settings: Settings, backend: Backend, clock: Clock) -> Batches:
    """The register."""
    return Batches(backend.state, clock, max_entries=settings.batch_max_entries)


def open_counting(settings: Settings, backend: Backend, clock: Clock) -> BatchCounting:
    """What counts how far batches have come."""
    return BatchCounting(backend.warehouse, clock, fresh_s=FRESH_S[settings.backend])


def open_room(settings: Settings, backend: Backend, clock: Clock) -> BatchRoom:
    """What says how many entries of a customer may be fed.

    Raises:
        ConfigurationError: the limits of tiers or the tenants cannot be read.
    """
    remembered_s = ROOM_REMEMBERED_S[settings.backend]
    return BatchRoom(
        tenants=open_tenants(settings, backend, clock),
        tiers=load_tiers(settings.tier_limits),
        audio=AudioToday(backend.warehouse, clock, remembered_s=remembered_s),
        batches=open_batches(settings, backend, clock),
        warehouse=backend.warehouse,
        clock=clock,
        remembered_s=remembered_s,
    )


def open_feeding(
    settings: Settings,
    backend: Backend,
    router: Router,
    clock: Clock,
    refuse: Callable[[Upload], None],
    *,
    files: bool = False,
) -> Feeding:
    """What feeds batches.

    Args:
        settings: limits and tenants.
        backend: the adapters.
        router: routes entries.
        clock: the present.
        refuse: raises ``InputRejected`` for an upload that nobody may hear.
        files: whether it may read files of this machine, for batches that were made on it by command.
    """
    room = open_room(settings, backend, clock)
    return Feeding(
        batches=open_batches(settings, backend, clock),
        routing=_routing(settings, backend, router, clock, refuse, files=files),
        warehouse=backend.warehouse,
        find_tenant=open_tenants(settings, backend, clock).find,
        clock=clock,
        name=_NAME.format(number=next(_numbers), worker=own_name()),
        is_dead=lambda name: is_dead(name.partition(" ")[2]),
        room=room.room,
        queued=room.queued,
    )


def open_following(
    settings: Settings,
    backend: Backend,
    router: Router,
    clock: Clock,
    refuse: Callable[[Upload], None],
    on_ended: Callable[[Batch], None],
    *,
    files: bool = False,
) -> BatchFollowing:
    """What sees batches through to their end; ``on_ended`` hears of each, for the rest see ``open_feeding``."""
    return BatchFollowing(
        batches=open_batches(settings, backend, clock),
        counting=open_counting(settings, backend, clock),
        routing=_routing(settings, backend, router, clock, refuse, files=files),
        warehouse=backend.warehouse,
        find_tenant=open_tenants(settings, backend, clock).find,
        clock=clock,
        on_ended=on_ended,
    )


def open_audio(
    settings: Settings,
    backend: Backend,
    clock: Clock,
    refuse: Callable[[Upload], None] = lambda _: None,
    *,
    files: bool = False,
) -> BatchAudio:
    """What finds the audio of entries; see ``open_feeding``."""

    def of_file(path: Path, tenant: Tenant) -> Upload:
        limit = settings.max_input_bytes
        found = upload_file(path, tenant, Origin.BATCH, max_input_bytes=limit, received_at=clock())
        refuse(found)
        return backend.place(path, found)

    return BatchAudio(
        bucket=backend.bucket,
        upload_bucket=backend.upload_bucket,
        uri_of=partial(backend.uri_of, UPLOADS),
        max_input_bytes=settings.max_input_bytes,
        clock=clock,
        refuse=refuse,
        of_file=of_file if files else None,
        machine=machine() if files else "",
        known_sha256=_catalogued(backend.kept[UPLOADS]) if settings.backend == "local" else lambda _: None,
    )


def _routing(
    settings: Settings,
    backend: Backend,
    router: Router,
    clock: Clock,
    refuse: Callable[[Upload], None],
    *,
    files: bool,
) -> EntryRouting:
    return EntryRouting(
        audio=open_audio(settings, backend, clock, refuse, files=files),
        router=router,
        warehouse=backend.warehouse,
        clock=clock,
        came=cataloguing(backend.kept[UPLOADS], clock),
        slices=SLICES[settings.backend],
    )


def _catalogued(kept: KeptBucket) -> Callable[[ObjectInfo], str | None]:
    """What knows hashes of objects by the catalogue; a look costs nothing but where that is a service."""

    def known(info: ObjectInfo) -> str | None:
        if info.size_bytes < _CATALOGUED_BYTES:
            return None
        try:
            rows = kept.find(kept.name, info.name)
        except (Unavailable, ConfigurationError, StorageError) as error:
            event(_log, "catalogue.not_asked", level=logging.WARNING, error=str(error))
            return None
        same = (row for row in rows if (row.generation, row.size_bytes) == (info.generation, info.size_bytes))
        return next((row.content_sha256 for row in same if row.content_sha256), None)

    return known


def open_cancelled(settings: Settings, backend: Backend, clock: Clock) -> CancelledJobs:
    """What says which jobs nobody wants any more."""

    def marks_of(job: Job) -> list[str]:
        asked = [f"requests/{job.upload.tenant}/{job.id}.json"]
        address: Address | None = backend.object_of(job.upload.uri)
        return [*asked, f"{ROUTED}{backend.upload_bucket}/{address.name}"] if address is not None else asked

    return CancelledJobs(open_batches(settings, backend, clock), backend.state, backend.warehouse, marks_of=marks_of)


def cataloguing(kept: KeptBucket, clock: Clock) -> Callable[[Sequence[tuple[Opened, str]]], None]:
    """What tells the catalogue of objects that it does not know, because somebody put their files into the bucket.

    A bucket that dates its objects itself also tells a listener of each, and that tells the catalogue.
    """

    def came(found: Sequence[tuple[Opened, str]]) -> None:
        rows = []
        for opened, job in found:
            info = opened.info
            if info is None:
                continue
            known = kept.find(kept.name, info.name)
            if all(row.generation != info.generation for row in known):
                came_at = max(info.created_at, clock())
                row = upload_row(kept.name, info, opened.upload, job_id=job, created_at=came_at)
                if known:
                    kept.came(row, replaced=True)
                else:
                    rows.append(row)
        if rows:
            kept.record(rows)

    def tell(found: Sequence[tuple[Opened, str]]) -> None:
        try:
            came(found)
        except (Unavailable, ConfigurationError, StorageError) as error:
            event(_log, "catalogue.missed", level=logging.WARNING, objects=len(found), error=str(error))

    return (lambda _: None) if kept.dates_itself else tell

"""``open_arrivals``: what routes the objects of a bucket, from the adapters of a backend."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from earmark.clock import utc_now
from earmark.domain import Upload
from earmark.errors import ConfigurationError
from earmark.ports import Clock
from earmark.rows import CatalogueRow
from earmark.settings import Settings
from router.addresses import DIRECT
from router.arrivals import Arrivals
from router.router import Router
from runtime.api.job_requests import JobRequests
from runtime.backend import BUCKETS, UPLOADS, Backend
from runtime.routing.placing import Placing
from runtime.tenants.tenancy import open_tenants
from workers.settle import read_record


def open_arrivals(
    settings: Settings,
    backend: Backend,
    router: Router,
    bucket: str = UPLOADS,
    *,
    clock: Clock = utc_now,
    refuse: Callable[[Upload], None] = lambda _: None,
    needed_until: Callable[[CatalogueRow], datetime | None] = lambda _: None,
) -> Arrivals:
    """What routes the objects of the upload bucket, or of another bucket than ours.

    Args:
        settings: limits and tenants.
        backend: the adapters.
        router: routes what arrived.
        bucket: ``uploads``, or the full name of any other where the backend has others.
        clock: the present.
        refuse: raises ``InputRejected`` for an upload that nobody may hear.
        needed_until: when nobody can need an object any more, for a store that cleans up by itself.

    Raises:
        ConfigurationError: there is no such bucket, or it is ours and not for uploads.
    """
    store = backend.bucket(bucket)
    short = bucket if bucket in BUCKETS else backend.short_name(bucket)
    if short not in {None, UPLOADS}:
        message = f"The bucket {bucket} is not for uploads; {UPLOADS} is."
        raise ConfigurationError(message)
    kept = None if short is None else replace(backend.kept[UPLOADS], needed_until=needed_until)
    return Arrivals(
        bucket=bucket if short is None else backend.upload_bucket,
        uploads=store,
        state=backend.state,
        router=router,
        tenants=open_tenants(settings, backend, clock),
        max_input_bytes=settings.max_input_bytes,
        clock=clock,
        uri_of=None if short is None else partial(backend.uri_of, UPLOADS),
        kept=kept,
        refuse=refuse,
        expect=_expecting(backend, router, clock),
    )


def _expecting(backend: Backend, router: Router, clock: Clock) -> Callable[[str, Upload], None]:
    """What writes down that a customer waits for what it put at an address of ``POST /v1/uploads``."""
    requests = JobRequests(backend.state, backend.results, clock)

    def expect(name: str, upload: Upload) -> None:
        if not name.startswith(f"{upload.tenant}/{DIRECT}/"):
            return
        identity = router.identity(upload)
        before, record = requests.before(upload.tenant, identity), read_record(backend.results, upload.tenant, identity)
        if record is None or record.status != "done":
            requests.add(identity, upload, before)

    return expect


def placing_into(backend: Backend, bucket: str) -> Callable[[Path, Upload], Upload]:
    """What puts copies of local files into one of ``backend.kept``."""
    return Placing(backend.kept[bucket], partial(backend.uri_of, bucket)).place

"""What the API keeps of customers in the state store, as stores that an erasure goes through."""

from collections.abc import Iterator

from earmark.ports import ObjectInfo, ObjectStore
from retention.stores import ErasableStore, ErasureRequest, Find, ObjectsStore, below, named, segments
from runtime.api.direct_uploads import FOLDER as DIRECT_UPLOADS
from runtime.api.idempotency import FOLDER as IDEMPOTENCY
from runtime.api.job_requests import FOLDER as REQUESTS
from runtime.erasing.finds import mentions, reading
from runtime.webhooks.endpoints import FOLDER as WEBHOOKS
from runtime.webhooks.outbox import FOLDER as OUTBOX


def api_stores(state: ObjectStore) -> list[ErasableStore]:
    """Jobs that were asked for, keys of requests, places of uploads, webhooks and what they are to be told."""
    return [
        ObjectsStore(
            "webhooks",
            "addresses of the customer's servers, and secrets",
            state,
            below(state, lambda tenant: f"{WEBHOOKS}/{tenant}/"),
            tenants=lambda: segments(state, f"{WEBHOOKS}/"),
        ),
        ObjectsStore("outbox", "events that wait to be told: ids of jobs and batches", state, _outbox(state)),
        ObjectsStore(
            "requests",
            "jobs that were asked for and have not ended: addresses of uploads",
            state,
            named(
                state,
                lambda request: [f"{REQUESTS}/{request.tenant}/{job}.json" for job in request.jobs],
                below(state, lambda tenant: f"{REQUESTS}/{tenant}/"),
            ),
            tenants=lambda: segments(state, f"{REQUESTS}/"),
        ),
        ObjectsStore(
            "idempotency keys",
            "hashes of keys and of what was asked, ids of jobs",
            state,
            _own(state, IDEMPOTENCY),
            tenants=lambda: segments(state, f"{IDEMPOTENCY}/"),
        ),
        ObjectsStore(
            "places of uploads",
            "sizes, types and hashes of files that were announced",
            state,
            _own(state, DIRECT_UPLOADS),
            tenants=lambda: segments(state, f"{DIRECT_UPLOADS}/"),
        ),
    ]


def _own(state: ObjectStore, folder: str) -> Find:
    """Finds objects of ``folder/TENANT/``, single ones by what is in them."""

    def find(request: ErasureRequest) -> Iterator[ObjectInfo]:
        own = f"{folder}/{request.tenant}/"
        yield from state.scan(own) if request.whole else reading(state, (own,), mentions)(request)

    return find


def _outbox(state: ObjectStore) -> Find:
    def find(request: ErasureRequest) -> Iterator[ObjectInfo]:
        own = f"{OUTBOX}/{request.tenant}."
        yield from state.scan(own) if request.whole else reading(state, (own,), mentions)(request)

    return find

"""Every place where Earmark keeps something of a customer, as stores that an erasure goes through.

What is declared here is what a test compares with what there is: fields of ``Backend``, tables, first segments of names
in the state bucket, files of the data folder.  Whoever adds a place adds it here.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from earmark.domain import record_name
from earmark.ports import ObjectInfo, ObjectStore
from retention.stores import (
    ErasableStore,
    ErasureRequest,
    ExemptStore,
    Find,
    ObjectsStore,
    below,
    named,
    segments,
)
from router.arrivals import PREFIX as ROUTED
from router.dead_letters.letters import FOLDER as LETTERS
from router.dead_letters.letters import UNREADABLE
from runtime.backend import ARCHIVE, RESULTS, TEMPORARY, UPLOADS, Backend
from runtime.erasing.api import api_stores
from runtime.erasing.batches import BatchesStore
from runtime.erasing.customers import customer_stores
from runtime.erasing.finds import is_about_job, is_scoped, mentions, reading
from runtime.erasing.notices import NoticeListsStore
from runtime.erasing.rows import TIME_TRAVEL, AuditRowsStore, RowsStore
from runtime.erasing.tiers import TiersStore

SOFT_DELETE: Final = timedelta(days=7)
"""For which Cloud Storage keeps what was deleted from a bucket that is set so."""

BACKEND_FIELDS: Final[Mapping[str, str]] = {
    "lanes": "queues",
    "dead": "queues",
    "depths": "counts",
    "watched": "counts",
    "routed": "counts",
    "mean_waiting_bytes": "counts",
    "results": "results",
    "state": "the stores of STATE_FOLDERS",
    "warehouse": "warehouse",
    "catalogue": "warehouse",
    "temporary": "temporary",
    "archive": "archive",
    "audit": "audit log",
    "bucket": "uploads",
    "kept": "uploads",
    "uri_of": "a name",
    "object_of": "a name",
    "scratch": "scratch",
    "results_place": "a path",
    "fetch": "scratch",
    "place": "uploads",
    "claims": "claims",
    "announce": "events",
    "chores": "nothing of its own",
    "upload_bucket": "a name",
    "short_name": "a name",
    "listen": "events",
    "sign_upload": "uploads",
    "publish_notice": "notices topic, or events",
}
"""Each field of a backend and the store that answers for what it can hold."""

STATE_FOLDERS: Final[Mapping[str, str]] = {
    "letters": "dead letters",
    "unreadable-letters": "unreadable letters",
    "routed": "arrival markers",
    "claims": "claims",
    "tries": "tries",
    "admissions": "admissions",
    "spend": "spend",
    "scaling": "nothing of a customer",
    "experiments": "experiments",
    "spool": "warehouse",
    "audit": "nothing of a customer",
    "keys": "keys",
    "tenants": "customers",
    "batches": "batches",
    "open-batches": "batches",
    "webhooks": "webhooks",
    "outbox": "outbox",
    "requests": "requests",
    "idempotency": "idempotency keys",
    "uploads": "places of uploads",
    "signing": "nothing of a customer",
    "retention/notices": "notices",
    "retention/suspensions": "retention",
    "retention/holds": "holds and extensions",
    "retention/extensions": "holds and extensions",
    "retention/plans": "retention",
    "retention/runs": "retention",
    "retention/policies": "policies",
    "retention/tombstones": "tombstones",
    "retention/erasures": "receipts",
    "retention/stopped.json": "nothing of a customer",
    "retention/tiers.json": "tiers",
    "retention/working.json": "nothing of a customer",
}
"""Each first segment of names in the state bucket, of ``retention`` the second too, and the store that has it."""

_SCOPED: Final = ("retention/holds/", "retention/extensions/")
_WORKING: Final = ("retention/plans/", "retention/runs/", "retention/suspensions/")


def erasable_stores(
    backend: Backend,
    *,
    first: Sequence[ErasableStore] = (),
    last: Sequence[ErasableStore] = (),
    cloud: bool = False,
) -> list[ErasableStore]:
    """All stores, in the order in which they are gone through.

    Args:
        backend: the adapters.
        first: what only this way to run has, as queues in a file; gone through first.
        last: same, gone through after everything else.
        cloud: whether deleted objects and rows can be brought back for a while.
    """
    state = backend.state
    kept: dict[str, Any] = {
        "remains": "soft delete keeps what was deleted, for an administrator to bring back" if cloud else "",
        "remains_for": SOFT_DELETE if cloud else None,
    }
    stores: list[ErasableStore] = [
        *first,
        *customer_stores(state),
        _bucket(UPLOADS, "audio that was uploaded", backend.bucket(UPLOADS), **kept),
        _bucket(TEMPORARY, "audio that nobody wants back", backend.temporary),
        _bucket(ARCHIVE, "old audio", backend.archive, **kept),
        ObjectsStore(
            RESULTS,
            "records of analyses: transcripts, descriptions, labels",
            backend.results,
            named(
                backend.results,
                lambda request: [record_name(request.tenant, job) for job in request.jobs],
                below(backend.results, lambda tenant: f"analyses/{tenant}/"),
            ),
            tenants=lambda: segments(backend.results, "analyses/"),
            **kept,
        ),
        ObjectsStore(
            "dead letters",
            "jobs that failed: addresses of uploads, messages of failures",
            state,
            reading(state, (LETTERS,), is_about_job),
        ),
        ObjectsStore(
            "unreadable letters",
            "the same, as bytes that are no letter",
            state,
            reading(state, (UNREADABLE,), mentions),
        ),
        ObjectsStore(
            "arrival markers",
            "names of uploads that were routed",
            state,
            _routed(state),
            tenants=lambda: (
                each for bucket in segments(state, ROUTED) for each in segments(state, f"{ROUTED}{bucket}/")
            ),
        ),
        ObjectsStore(
            "claims",
            "ids of jobs that were queued",
            state,
            named(
                state,
                lambda request: [f"claims/{request.tenant}/{job}.json" for job in request.jobs],
                below(state, lambda tenant: f"claims/{tenant}/"),
            ),
            tenants=lambda: segments(state, "claims/"),
        ),
        BatchesStore(state, upload_bucket=backend.upload_bucket),
        *api_stores(state),
        ObjectsStore("tries", "failures of messages under way", state, reading(state, ("tries/",), mentions)),
        ObjectsStore("spend", "dollars of a day", state, _spend(state)),
        NoticeListsStore(state),
        TiersStore(state),
        ObjectsStore("holds and extensions", "names of objects, reasons", state, reading(state, _SCOPED, is_scoped)),
        ObjectsStore(
            "retention", "registered plans, runs, suspended notices", state, reading(state, _WORKING, mentions)
        ),
        ExemptStore("experiments", "counts of arms", "they are sums over all customers and name nobody"),
        ExemptStore("admissions", "ids of messages and workers", "they name nobody, and go with the messages"),
        ExemptStore(
            "policies",
            "terms that were agreed with a customer",
            "versions of the policy are kept as they were in force",
        ),
        ExemptStore("tombstones", "hashes of what was erased", "they keep what was erased from coming back"),
        ExemptStore("receipts", "what was erased, with a pseudonym", "they are the proof of erasures"),
        RowsStore(
            backend.warehouse,
            remains="deleted rows can be brought back by time travel and, after it, by Google" if cloud else "",
            remains_for=TIME_TRAVEL if cloud else None,
        ),
        AuditRowsStore(backend.warehouse, backend.audit),
        *last,
    ]
    return stores


def _bucket(name: str, holds: str, store: ObjectStore, **kept: Any) -> ObjectsStore:
    """A bucket in which the first segment of a name is the customer."""
    find = named(store, lambda request: request.names_in(name), below(store, lambda tenant: f"{tenant}/"))
    return ObjectsStore(name, holds, store, find, tenants=lambda: segments(store), **kept)


def _routed(state: ObjectStore) -> Find:
    def find(request: ErasureRequest) -> Iterator[ObjectInfo]:
        for bucket in segments(state, ROUTED):
            if request.whole:
                yield from state.scan(f"{ROUTED}{bucket}/{request.tenant}/")
            for place in () if request.whole else request.places:
                if (info := state.stat(f"{ROUTED}{bucket}/{place.name}")) is not None:
                    yield info

    return find


def _spend(state: ObjectStore) -> Find:
    def find(request: ErasureRequest) -> Iterator[ObjectInfo]:
        for day in segments(state, "spend/") if request.whole else ():
            if (info := state.stat(f"spend/{day}/tenants/{request.tenant}.json")) is not None:
                yield info

    return find

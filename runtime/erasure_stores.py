"""Every place where Earmark keeps something of a customer, as stores that an erasure goes through.

What is declared here is what a test compares with what there is: fields of ``Backend``, tables, first segments of names
in the state bucket, files of the data folder.  Whoever adds a place adds it here.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from typing import Any, Final

from earmark.domain import record_name
from earmark.ports import ObjectInfo, ObjectStore
from retention.stores import (
    THREADS,
    WINDOW,
    ErasableStore,
    ErasureRequest,
    ExemptStore,
    Find,
    ObjectsStore,
    Place,
    below,
    content_of,
    named,
    segments,
)
from router.arrivals import PREFIX as ROUTED
from router.dead_letters.letters import FOLDER as LETTERS
from router.dead_letters.letters import UNREADABLE
from runtime.backend import ARCHIVE, RESULTS, TEMPORARY, UPLOADS, Backend
from runtime.erasure_notices import NoticeListsStore
from runtime.erasure_rows import TIME_TRAVEL, AuditRowsStore, RowsStore
from runtime.erasure_tiers import TiersStore

SOFT_DELETE: Final = timedelta(days=7)
"""For which Cloud Storage keeps what was deleted from a bucket that is set so."""

BACKEND_FIELDS: Final[Mapping[str, str]] = {
    "lanes": "queues",
    "dead": "queues",
    "depths": "counts",
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
    "experiments": "experiments",
    "spool": "warehouse",
    "audit": "nothing of a customer",
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

_MINE: Final = "(?<![A-Za-z0-9_-]){}(?![A-Za-z0-9_-])"
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


Matches = Callable[[ErasureRequest, ObjectInfo, bytes], bool]
"""Whether an object with that content is meant."""


def reading(store: ObjectStore, prefixes: Iterable[str], matches: Matches) -> Find:
    """Finds objects by what is in them, read side by side."""
    folders = tuple(prefixes)

    def find(request: ErasureRequest) -> Iterator[ObjectInfo]:
        with ThreadPoolExecutor(THREADS, "look") as threads:
            for folder in folders:
                objects = iter(store.scan(folder))
                while window := list(islice(objects, WINDOW)):
                    contents = threads.map(lambda info: content_of(store, info), window)
                    for info, content in zip(window, contents, strict=True):
                        if matches(request, info, content):
                            yield info

    return find


def mentions(request: ErasureRequest, info: ObjectInfo, content: bytes) -> bool:
    """Whether the customer, or one of the contents, is named in the object's name or in its bytes."""
    return names_any(request, f"{info.name}\n".encode() + content)


def names_any(request: ErasureRequest, text: bytes) -> bool:
    """Whether bytes hold the customer's name as a word or, for single contents, an id or a name of theirs."""
    if request.whole:
        return re.search(_MINE.format(re.escape(request.tenant)).encode(), text) is not None
    words = [*request.jobs, *request.contents, *request.objects]
    names = [json.dumps(place.name, ensure_ascii=ascii_) for place in request.places for ascii_ in (True, False)]
    return any(each.encode("utf-8", "replace") in text for each in (*words, *names))


def is_about_job(request: ErasureRequest, info: ObjectInfo, content: bytes) -> bool:
    """Whether a dead letter is the customer's, or about one of the contents; one that cannot be read is searched."""
    try:
        job = json.loads(content)["job"]
        tenant, sha256, job_id = job["upload"]["tenant"], job["upload"]["content_sha256"], job["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return mentions(request, info, content)
    if tenant != request.tenant:
        return False
    return request.whole or sha256 in request.contents or job_id in request.jobs


def is_scoped(request: ErasureRequest, _: ObjectInfo, content: bytes) -> bool:
    """Whether a hold or an extension is about the customer alone, or about one of the contents' objects."""
    try:
        scope = json.loads(content)["scope"]
        kind, bucket, name, tenant = scope["kind"], scope["bucket"], scope["name"], scope["tenant"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    if request.whole:
        folders = (f"{request.tenant}/", f"analyses/{request.tenant}/")
        return bool(tenant == request.tenant or name.startswith(folders))
    return kind == "object" and Place(bucket, name) in request.places


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

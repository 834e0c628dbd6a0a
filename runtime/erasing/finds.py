"""How an erasure finds objects in the state store by what is in them."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final

from earmark.ports import ObjectInfo, ObjectStore
from retention.stores import THREADS, WINDOW, ErasureRequest, Find, Place, content_of

_MINE: Final = "(?<![A-Za-z0-9_-]){}(?![A-Za-z0-9_-])"

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

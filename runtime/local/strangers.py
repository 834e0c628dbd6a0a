"""``StrangersStore``: files that somebody put below a customer's folder and that no object's name can reach."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from earmark.ports import Clock
from retention.stores import Erased, ErasureRequest
from runtime.local.object_store import LocalObjectStore

FOLDERS: Final = {
    "uploads": "",
    "temporary": "",
    "archive": "",
    "results": "analyses/",
    "notices": "",
}
"""Buckets with folders of customers, and what stands before the customer's name."""
_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class StrangersStore:
    """Removes them as whole customers go; of single contents they are none, for nobody has heard them."""

    name = "files without a name"
    holds = "files in folders of buckets whose names no object can have, as with control characters"
    remains = ""
    remains_for: timedelta | None = None

    def __init__(self, objects: Path, clock: Clock) -> None:
        """Take the folder of buckets."""
        self._stores = {bucket: LocalObjectStore(objects, bucket, clock=clock) for bucket in FOLDERS}

    def erase(self, request: ErasureRequest) -> Erased:
        """Unlink; a link to a folder stays, for behind it may be what somebody needs, and counts as left."""
        items = size_bytes = linked = 0
        for store, path in list(self._found(request)):
            if path.is_dir():
                linked += 1
                continue
            size_bytes += path.lstat().st_size
            items += store.remove_stranger(path)
        return Erased(items, size_bytes, f"{linked} links to folders: remove them by hand" if linked else "")

    def left(self, request: ErasureRequest) -> int:
        """Count, links to folders too."""
        return sum(1 for _ in self._found(request))

    def held(self, request: ErasureRequest) -> int:
        """What has no name cannot be held."""
        del request
        return 0

    def tenants(self) -> Iterator[str]:
        """Whose folders they are in."""
        seen: set[str] = set()
        for bucket, store in self._stores.items():
            for path in store.strangers(FOLDERS[bucket]):
                tenant = path.relative_to(store.folder / FOLDERS[bucket]).parts[0]
                if _TENANT.fullmatch(tenant) and tenant not in seen:
                    seen.add(tenant)
                    yield tenant

    def _found(self, request: ErasureRequest) -> Iterator[tuple[LocalObjectStore, Path]]:
        if request.whole:
            for bucket, store in self._stores.items():
                for path in store.strangers(f"{FOLDERS[bucket]}{request.tenant}/"):
                    yield store, path

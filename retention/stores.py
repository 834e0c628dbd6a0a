"""``ErasableStore``: one place that can hold a customer's data, and what an erasure asks of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol

from pydantic import AwareDatetime

from earmark.domain import TenantName
from earmark.errors import ObjectHeld, ObjectMissing, PreconditionFailed
from earmark.metadata import Frozen
from earmark.ports import ObjectInfo, ObjectStore

THREADS: Final = 16
"""Objects deleted at once: a bucket far away takes long for each and minds none."""
WINDOW: Final = 1024
"""Objects of which the names are in memory."""
LOOKS: Final = 5
"""How often an object may be replaced while it is erased."""
LAST: Final = "\U0010ffff"
"""Sorts after every other character."""


class Place(NamedTuple):
    """Where an object is or was."""

    bucket: str
    """Its short name, as ``uploads``."""
    name: str


class ErasureRequest(Frozen):
    """What is to be erased: everything of a customer, or some contents of one."""

    id: str
    at: AwareDatetime
    kind: Literal["tenant", "content"]
    tenant: TenantName
    contents: tuple[str, ...] = ()
    """SHA-256 of each content; empty for a whole customer."""
    places: tuple[Place, ...] = ()
    """Where the contents are or were."""
    objects: tuple[str, ...] = ()
    """Ids of the objects, as the catalogue has them, of every generation known."""
    jobs: tuple[str, ...] = ()
    """Ids of the contents' jobs, of every pipeline known."""

    @property
    def whole(self) -> bool:
        """Whether it is about all of a customer."""
        return self.kind == "tenant"

    def names_in(self, bucket: str) -> list[str]:
        """Names of the objects in a bucket, where single ones are to be erased."""
        return sorted({place.name for place in self.places if place.bucket == bucket})


class Erased(NamedTuple):
    """What one look through a store removed."""

    items: int = 0
    size_bytes: int = 0
    """Where that is known."""
    note: str = ""
    counts: Mapping[str, int] = MappingProxyType({})
    """Items by their kind, where a store has several; summed over all looks."""


class ErasableStore(Protocol):
    """One place; its methods raise ``Unavailable`` when it cannot be reached."""

    name: str
    holds: str
    """What it can hold of a customer, for a person."""
    remains: str
    """What nobody can remove at once, in words; empty = nothing."""
    remains_for: timedelta | None
    """After which that is gone by itself."""

    def erase(self, request: ErasureRequest) -> Erased:
        """Remove all there is; what is in use right now may be left, and comes to be removed by a later call."""
        ...

    def left(self, request: ErasureRequest) -> int:
        """How many items there are, looked at now."""
        ...

    def held(self, request: ErasureRequest) -> int:
        """How many of them the store itself keeps from being deleted."""
        ...

    def tenants(self) -> Iterator[str]:
        """Customers of whom it has something, each once; nobody where it cannot tell."""
        ...


class ExemptStore:
    """A place that is declared and from which nothing is removed, with the reason."""

    def __init__(self, name: str, holds: str, remains: str, remains_for: timedelta | None = None) -> None:
        """Take what there is and why it stays."""
        self.name, self.holds, self.remains, self.remains_for = name, holds, remains, remains_for

    def erase(self, request: ErasureRequest) -> Erased:
        """Nothing."""
        del request
        return Erased()

    def left(self, request: ErasureRequest) -> int:
        """Nothing that could be removed."""
        del request
        return 0

    def held(self, request: ErasureRequest) -> int:
        """Nothing."""
        del request
        return 0

    def tenants(self) -> Iterator[str]:
        """Nobody that could be told."""
        return iter(())


Find = Callable[[ErasureRequest], Iterable[ObjectInfo]]
"""The objects that are meant by a request."""


class ObjectsStore:
    """Objects of a bucket that are found by their names, or otherwise."""

    def __init__(
        self,
        name: str,
        holds: str,
        store: ObjectStore,
        find: Find,
        *,
        tenants: Callable[[], Iterator[str]] = lambda: iter(()),
        remains: str = "",
        remains_for: timedelta | None = None,
    ) -> None:
        """Take the bucket and what finds a customer's objects in it."""
        self.name, self.holds, self.remains, self.remains_for = name, holds, remains, remains_for
        self._store, self._find, self._tenants = store, find, tenants

    def erase(self, request: ErasureRequest) -> Erased:
        """Delete side by side; what is held stays."""
        items = size_bytes = held = 0
        found = iter(self._find(request))
        with ThreadPoolExecutor(THREADS, "erase") as threads:
            while window := list(islice(found, WINDOW)):
                for info, gone in zip(window, threads.map(self._delete, window), strict=True):
                    items += gone is True
                    size_bytes += info.size_bytes if gone else 0
                    held += gone is None
        return Erased(items, size_bytes, f"{held} are held in the store" if held else "")

    def left(self, request: ErasureRequest) -> int:
        """Count."""
        return sum(1 for _ in self._find(request))

    def held(self, request: ErasureRequest) -> int:
        """Count those with a hold of their own."""
        return sum(info.held for info in self._find(request))

    def tenants(self) -> Iterator[str]:
        """As the names tell."""
        return self._tenants()

    def _delete(self, info: ObjectInfo) -> bool | None:
        """Whether it was there and is gone; None = it is held."""
        present: ObjectInfo | None = info
        for _ in range(LOOKS):
            if present is None:
                return False
            try:
                return self._store.delete(present.name, if_generation=present.generation)
            except PreconditionFailed:  # whatever has come in its place is the customer's too
                present = self._store.stat(info.name)
            except ObjectHeld:
                return None
        return None


def below(store: ObjectStore, *prefixes: Callable[[str], str]) -> Find:
    """Finds what lies below prefixes made of the customer's name; nothing of single contents."""

    def find(request: ErasureRequest) -> Iterator[ObjectInfo]:
        if request.whole:
            for prefix in prefixes:
                yield from store.scan(prefix(request.tenant))

    return find


def named(store: ObjectStore, names: Callable[[ErasureRequest], Sequence[str]], whole: Find) -> Find:
    """Finds what ``whole`` does of a customer, and objects by name for single contents."""

    def find(request: ErasureRequest) -> Iterator[ObjectInfo]:
        if request.whole:
            yield from whole(request)
            return
        for name in names(request):
            info = store.stat(name)
            if info is not None:
                yield info

    return find


def segments(store: ObjectStore, prefix: str = "") -> Iterator[str]:
    """The first segments of the names below a prefix, each once, without going through what lies below them."""
    after = ""
    while (info := next(iter(store.scan(prefix, start_after=after)), None)) is not None:
        segment, slash, _ = info.name.removeprefix(prefix).partition("/")
        if slash:
            yield segment
        after = f"{prefix}{segment}/{LAST}" if slash else info.name


def content_of(store: ObjectStore, info: ObjectInfo) -> bytes:
    """The bytes of an object; none where it has changed or gone."""
    with suppress(ObjectMissing):
        return b"".join(store.read(info.name, generation=info.generation))
    return b""

"""Doubles that wrap a real adapter and fail when told to, before or after the call took effect."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import BinaryIO, Literal, TypeVar

from earmark.domain import Failure, Job, Lease
from earmark.errors import Unavailable
from earmark.ports import ObjectInfo, ObjectStore, Queue, Warehouse
from earmark.rows import Row

Result = TypeVar("Result")
When = Literal["before", "after"]


class Faults:
    """Which calls are going to fail."""

    def __init__(self) -> None:
        """Let everything pass."""
        self.down = False
        """While true, every call fails before it does anything."""
        self.calls: list[str] = []
        """Every method called so far, those that failed too."""
        self._planned: dict[str, list[tuple[When, Exception]]] = defaultdict(list)

    def fail(self, method: str, times: int = 1, *, when: When = "before", error: Exception | None = None) -> None:
        """Make the next calls of a method fail: ``before`` does nothing, ``after`` does it and loses the answer."""
        self._planned[method] += [(when, error or Unavailable(f"{method} was told to fail"))] * times

    def run(self, method: str, call: Callable[[], Result]) -> Result:
        """Call, or fail as planned."""
        self.calls.append(method)
        if self.down:
            message = "told to be down"
            raise Unavailable(message)
        when, error = self._planned[method].pop(0) if self._planned[method] else ("before", None)
        if error is not None and when == "before":
            raise error
        result = call()
        if error is not None:
            raise error
        return result


class FlakyQueue:
    """A queue that fails on demand."""

    def __init__(self, queue: Queue) -> None:
        """Wrap a queue."""
        self._queue = queue
        self.faults = Faults()

    def put(self, jobs: Sequence[Job]) -> int:
        """Put or fail."""
        return self.faults.run("put", lambda: self._queue.put(jobs))

    def lease(self, limit: int, lease_s: float) -> list[Lease]:
        """Lease or fail."""
        return self.faults.run("lease", lambda: self._queue.lease(limit, lease_s))

    def extend(self, leases: Sequence[Lease], lease_s: float) -> list[Lease]:
        """Extend or fail."""
        return self.faults.run("extend", lambda: self._queue.extend(leases, lease_s))

    def ack(self, leases: Sequence[Lease]) -> list[Lease]:
        """Acknowledge or fail."""
        return self.faults.run("ack", lambda: self._queue.ack(leases))

    def release(self, lease: Lease, *, after_s: float = 0.0, failure: Failure | None = None) -> bool:
        """Release or fail."""
        return self.faults.run("release", lambda: self._queue.release(lease, after_s=after_s, failure=failure))

    def bury(self, lease: Lease, failure: Failure) -> bool:
        """Bury or fail."""
        return self.faults.run("bury", lambda: self._queue.bury(lease, failure))


class FlakyStore:
    """An object store that fails on demand."""

    def __init__(self, store: ObjectStore) -> None:
        """Wrap a store."""
        self._store = store
        self.faults = Faults()

    def read(self, name: str, *, generation: int | None = None) -> Iterator[bytes]:
        """Read or fail."""
        return self.faults.run("read", lambda: self._store.read(name, generation=generation))

    def write(
        self, name: str, content: bytes | BinaryIO, *, content_type: str, if_generation: int | None = None
    ) -> ObjectInfo:
        """Write or fail."""
        return self.faults.run(
            "write", lambda: self._store.write(name, content, content_type=content_type, if_generation=if_generation)
        )

    def stat(self, name: str) -> ObjectInfo | None:
        """Look or fail."""
        return self.faults.run("stat", lambda: self._store.stat(name))

    def scan(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """Scan or fail at once."""
        return self.faults.run("scan", lambda: self._store.scan(prefix, start_after=start_after))

    def delete(self, name: str, *, if_generation: int) -> bool:
        """Delete or fail."""
        return self.faults.run("delete", lambda: self._store.delete(name, if_generation=if_generation))

    def protect(
        self, name: str, *, if_generation: int, held: bool | None = None, not_needed_after: datetime | None = None
    ) -> bool:
        """Protect or fail."""
        return self.faults.run(
            "protect",
            lambda: self._store.protect(
                name, if_generation=if_generation, held=held, not_needed_after=not_needed_after
            ),
        )


class FlakyWarehouse:
    """A warehouse that fails on demand."""

    def __init__(self, warehouse: Warehouse) -> None:
        """Wrap a warehouse."""
        self._warehouse = warehouse
        self.faults = Faults()

    def append(self, rows: Sequence[Row]) -> None:
        """Append or fail."""
        self.faults.run("append", lambda: self._warehouse.append(rows))

    def query(self, name: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        """Query or fail."""
        return self.faults.run("query", lambda: self._warehouse.query(name, parameters))

    def purge(
        self,
        table: str,
        *,
        before: datetime,
        tenant: str | None = None,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> int:
        """Purge or fail."""
        return self.faults.run("purge", lambda: self._warehouse.purge(table, before=before, tenant=tenant, only=only))

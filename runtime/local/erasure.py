"""What only one machine has of a customer: jobs in the queues' file, the notices topic, plans, and pages of databases.

A deleted row stays in the free pages of an SQLite file, and in its log, until both are written anew; so the files are,
once nothing is left in their tables.
"""

import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from earmark.errors import InputRejected
from earmark.ports import Clock, ObjectStore
from earmark.wire import decode_job
from retention.stores import ErasableStore, Erased, ErasureRequest, ObjectsStore
from runtime.erasing.finds import mentions, names_any, reading
from runtime.local.database import translated
from runtime.local.queue_statements import SCHEMA
from runtime.local.strangers import StrangersStore
from workers.decode.scratch import sweep

WAIT_S: Final = 30.0
"""Seconds to wait for other processes before a file is left for the next look."""
PLANS: Final = "plans"
"""Folder of plans in the data folder."""
_TENANT: Final = re.compile(rb'"tenant":"([a-z0-9_-]+)"')
_MANY: Final = 10_000

DATA_FILES: Final = {
    "queues.sqlite": "queues",
    "warehouse.sqlite": "warehouse",
    "objects": "the stores of buckets",
    "scratch": "scratch",
    "workers": "names of workers; about no customer",
    "metrics": "addresses of processes; about no customer",
    "access": "looks on their way into the audit log, under pseudonyms",
    PLANS: "plans",
}
"""Each entry of the data folder, logs and locks of a database with it, and the store that answers for it."""
BUCKETS: Final = {
    "uploads": "uploads",
    "results": "results",
    "temporary": "temporary",
    "archive": "archive",
    "state": "the stores of STATE_FOLDERS",
    "audit": "audit log",
    "notices": "notices topic",
    ".earmark": "locks, and notes of content types under hashes of names; half-written files of dead writers are swept",
}
"""Each folder of ``objects`` and the store that answers for it."""


def local_stores(data: Path, topic: ObjectStore, clock: Clock) -> tuple[list[ErasableStore], list[ErasableStore]]:
    """The stores to go through first, and those to go through last."""
    queues = QueueFile(data / "queues.sqlite", clock)
    first: list[ErasableStore] = [
        queues,
        Scratched(data / "scratch"),
        PlanFiles(data / PLANS),
        StrangersStore(data / "objects", clock),
        ObjectsStore("notices topic", "events that told of objects", topic, reading(topic, ("",), mentions)),
    ]
    files = (data / "queues.sqlite", data / "warehouse.sqlite")
    return first, [Compacted(files, pending=queues.left)]


class _Entry(NamedTuple):
    number: int
    leased: bool


class QueueFile:
    """Jobs of all queues, the dead and the malformed ones too; one that a worker has is left until it gives it up."""

    name = "queues"
    holds = "jobs: addresses of uploads, failures so far"
    remains = ""
    remains_for: timedelta | None = None

    def __init__(self, path: Path, clock: Clock) -> None:
        """Take the file, and the present, which says whose lease is over."""
        self._path, self._clock = path, clock

    def erase(self, request: ErasureRequest) -> Erased:
        """Delete what nobody works on."""
        removed = left = 0
        with _opened(self._path) as connection:
            entries = list(self._entries(connection, request))
            free = [(each.number,) for each in entries if not each.leased]
            for start in range(0, len(free), _MANY):
                connection.execute("BEGIN IMMEDIATE")
                # A worker may have taken one since; it drops it, for the tombstone stands.
                statement = "DELETE FROM jobs WHERE number = ? AND (token IS NULL OR due_us <= ?)"
                values = [(number, self._now_us()) for (number,) in free[start : start + _MANY]]
                removed += connection.executemany(statement, values).rowcount
                connection.execute("COMMIT")
            left = len(entries) - len(free)
        return Erased(removed, note=f"{left} under way in workers, which drop them" if left else "")

    def left(self, request: ErasureRequest) -> int:
        """Count, leased ones too."""
        with _opened(self._path) as connection:
            return sum(1 for _ in self._entries(connection, request))

    def held(self, request: ErasureRequest) -> int:
        """Jobs are not held."""
        del request
        return 0

    def tenants(self) -> Iterator[str]:
        """Whose jobs wait."""
        seen: set[str] = set()
        with _opened(self._path) as connection:
            for (body,) in connection.execute("SELECT body FROM jobs"):
                found = _TENANT.search(body)
                if found and (tenant := found[1].decode()) not in seen:
                    seen.add(tenant)
                    yield tenant

    def _entries(self, connection: sqlite3.Connection, request: ErasureRequest) -> Iterator[_Entry]:
        now_us = self._now_us()
        wanted = "SELECT number, token IS NOT NULL AND due_us > ?, body FROM jobs WHERE instr(body, ?) > 0"
        for number, leased, body in connection.execute(wanted, (now_us, request.tenant.encode())):
            if _is_meant(request, body):
                yield _Entry(number, bool(leased))

    def _now_us(self) -> int:
        return int(self._clock().timestamp() * 1_000_000)


class Scratched:
    """Decoded audio of workers that died; that of the living goes when they give up their job."""

    name = "scratch"
    holds = "decoded audio while a worker listens to it"
    remains = ""
    remains_for: timedelta | None = None

    def __init__(self, folder: Path) -> None:
        """Take the folder that workers share."""
        self._folder = folder

    def erase(self, request: ErasureRequest) -> Erased:
        """Sweep up after the dead, whosever audio it was."""
        del request
        before = self._count()
        if self._folder.is_dir():
            sweep(self._folder)
        return Erased(before - self._count())

    def left(self, request: ErasureRequest) -> int:
        """Nothing that could be told whose it is; ``queues`` counts the jobs of the living."""
        del request
        return 0

    def held(self, request: ErasureRequest) -> int:
        """Nothing here is held."""
        del request
        return 0

    def tenants(self) -> Iterator[str]:
        """Nobody that could be told."""
        return iter(())

    def _count(self) -> int:
        return sum(1 for each in self._folder.rglob("*") if each.is_file() and each.suffix != ".lock")


class PlanFiles:
    """Plans of deletions, which name objects; one that names the customer's is removed whole, and can be made anew."""

    name = "plans"
    holds = "names of objects to be deleted or told of"
    remains = "plans that were written elsewhere with --out are where somebody put them"
    remains_for: timedelta | None = None

    def __init__(self, folder: Path) -> None:
        """Take the folder."""
        self._folder = folder

    def erase(self, request: ErasureRequest) -> Erased:
        """Remove files."""
        found = list(self._found(request))
        size_bytes = sum(path.stat().st_size for path in found)
        for path in found:
            path.unlink(missing_ok=True)
        return Erased(len(found), size_bytes)

    def left(self, request: ErasureRequest) -> int:
        """Count files."""
        return sum(1 for _ in self._found(request))

    def held(self, request: ErasureRequest) -> int:
        """Nothing here is held."""
        del request
        return 0

    def tenants(self) -> Iterator[str]:
        """Nobody: a plan is a day old at most."""
        return iter(())

    def _found(self, request: ErasureRequest) -> Iterator[Path]:
        words = [f'"tenant":"{request.tenant}"'] if request.whole else [f'"id":"{each}"' for each in request.objects]
        wanted = [word.encode() for word in words]
        for path in sorted(self._folder.rglob("*")) if self._folder.is_dir() else ():
            if path.is_file():
                with path.open("rb") as lines:
                    if any(word in line for line in lines for word in wanted):
                        yield path


class Compacted:
    """Databases written anew, so that nothing deleted is left in their files; once, when their tables are clear."""

    name = "free pages"
    holds = "bytes of deleted rows in the files of databases and in their logs"
    remains = ""
    remains_for: timedelta | None = None

    def __init__(
        self, files: Sequence[Path], *, pending: Callable[[ErasureRequest], int], wait_s: float = WAIT_S
    ) -> None:
        """Take the files, and how many rows are still to go."""
        self._files, self._pending, self._wait_s = files, pending, wait_s
        self._due = False

    def erase(self, request: ErasureRequest) -> Erased:
        """Write the files anew; one that others keep busy is left for the next look."""
        self._due = True
        if self._pending(request):
            return Erased()
        before = sum(map(_size, self._files))
        busy = [path.name for path in self._files if not _compact(path, self._wait_s)]
        self._due = bool(busy)
        return Erased(0, max(0, before - sum(map(_size, self._files))), f"in use: {', '.join(busy)}" if busy else "")

    def left(self, request: ErasureRequest) -> int:
        """One while there is something to write anew."""
        del request
        return int(self._due)

    def held(self, request: ErasureRequest) -> int:
        """Pages are not held."""
        del request
        return 0

    def tenants(self) -> Iterator[str]:
        """Nobody that could be told."""
        return iter(())


def _is_meant(request: ErasureRequest, body: bytes) -> bool:
    try:
        job = decode_job(body)
    except InputRejected:  # set aside as malformed: whatever names the customer goes
        return names_any(request, body)
    if job.upload.tenant != request.tenant:
        return False
    return request.whole or job.upload.content_sha256 in request.contents or job.id in request.jobs


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A database of its own connection; an empty one where there is no such file."""
    try:
        with closing(
            sqlite3.connect(path if path.exists() else ":memory:", timeout=WAIT_S, isolation_level=None)
        ) as own:
            if not path.exists():
                own.execute(SCHEMA)
            yield own
    except sqlite3.Error as error:
        raise translated(error, path) from error


def _compact(path: Path, wait_s: float) -> bool:
    """Write a database and its log anew; False where others were at it all the time."""
    if not path.exists():
        return True
    deadline = time.monotonic() + wait_s
    with _opened(path) as connection:
        connection.execute("VACUUM")
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() >= deadline:
                return False
            time.sleep(random.uniform(0.01, 0.05))  # noqa: S311  # jitter, no secret
    return True


def _size(path: Path) -> int:
    return sum(each.stat().st_size for each in (path, path.with_name(f"{path.name}-wal")) if each.exists())

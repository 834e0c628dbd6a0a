"""``Counters``: what this process saw of running experiments, counted in memory and written down now and then."""

import logging
import threading
import uuid
from collections import Counter, OrderedDict, defaultdict
from contextlib import suppress
from typing import Final, NamedTuple

from ab_testing import counter_file
from ab_testing.evidence import Evidence
from earmark.domain import Exposure
from earmark.errors import ObjectMissing, PreconditionFailed, Unavailable
from earmark.log import event
from earmark.ports import ObjectInfo, ObjectStore
from earmark.rows import TrialRow

_log = logging.getLogger(__name__)

REMEMBERED: Final = 10_000
"""Rows of late whose ids are remembered, so that one that is told again counts once."""
MEETINGS_MAX: Final = 20
"""Attempts to add to an object that others add to at the same time."""
Key = tuple[str, int]
"""Name and version of an experiment."""


class _Part(NamedTuple):
    """What was counted between two flushes."""

    number: int
    evidence: Evidence


class Counters:
    """Counts of one process, added to an object that some processes share; safe to use from several threads.

    They are a view for the moment, for `status` and guardrails: what a process counted after its last ``flush`` is lost
    when it is killed, while the rows in the warehouse stay.
    """

    def __init__(self, store: ObjectStore, place: str) -> None:
        """Take the state store and the name of the object; the fewer processes share it, the less they meet."""
        self._store = store
        self._place = place
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._writer = uuid.uuid4().hex
        self._unwritten: defaultdict[Key, Evidence] = defaultdict(Evidence)
        self._parts: defaultdict[Key, list[_Part]] = defaultdict(list)
        """On their way to the store, the first of each perhaps there already."""
        self._numbers: Counter[Key] = Counter()
        self._told: OrderedDict[str, None] = OrderedDict()

    def add(self, row: TrialRow) -> None:
        """Count how a job ended; the same row again counts once."""
        with self._lock:
            if self._is_new(f"ended {row.row_id}"):
                self._unwritten[row.experiment, row.version].add([row])

    def assigned(self, exposure: Exposure, job_id: str) -> None:
        """Count a job that the router put into an arm; the same job again counts once."""
        with self._lock:
            if self._is_new(f"assigned {exposure.experiment}:{exposure.version}:{job_id}"):
                self._unwritten[exposure.experiment, exposure.version].arms[exposure.arm].assigned += 1

    def flush(self) -> int:
        """Add what is new to the object of each version of an experiment; returns to how many.

        Raises:
            Unavailable: the store cannot be reached; the next call writes what is left.
        """
        with self._flushing:
            with self._lock:
                fresh, self._unwritten = self._unwritten, defaultdict(Evidence)
            for key, evidence in fresh.items():
                self._parts[key].append(_Part(self._numbers[key], evidence))
                self._numbers[key] += 1
            written = 0
            for key in list(self._parts):
                while self._parts[key]:
                    self._write(key, self._parts[key][0])
                    del self._parts[key][0]
                del self._parts[key]
                written += 1
            return written

    def _write(self, key: Key, part: _Part) -> None:
        """Add a part to what is stored, as often as others come first, and once though an answer was lost."""
        place = counter_file.counters_name(*key, self._place)
        for _ in range(MEETINGS_MAX):
            info = self._store.stat(place)
            stored = counter_file.Counted() if info is None else look(self._store, info)
            if stored.writers.get(self._writer, -1) >= part.number:
                return
            stored.evidence.include(part.evidence)
            stored.writers.pop(self._writer, None)  # so that it is the latest
            stored.writers[self._writer] = part.number
            with suppress(PreconditionFailed):
                self._store.write(
                    place,
                    counter_file.written(stored),
                    content_type="application/json",
                    if_generation=0 if info is None else info.generation,
                )
                return
        message = f"{place} keeps changing under {MEETINGS_MAX} attempts to write it"
        raise Unavailable(message)

    def _is_new(self, told: str) -> bool:
        if told in self._told:
            self._told.move_to_end(told)
            return False
        self._told[told] = None
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        return True


class CounterReader:
    """Adds up the counters of all processes; reads again only what has changed since the last time."""

    def __init__(self, store: ObjectStore) -> None:
        """Take the state store."""
        self._store = store
        self._read: dict[Key, dict[str, tuple[int, Evidence]]] = {}

    def read(self, name: str, version: int) -> Evidence:
        """The sum over all processes that ever counted; what is malformed is told once and left out.

        Raises:
            Unavailable: the store cannot be reached.
        """
        known = self._read.get((name, version), {})
        seen: dict[str, tuple[int, Evidence]] = {}
        total = Evidence()
        for info in self._store.scan(counter_file.folder_of(name, version)):
            before = known.get(info.name)
            if before is not None and before[0] == info.generation:
                seen[info.name] = before
            else:
                seen[info.name] = (info.generation, look(self._store, info).evidence)
            total.include(seen[info.name][1])
        self._read[name, version] = seen
        return total

    def forget(self, keep: set[Key]) -> None:
        """Hold nothing of other experiments any more."""
        self._read = {key: seen for key, seen in self._read.items() if key in keep}


def look(store: ObjectStore, info: ObjectInfo) -> counter_file.Counted:
    """What an object holds; nothing where it is malformed, which is told, or gone.

    Raises:
        Unavailable: the store cannot be reached.
    """
    try:
        if info.size_bytes > counter_file.BYTES_MAX:
            message = f"it has {info.size_bytes} bytes"
            raise ValueError(message)  # noqa: TRY301  # told like any other fault of the object
        return counter_file.read(b"".join(store.read(info.name)))
    except ObjectMissing:
        return counter_file.Counted()
    except ValueError as error:
        event(_log, "counters.malformed", level=logging.ERROR, name=info.name, error=str(error))
        return counter_file.Counted()


def read_counters(store: ObjectStore, name: str, version: int) -> Evidence:
    """What all processes together counted of a version of an experiment.

    Raises:
        Unavailable: the store cannot be reached.
    """
    return CounterReader(store).read(name, version)

"""``Counters``: what this process saw of running experiments, counted in memory and written down now and then."""

import logging
import threading
from collections import OrderedDict, defaultdict
from typing import Final

from ab_testing import counter_file
from ab_testing.evidence import Evidence
from earmark.domain import Exposure
from earmark.errors import EarmarkError, ObjectMissing
from earmark.log import event
from earmark.ports import ObjectStore
from earmark.rows import TrialRow

_log = logging.getLogger(__name__)

REMEMBERED: Final = 10_000
"""Rows of late whose ids are remembered, so that one that is told again counts once."""
Key = tuple[str, int]
"""Name and version of an experiment."""


class Counters:
    """Counts of one process since it started; safe to use from several threads.

    They are a view for the moment, for `status` and guardrails: what a process counted after its last ``flush`` is lost
    when it is killed, while the rows in the warehouse stay.
    """

    def __init__(self, store: ObjectStore, worker: str) -> None:
        """Take the state store and a name that no other process has, before or after."""
        self._store = store
        self._worker = worker
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._evidence: defaultdict[Key, Evidence] = defaultdict(Evidence)
        self._changed: set[Key] = set()
        self._told: OrderedDict[str, None] = OrderedDict()

    def add(self, row: TrialRow) -> None:
        """Count how a job ended; the same row again counts once."""
        with self._lock:
            if self._is_new(f"ended {row.row_id}"):
                key = (row.experiment, row.version)
                self._evidence[key].add([row])
                self._changed.add(key)

    def assigned(self, exposure: Exposure, job_id: str) -> None:
        """Count a job that the router put into an arm; the same job again counts once."""
        with self._lock:
            key = (exposure.experiment, exposure.version)
            if self._is_new(f"assigned {exposure.experiment}:{exposure.version}:{job_id}"):
                self._evidence[key].arms[exposure.arm].assigned += 1
                self._changed.add(key)

    def flush(self) -> int:
        """Write what has changed, one object for each version of an experiment; returns how many.

        Raises:
            Unavailable: the store cannot be reached; the next call writes it all.
        """
        with self._flushing:
            with self._lock:
                due = {key: counter_file.written(self._evidence[key]) for key in self._changed}
                self._changed.clear()
            written = 0
            try:
                for (name, version), content in due.items():
                    place = counter_file.counters_name(name, version, self._worker)
                    self._store.write(place, content, content_type="application/json")
                    written += 1
            except EarmarkError:
                with self._lock:
                    self._changed.update(list(due)[written:])
                raise
            return written

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
                seen[info.name] = (info.generation, self._look(info.name, info.generation, info.size_bytes))
            _add(total, seen[info.name][1])
        self._read[name, version] = seen
        return total

    def forget(self, keep: set[Key]) -> None:
        """Hold nothing of other experiments any more."""
        self._read = {key: seen for key, seen in self._read.items() if key in keep}

    def _look(self, name: str, generation: int, size_bytes: int) -> Evidence:
        try:
            if size_bytes > counter_file.BYTES_MAX:
                message = f"it has {size_bytes} bytes"
                raise ValueError(message)  # noqa: TRY301  # told like any other fault of the object
            return counter_file.read(b"".join(self._store.read(name)))
        except ObjectMissing:
            return Evidence()
        except ValueError as error:
            event(_log, "counters.malformed", level=logging.ERROR, name=name, generation=generation, error=str(error))
            return Evidence()


def _add(total: Evidence, more: Evidence) -> None:
    """Add to a sum in place, which is much quicker than ``plus`` where there are many processes."""
    for name, arm in more.arms.items():
        into = total.arms[name]
        into.assigned += arm.assigned
        into.counts.update(arm.counts)
        for metric, bins in arm.bins.items():
            for number, moments in bins.items():
                into.add_moments(metric, number, moments)


def read_counters(store: ObjectStore, name: str, version: int) -> Evidence:
    """What all processes together counted of a version of an experiment.

    Raises:
        Unavailable: the store cannot be reached.
    """
    return CounterReader(store).read(name, version)

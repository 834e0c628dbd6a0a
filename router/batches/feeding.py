"""``Feeding``: batches become jobs, a page of entries a step, however often whoever feeds dies.

A step queues jobs, writes the rows of its entries and then moves the batch's cursor; whoever repeats a step finds the
jobs queued and writes the same rows.  A batch is fed by one feeder at a time, which says so in the batch for a minute
at a time; one that is known to be dead is replaced at once.
"""

import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from earmark.errors import ConfigurationError, InputFault, InputRejected, ObjectMissing, Unavailable
from earmark.log import event
from earmark.ports import Clock, Warehouse
from router.batches.audio import address_line
from router.batches.batch import Batch, BatchState
from router.batches.batches import Batches, Found
from router.batches.entry import Entry
from router.batches.manifest import Cursor, entries_of
from router.batches.routing import EntryRouting, Looked
from router.batches.seen import SeenContents
from router.tenant import Tenant

_log = logging.getLogger(__name__)
STEP_ENTRIES: Final = 1000
STEP_S: Final = 20.0
"""Seconds after which a step reads no further entries."""
STEP_BYTES: Final = 512 * 1024**2
"""Bytes that were hashed after which it reads none either, so that batches of large files take turns with others."""
HELD: Final = timedelta(seconds=120)
"""For which a batch is a feeder's without a sign of life; a step and the longest file take less."""
KEPT_OPEN: Final = 8
"""Batches whose manifests are kept open between steps."""
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_PAGE_ROWS: Final = 5000


@dataclass(slots=True)
class _Reading:
    """A batch that is being fed here."""

    found: Found
    seen: SeenContents
    lines: Iterator[tuple[Cursor, Entry | None]] | None = None
    pause_s: float = 0.0
    rests_until: float = 0.0
    """On the monotonic clock."""


class Feeding:
    """Feeds all open batches in turn, the customers alike; not for several threads."""

    def __init__(
        self,
        *,
        batches: Batches,
        routing: EntryRouting,
        warehouse: Warehouse,
        find_tenant: Callable[[str], Tenant],
        clock: Clock,
        name: str,
        is_dead: Callable[[str], bool] = lambda _: False,
        room: Callable[[Tenant], int | None] = lambda _: None,
        queued: Callable[[str, int], None] = lambda _tenant, _jobs: None,
        monotonic: Callable[[], float] = time.monotonic,
        step_entries: int = STEP_ENTRIES,
        step_bytes: int = STEP_BYTES,
    ) -> None:
        """Take the register, what routes entries, and the feeder's name, which no other has.

        ``is_dead`` says whether the feeder of a name is certainly gone; ``room`` how many entries of a customer may be
        fed now, ``None`` = any number; ``queued`` hears of a customer and how many jobs of it were queued.
        """
        self._room_of, self._queued = room, queued
        self._batches, self._routing, self._warehouse, self._find_tenant = batches, routing, warehouse, find_tenant
        self._clock, self._name, self._is_dead, self._monotonic = clock, name, is_dead, monotonic
        self._step_entries, self._step_bytes = step_entries, step_bytes
        self._readings: dict[tuple[str, str], _Reading] = {}
        self._fed: set[tuple[str, str]] = set()
        """Those that have nothing to feed any more."""
        self._served: dict[str, int] = {}
        """Number of the step in which a customer was served last."""
        self._steps = 0

    def run_once(self) -> bool:
        """Take one step with one batch; False = there is none with anything to feed.

        Raises:
            Unavailable: the register cannot be reached.
        """
        places = list(self._batches.open())
        self._fed &= set(places)
        for gone in self._readings.keys() - set(places):  # cancelled, or erased
            self._forget(gone)
        self._served = {tenant: self._served.get(tenant, 0) for tenant, _ in places}
        # Those who were served longest ago first; of a customer's the oldest, whose id sorts last.
        places.sort(key=lambda place: place[1], reverse=True)
        places.sort(key=lambda place: self._served[place[0]])
        for tenant, batch_id in places:
            if (tenant, batch_id) not in self._fed and self.step(tenant, batch_id):
                self._steps += 1
                self._served[tenant] = self._steps
                return True
        return False

    def step(self, tenant: str, batch_id: str) -> bool:
        """Take one step with this batch; False = there is nothing to do now, or another feeder does it.

        Raises:
            Unavailable: the register cannot be reached.
        """
        room = self._room(tenant)
        if room == 0:
            self._let_go((tenant, batch_id))
            return False
        reading = self._take(tenant, batch_id)
        if reading is None or reading.rests_until > self._monotonic():
            return False
        try:
            customer = self._find_tenant(tenant)
            if reading.found.batch.state is BatchState.ACCEPTING:
                saved = self._list(reading.found, customer)
            else:
                saved = self._feed(reading, customer, room)
        except Unavailable as error:
            self._rest(reading, error)
            return False
        except (ConfigurationError, InputRejected, ObjectMissing) as error:
            event(_log, "batch.failed", level=logging.ERROR, batch=batch_id, tenant=tenant, error=str(error))
            saved = self._batches.save(reading.found, self._failed(reading.found.batch, error))
        if saved is None or saved.batch.state is not BatchState.FEEDING:
            self._forget((tenant, batch_id))
        else:
            reading.found, reading.pause_s = saved, 0.0
        return True

    def close(self) -> None:
        """Give up what is being fed here, for others to go on with."""
        for place, reading in list(self._readings.items()):
            batch = reading.found.batch.model_copy(update={"feeder": "", "feeder_until": None})
            try:
                self._batches.save(reading.found, batch)
            except Unavailable as error:
                event(_log, "batch.not_given_up", level=logging.WARNING, batch=batch.id, error=str(error))
            self._forget(place)
        self._routing.close()

    def _take(self, tenant: str, batch_id: str) -> _Reading | None:
        """A batch that is ours to feed; ``None`` = it is not, or needs none."""
        reading = self._readings.get((tenant, batch_id))
        if reading is not None:
            return reading
        found = self._batches.find(tenant, batch_id)
        if found is None:
            return None
        if found.batch.state not in {BatchState.ACCEPTING, BatchState.FEEDING}:
            self._fed.add((tenant, batch_id))
            return None
        if not self._routing.audio.serves(found.batch) or not self._is_free(found.batch):
            return None
        mine = {"feeder": self._name, "feeder_until": self._clock() + HELD}
        saved = self._batches.save(found, found.batch.model_copy(update=mine))
        if saved is None:
            return None
        while len(self._readings) >= KEPT_OPEN:
            oldest = next(iter(self._readings))
            self._give_up(oldest)
        reading = _Reading(saved, SeenContents())
        self._readings[tenant, batch_id] = reading
        if saved.batch.cursor.line:
            self._remember(saved.batch, reading.seen)
        return reading

    def _is_free(self, batch: Batch) -> bool:
        if not batch.feeder or batch.feeder == self._name:
            return True
        return self._is_over(batch) or self._is_dead(batch.feeder)

    def _remember(self, batch: Batch, seen: SeenContents) -> None:
        """Learn from the rows which contents a batch has had that somebody else began to feed."""
        after = 0
        while True:
            asked = {"tenant": batch.tenant, "batch": batch.id, "since": batch.made_at, "after": after}
            rows: list[dict[str, Any]] = self._warehouse.query("batch_page", {**asked, "most": _PAGE_ROWS})
            seen.add((row["job_id"], row["entry"]) for row in rows if row["job_id"])
            if len(rows) < _PAGE_ROWS:
                return
            after = rows[-1]["entry"]

    def _room(self, tenant: str) -> int | None:
        """How many entries of a customer may be fed; ``None`` = any number, or a step will find what is wrong."""
        try:
            return self._room_of(self._find_tenant(tenant))
        except (ConfigurationError, Unavailable):
            return None

    def _let_go(self, place: tuple[str, str]) -> None:
        """Keep a batch that cannot be fed now for as long as it is ours, and no longer."""
        reading = self._readings.get(place)
        if reading is not None and self._is_over(reading.found.batch):
            self._give_up(place)

    def _is_over(self, batch: Batch) -> bool:
        """Whether nobody holds a batch any more."""
        return batch.feeder_until is None or batch.feeder_until <= self._clock()

    def _feed(self, reading: _Reading, tenant: Tenant, room: int | None) -> Found | None:
        batch = reading.found.batch
        if batch.form is None:
            message = "Its manifest has no form"
            raise ConfigurationError(message)
        if reading.lines is None:
            reading.lines = entries_of(self._batches.manifest(batch), batch.form, batch.cursor)
        most = self._step_entries if room is None else min(room, self._step_entries)
        cursor, looked, over = self._look(batch, tenant, reading.lines, most)
        if not self._batches.stands(reading.found):  # cancelled or erased while its audio was read
            return None
        counts = self._routing.route(batch, looked, reading.seen)
        self._queued(tenant.name, counts["queued"])
        change: dict[str, Any] = {way: getattr(batch, way) + count for way, count in counts.items()}
        change |= {"cursor": cursor, "feeder_until": self._clock() + HELD}
        if over:
            change |= {"state": BatchState.FED, "fed_at": self._clock(), "feeder": "", "feeder_until": None}
        event(
            _log,
            "batch.fed" if over else "batch.fed_on",
            batch=batch.id,
            tenant=batch.tenant,
            line=cursor.line,
            **counts,
        )
        return self._batches.save(reading.found, batch.model_copy(update=change))

    def _look(
        self, batch: Batch, tenant: Tenant, lines: Iterator[tuple[Cursor, Entry | None]], most: int
    ) -> tuple[Cursor, list[Looked], bool]:
        """The next entries, at most so many, and their audio; where they end, and whether there are no more."""
        until, audio = self._monotonic() + STEP_S, self._routing.audio
        bytes_until = audio.hashed_bytes + self._step_bytes
        cursor, taken, over = batch.cursor, 0, False

        def enough() -> bool:
            if taken >= most:
                return True
            return cursor != batch.cursor and (self._monotonic() >= until or audio.hashed_bytes >= bytes_until)

        def entries() -> Iterator[Entry]:
            nonlocal cursor, taken, over
            while not enough():
                line = next(lines, None)
                if line is None:
                    over = True
                    return
                cursor, entry = line
                if entry is not None:
                    taken += 1
                    yield entry

        looked = list(self._routing.looking(batch, tenant, entries()))
        # Who has taken the last line need not wait for room to see that there is none behind it.
        return cursor, looked, over or 0 < batch.manifest_bytes <= cursor.byte

    def _list(self, found: Found, tenant: Tenant) -> Found | None:
        """Write the manifest of a batch that is everything under a prefix."""
        batch, count = found.batch, 0
        store, address = self._routing.audio.under(batch.prefix or "", tenant)
        until = self._monotonic() + STEP_S
        with tempfile.TemporaryFile() as manifest:
            for info in store.scan(address.name):
                manifest.write(json.dumps(address_line(address, info)).encode() + b"\n")
                count += 1
                if count > self._batches.max_entries:
                    message = f"There are more than {self._batches.max_entries} objects under {batch.prefix}"
                    raise InputRejected(InputFault.TOO_LARGE, message, "Name a longer prefix.")
                if self._monotonic() > until:
                    saved = self._batches.save(found, batch.model_copy(update={"feeder_until": self._clock() + HELD}))
                    if saved is None:
                        return None
                    found, until = saved, self._monotonic() + STEP_S
            if not count:
                raise InputRejected(InputFault.NOT_FOUND, f"There is nothing under {batch.prefix}", "Check the prefix.")
            return self._batches.listed(found, manifest)

    def _failed(self, batch: Batch, error: Exception) -> Batch:
        told = str(error) if isinstance(error, InputRejected) else "It cannot be read any more"
        change = {"state": BatchState.FAILED, "error": told, "ended_at": self._clock(), "feeder": ""}
        return batch.model_copy(update=change)

    def _rest(self, reading: _Reading, error: Unavailable) -> None:
        """Leave a batch alone for a while: something it needs is away."""
        reading.lines = None  # what was read and not routed is read again
        reading.pause_s = min(max(2 * reading.pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        reading.rests_until = self._monotonic() + reading.pause_s
        event(_log, "batch.rests", level=logging.WARNING, batch=reading.found.batch.id, error=str(error),
              pause_s=reading.pause_s)  # fmt: skip

    def _give_up(self, place: tuple[str, str]) -> None:
        found = self._readings[place].found
        self._batches.save(found, found.batch.model_copy(update={"feeder": "", "feeder_until": None}))
        self._forget(place)

    def _forget(self, place: tuple[str, str]) -> None:
        with closing(self._readings.pop(place).seen):
            pass

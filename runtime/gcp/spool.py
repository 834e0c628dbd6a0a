"""``Spool``: rows that BigQuery could not take, kept in a bucket until it can.

An object ``spool/<table>/<microseconds>-<writer>-<number>.jsonl`` holds the rows of one table that one append could not
send, a row a line.  It is never changed but by a purge, and deleted with its generation once its rows were sent.
A process that dies in between leaves an object whose rows are there already; they are sent again and count once.
"""

import itertools
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from earmark.errors import ObjectMissing, PreconditionFailed
from earmark.log import event
from earmark.ports import Clock, ObjectStore
from runtime.gcp.row_codec import Stored, is_older, line_of, microseconds, row_of

_log = logging.getLogger(__name__)

FOLDER: Final = "spool"
CONTENT_TYPE: Final = "application/jsonl"
ORPHAN_AGE_S: Final = 120.0
"""Age from which the rows of another process are taken over: it would have sent them if it were alive and well."""


class Spooled(NamedTuple):
    """Some rows in the spool."""

    name: str
    generation: int
    size_bytes: int
    rows: list[Stored]


class Spool:
    """Keeps rows in order of the time they came; safe to use from several threads and processes."""

    def __init__(self, store: ObjectStore, *, clock: Clock, orphan_age_s: float = ORPHAN_AGE_S) -> None:
        """Take the bucket, the present, and the seconds after which others' rows are taken over."""
        self._store = store
        self._clock = clock
        self._orphan_age = timedelta(seconds=orphan_age_s)
        self._writer = uuid.uuid4().hex
        self._numbers = itertools.count()

    def put(self, table: str, rows: Sequence[Stored]) -> None:
        """Keep rows durably; raises ``Unavailable``."""
        name = f"{_prefix(table)}{microseconds(self._clock()):020d}-{self._writer}-{next(self._numbers):08d}.jsonl"
        self._store.write(name, b"".join(map(line_of, rows)), content_type=CONTENT_TYPE, if_generation=0)

    def waiting(self, table: str, *, start_after: str = "", others: bool = True) -> Iterator[Spooled]:
        """The rows of a table that are ours to send, oldest first: our own and, if asked for, those left behind."""
        orphaned_us = microseconds(self._clock() - self._orphan_age)
        last_orphan = f"{_prefix(table)}{orphaned_us:020d}~"
        for info in self._store.scan(_prefix(table), start_after=start_after):
            if f"-{self._writer}-" in info.name or (others and info.name < last_orphan):
                rows = self._read(info.name, info.generation)
                if rows is not None:
                    yield Spooled(info.name, info.generation, info.size_bytes, rows)

    def done(self, spooled: Spooled) -> None:
        """Forget rows that were sent."""
        try:
            self._store.delete(spooled.name, if_generation=spooled.generation)
        except PreconditionFailed:
            return  # a purge wrote it anew; what is left in it is sent again

    def purge(
        self, table: str, before_us: int, tenant: str | None, only: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Remove rows older than a time, whoever spooled them; raises ``Unavailable``."""
        wanted = {column: frozenset(values) for column, values in (only or {}).items()}
        for info in self._store.scan(_prefix(table)):
            generation = info.generation
            while (rows := self._read(info.name, generation)) is not None:
                kept = [row for row in rows if not is_older(row, before_us, tenant, wanted)]
                try:
                    if not kept:
                        self._store.delete(info.name, if_generation=generation)
                    elif len(kept) < len(rows):
                        content = b"".join(map(line_of, kept))
                        self._store.write(info.name, content, content_type=CONTENT_TYPE, if_generation=generation)
                except PreconditionFailed:
                    present = self._store.stat(info.name)
                    generation = present.generation if present else generation
                    continue
                break

    def _read(self, name: str, generation: int) -> list[Stored] | None:
        """The rows of an object; None where it is gone.  Lines that are no rows are told and left out."""
        try:
            content = b"".join(self._store.read(name, generation=generation))
        except ObjectMissing:
            return None
        rows = []
        for line in filter(None, content.split(b"\n")):
            try:
                rows.append(row_of(line))
            except ValueError as error:
                event(_log, "spool.malformed", level=logging.ERROR, name=name, error=str(error))
        return rows


def _prefix(table: str) -> str:
    return f"{FOLDER}/{table}/"

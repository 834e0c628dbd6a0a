"""``AccessLog``: every look at a customer's data, in the audit log.

A look must be written down before anything is shown, and a link of the audit chain takes too long for that.  So looks
go to a file of this process first, several threads' with one write, and from there in bulk into the chain, each second.
What a dead process left, the next one that starts takes over.  The files hold ids and pseudonyms, and no names.
"""

import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from earmark.audit import HINT, AuditEntry, Auditing, name_of, pseudonymous, read_link
from earmark.errors import ObjectMissing, Unavailable
from earmark.log import event
from earmark.ports import Clock, ObjectStore
from runtime.endpoints.access_segment import Segment, left_behind

_log = logging.getLogger(__name__)
FOLDER: Final = "access"
"""In the data folder."""
LINK_ENTRIES: Final = 500
"""Most looks in a link of the chain."""


class _Write:
    """Lines that go to the file together."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.done = False
        self.failed: Exception | None = None


class AccessLog:
    """Writes down who looked at what, before it is shown; safe to use from several threads."""

    def __init__(
        self,
        folder: Path,
        links: ObjectStore,
        audit: Auditing,
        clock: Clock,
        *,
        hints: ObjectStore | None = None,
        durable: bool = True,
    ) -> None:
        """Take the folder, made when it is needed, and the audit trail.

        Args:
            folder: of looks on their way.
            links: the bucket of the audit trail, where looks are found that went there in spite of all.
            audit: writes links.
            clock: the present.
            hints: where the trail keeps its hint; ``None`` = in the bucket of links.
            durable: whether a look must survive a power cut, and not only a crash of the process.
        """
        self._folder, self._links, self._audit, self._clock = folder, links, audit, clock
        self._hints = hints or links
        self._durable = durable
        self._gathering = threading.Lock()
        self._writing = threading.Lock()
        self._flushing = threading.Lock()
        self._next = _Write()
        self._segment: Segment | None = None
        self._closed: list[Segment] = []
        self._names: dict[str, str] = {}
        self._looked = False

    def record(self, *, tenant: str, key_id: str, action: str, target: str, detail: str = "") -> None:
        """Make an entry durable; several threads share one write.

        Args:
            tenant: whose data.
            key_id: with which key.
            action: as ``analysis.read``, ``analysis.exported``, ``batch.read``.
            target: id of what was looked at.
            detail: counts, no names.

        Raises:
            Unavailable: it cannot be written; nothing may be shown.
        """
        named = AuditEntry(
            at=self._clock(), actor=f"key:{key_id}", action=action, target=target, tenant=tenant, detail=detail
        )
        entry = pseudonymous(named)
        line = entry.model_dump_json().encode() + b"\n"
        with self._gathering:
            write = self._next
            write.lines.append(line)
            self._names[entry.tenant] = tenant
        with self._writing:
            if not write.done:
                with self._gathering:
                    self._next = _Write()
                self._write(write)
        if write.failed is not None:
            message = f"The access log cannot be written: {write.failed}"
            raise Unavailable(message) from write.failed

    def flush(self) -> int:
        """Move what was recorded into the audit chain, and what dead processes left; returns how many entries.

        Raises:
            Unavailable: the chain cannot be written; nothing is lost, and the next call goes on.
        """
        with self._flushing:
            if not self._looked:
                self._closed += left_behind(self._folder)
                self._looked = True
            with self._writing:
                if self._segment is not None and not self._closed:
                    self._closed.append(self._segment)
                    self._segment = None
            moved = 0
            while self._closed:
                moved += self._move(self._closed[0])
                self._closed[0].remove()
                self._closed.pop(0)
            return moved

    def _write(self, write: _Write) -> None:
        try:
            if self._segment is None:
                self._segment = Segment.make(self._folder, durable=self._durable)
            self._segment.append(b"".join(write.lines))
        except Exception as error:  # noqa: BLE001  # whatever it is, everybody who waits for this write must hear of it
            write.failed = error
            event(_log, "access.unwritten", level=logging.ERROR, looks=len(write.lines), error=str(error))
            if self._segment is not None:  # its last line may be half there, so no other may follow it
                self._closed.append(self._segment)
                self._segment = None
        finally:
            write.done = True

    def _move(self, segment: Segment) -> int:
        entries = segment.entries()
        begun = segment.begun()
        start = 0 if begun is None else begun[0]
        moved = 0
        for first in range(start, len(entries), LINK_ENTRIES):
            chunk = entries[first : first + LINK_ENTRIES]
            if begun is not None and begun[0] == first:
                if self._is_there(chunk, after=begun[1]):
                    continue
            else:
                segment.begin(first, self._head())
            self._audit([self._named(entry) for entry in chunk])
            moved += len(chunk)
        return moved

    def _named(self, entry: AuditEntry) -> AuditEntry:
        """With the customer's name, where this process knows it: for the rows, which lose it when it is erased."""
        return entry.model_copy(update={"tenant": self._names.get(entry.tenant, entry.tenant)})

    def _head(self) -> int:
        """A link that is there already, as late a one as is known without looking for the last."""
        try:
            return int(json.loads(b"".join(self._hints.read(HINT)))["number"])
        except (ObjectMissing, ValueError, KeyError, TypeError, RecursionError):
            return 0

    def _is_there(self, chunk: Sequence[AuditEntry], *, after: int) -> bool:
        """Whether a link after one has just these entries: somebody was cut off between link and file."""
        number = after + 1
        while True:
            try:
                link = read_link(b"".join(self._links.read(name_of(number))))
            except ObjectMissing:
                return False
            if link is not None and link.entries == tuple(chunk):
                return True
            number += 1

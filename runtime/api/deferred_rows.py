"""``DeferredRows``: rows of the catalogue, written a moment later and together, so that no request waits for them.

What a process that dies had not written yet is found by the next inventory, as with any row that could not be written.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from earmark.errors import EarmarkError
from earmark.log import event
from earmark.rows import CatalogueRow

_log = logging.getLogger(__name__)
MOST: Final = 5000
"""Rows that may wait; further ones are written at once, by whoever brings them."""


class DeferredRows:
    """Writes rows on a thread that lives while there are any; safe to use from several threads."""

    def __init__(self, record: Callable[[Sequence[CatalogueRow]], None]) -> None:
        """Take what writes rows."""
        self._record = record
        self._changed = threading.Condition()
        self._rows: list[CatalogueRow] = []
        self._writing = False

    def record(self, rows: Sequence[CatalogueRow]) -> None:
        """Write rows soon.

        Raises:
            Unavailable: many wait already, and these could not be written at once.
        """
        with self._changed:
            if len(self._rows) + len(rows) <= MOST:
                self._rows += rows
                if not self._writing:
                    self._writing = True
                    threading.Thread(target=self._run, name="deferred-rows", daemon=True).start()
                return
        self._record(rows)

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Wait until all are written; false = it took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._writing, timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                rows, self._rows = self._rows, []
                if not rows:
                    self._writing = False
                    self._changed.notify_all()
                    return
            try:
                self._record(rows)
            except EarmarkError as error:
                event(_log, "catalogue.missed", level=logging.WARNING, count=len(rows), error=str(error))
            except Exception:  # noqa: BLE001  # a fault here must not keep later rows from being written
                _log.exception("catalogue.missed")

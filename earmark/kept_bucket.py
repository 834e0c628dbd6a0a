"""``KeptBucket``: a bucket whose objects we keep for customers; the catalogue hears of each, and the store of its end.

None of it may keep an upload from being heard: where rows cannot be written now, that is logged, and the next inventory
finds what is missing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from earmark.errors import ConfigurationError, StorageError, Unavailable
from earmark.log import event
from earmark.ports import Clock, ObjectStore
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass, ObjectState

_log = logging.getLogger(__name__)
_LIVE: Final = frozenset({ObjectState.ACTIVE, ObjectState.NOTICED})
_FAULTS: Final = (Unavailable, ConfigurationError, StorageError)


@dataclass(frozen=True, slots=True)
class KeptBucket:
    """One bucket."""

    name: str
    """Short, as the catalogue has it."""
    object_class: ObjectClass
    store: ObjectStore
    record: Callable[[Sequence[CatalogueRow]], None]
    """Writes rows of the catalogue down."""
    find: Callable[[str, str], Sequence[CatalogueRow]]
    """Gives the rows of an object by bucket and name."""
    clock: Clock
    needed_until: Callable[[CatalogueRow], datetime | None] = lambda _: None
    """When nobody can need an object any more, for a store that cleans up by itself."""
    dates_itself: bool = True
    """Whether the store says when an object came; a folder keeps the times of files that somebody copies into it."""

    def came(self, row: CatalogueRow, *, replaced: bool) -> None:
        """Tell of a new object; where it ``replaced`` others of its name, of these too."""
        try:
            self.record([row])
            if replaced:
                self.record(self._older(row))
            until = self.needed_until(row)
            if until is not None:
                self.store.protect(row.name, if_generation=row.generation, not_needed_after=until)
        except _FAULTS as error:
            _tell(row, error)

    def went(self, row: CatalogueRow) -> None:
        """Tell that an object is there no more."""
        try:
            self.record([row])
        except _FAULTS as error:
            _tell(row, error)

    def _older(self, row: CatalogueRow) -> list[CatalogueRow]:
        now = self.clock()
        return [
            each.model_copy(update={"state": ObjectState.REPLACED, "at": max(now, each.at + timedelta.resolution)})
            for each in self.find(row.bucket, row.name)
            if each.state in _LIVE and each.generation != row.generation
        ]


def _tell(row: CatalogueRow, error: Exception) -> None:
    event(_log, "catalogue.missed", level=logging.WARNING, object_id=row.row_id, state=row.state, error=str(error))

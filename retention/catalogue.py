"""``Catalogue``: the port to the rows about every object we keep; and which objects are the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from earmark.catalogued import object_id
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass, ObjectState

__all__ = ["LIVE", "Catalogue", "Count", "Cutoff", "Group", "object_id"]

LIVE = frozenset({ObjectState.ACTIVE, ObjectState.NOTICED})
"""States of an object that is there."""


@dataclass(frozen=True, slots=True)
class Group:
    """The live objects of one customer and class."""

    tenant: str
    object_class: ObjectClass
    objects: int
    size_bytes: int
    oldest_at: datetime
    """``created_at`` of the oldest."""
    tier: str
    """That the youngest of them came with, for customers of whom nothing else is known."""


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Which live objects of one customer and class are asked for: those created at or before ``until``."""

    tenant: str
    object_class: ObjectClass
    until: datetime


@dataclass(frozen=True, slots=True)
class Count:
    """How many objects there are on one side of a cutoff."""

    cutoff: Cutoff
    objects: int
    size_bytes: int


class Catalogue(Protocol):
    """Rows about objects, each generation of an object one row, of which the latest version counts.

    Rows are seen soon after they were recorded, not at once.  All methods raise ``Unavailable`` when the rows cannot
    be reached.  Millions of rows are never all in memory.
    """

    def record(self, rows: Sequence[CatalogueRow]) -> None:
        """Add rows durably, or newer versions of rows; one recorded again counts once."""
        ...

    def find(self, bucket: str, name: str) -> list[CatalogueRow]:
        """Every generation known of an object, live or not, the latest first."""
        ...

    def groups(self) -> list[Group]:
        """What live objects there are, in order of tenant and class."""
        ...

    def due(self, cutoffs: Sequence[Cutoff]) -> Iterator[CatalogueRow]:
        """Live objects at or before their group's cutoff, in order of tenant, bucket, name and generation."""
        ...

    def count(self, cutoffs: Sequence[Cutoff]) -> list[Count]:
        """How many ``due`` would give for each cutoff, in order; a tenant and class may be asked several times."""
        ...

    def scan(
        self, bucket: str, *, prefix: str = "", start_after: str = "", tenant: str | None = None
    ) -> Iterator[CatalogueRow]:
        """Live objects of a bucket in order of the UTF-8 bytes of their names, then of generation."""
        ...

"""``Row``: what every row of the warehouse has; ``earmark.rows`` has the tables."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from pydantic import AwareDatetime

from earmark.errors import ConfigurationError
from earmark.metadata import Frozen


class Index(NamedTuple):
    """What a warehouse with indexes keeps, beside those of row id and time."""

    name: str
    columns: tuple[str, ...]
    where: str = ""
    """SQL that says which rows are in it; empty = all."""


class Row(Frozen):
    """One row of a table."""

    table: ClassVar[str]
    indexes: ClassVar[Sequence[Index]] = ()
    """A warehouse that scans columns makes none."""
    row_id: str
    tenant: str
    at: AwareDatetime


def check_purge(tables: Mapping[str, type[Row]], table: str, only: Mapping[str, Sequence[str]] | None = None) -> None:
    """Raise ``ConfigurationError`` for a table that does not exist, or a column of it."""
    if table not in tables:
        message = f"There is no table {table!r}.  There are: {', '.join(tables)}."
        raise ConfigurationError(message)
    for column in only or {}:
        if column not in tables[table].model_fields:
            message = f"The table {table} has no column {column!r}"
            raise ConfigurationError(message)

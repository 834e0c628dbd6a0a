"""The tables and views of the warehouse, derived from the row types.

Each row type has a table and a view.  The table ``jobs_rows`` keeps every version of every row that was ever sent; the
view ``jobs`` shows each ``row_id`` once, in its latest version, so that queries name the same tables on every engine.

- Only ``row_id``, ``tenant``, ``at`` and ``appended_at`` are REQUIRED: BigQuery adds no required column to a table
  that exists, and old and new code append to the same table during a deployment.
- Tables are partitioned by the day of ``at``, which is what a purge goes by.  They do not demand a filter on it: the
  view must see all versions of a row, whatever their days.  A query therefore reads the columns it names of the
  whole table, and ``maximum_bytes_billed`` is what bounds its price.
- A view lists its columns, those of the table as it is, so that code of last week does not take new ones away.
"""

import types
import typing
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from google.cloud import bigquery
from pydantic import AwareDatetime

from earmark.errors import ConfigurationError
from earmark.rows import Row
from earmark.view import views_over, with_sources

APPENDED_AT: Final = "appended_at"
"""When a version was appended; of two versions with the same ``at`` the later one counts."""
SUFFIX: Final = "_rows"
REQUIRED: Final = frozenset({"row_id", "tenant", "at", APPENDED_AT})
CLUSTERING: Final[dict[str, tuple[str, ...]]] = {
    "jobs": ("tenant", "arm", "model", "status"),
    "labels": ("tenant", "field", "value"),
    "failures": ("tenant", "kind", "fingerprint"),
    "audit": ("tenant", "actor", "action"),
    "reviews": ("tenant", "model", "field"),
    "catalogue": ("bucket", "name"),
}
"""What queries filter and group by, coarse first; BigQuery takes four at most.  Other tables: by tenant."""
_TYPES: Final[dict[type, str]] = {
    str: "STRING",
    int: "INT64",
    float: "FLOAT64",
    bool: "BOOL",
    AwareDatetime: "TIMESTAMP",
}
_OLD_NAMES: Final = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
"""What BigQuery answers with in place of the names it was given."""
_DESCRIPTIONS: Final = {
    "row_id": "Identity of the row; several versions share one.",
    "tenant": "Whose audio it is about.",
    "at": "When it happened; of several versions of a row the latest counts.",
    APPENDED_AT: "When this version was sent; decides between versions with the same `at`.",
}
_UNITS: Final = {"_s": "Seconds.", "_bytes": "Bytes.", "_usd": "US dollars.", "_bpm": "Beats per minute."}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: str
    """STRING, INT64, FLOAT64, BOOL or TIMESTAMP."""
    description: str = ""

    @property
    def required(self) -> bool:
        """Whether every row has a value."""
        return self.name in REQUIRED

    def field(self) -> bigquery.SchemaField:
        """As BigQuery's client has it."""
        mode = "REQUIRED" if self.required else "NULLABLE"
        return bigquery.SchemaField(self.name, self.type, mode, description=self.description)


def columns_of(row: type[Row]) -> tuple[Column, ...]:
    """The columns of a row type's table: one for each field, and ``appended_at``.

    Raises:
        ConfigurationError: a field has a type that no column can hold.
    """
    return (
        *(Column(name, _type(row, name), _description(row, name)) for name in row.model_fields),
        Column(APPENDED_AT, "TIMESTAMP", _DESCRIPTIONS[APPENDED_AT]),
    )


def rows_table(table: str) -> str:
    """The name of the table behind the view ``table``."""
    return table + SUFFIX


def new_table(dataset: bigquery.DatasetReference, row: type[Row]) -> bigquery.Table:
    """The table of a row type, to be created."""
    table = bigquery.Table(dataset.table(rows_table(row.table)), schema=[each.field() for each in columns_of(row)])
    table.time_partitioning = bigquery.TimePartitioning(type_=bigquery.TimePartitioningType.DAY, field="at")
    table.clustering_fields = list(CLUSTERING.get(row.table, ("tenant",)))
    table.description = (
        f"{(row.__doc__ or '').strip()}  Every version of each row; the view `{row.table}` has the last."
    )
    return table


def missing_columns(table: bigquery.Table, row: type[Row]) -> list[bigquery.SchemaField]:
    """The columns that a table of BigQuery lacks for a row type.

    Raises:
        ConfigurationError: it has a column of that name and another type.
    """
    present = {field.name: _OLD_NAMES.get(field.field_type, field.field_type) for field in table.schema}
    lacking = []
    for column in columns_of(row):
        if column.name not in present:
            lacking.append(column.field())
        elif present[column.name] != column.type:
            message = (
                f"The column {table.table_id}.{column.name} is {present[column.name]}, where {column.type} is needed.  "
                "BigQuery changes no column's type: give the field another name, or move the old table away."
            )
            raise ConfigurationError(message)
    return lacking


def view_sql(table: bigquery.TableReference, columns: Sequence[str]) -> str:
    """The query of the view over a table with these columns."""
    names = ", ".join(f"`{name}`" for name in columns if name != APPENDED_AT)
    source = f"`{table.project}`.`{table.dataset_id}`.`{table.table_id}`"
    return (
        f"SELECT {names} FROM {source} WHERE TRUE "  # noqa: S608  # all names are ours
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY `row_id` ORDER BY `at` DESC, `{APPENDED_AT}` DESC) = 1"
    )


def dashboard_views(dataset: bigquery.DatasetReference, tables: Collection[str]) -> dict[str, tuple[str, str]]:
    """Query and description of each of ``earmark/views`` that these tables allow, each behind those it reads."""
    views = views_over(tables)
    names = {name: f"`{dataset.project}`.`{dataset.dataset_id}`.`{name}`" for name in {*tables, *views}}
    return {name: (with_sources(view.sql, names.get), view.description) for name, view in views.items()}


def _type(row: type[Row], name: str) -> str:
    """The column type of a field: ``float | None`` is FLOAT64."""
    annotation = row.model_fields[name].annotation
    is_union = typing.get_origin(annotation) in {types.UnionType, typing.Union}
    members = typing.get_args(annotation) if is_union else (annotation,)
    kinds = {kind for kind in members if kind is not types.NoneType}
    kind = kinds.pop() if len(kinds) == 1 else None
    found = next((text for known, text in _TYPES.items() if kind is known), None)
    if found is None:
        message = f"The warehouse has no column type for {row.__name__}.{name}: {annotation}"
        raise ConfigurationError(message)
    return found


def _description(row: type[Row], name: str) -> str:
    own = row.model_fields[name].description or _DESCRIPTIONS.get(name)
    return own or next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")

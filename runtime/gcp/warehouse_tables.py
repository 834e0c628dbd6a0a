"""Makes the dataset, tables and views of the warehouse, or brings them up to date; part of ``earmark init``."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from google.api_core import exceptions
from google.cloud import bigquery

from earmark.log import event
from earmark.rows import Row
from runtime.gcp.vendor_errors import calling
from runtime.gcp.warehouse_schema import dashboard_views, missing_columns, new_table, view_sql

_log = logging.getLogger(__name__)

RPC_S: Final = 30.0
UPDATE_ATTEMPTS: Final = 3
"""How often somebody else may change a table between our look at it and our change."""
LABEL: Final = "definition"
"""Of a view: the digest of its query, for emulators that keep a view's query to themselves."""
_ONCE: Final[dict[str, Any]] = {"retry": None, "timeout": RPC_S}
"""``calling`` repeats what failed; the client must not repeat it on its own, for ten minutes."""


def prepare_tables(
    client: bigquery.Client, dataset: bigquery.DatasetReference, tables: Mapping[str, type[Row]]
) -> list[str]:
    """Make what is missing, and add new columns; returns the names of what changed.

    Raises:
        Unavailable: BigQuery cannot be reached.
        ConfigurationError: a table has a column of another type, or this process may not make tables.
    """
    changed = []
    if calling(f"The dataset {dataset}", lambda: _make_dataset(client, dataset)):
        changed.append(str(dataset))
    for name, row in tables.items():
        changed += _prepare_table(client, dataset, name, row)
    for name, (sql, description) in dashboard_views(dataset, tables).items():
        view = dataset.table(name)
        make = partial(_make_view, client, view, sql, description)
        if calling(f"The view {view}", make):
            changed.append(str(view))
    for name in changed:
        event(_log, "resource.prepared", name=name)
    return changed


def _prepare_table(client: bigquery.Client, dataset: bigquery.DatasetReference, name: str, row: type[Row]) -> list[str]:
    """A row type's table and its view; the names of those that changed."""
    wanted = new_table(dataset, row)
    table, view = wanted.reference, dataset.table(name)
    steps: dict[str, Callable[[], bool]] = {
        str(table): lambda: _make_table(client, wanted) or _add_columns(client, table, row),
        str(view): lambda: _make_view(client, view, _latest(client, table)),
    }
    return [each for each, step in steps.items() if calling(f"The table {each}", step)]


def _make_dataset(client: bigquery.Client, reference: bigquery.DatasetReference) -> bool:
    dataset = bigquery.Dataset(reference)
    dataset.location = client.location
    try:
        client.create_dataset(dataset, **_ONCE)
    except exceptions.Conflict:
        return False
    return True


def _make_table(client: bigquery.Client, table: bigquery.Table) -> bool:
    try:
        client.create_table(table, **_ONCE)
    except exceptions.Conflict:
        return False
    return True


def _add_columns(client: bigquery.Client, reference: bigquery.TableReference, row: type[Row]) -> bool:
    """Add the columns that a table lacks; whether there were any."""
    for attempt in range(UPDATE_ATTEMPTS):
        table = client.get_table(reference, **_ONCE)
        lacking = missing_columns(table, row)
        if not lacking:
            break
        table.schema = [*table.schema, *lacking]
        try:
            client.update_table(table, ["schema"], **_ONCE)
        except exceptions.PreconditionFailed:
            if attempt == UPDATE_ATTEMPTS - 1:
                raise
        else:
            return True
    return False


def _latest(client: bigquery.Client, rows: bigquery.TableReference) -> str:
    """The query of the view over a table as it is now."""
    return view_sql(rows, [field.name for field in client.get_table(rows, **_ONCE).schema])


def _make_view(
    client: bigquery.Client, reference: bigquery.TableReference, sql: str, description: str | None = None
) -> bool:
    """Make or renew a view; whether that was needed."""
    view = bigquery.Table(reference)
    view.view_query = sql
    view.description = description
    view.labels = {LABEL: hashlib.sha256(view.view_query.encode()).hexdigest()[:32]}
    if _make_table(client, view):
        return True
    present = client.get_table(reference, **_ONCE)
    if present.view_query == view.view_query or (present.view_query is None and present.labels == view.labels):
        return False
    present.view_query, present.labels, present.description = view.view_query, view.labels, description
    client.update_table(present, ["view_query", "labels", "description"], **_ONCE)
    return True

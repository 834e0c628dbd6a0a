"""Writes the tables and views of the warehouse for Terraform: ``python -m runtime.gcp.terraform_tables``.

Terraform makes in production what ``earmark init`` makes elsewhere, and knows no row types.  So it is told in
``infra/terraform/modules/warehouse/tables.json``:

- ``tables``: by name, ``schema`` (columns as BigQuery's REST interface has them), ``clustering`` and ``description``;
- ``views``: by name, ``query`` (with ``{dataset}`` for project and dataset), ``description`` and ``layer``: 0 reads
  tables only, 1 views of layer 0, and so on; BigQuery makes no view over one that is not there.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from google.cloud.bigquery import DatasetReference

from earmark.rows import TABLES
from earmark.view import View, views_over
from runtime.gcp.warehouse_schema import columns_of, dashboard_views, new_table, rows_table, view_sql

PAGE: Final = Path("infra/terraform/modules/warehouse/tables.json")
PLACE: Final = "{dataset}"
_DATASET: Final = DatasetReference("project", "dataset")
_WRITTEN: Final = "`project`.`dataset`"


def declared() -> dict[str, Any]:
    """Tables and views, as the file has them."""
    tables, views = {}, {}
    for name, row in sorted(TABLES.items()):
        table = new_table(_DATASET, row)
        tables[rows_table(name)] = {
            "clustering": list(table.clustering_fields or ()),
            "description": table.description,
            "schema": [_column(each.to_api_repr()) for each in table.schema],
        }
        columns = [each.name for each in columns_of(row)]
        views[name] = {
            "description": f"The last version of each row of `{rows_table(name)}`.",
            "layer": 0,
            "query": view_sql(table.reference, columns).replace(_WRITTEN, PLACE),
        }
    layers = layers_of(views_over(TABLES))
    for name, (sql, description) in dashboard_views(_DATASET, TABLES).items():
        views[name] = {
            "description": description,
            "layer": layers[name],
            "query": sql.replace(_WRITTEN, PLACE),
        }
    return {"tables": tables, "views": dict(sorted(views.items()))}


def layers_of(views: Mapping[str, View]) -> dict[str, int]:
    """How many views deep each view reads; those over tables' own views are 1.  Each view is behind those it reads."""
    layers: dict[str, int] = {}
    for name, view in views.items():
        layers[name] = 1 + max((layers[each] for each in view.sources if each in layers), default=0)
    return layers


def written() -> str:
    """The file's content."""
    return json.dumps(declared(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _column(field: Mapping[str, Any]) -> dict[str, Any]:
    return {name: field[name] for name in ("name", "type", "mode", "description") if field.get(name)}


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")

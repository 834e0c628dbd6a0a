"""Which component may do what on Google Cloud, as ``infra/terraform`` grants it.

``python -m tests.granted`` prints the table of docs/google-cloud.md.
"""

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

from tests import terraform_grants
from tests.terraform_files import local

REGION: Final = "modules/region"
OURS: Final = {"object_dater": "earmarkObjectDater", "row_writer": "earmarkRowWriter"}
"""Roles of ours, by the name of the resource."""
COLUMNS: Final = {
    "pubsub": "Pub/Sub",
    "storage": "Cloud Storage",
    "earmarkObjectDater": "Cloud Storage",
    "bigquery": "BigQuery",
    "earmarkRowWriter": "BigQuery",
}
"""By how a role begins."""
ELSE: Final = "else"
_NAMED: Final = frozenset({"topic", "subscription", "bucket", "secret"})
HEAD: Final = "| component | Pub/Sub | Cloud Storage | BigQuery | else |\n| --- | --- | --- | --- | --- |\n"


class Grant(NamedTuple):
    """One role of one component."""

    component: str
    column: str
    """Of the table: ``Pub/Sub``."""
    role: str
    on: str
    """Short name of the topic, subscription, bucket or secret; empty = the dataset, the project or itself."""


@cache
def grants() -> tuple[Grant, ...]:
    """All of them, in the order of the table."""
    components = set(local(REGION, "components"))
    found = set()
    for each in terraform_grants.grants():
        if each.who in components:
            role = OURS.get(each.role, each.role.removeprefix("roles/"))
            kind, _, name = each.on.partition(" ")
            found.add(Grant(each.who, COLUMNS.get(role.partition(".")[0], ELSE), role, name if kind in _NAMED else ""))
    return tuple(sorted(found))


def may(component: str, role: str) -> set[str]:
    """On what a component has a role."""
    return {each.on for each in grants() if (each.component, each.role) == (component, role)}


def table() -> str:
    """A row for each component, with every role that it has."""
    return HEAD + "".join(f"| `{name}` | {_cells(name)} |\n" for name in local(REGION, "components"))


def _cells(component: str) -> str:
    mine = [each for each in grants() if each.component == component]
    cells = []
    for column in dict.fromkeys([*COLUMNS.values(), ELSE]):
        roles = dict.fromkeys(each.role for each in mine if each.column == column)
        cells.append("; ".join(_cell(role, [each.on for each in mine if each.role == role]) for role in roles))
    return " | ".join(cells)


def _cell(role: str, on: Sequence[str]) -> str:
    return f"`{role}`" + (f" on {', '.join(on)}" if any(on) else "")


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201

"""How the commands of ``earmark retention`` tell things: a person on the terminal, a program in JSON."""

import json
from datetime import UTC, datetime

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from earmark.errors import ConfigurationError, InvalidName
from earmark.object_names import checked_name
from retention.scope import Scope, checked_tenant, read_scope
from runtime.backend import Backend


def print_json(value: object) -> None:
    """Print a value, models as their fields."""
    print(json.dumps(plain(value), indent=1, ensure_ascii=False))  # noqa: T201


def plain(value: object) -> object:
    """A value of JSON's own types."""
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case dict():
            return {str(name): plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case datetime():
            return value.astimezone(UTC).isoformat()
    return value


def print_table(columns: list[str], rows: list[list[object]]) -> None:
    """Print a table as wide as it needs to be."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=True, overflow="ignore")
    for row in rows:
        table.add_row(*(shown(each) for each in row))
    Console(highlight=False, soft_wrap=True, width=10_000, markup=False).print(table, crop=False)


def shown(value: object) -> str:
    """A value for a person: times to the minute, in UTC."""
    match value:
        case None | "":
            return "-"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
    return str(value)


def scope_of(backend: Backend, target: str, prefix: str, tenant: str) -> Scope:
    """What the options name; a bucket may bear its full name.

    Raises:
        ConfigurationError: they name none or several things, a customer who cannot be, or a bucket that retention
            does not look after.
    """
    if tenant:
        checked_tenant(tenant)
    try:
        scope = read_scope(target=target or None, prefix=prefix or None, tenant=tenant or None)
    except ValueError as error:
        message = f"{error}.  Write --object BUCKET/NAME, --prefix BUCKET/BEGINNING or --tenant NAME."
        raise ConfigurationError(message) from None
    if scope.kind == "tenant":
        return scope
    short = scope.bucket if scope.bucket in KEPT else backend.short_name(scope.bucket)
    if short is None or short not in KEPT:
        message = f"Retention does not look after the bucket {scope.bucket!r}.  It does after: {', '.join(KEPT)}."
        raise ConfigurationError(message)
    try:
        if scope.kind == "object":
            checked_name(scope.name)
    except InvalidName as error:
        raise ConfigurationError(str(error)) from None
    return Scope(kind=scope.kind, bucket=short, name=scope.name)


KEPT = ("uploads", "results", "temporary", "archive")
"""Buckets with objects that are kept for a time."""

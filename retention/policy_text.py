"""A policy as the text of a file that ``load_policy`` reads, for somebody who wants to change it."""

from collections.abc import Iterator, Mapping
from typing import Any

from retention.policy import Policy


def policy_text(policy: Policy) -> str:
    """The policy in TOML; what it does not say is left out."""
    return "\n".join(_lines("", policy.model_dump(mode="json", exclude_none=True))).strip() + "\n"


def _lines(table: str, values: Mapping[str, Any]) -> Iterator[str]:
    """The keys of a table, then the tables in it; all names are of letters, digits, dashes and underscores."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    if table and (plain or not values):
        yield from ("", f"[{table}]")
    for key, value in plain.items():
        yield f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _lines(f"{table}.{key}" if table else key, value)

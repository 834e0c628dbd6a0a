"""``View``: one file of ``earmark/views``, made in BigQuery as it is written and in SQLite from the same text.

A file opens with comment lines that tell a person what the view shows.  The SQL is BigQuery's, and keeps to what both
engines can be told:

- a table or a view is a plain name behind FROM or JOIN, and each subquery has a name of its own;
- no ``WITH``, ``QUALIFY`` or ``UNNEST``; a list is a subquery of ``SELECT ... UNION ALL SELECT ...``;
- the column ``hour`` is ``TIMESTAMP_TRUNC(`at`, HOUR)``: a TIMESTAMP in BigQuery, in SQLite a text of the form that all
  times have there.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from earmark.errors import ConfigurationError

SHIPPED: Final = Path(__file__).parent / "views"

_SOURCE: Final = re.compile(r"\b(FROM|JOIN) (\w+)\b")


@dataclass(frozen=True, slots=True)
class View:
    """A view and what it reads."""

    name: str
    description: str
    """What it shows, for a person."""
    sql: str

    @property
    def sources(self) -> frozenset[str]:
        """The tables and views it reads."""
        return frozenset(sources(self.sql))


def sources(sql: str) -> list[str]:
    """The tables and views that a query or view reads, as often as it names them."""
    return [match[2] for match in _SOURCE.finditer(sql)]


def with_sources(sql: str, replace: Callable[[str], str | None]) -> str:
    """The SQL with other words for the tables and views it reads.

    Args:
        sql: in our form.
        replace: gives what to write for a name; ``None`` = the name.
    """
    return _SOURCE.sub(lambda match: f"{match[1]} {replace(match[2]) or match[2]}", sql)


@cache
def load_views(folder: Path = SHIPPED) -> Mapping[str, View]:
    """All views by name, each behind those it reads.

    Raises:
        ConfigurationError: views read each other in a circle.
    """
    waiting = {path.stem: _load(path) for path in sorted(folder.glob("*.sql"))}
    found: dict[str, View] = {}
    while waiting:
        ready = [name for name, view in waiting.items() if not view.sources & set(waiting)]
        if not ready:
            message = f"The views {', '.join(waiting)} in {folder} read each other in a circle."
            raise ConfigurationError(message)
        found |= {name: waiting.pop(name) for name in ready}
    return found


def views_over(tables: Collection[str], folder: Path = SHIPPED) -> dict[str, View]:
    """The views that can be made where there are these tables, each behind those it reads."""
    found: dict[str, View] = {}
    for name, view in load_views(folder).items():
        if view.sources <= {*tables, *found}:
            found[name] = view
    return found


def _load(path: Path) -> View:
    text = path.read_text(encoding="utf-8")
    description = " ".join(line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--"))
    sql = "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
    return View(path.stem, description, sql)

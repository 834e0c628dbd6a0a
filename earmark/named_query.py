"""``NamedQuery``: one file of ``earmark/queries``, written for BigQuery, and turned into SQLite's SQL by its adapter.

A file opens with comment lines: what the query tells, then one line for each parameter ::

    -- @since TIMESTAMP = 2000-01-01T00:00:00Z    start of the window, included

The type is BigQuery's; a value not given is the one behind the ``=``.  The SQL keeps to what both engines can be told
(``earmark.view`` says what that is), and to these rules:

- a table or view is a plain name, and a table means its rows with each ``row_id`` once, in the latest version;
- names in back-quotes, for ``at`` is a keyword in BigQuery;
- times reach the result as text, made by ``FORMAT_TIMESTAMP`` with a pattern that begins as ``%Y-%m-%dT%H:%M:%S``;
- booleans stay inside conditions; the result holds text, numbers and NULL.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from earmark.errors import ConfigurationError

SHIPPED: Final = Path(__file__).parent / "queries"

Scalar = str | int | float | datetime

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_PARAMETER: Final = re.compile(r"^-- @(?P<name>\w+) (?P<type>STRING|INT64|FLOAT64|TIMESTAMP) = (?P<value>'[^']*'|\S+)")
_USED: Final = re.compile(r"@(\w+)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value the query asks for."""

    type: str
    """STRING, INT64, FLOAT64 or TIMESTAMP."""
    default: Scalar


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A query and what it asks for."""

    name: str
    description: str
    """What it tells, for a person."""
    sql: str
    parameters: Mapping[str, Parameter]

    def values(self, given: Mapping[str, object]) -> dict[str, Scalar]:
        """A value for every parameter: the given one, else its default.

        Raises:
            ConfigurationError: the query has no such parameter, or the value has another type.
        """
        unknown = sorted(set(given) - set(self.parameters))
        if unknown:
            known = ", ".join(self.parameters) or "none"
            message = f"The query {self.name} has no parameter {', '.join(unknown)}.  It has: {known}."
            raise ConfigurationError(message)
        return {
            name: self._checked(name, parameter, given[name]) if name in given else parameter.default
            for name, parameter in self.parameters.items()
        }

    def _checked(self, name: str, parameter: Parameter, value: object) -> Scalar:
        match value:
            case str() if parameter.type == "STRING":
                return str(value)  # an enum member becomes plain text
            case bool():
                pass
            case int() if parameter.type in {"INT64", "FLOAT64"}:
                return value
            case float() if parameter.type == "FLOAT64":
                return value
            case datetime(tzinfo=zone) if parameter.type == "TIMESTAMP" and zone is not None:
                return value
        expected = "an aware datetime" if parameter.type == "TIMESTAMP" else parameter.type
        message = f"The parameter {name} of the query {self.name} must be {expected}, not {value!r}."
        raise ConfigurationError(message)


def load_query(name: str, folder: Path = SHIPPED) -> NamedQuery:
    """Read a query.

    Raises:
        ConfigurationError: there is none of that name, or its head does not describe the parameters it uses.
    """
    path = folder / f"{name}.sql"
    if not _NAME.fullmatch(name) or not path.is_file():
        message = f"There is no query {name!r}.  There are: {', '.join(query_names(folder))}."
        raise ConfigurationError(message)
    text = path.read_text(encoding="utf-8")
    head = [match for line in text.splitlines() if (match := _PARAMETER.match(line))]
    sql = "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
    parameters = {match["name"]: Parameter(match["type"], _value(match["type"], match["value"])) for match in head}
    if set(_USED.findall(sql)) != set(parameters):
        message = f"The head of {path} must describe the parameters the query uses, each in one line."
        raise ConfigurationError(message)
    description = " ".join(line[3:] for line in text.split("\n-- @")[0].splitlines() if line.startswith("-- "))
    return NamedQuery(name, description, sql, parameters)


def query_names(folder: Path = SHIPPED) -> list[str]:
    """Every query there is, in order of the alphabet."""
    return sorted(path.stem for path in folder.glob("*.sql"))


def _value(kind: str, text: str) -> Scalar:
    match kind:
        case "INT64":
            return int(text)
        case "FLOAT64":
            return float(text)
        case "TIMESTAMP":
            return datetime.fromisoformat(text).astimezone(UTC)
    return text.strip("'")

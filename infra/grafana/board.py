"""``Board``: a dashboard as we think of it; ``infra.grafana.building`` makes Grafana's of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from earmark.errors import ConfigurationError

COLUMNS = 24
"""Width of Grafana's grid."""


class Kind(StrEnum):
    """How a panel shows what it asks for."""

    STAT = "stat"
    """The value of this moment, large."""
    LINES = "lines"
    STACKED = "stacked"
    """Areas on top of each other, where their sum means something."""
    BARS = "bars"
    """Stacked bars, for what is counted by the hour or the day."""
    HEATMAP = "heatmap"
    """How a histogram's buckets fill."""
    STATES = "states"
    """A band for each series, coloured by its value."""
    TABLE = "table"


class Colour(StrEnum):
    """Of a value, by how good it is."""

    FINE = "green"
    WATCH = "orange"
    BAD = "red"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A question to Prometheus."""

    expr: str
    legend: str = ""
    """Name of a series, as ``{{lane}}``."""


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A question to BigQuery, in the SQL of ``earmark.view``; tables and views are plain names."""

    sql: str
    over_time: bool = False
    """Whether its first column is ``time``, and a text column names the series."""


Query = Prometheus | Warehouse


@dataclass(frozen=True, slots=True)
class Limit:
    """From this value on, a value has this colour."""

    value: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class Column:
    """How a table shows one column."""

    name: str
    title: str
    unit: str = "none"


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture and what it is about."""

    title: str
    tells: str
    """What it answers, for a person; a tooltip in Grafana."""
    kind: Kind
    queries: tuple[Query, ...]
    unit: str = "none"
    """Grafana's name of the unit."""
    width: int = 8
    height: int = 8
    limits: tuple[Limit, ...] = ()
    runbook: str = ""
    """The section of ``docs/runbooks.md`` that says what to do; empty = none."""
    empty: str = ""
    """Why there may be nothing to show on one machine that is well; empty = there is always something."""
    most: float | None = None
    """Upper end of the axis; ``None`` = as the values need."""
    columns: tuple[Column, ...] = ()
    """Of a table, those that are not shown as they are called."""
    words: tuple[tuple[str, str, Colour], ...] = ()
    """What is shown in place of values: value, words, colour."""

    def __post_init__(self) -> None:
        """Refuse what Grafana would show wrongly.

        Raises:
            ConfigurationError: it does not fit the grid, has no question, or asks two kinds of sources.
        """
        if not 0 < self.width <= COLUMNS or len({type(query) for query in self.queries}) != 1:
            message = f"The panel {self.title!r} has no width or no questions of one kind"
            raise ConfigurationError(message)

    @property
    def of_prometheus(self) -> bool:
        """Whether it asks Prometheus, and not the warehouse."""
        return isinstance(self.queries[0], Prometheus)


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """What the reader can choose at the top: either fixed values or what a question to the warehouse answers."""

    name: str
    label: str
    values: tuple[str, ...] = ()
    sql: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard."""

    uid: str
    """Part of its address; never changed."""
    title: str
    tells: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    refresh: str = "30s"
    since: str = "now-1h"
    """What time it shows at first."""

    @property
    def panels(self) -> Iterator[Panel]:
        """All of them, from top to bottom."""
        return (panel for row in self.rows for panel in row.panels)

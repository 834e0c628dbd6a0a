"""``Answer``: what a panel's questions were answered."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name, and seconds since 1970 with values, all finite."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Lines of a panel over time, or the rows of a table."""

    series: tuple[Series, ...] = ()
    rows: tuple[Mapping[str, object], ...] = field(default=())


def series_of(legend: str, result: Sequence[Mapping[str, Any]]) -> list[Series]:
    """The series of one answer of Prometheus' ``query_range``, without moments that have no number."""
    found = []
    for each in result:
        name = legend
        for label in re.findall(r"\{\{(\w+)\}\}", legend):
            name = name.replace(f"{{{{{label}}}}}", each["metric"].get(label, ""))
        points = tuple((float(at), float(value)) for at, value in each["values"] if math.isfinite(float(value)))
        if points:
            found.append(Series(name or "value", points))
    return sorted(found, key=lambda series: series.name)


def series_of_rows(rows: Sequence[Mapping[str, object]]) -> list[Series]:
    """The series of rows with a ``time``, perhaps a text that names the series, and numbers."""
    found: dict[str, list[Point]] = {}
    for row in rows:
        at = datetime.fromisoformat(str(row["time"])).timestamp()
        words = " ".join(str(value) for name, value in row.items() if isinstance(value, str) and name != "time")
        numbers = {name: value for name, value in row.items() if isinstance(value, int | float)}
        for name, value in numbers.items():
            found.setdefault(words if words and len(numbers) == 1 else f"{words} {name}".strip(), []).append(
                (at, value)
            )
    return [Series(name, tuple(points)) for name, points in sorted(found.items())]

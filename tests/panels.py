"""What the committed dashboards ask, read from their JSON as Grafana reads it."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from infra.grafana.__main__ import FOLDER

WINDOW = "$__rate_interval"
_TABLE = re.compile(r"`\$\{dataset\}\.(\w+)`")
_TIME = re.compile(r"\$__timeFilter\(([^)]*)\)")
_FORM = "%Y-%m-%dT%H:%M:%SZ"


class Asked(NamedTuple):
    """One question of one panel."""

    uid: str
    panel: dict[str, Any]
    expr: str
    """Of Prometheus; empty where the warehouse is asked."""
    sql: str
    legend: str

    @property
    def title(self) -> str:
        """For a failing test: which panel."""
        return f"{self.uid}: {self.panel['title']}"

    def promql(self, window: str, lanes: str = "high|low") -> str:
        """The expression as Grafana sends it."""
        return self.expr.replace(WINDOW, window).replace("$lane", lanes)


@cache
def dashboards() -> dict[str, dict[str, Any]]:
    """All of them by uid."""
    read = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    return {dashboard["uid"]: dashboard for dashboard in read}


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard, without its headings."""
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def asked() -> list[Asked]:
    """Every question of every panel."""
    return [
        Asked(uid, panel, target.get("expr", ""), target.get("rawSql", ""), target.get("legendFormat", ""))
        for uid, dashboard in dashboards().items()
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def variable_questions() -> list[tuple[str, str]]:
    """Name and SQL of each variable that the warehouse is asked for."""
    return [
        (variable["name"], variable["query"]["rawSql"])
        for dashboard in dashboards().values()
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]


def with_plain_tables(sql: str, dataset: str = "") -> str:
    """The SQL with names of tables in place of Grafana's variable."""
    return _TABLE.sub(rf"`{dataset}.\1`" if dataset else r"\1", sql)


def with_values(sql: str, experiment: str, version: int, between: Callable[[str], str]) -> str:
    """The SQL with the reader's choices; ``between`` says that a column lies in the time on show."""
    sql = _TIME.sub(lambda match: between(match[1]), sql)
    return sql.replace("${experiment}", experiment).replace("${version}", str(version))


def time_filter(start: datetime, end: datetime) -> Callable[[str], str]:
    """What Grafana's BigQuery source makes of ``$__timeFilter``."""
    return lambda column: f"{column} >= '{start.strftime(_FORM)}' AND {column} <= '{end.strftime(_FORM)}'"


def local_query(sql: str) -> str:
    """The same as a named query: its text with the parameters since, until, experiment and version."""
    sql = with_plain_tables(sql).replace("'${experiment}'", "@experiment").replace("${version}", "@version")
    sql = _TIME.sub(r"\1 >= @since AND \1 < @until", sql)
    kinds = {
        "since": "TIMESTAMP = 2000-01-01T00:00:00Z",
        "until": "TIMESTAMP = 9999-01-01T00:00:00Z",
        "experiment": "STRING = ''",
        "version": "INT64 = 1",
    }
    used = [f"-- @{name} {kind}    of the dashboard\n" for name, kind in kinds.items() if f"@{name}" in sql]
    return f"-- A question of a dashboard.\n{''.join(used)}\n{sql}\n"


def queries_folder(folder: Path) -> dict[str, Asked]:
    """Writes each question to the warehouse as a named query; those by name."""
    found = {f"panel_{place}": each for place, each in enumerate(asked()) if each.sql}
    for name, each in found.items():
        (folder / f"{name}.sql").write_text(local_query(each.sql), encoding="utf-8")
    return found

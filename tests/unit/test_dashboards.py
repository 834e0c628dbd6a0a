"""The committed dashboards: fresh, and everything they ask for exists."""

import json
import math
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models import units
from sqlglot import exp, parse_one
from sqlglot.optimizer.qualify import qualify

from earmark.rows import TABLES
from earmark.view import load_views
from infra.grafana.__main__ import FOLDER, main
from infra.grafana.board import Colour
from infra.grafana.boards import BOARDS
from infra.grafana.building import DATASET
from infra.grafana.limits import ALERTS, OLDEST_S
from runtime.gcp.warehouse_schema import columns_of
from runtime.metrics.catalogue import METRICS
from runtime.metrics.metric import Kind, Label, Metric
from tests.panels import Asked, asked, dashboards, panels, variable_questions, with_plain_tables, with_values
from tests.promtool import needed

RULES = Path("infra/prometheus")
RUNBOOKS = Path("docs/runbooks.md")
PROVISIONING = Path("infra/grafana/provisioning")
OF_TARGETS = {"instance", "job", "role"}
"""Labels that Prometheus adds to every series."""
NAME = re.compile(r"\b(?P<name>earmark_\w+)(?:\{(?P<where>[^}]*)\})?")
CONDITION = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
GROUPED = re.compile(r"\b(?:by|on|ignoring|group_left|without)\s*\(([^)]*)\)")
MADE = re.compile(r'label_replace\(.*?, "(\w+)",')

QUESTIONS = asked()
OF_PROMETHEUS = [each for each in QUESTIONS if each.expr]
OF_WAREHOUSE = [each for each in QUESTIONS if each.sql]


def named(each: Asked) -> str:
    """Name of a case."""
    return each.title


def metric_of(name: str) -> Metric:
    """The metric that a series is of."""
    found = [metric for metric in METRICS if name in metric.series_names]
    assert found, f"the catalogue has no series {name}"
    return found[0]


def labels_of(metric: Metric, series: str) -> dict[str, Label | None]:
    """The labels of a series, with what is known of their values."""
    bucket = metric.kind is Kind.HISTOGRAM and series.endswith("_bucket")
    return {label.name: label for label in metric.labels} | ({"le": None} if bucket else {})


def alerts() -> dict[str, list[dict[str, Any]]]:
    """All alerts by name; one may have several rules."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in RULES.glob("*.rules.yml"):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    found.setdefault(rule["alert"], []).append(rule)
    return found


def test_the_committed_files_are_what_is_written_anew(tmp_path: Path) -> None:
    """`make docs` was run after the last change."""
    main(tmp_path)
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}


def test_links_can_begin_elsewhere(tmp_path: Path) -> None:
    """For whoever publishes docs/ under an address of their own."""
    main(tmp_path, "https://wiki.example.com/earmark")
    for path in tmp_path.iterdir():
        variables = json.loads(path.read_text(encoding="utf-8"))["templating"]["list"]
        [docs] = [each for each in variables if each["name"] == "docs"]
        assert docs["query"] == docs["current"]["value"] == "https://wiki.example.com/earmark"


def test_addresses_stay_what_they_are() -> None:
    """People and alerts link to them."""
    assert set(dashboards()) == {"earmark-live", "earmark-ab", "earmark-queues", "earmark-cost"}


@pytest.mark.parametrize("uid", [board.uid for board in BOARDS])
def test_panels_stand_beside_each_other(uid: str) -> None:
    """None covers another or leaves the grid, and each has a number of its own and something to say."""
    taken: Counter[tuple[int, int]] = Counter()
    numbers = Counter(panel["id"] for panel in dashboards()[uid]["panels"])
    assert numbers.most_common(1)[0][1] == 1
    for panel in dashboards()[uid]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken.update(
            (place["x"] + x, place["y"] + y)
            for x in range(place["w"])
            for y in range(place["h"])
        )  # fmt: skip
    assert taken.most_common(1)[0][1] == 1
    assert all(len(panel["description"]) > 15 for panel in panels(dashboards()[uid]))


@pytest.mark.parametrize("each", OF_PROMETHEUS, ids=named)
def test_every_metric_and_label_is_in_the_catalogue(each: Asked) -> None:
    """Names, labels they are chosen by with their values, and labels they are grouped and named by."""
    there: set[str] = set(MADE.findall(each.expr)) | OF_TARGETS
    series = list(NAME.finditer(each.expr))
    assert series
    for match in series:
        where = CONDITION.findall(match["where"] or "")
        known = labels_of(metric_of(match["name"]), match["name"])
        there |= known.keys()
        for label, sign, value in where:
            assert label in known.keys() | OF_TARGETS, f"{match['name']} has no label {label}"
            has_list = known.get(label)
            if has_list is not None and has_list.values and "$" not in value:
                for word in value.split("|") if sign in {"=~", "!~"} else [value]:
                    assert word in has_list.values, f"{label} is never {word}"
    grouped = {word.strip() for group in GROUPED.findall(each.expr) for word in group.split(",") if word.strip()}
    assert grouped <= there
    aggregated = re.search(r"\b(sum|max|min|count|histogram_quantile)\b", each.expr)
    shown = set(re.findall(r"\{\{(\w+)\}\}", each.legend))
    assert shown <= (grouped if aggregated else there)


def test_quantiles_of_nothing_are_nothing(tmp_path: Path) -> None:
    """A lane at rest has no line, and no point that is no number."""
    questions = [each.promql("5m") for each in OF_PROMETHEUS if "histogram_quantile" in each.expr]
    histograms = sorted({match["name"] for expr in questions for match in NAME.finditer(expr)})
    labels = 'lane="high", arm="primary", route="/v1/analyses", method="POST"'
    series = [f'{name}{{{labels}, le="{bound}"}}' for name in histograms for bound in ("1.0", "+Inf")]
    looks = [{"expr": expr, "eval_time": "10m", "exp_samples": []} for expr in questions]
    test = {
        "interval": "1m",
        "input_series": [{"series": each, "values": "7x10"} for each in series],
        "promql_expr_test": looks,
    }
    path = tmp_path / "idle.test.yml"
    path.write_text(yaml.safe_dump({"tests": [test]}), encoding="utf-8")
    told = subprocess.run([needed("promtool"), "test", "rules", path], capture_output=True, text=True, check=False)
    assert (len(questions) > 5, told.returncode) == (True, 0), told.stderr


def test_nobody_is_named_in_what_prometheus_is_asked() -> None:
    """Customers stand in the warehouse alone."""
    assert not [each.title for each in OF_PROMETHEUS if re.search("tenant|customer_id|job_id", each.expr)]


@cache
def columns() -> dict[str, dict[str, str]]:
    """Of every table and view; those of a view are what its SQL gives."""
    known = {name: {column.name: column.type for column in columns_of(row)} for name, row in TABLES.items()}
    for name, view in load_views().items():
        tree = parse_one(view.sql, read="bigquery")
        assert isinstance(tree, exp.Query)
        known[name] = dict.fromkeys(tree.named_selects, "FLOAT64")
    return known


def plain(sql: str) -> str:
    """The SQL without anything of Grafana's."""
    return with_values(with_plain_tables(sql), "some", 1, lambda column: f"{column} IS NOT NULL")


SQL = [(each.title, each.sql) for each in OF_WAREHOUSE] + variable_questions()


@pytest.mark.parametrize(("title", "sql"), SQL, ids=[title for title, _ in SQL])
def test_every_table_and_column_exists(title: str, sql: str) -> None:
    """In the row types and in the views; no table stands outside the dataset that the reader names."""
    assert f"`{DATASET}." in sql
    assert "$" not in plain(sql)
    tree = parse_one(plain(sql), read="bigquery")
    schema: dict[str, object] = {**columns()}
    assert {table.name for table in tree.find_all(exp.Table)} <= schema.keys()
    qualify(tree, schema=schema, dialect="bigquery", validate_qualify_columns=True)


@pytest.mark.parametrize("each", OF_WAREHOUSE, ids=named)
def test_a_question_over_time_gives_time_first_and_in_order(each: Asked) -> None:
    """Or Grafana draws no line."""
    over_time = each.panel["targets"][0]["format"] == 0
    tree = parse_one(plain(each.sql), read="bigquery")
    assert isinstance(tree, exp.Select)
    assert over_time == (each.panel["type"] == "timeseries")
    assert not over_time or (tree.named_selects[0] == "time" and tree.args["order"].expressions[0].name == "time")


def test_columns_of_tables_are_shown_under_names_that_the_sql_gives() -> None:
    """A renamed column would silently lose its unit."""
    for each in OF_WAREHOUSE:
        given = re.findall(r"\bAS (\w+)", each.sql) + re.findall(r"\w+", each.sql.split("FROM")[0])
        for override in each.panel["fieldConfig"]["overrides"]:
            assert override["matcher"]["options"] in given, each.title


def test_limits_are_those_of_the_alerts() -> None:
    """A panel is red where somebody is woken."""
    rules = alerts()
    for name, limit in ALERTS.items():
        said = [float(value) for rule in rules[name] for value in re.findall(r"[<>] ([\d.]+)", rule["expr"])]
        assert limit in said, f"{name}: {limit} is none of {said}"
    said = [float(value) for rule in rules["EarmarkOldestWaiting"] for value in re.findall(r"> ([\d.]+)", rule["expr"])]
    assert said == [OLDEST_S["high"], OLDEST_S["low"]]


def test_every_runbook_that_is_linked_is_there() -> None:
    """The section of the page, and the alert it is about."""
    rules, page = alerts(), RUNBOOKS.read_text(encoding="utf-8")
    sections = {heading.lower() for heading in re.findall(r"^#+ (\w+)\s*$", page, re.MULTILINE)}
    linked = {
        link["url"].rpartition("#")[2]
        for dashboard in dashboards().values()
        for panel in panels(dashboard)
        for link in panel.get("links", [])
    }
    assert len(linked) > 10
    assert linked <= {name.lower() for name in rules}
    assert linked <= sections


def test_variables_and_sources_are_declared() -> None:
    """Every source is the reader's choice, and every variable that is used is there."""
    for uid, dashboard in dashboards().items():
        declared = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
        assert declared["prometheus"]["query"] == "prometheus"
        for panel in panels(dashboard):
            sources = {target["datasource"]["uid"] for target in panel["targets"]}
            assert sources == {panel["datasource"]["uid"]} <= {"${prometheus}", "${bigquery}"}
        used = re.findall(r"\$\{?(\w+)", str(dashboard["panels"]))
        ours = {name for name in used if not name.startswith("__") and not name.isdigit()}
        assert ours <= declared.keys(), uid


def test_units_are_grafanas() -> None:
    """One that it does not know is shown as a word behind the number."""
    known = {value for value in vars(units).values() if isinstance(value, str)}
    for dashboard in dashboards().values():
        for panel in panels(dashboard):
            assert panel["fieldConfig"]["defaults"]["unit"] in known, panel["title"]


def test_colours_get_worse_or_better_one_way() -> None:
    """Limits rise, and the colours go from green to red or from red to green."""
    order = {Colour.FINE: 0, Colour.WATCH: 1, Colour.BAD: 2}
    for board in BOARDS:
        for panel in board.panels:
            values = [limit.value for limit in panel.limits]
            ranks = [order[limit.colour] for limit in panel.limits]
            assert values == sorted(set(values)), panel.title
            rising = not values or not math.isinf(values[0])
            assert ranks == sorted(ranks, reverse=not rising), panel.title


def test_grafana_finds_sources_and_dashboards() -> None:
    """The files that tell it where they are name our sources as the dashboards do."""
    sources = yaml.safe_load((PROVISIONING / "datasources" / "earmark.yaml").read_text())["datasources"]
    assert {source["type"] for source in sources} == {"prometheus", "grafana-bigquery-datasource"}
    [provider] = yaml.safe_load((PROVISIONING / "dashboards" / "earmark.yaml").read_text())["providers"]
    assert provider["type"] == "file"

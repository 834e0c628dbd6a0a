"""``grafana_json``: makes of a ``Board`` the dashboard that Grafana imports."""

import json
import math
from collections.abc import Iterator
from typing import Final

from grafana_foundation_sdk.builders import bigquery, dashboard, prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import bigquery as bigquery_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

from earmark.view import with_sources
from infra.grafana.board import Board, Colour, Column, Kind, Panel, Prometheus, Query, Variable
from infra.grafana.shapes import PLUGINS, custom_of, options_of

TAG: Final = "earmark"
PROMETHEUS: Final = models.DataSourceRef(type_val="prometheus", uid="${prometheus}")
BIGQUERY: Final = models.DataSourceRef(type_val="grafana-bigquery-datasource", uid="${bigquery}")
"""The variables by which the reader chooses the sources."""
DATASET: Final = "${dataset}"
DOCS: Final = "${docs}"
"""Where ``docs/`` can be read; the reader fills it in, or whoever provides the dashboards."""
LANES: Final = ("high", "low")
FIRING: Final = 'ALERTS{alertname=~"Earmark.*", alertstate="firing"}'


def grafana_json(board: Board, docs: str = "docs") -> str:
    """The dashboard as the file that is committed; ``docs`` is where links begin unless the reader says otherwise."""
    made = dashboard.Dashboard(board.title).uid(board.uid).description(board.tells).tags([TAG]).timezone("browser")
    made = made.readonly().refresh(board.refresh).time(board.since, "now")
    made = made.tooltip(models.DashboardCursorSync.CROSSHAIR)
    for variable in _variables(board, docs):
        made = made.with_variable(variable)
    for link in _links():
        made = made.link(link)
    made = made.annotation(
        dashboard.AnnotationQuery()
        .name("Alerts")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color(Colour.BAD)
        .expr(FIRING)
    )
    number = 0
    for row in board.rows:
        number += 1
        made = made.with_row(dashboard.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            made = made.with_panel(_panel(panel, number))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _variables(board: Board, docs: str) -> Iterator[Builder[models.VariableModel]]:
    asked = [panel for panel in board.panels if not panel.of_prometheus]
    yield dashboard.DatasourceVariable("prometheus").label("Prometheus").type("prometheus")
    if asked:
        yield dashboard.DatasourceVariable("bigquery").label("BigQuery").type(BIGQUERY.type_val or "")
        yield _text("dataset", "Dataset", "earmark").description(
            "Dataset of the warehouse: the setting gcp_prefix, with a project before it where that is another."
        )
    chosen = models.VariableOption(selected=True, text=["All"], value=["$__all"])
    options = [models.VariableOption(selected=False, text=lane, value=lane) for lane in LANES]
    lanes = dashboard.CustomVariable("lane").label("Lane").values(",".join(LANES)).multi(True).include_all(True)
    yield lanes.all_value("|".join(LANES)).current(chosen).options(options)
    for variable in board.variables:
        yield _asked(variable)
    yield _text("docs", "Documentation", docs).description("Where the folder docs/ can be read: the links' beginning.")
    yield dashboard.AdHocVariable("filters").label("Only").datasource(PROMETHEUS)


def _text(name: str, label: str, value: str) -> dashboard.TextBoxVariable:
    option = models.VariableOption(selected=True, text=value, value=value)
    return dashboard.TextBoxVariable(name).label(label).default_value(value).current(option).options([option])


def _asked(variable: Variable) -> dashboard.QueryVariable:
    """A variable whose values the warehouse tells, read when the dashboard is opened."""
    question: dict[str, object] = {
        "editorMode": "code",
        "format": int(bigquery_models.QueryFormat.TABLE),
        "rawQuery": True,
        "rawSql": _placed(variable.sql),
        "refId": variable.name,
    }
    made = dashboard.QueryVariable(variable.name).label(variable.label).datasource(BIGQUERY).query(question)
    return made.refresh(models.VariableRefresh.ON_DASHBOARD_LOAD)


def _links() -> Iterator[dashboard.DashboardLink]:
    others = dashboard.DashboardLink("Earmark").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    yield others.as_dropdown(True).keep_time(True)
    yield (
        dashboard.DashboardLink("Runbooks")
        .type(models.DashboardLinkType.LINK)
        .url(f"{DOCS}/runbooks.md")
        .icon("doc")
        .target_blank(True)
    )


def _panel(panel: Panel, number: int) -> dashboard.Panel:
    made = dashboard.Panel().id(number).type(PLUGINS[panel.kind]).title(panel.title).description(panel.tells)
    made = made.datasource(PROMETHEUS if panel.of_prometheus else BIGQUERY).height(panel.height).span(panel.width)
    made = made.unit(panel.unit).options(options_of(panel)).thresholds(_thresholds(panel)).mappings(_words(panel))
    custom = custom_of(panel)
    if custom is not None:
        made = made.custom(custom)
    if panel.limits or panel.words:
        lines = panel.kind in {Kind.LINES, Kind.STACKED, Kind.BARS}
        mode = models.FieldColorModeId.PALETTE_CLASSIC if lines else models.FieldColorModeId.THRESHOLDS
        made = made.color_scheme(dashboard.FieldColor().mode(mode))
    if panel.most is not None:
        made = made.min(0).max(panel.most)
    if panel.empty:
        made = made.no_value(panel.empty)
    if panel.runbook:
        made = made.links([_runbook(panel.runbook)])
    for column in panel.columns:
        made = made.override_by_name(column.name, _column(column))
    for place, query in enumerate(panel.queries):
        made = made.with_target(_target(query, chr(ord("A") + place), panel))
    return made


def _runbook(alert: str) -> dashboard.DashboardLink:
    link = dashboard.DashboardLink(f"Runbook: {alert}").type(models.DashboardLinkType.LINK)
    return link.url(f"{DOCS}/runbooks.md#{alert.lower()}").target_blank(True)


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    """Grafana wants a first colour without a beginning."""
    limits = [models.Threshold(None if math.isinf(each.value) else each.value, each.colour) for each in panel.limits]
    if not limits or limits[0].value is not None:
        limits.insert(0, models.Threshold(None, Colour.FINE))
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(limits)


def _words(panel: Panel) -> list[models.ValueMapping]:
    if not panel.words:
        return []
    shown = {value: models.ValueMappingResult(text=words, color=colour) for value, words, colour in panel.words}
    return [models.ValueMap(shown)]


def _column(column: Column) -> list[models.DynamicConfigValue]:
    return [
        models.DynamicConfigValue("displayName", column.title),
        models.DynamicConfigValue("unit", column.unit),
    ]


def _target(query: Query, ref: str, panel: Panel) -> prometheus.Dataquery | bigquery.Dataquery:
    if isinstance(query, Prometheus):
        made = prometheus.Dataquery().datasource(PROMETHEUS).expr(query.expr).legend_format(query.legend).ref_id(ref)
        heat = panel.kind is Kind.HEATMAP
        shape = prometheus_models.PromQueryFormat
        return made.range().format(shape.HEATMAP if heat else shape.TIME_SERIES)
    style = bigquery_models.QueryFormat.TIMESERIES if query.over_time else bigquery_models.QueryFormat.TABLE
    asked = bigquery.Dataquery().datasource(BIGQUERY).raw_query(True).raw_sql(_placed(query.sql)).format(style)
    return asked.editor_mode(bigquery_models.EditorMode.CODE).ref_id(ref)


def _placed(sql: str) -> str:
    """The SQL with its tables in the dataset that the reader names."""
    return with_sources(sql, lambda name: f"`{DATASET}.{name}`")

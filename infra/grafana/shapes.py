"""``options_of`` and ``custom_of``: what makes a panel of Grafana a picture of its kind."""

from typing import Final

from grafana_foundation_sdk.models import common, heatmap, stat, statetimeline, table, timeseries

from infra.grafana.board import Kind, Panel

PLUGINS: Final = {
    Kind.STAT: "stat",
    Kind.LINES: "timeseries",
    Kind.STACKED: "timeseries",
    Kind.BARS: "timeseries",
    Kind.HEATMAP: "heatmap",
    Kind.STATES: "state-timeline",
    Kind.TABLE: "table",
}
"""The panel of Grafana's for each kind."""
_BELOW: Final = common.VizLegendOptions(
    display_mode=common.LegendDisplayMode.LIST, placement=common.LegendPlacement.BOTTOM, show_legend=True, calcs=[]
)
_ALL_AT_ONCE: Final = common.VizTooltipOptions(mode=common.TooltipDisplayMode.MULTI, sort=common.SortOrder.DESCENDING)
_LATEST: Final = common.ReduceDataOptions(calcs=["lastNotNull"], fields="", values=False)


def options_of(panel: Panel) -> object:
    """Options of the panel as a whole."""
    match panel.kind:
        case Kind.STAT:
            return stat.Options(
                graph_mode=common.BigValueGraphMode.AREA,
                color_mode=common.BigValueColorMode.VALUE if panel.limits else common.BigValueColorMode.NONE,
                reduce_options=_LATEST,
                text_mode=common.BigValueTextMode.AUTO,
                orientation=common.VizOrientation.AUTO,
            )
        case Kind.HEATMAP:
            return heatmap.Options(
                calculate=False,
                color=heatmap.HeatmapColorOptions(
                    mode=heatmap.HeatmapColorMode.SCHEME,
                    scheme="Blues",
                    fill="dark-blue",
                    scale=heatmap.HeatmapColorScale.EXPONENTIAL,
                    exponent=0.5,
                    steps=64,
                ),
                y_axis=heatmap.YAxisConfig(unit=panel.unit),
                cell_values=heatmap.CellValues(unit="short"),
                filter_values=heatmap.FilterValueRange(le=1e-9),
                legend=heatmap.HeatmapLegend(show=True),
                tooltip=heatmap.HeatmapTooltip(show=True),
            )
        case Kind.STATES:
            return statetimeline.Options(
                show_value=common.VisibilityMode.AUTO, legend=_BELOW, tooltip=_ALL_AT_ONCE, row_height=0.8
            )
        case Kind.TABLE:
            return table.Options(show_header=True, cell_height=common.TableCellHeight.SM)
        case _:
            return timeseries.Options(legend=_BELOW, tooltip=_ALL_AT_ONCE)


def custom_of(panel: Panel) -> object | None:
    """Options of each of its series; ``None`` = as they are."""
    match panel.kind:
        case Kind.STATES:
            return statetimeline.FieldConfig(fill_opacity=80)
        case Kind.LINES | Kind.STACKED | Kind.BARS:
            bars = panel.kind is Kind.BARS
            stacked = panel.kind is not Kind.LINES
            return common.GraphFieldConfig(
                draw_style=common.GraphDrawStyle.BARS if bars else common.GraphDrawStyle.LINE,
                line_width=1,
                fill_opacity=70 if bars else 25 if stacked else 0,
                show_points=common.VisibilityMode.AUTO,
                stacking=common.StackingConfig(
                    mode=common.StackingMode.NORMAL if stacked else common.StackingMode.NONE, group="A"
                ),
                thresholds_style=common.GraphThresholdsStyleConfig(
                    mode=common.GraphTresholdsStyleMode.DASHED if panel.limits else common.GraphTresholdsStyleMode.OFF
                ),
                axis_soft_min=0,
            )
        case _:
            return None

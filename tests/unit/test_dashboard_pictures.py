"""Pictures of the dashboards: numbers as people read them, and every kind of panel drawn."""

from xml.etree import ElementTree as ET

import pytest

from earmark.errors import ConfigurationError
from infra.grafana.board import Board, Kind, Panel, Prometheus, Row, Warehouse
from infra.grafana.boards import BOARDS
from infra.grafana.drawing.answer import Answer, Series, series_of, series_of_rows
from infra.grafana.drawing.page import page
from infra.grafana.drawing.values import scale_of, shown

START, END = 1_800_000_000.0, 1_800_000_300.0
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0, "s", "0"), (0.0123, "s", "12.3 ms"), (59.94, "s", "59.9 s"), (5400, "s", "1.5 h"), (172_800, "s", "2 d"),
        (0.0512, "percentunit", "5.12 %"), (1, "percentunit", "100 %"), (0.000581, "currencyUSD", "$0.000581"),
        (1234.5, "short", "1.23 k"), (2.5e6, "short", "2.5 M"), (3 * 2**29, "bytes", "1.5 GiB"), (7, "none", "7"),
        (None, "s", "none"), (float("nan"), "s", "none"), ("listener", "s", "listener"),
        ("2026-03-01T22:30:00.000000Z", "dateTimeAsIso", "2026-03-01 22:30:00"),
    ],
)  # fmt: skip
def test_numbers_are_shown_with_their_unit(value: object, unit: str, words: str) -> None:
    """As Grafana would, about."""
    assert shown(value, unit) == words


def test_steps_of_an_axis_are_round_in_the_unit_they_are_shown_in() -> None:
    """Minutes and not hundreds of seconds."""
    assert [scale_of(top, "s") for top in (50.0, 130.0, 9000.0)] == [1.0, 60.0, 3600.0]
    assert scale_of(3.0 * 2**20, "bytes") == 2.0**20
    assert scale_of(1e9, "percentunit") == 1.0


def test_series_are_named_by_their_labels_and_have_numbers_only() -> None:
    """A moment without a number is a gap; a series without any is none."""
    metric = {"lane": "high", "fate": "queued"}
    result = [
        {"metric": metric, "values": [[START, "1"], [START + 1, "NaN"], [START + 2, "3"]]},
        {"metric": {"lane": "low"}, "values": [[START, "+Inf"]]},
    ]
    assert series_of("{{lane}} {{fate}}", result) == [Series("high queued", ((START, 1.0), (START + 2, 3.0)))]
    rows = [{"time": "2027-01-15T08:00:00Z", "arm": "primary", "share": 0.5}]
    assert series_of_rows(rows) == [Series("primary", ((1_800_000_000.0, 0.5),))]
    rows = [{"time": "2027-01-15T08:00:00Z", "own": 1, "other": None, "more": 2.0}]
    assert [series.name for series in series_of_rows(rows)] == ["more", "own"]


def some_answer(panel: Panel) -> Answer:
    """Two series, or a row of a table."""
    if panel.kind is Kind.TABLE:
        return Answer(rows=({"arm": "a & b", "done": 3, "share": None},))
    names = ("0.5", "+Inf") if panel.kind is Kind.HEATMAP else ("first", "<second>")
    moments = [START + 60 * n for n in range(6)]
    return Answer(tuple(Series(name, tuple((at, float(place)) for at in moments)) for place, name in enumerate(names)))


@pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])
def test_a_page_is_xml_with_every_panel_on_it(board: Board) -> None:
    """Whatever the names of series are; a panel without an answer says so."""
    root = ET.fromstring(page(board, some_answer, START, END, {"experiment": "x", "version": "1"}))  # noqa: S314  # ours
    told = [element.text or "" for element in root.iter(f"{SVG}text")]
    for panel in board.panels:
        assert any(text.rstrip("…") and panel.title.startswith(text.rstrip("…")) for text in told), panel.title
    assert "<second>" in told
    assert not [text for text in told if "${" in text]
    bare = page(board, lambda _: Answer(), START, END)
    assert bare.count("No data") + bare.count("No GPU") == len(list(board.panels))


def test_a_line_lies_where_its_values_are() -> None:
    """The higher value is drawn higher, and the later one further to the right."""
    panel = Panel("A line", "For a test.", Kind.LINES, (Prometheus("x"),), width=24)
    board = Board("one", "One", "One panel.", rows=(Row("Row", (panel,)),))
    answer = Answer((Series("x", ((START, 1.0), (END, 9.0))),))
    root = ET.fromstring(page(board, lambda _: answer, START, END))  # noqa: S314  # ours
    lines = [element.get("points", "").split() for element in root.iter(f"{SVG}polyline")]
    [[first, last]] = [points for points in lines if points[0].split(",")[1] != points[-1].split(",")[1]]
    assert float(first.split(",")[0]) < float(last.split(",")[0])
    assert float(first.split(",")[1]) > float(last.split(",")[1])


def test_a_panel_asks_one_kind_of_source() -> None:
    """Grafana takes a panel's source from the panel."""
    with pytest.raises(ConfigurationError, match="no questions of one kind"):
        Panel("Mixed", "For a test.", Kind.LINES, (Prometheus("x"), Warehouse("SELECT 1")))

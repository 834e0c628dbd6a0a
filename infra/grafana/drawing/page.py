"""``page``: a whole dashboard as one SVG file, laid out as Grafana lays it out."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from infra.grafana.board import COLUMNS, Board, Panel
from infra.grafana.building import grafana_json
from infra.grafana.drawing.answer import Answer
from infra.grafana.drawing.pictures import Frame, draw
from runtime.svg import Panel as Box
from runtime.svg import picture

WIDTH: Final = 1440.0
_UNIT: Final = 30.0
"""Pixels of a row of the grid."""
_GAP: Final = 4.0
_MARGIN: Final = 46.0


def page(
    board: Board,
    answer: Callable[[Panel], Answer],
    start: float,
    end: float,
    chosen: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The picture.

    Args:
        board: the dashboard.
        answer: what a panel's questions were answered.
        start: of the time on show, in seconds since 1970.
        end: of it.
        chosen: values of the board's variables, for headings that have them.
    """
    placed = json.loads(grafana_json(board))["panels"]
    panels = iter(board.panels)
    words = Box(0, 0, WIDTH, _MARGIN)
    words.text(_GAP + 6, 28, board.title, size=20, weight=600)
    boxes = [words]
    cell = WIDTH / COLUMNS
    bottom = 0.0
    for each in placed:
        place = each["gridPos"]
        left, upper = place["x"] * cell, _MARGIN + place["y"] * _UNIT
        bottom = max(bottom, upper + place["h"] * _UNIT)
        if each["type"] == "row":
            words.text(left + _GAP + 6, upper + 21, "▾ " + _told(each["title"], chosen), size=14, weight=600)
            continue
        panel = next(panels)
        inner = (left + _GAP, upper + _GAP, place["w"] * cell - 2 * _GAP, place["h"] * _UNIT - 2 * _GAP)
        boxes.append(draw(panel, answer(panel), Frame(*inner, start, end)))
    return picture(WIDTH, bottom + _GAP, board.title, board.tells, boxes)


def _told(words: str, chosen: Mapping[str, str]) -> str:
    for name, value in chosen.items():
        words = words.replace(f"${{{name}}}", value)
    return words

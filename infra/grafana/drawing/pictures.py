"""``draw``: the picture of one panel."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from infra.grafana.board import Colour, Kind, Panel
from infra.grafana.drawing.answer import Answer, Point, Series
from infra.grafana.drawing.values import scale_of, shown
from runtime.ab.interval_chart import ticks
from runtime.svg import GRID, INK, QUIET
from runtime.svg import Panel as Box

PALETTE: Final = ("#2a78d6", "#1baa5b", "#d68a1e", "#8055c9", "#d6404a", "#13a5b5", "#9a6a3c", "#c24f9b", "#5f6c7b")
COLOURS: Final = {Colour.FINE: "#1a7f4b", Colour.WATCH: "#c77700", Colour.BAD: "#c4252f"}
_HEAD, _FOOT, _SIDE, _LEGEND = 34.0, 20.0, 56.0, 15.0
_TEXT: Final = 6.2
"""Pixels of a letter, about."""
_COLUMNS: Final = 36
"""Cells of a heatmap from left to right."""
_STEPS: Final = 3
"""Lines of the grid."""


class Frame:
    """Where a panel is drawn: a box of pixels, and the time on show."""

    def __init__(self, left: float, upper: float, width: float, height: float, start: float, end: float) -> None:
        """Take the box and the time, in seconds since 1970."""
        self.left, self.upper, self.width, self.height, self.start, self.end = left, upper, width, height, start, end
        self.paper = Box(left, upper, width, height)

    def text(self, x: float, y: float, words: str, **how: object) -> None:
        """Words at a place within the box."""
        self.paper.text(self.left + x, self.upper + y, words, **how)  # type: ignore[arg-type]

    def rectangle(self, x: float, y: float, width: float, height: float, colour: str, *, opacity: float = 1.0) -> None:
        """A filled one, within the box."""
        self.paper.parts.append(
            f'<rect x="{self.left + x:.1f}" y="{self.upper + y:.1f}" width="{max(width, 0.5):.1f}"'
            f' height="{max(height, 0.5):.1f}" fill="{colour}" fill-opacity="{opacity:.2f}"/>'
        )

    def share(self, at: float) -> float:
        """Where a moment lies in the time on show, from 0 to 1."""
        return (at - self.start) / (self.end - self.start)


def draw(panel: Panel, answer: Answer, frame: Frame) -> Box:
    """The picture of a panel in its box, heading and legend included."""
    frame.paper.parts.append(
        f'<rect x="{frame.left:.1f}" y="{frame.upper:.1f}" width="{frame.width:.1f}" height="{frame.height:.1f}"'
        f' fill="none" stroke="{GRID}" rx="3"/>'
    )
    frame.text(10, 20, _cut(panel.title, frame.width - 20), size=13, weight=600)
    if not answer.series and not answer.rows:
        frame.text(frame.width / 2, frame.height / 2 + 5, panel.empty or "No data", anchor="middle", colour=QUIET)
        return frame.paper
    match panel.kind:
        case Kind.STAT:
            _stat(panel, answer.series, frame)
        case Kind.TABLE:
            _table(panel, answer, frame)
        case Kind.HEATMAP:
            _heatmap(panel, answer.series, frame)
        case Kind.STATES:
            _states(panel, answer.series, frame)
        case Kind.BARS:
            _bars(panel, answer.series, frame)
        case _:
            _lines(panel, answer.series, frame)
    return frame.paper


def _stat(panel: Panel, series: Sequence[Series], frame: Frame) -> None:
    width = (frame.width - 20) / len(series)
    for place, each in enumerate(series):
        middle = 10 + width * (place + 0.5)
        value = each.points[-1][1]
        words = shown(value, panel.unit)
        size = int(min(34, 1.3 * width / max(len(words), 3)))
        colour = _colour_of(panel, value) or INK
        frame.text(middle, frame.height * 0.62, words, anchor="middle", size=size, weight=600, colour=colour)
        if len(series) > 1:
            frame.text(middle, frame.height - 12, _cut(each.name, width), anchor="middle", colour=QUIET)


def _lines(panel: Panel, series: Sequence[Series], frame: Frame) -> None:
    stacked = panel.kind is Kind.STACKED
    top = _stack(series) if stacked else max(value for each in series for _, value in each.points)
    limits = [limit for limit in panel.limits if limit.value <= 2 * top or panel.unit == "percentunit"]
    moments = [] if panel.of_prometheus else sorted({at for each in series for at, _ in each.points})
    axis = _axes(panel, max([top, *(limit.value for limit in limits)]), series, frame, [_moment(at) for at in moments])

    def place_of(at: float) -> float:
        return (moments.index(at) + 0.5) / len(moments) if moments else frame.share(at)

    def placed(points: Sequence[Point]) -> list[Point]:
        return [(place_of(at), value) for at, value in points]

    below: dict[float, float] = {}
    for place, each in enumerate(series):
        colour = PALETTE[place % len(PALETTE)]
        if stacked:
            base = [(at, below.get(at, 0.0)) for at, _ in each.points]
            for at, value in each.points:
                below[at] = below.get(at, 0.0) + value
            upper = [(at, below[at]) for at, _ in each.points]
            axis.band(placed(base), placed(upper), colour)
            axis.line(placed(upper), colour, 1.2)
        else:
            axis.line(placed(each.points), colour, 1.4)
        if len(each.points) == 1:
            axis.dot(placed(each.points)[0], 4 + 2 * (len(series) - place), colour, hollow=True)
    for limit in limits:
        axis.line([(0, limit.value), (1, limit.value)], COLOURS[limit.colour], 1.2, dash="5 4")
    frame.paper.parts += axis.parts


def _bars(panel: Panel, series: Sequence[Series], frame: Frame) -> None:
    moments = sorted({at for each in series for at, _ in each.points})
    axis = _axes(panel, _stack(series), series, frame, [_moment(at) for at in moments])
    wide = min(0.5 / len(moments), 0.12)
    below: dict[float, float] = {}
    for place, each in enumerate(series):
        for at, value in each.points:
            middle = (moments.index(at) + 0.5) / len(moments)
            low, below[at] = below.get(at, 0.0), below.get(at, 0.0) + value
            x, y = axis.x(middle - wide / 2) - frame.left, axis.y(below[at]) - frame.upper
            frame.rectangle(
                x, y, wide * axis.width, axis.y(low) - axis.y(below[at]), PALETTE[place % len(PALETTE)], opacity=0.8
            )
    frame.paper.parts += axis.parts


def _heatmap(panel: Panel, series: Sequence[Series], frame: Frame) -> None:
    """Buckets from below to above, each cell as dark as it is full; Prometheus' buckets hold those below them too."""
    rows = sorted(series, key=lambda each: float(each.name))
    counts: dict[tuple[int, int], float] = {}
    before: dict[float, float] = {}
    for place, each in enumerate(rows):
        for at, value in each.points:
            column = min(int(frame.share(at) * _COLUMNS), _COLUMNS - 1)
            counts[column, place] = max(counts.get((column, place), 0.0), value - before.get(at, 0.0))
        before = dict(each.points)
    most = max(counts.values(), default=0.0) or 1.0
    left, width, height = _SIDE, frame.width - _SIDE - 12, frame.height - _HEAD - _FOOT
    for (column, place), value in counts.items():
        if value > most * 1e-3:
            y = _HEAD + height * (1 - (place + 1) / len(rows))
            wide, tall = width / _COLUMNS, height / len(rows)
            frame.rectangle(
                left + wide * column, y, wide, tall, PALETTE[0], opacity=0.12 + 0.88 * (value / most) ** 0.5
            )
    for place, each in enumerate(rows):
        if place % max(1, len(rows) // 6) == 0 or each is rows[-1]:
            words = "∞" if each.name == "+Inf" else shown(float(each.name), panel.unit)
            y = _HEAD + height * (1 - (place + 0.5) / len(rows)) + 4
            frame.text(left - 6, y, words, anchor="end", size=10, colour=QUIET)
    _clock(frame, left, width)


def _states(panel: Panel, series: Sequence[Series], frame: Frame) -> None:
    left = min(_TEXT * max(len(each.name) for each in series) + 20, frame.width / 2)
    width, tall = frame.width - left - 12, (frame.height - _HEAD - _FOOT) / len(series)
    for place, each in enumerate(series):
        y = _HEAD + tall * place
        frame.text(left - 8, y + tall / 2 + 4, _cut(each.name, left - 16), anchor="end", colour=QUIET)
        known = {float(value): (words, colour) for value, words, colour in panel.words}
        changes = [at for at, _ in _changes(each.points)] + [frame.end]
        for (at, value), ends_at in zip(_changes(each.points), changes[1:], strict=True):
            words, colour = known.get(value, (shown(value, "none"), Colour.WATCH))
            x, wide = left + width * frame.share(at), width * (ends_at - at) / (frame.end - frame.start)
            frame.rectangle(x, y + tall * 0.1, wide, tall * 0.8, COLOURS[colour], opacity=0.75)
            frame.text(x + 8, y + tall / 2 + 4, _cut(words, wide), colour="#ffffff", weight=600)
    _clock(frame, left, width)


def _changes(points: Sequence[Point]) -> list[Point]:
    """The first moment of each value."""
    return [
        point for before, point in zip([None, *points], points, strict=False) if not before or before[1] != point[1]
    ]


def _table(panel: Panel, answer: Answer, frame: Frame) -> None:
    titles = {column.name: (column.title, column.unit) for column in panel.columns}
    names = list(answer.rows[0])
    cells = [[titles.get(name, (name, "none"))[0] for name in names]]
    cells += [[shown(row[name], titles.get(name, (name, "none"))[1]) for name in names] for row in answer.rows]
    room = int((frame.height - _HEAD) // 18)
    longest = [max(len(line[place]) for line in cells[:room]) + 2 for place in range(len(names))]
    scale = min(_TEXT, (frame.width - 20) / sum(longest))
    for line, texts in enumerate(cells[:room]):
        x = 10.0
        for words, letters in zip(texts, longest, strict=True):
            y = _HEAD + 18 * line + 8
            size = 11 if scale >= _TEXT else 9
            frame.text(x, y, _cut(words, letters * scale * 1.15), size=size, colour=INK if line else QUIET)
            x += letters * scale


def _axes(panel: Panel, top: float, series: Sequence[Series], frame: Frame, below: Sequence[str] = ()) -> Box:
    """Grid, numbers, time and legend; returns the box of the data, from 0 to 1 across."""
    scale = scale_of(top, panel.unit)
    top = panel.most or (1.0 if panel.unit == "percentunit" and 1 / 1.05 < top <= 1 else top * 1.05 or 1.0)
    steps = [step * scale for step in ticks(0.0, top / scale, _STEPS)]
    rows = _legend(series, frame)
    box = Box(
        frame.left + _SIDE,
        frame.upper + _HEAD,
        frame.width - _SIDE - 12,
        frame.height - _HEAD - _FOOT - rows * _LEGEND,
        top=steps[-1],
    )
    for step in steps:
        box.line([(0, step), (1, step)], GRID, 1)
        box.text(box.left - 6, box.y(step) + 4, shown(step, panel.unit), anchor="end", size=10, colour=QUIET)
    if not below:
        _clock(frame, _SIDE, box.width, rows)
    else:
        for place, words in enumerate(below):
            x = box.left + box.width * (place + 0.5) / len(below)
            box.text(x, box.upper + box.height + 14, words, anchor="middle", size=10, colour=QUIET)
    return box


def _legend(series: Sequence[Series], frame: Frame) -> int:
    """Names below the picture, in at most two rows; returns how many."""
    x, row, places = 10.0, 0, []
    for place, each in enumerate(series):
        wide = 22 + _TEXT * len(each.name)
        if x + wide > frame.width - 10 and x > 10:  # noqa: PLR2004  # the margin
            x, row = 10.0, row + 1
        if row == 2:  # noqa: PLR2004  # rows at most
            break
        places.append((x, row, place, each.name))
        x += wide
    rows = places[-1][1] + 1
    for left, line, place, name in places:
        y = frame.height - 8 - _LEGEND * (rows - 1 - line)
        frame.rectangle(left, y - 4, 10, 3, PALETTE[place % len(PALETTE)])
        frame.text(left + 14, y, name, size=10, colour=QUIET)
    return rows


def _clock(frame: Frame, left: float, width: float, rows: int = 0) -> None:
    y = frame.height - 6 - rows * _LEGEND
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        at = datetime.fromtimestamp(frame.start + share * (frame.end - frame.start), UTC)
        frame.text(left + width * share, y, at.strftime("%H:%M:%S"), anchor=anchor, size=10, colour=QUIET)


def _moment(at: float) -> str:
    told = datetime.fromtimestamp(at, UTC)
    return told.strftime("%H:%M") if told.hour or told.minute else told.strftime("%d %b")


def _stack(series: Sequence[Series]) -> float:
    """The height of all on top of each other."""
    sums: dict[float, float] = {}
    for each in series:
        for at, value in each.points:
            sums[at] = sums.get(at, 0.0) + value
    return max(sums.values())


def _colour_of(panel: Panel, value: float) -> str | None:
    """Of the highest limit that a value has reached; green below all of them."""
    if not panel.limits:
        return None
    reached = [limit.colour for limit in panel.limits if value >= limit.value]
    return COLOURS[reached[-1] if reached else Colour.FINE]


def _cut(words: str, width: float) -> str:
    letters = max(int(width / _TEXT), 3)
    return words if len(words) <= letters else words[: letters - 1] + "…"

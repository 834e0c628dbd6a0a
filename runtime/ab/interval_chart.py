"""Charts of intervals as inline SVG: over time, and of several metrics beside each other.

Colours come from classes that the page around them defines, so that one picture serves light and dark.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final, NamedTuple

from earmark.named_file import printable

WIDTH, HEIGHT = 460.0, 236.0
LEFT, RIGHT, UPPER, LOWER = 64.0, 18.0, 42.0, 36.0
"""Pixels around the frame of a chart over time."""
TICKS: Final = 5
SETTLED: Final = 0.25
"""The part of the looks, the first ones, whose wide intervals may leave the frame."""
MARGIN: Final = 0.08
ROW: Final = 30.0
NAMES, VERDICTS = 270.0, 80.0
"""Pixels left and right of the chart of several metrics."""
REACH_LEAST, REACH_MOST = 0.05, 1.0
"""How far that chart reaches to both sides, as shares of the control's value."""
DAY_H: Final = 24.0
DAYS_FROM_H: Final = 72.0


Place = Callable[[float], float]
"""Pixels from the left of a value."""


class TimedInterval(NamedTuple):
    """A difference as it was seen at one moment."""

    hours: float
    """Since the start."""
    difference: float | None
    low: float | None
    high: float | None
    tip: str = ""
    """What is told of it under the pointer."""


@dataclass(frozen=True, slots=True)
class MetricInterval:
    """A relative difference, turned so that above zero is worse."""

    name: str
    difference: float | None
    low: float | None
    high: float | None
    verdict: str
    """``better``, ``worse`` or other words."""
    margin: float | None = None
    """The guardrail's; None = it has none."""
    tip: str = ""


@dataclass(slots=True)
class _Drawing:
    parts: list[str] = field(default_factory=list)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self.parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def path(self, points: Sequence[tuple[float, float]], kind: str, *, clip: str = "", closed: bool = False) -> None:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        shape = "polygon" if closed else "polyline"
        within = f' clip-path="url(#{clip})"' if clip else ""
        self.parts.append(f'<{shape} class="{kind}" points="{places}"{within}/>')

    def dot(self, x: float, y: float, kind: str, tip: str, radius: float = 3.5) -> None:
        told = f"<title>{_shown(tip)}</title>" if tip else ""
        self.parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}">{told}</circle>')

    def text(self, x: float, y: float, words: str, kind: str, anchor: str = "start") -> None:
        self.parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_shown(words)}</text>')

    def svg(self, ident: str, width: float, height: float, title: str, description: str) -> str:
        body = "\n".join(self.parts)
        return (
            f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="{ident}-t {ident}-d">\n'
            f'<title id="{ident}-t">{_shown(title)}</title>\n<desc id="{ident}-d">{_shown(description)}</desc>\n'
            f"{body}\n</svg>\n"
        )


def interval_chart(
    ident: str,
    title: str,
    looks: Sequence[TimedInterval],
    *,
    unit: str,
    scale: float = 1.0,
    worse_above: bool,
) -> str:
    """How a difference and its interval moved as jobs came in; empty when no look has an interval.

    Args:
        ident: of the picture, for the page; letters, digits and dashes.
        title: what is shown.
        looks: in the order of time.
        unit: of the difference.
        scale: from the values of the looks to this unit.
        worse_above: whether a higher value is worse.
    """
    known = [look for look in looks if look.difference is not None and look.low is not None and look.high is not None]
    if not known:
        return ""
    steps = ticks(*_range(known, scale), TICKS)
    bottom, top = steps[0], steps[-1]
    first, last = min(0.0, known[0].hours), max(known[-1].hours, known[0].hours + 1)
    drawing = _Drawing()
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - UPPER - LOWER

    def x(hours: float) -> float:
        return LEFT + width * (hours - first) / (last - first)

    def y(value: float | None) -> float:
        # Far outside is as good as outside: it is clipped there.
        return UPPER + height * (1 - (min(max((value or 0.0) * scale, 9 * bottom), 9 * top) - bottom) / (top - bottom))

    drawing.text(LEFT, 14, title, "head")
    clip = f"{ident}-c"
    drawing.parts.append(
        f'<clipPath id="{clip}"><rect x="{LEFT:g}" y="{UPPER:g}" width="{width:g}" height="{height:g}"/></clipPath>'
    )
    for step in steps:
        drawing.line(LEFT, y(step / scale), LEFT + width, y(step / scale), "zero" if step == 0 else "grid")
        drawing.text(LEFT - 6, y(step / scale) + 3.5, tick_words(step, steps), "tick", "end")
    drawing.text(6, UPPER - 10, unit, "tick")
    lower = [(x(each.hours), y(each.low)) for each in known]
    higher = [(x(each.hours), y(each.high)) for each in known]
    drawing.path([*lower, *reversed(higher)], "band", clip=clip, closed=True)
    drawing.path([(x(each.hours), y(each.difference)) for each in known], "course", clip=clip)
    if len(known) == 1:
        drawing.parts.append(f'<g clip-path="url(#{clip})">')
        drawing.line(x(known[0].hours), y(known[0].low), x(known[0].hours), y(known[0].high), "whisker")
        drawing.parts.append("</g>")
    for each in known:
        if bottom <= (each.difference or 0.0) * scale <= top:
            drawing.dot(x(each.hours), y(each.difference), "mark", each.tip, 3.5 if each is known[-1] else 2.0)
    for words, place in (("worse", worse_above), ("better", not worse_above)):
        drawing.text(LEFT + width - 4, UPPER + 12 if place else UPPER + height - 5, words, "side", "end")
    _time_axis(drawing, x, first, last)
    return drawing.svg(ident, WIDTH, HEIGHT, title, known[-1].tip or title)


def metric_chart(ident: str, title: str, rows: Sequence[MetricInterval]) -> str:
    """Relative differences of several metrics with their intervals, better to the left and worse to the right."""
    known = [row for row in rows if row.difference is not None]
    if not known:
        return ""
    width, height = 2 * WIDTH - NAMES - VERDICTS, ROW * len(rows)
    upper = 30.0
    ends = [abs(end) for row in known for end in (row.low, row.high, row.difference) if end is not None]
    reach = min(max(max(ends, default=REACH_LEAST), REACH_LEAST) * (1 + MARGIN), REACH_MOST)
    drawing = _Drawing()

    def x(share: float) -> float:
        return NAMES + width * (0.5 + 0.5 * min(max(share / reach, -1.0), 1.0))

    for step in ticks(-reach, reach, TICKS, outside=False):
        drawing.line(x(step), upper, x(step), upper + height, "zero" if step == 0 else "grid")
        side = "the same" if step == 0 else f"{100 * abs(step):.3g} % {'worse' if step > 0 else 'better'}"
        drawing.text(x(step), upper - 10, side, "tick", "middle")
    for place, row in enumerate(rows):
        y = upper + ROW * (place + 0.5)
        drawing.text(NAMES - 12, y + 4, row.name, "label", "end")
        _metric_row(drawing, row, x, y, reach)
        drawing.text(NAMES + width + 12, y + 4, row.verdict, f"label {_kind(row.verdict)}")
    described = "; ".join(row.tip or row.name for row in rows)
    return drawing.svg(ident, 2 * WIDTH, upper + height + 8, title, described)


def _metric_row(drawing: _Drawing, row: MetricInterval, x: Place, y: float, reach: float) -> None:
    kind = _kind(row.verdict)
    if row.margin is not None and row.margin <= reach:
        drawing.line(x(row.margin), y - 9, x(row.margin), y + 9, "margin")
    if row.difference is None:
        drawing.text(x(0.0), y + 4, "no data", "tick", "middle")
        return
    low = -math.inf if row.low is None else row.low
    high = math.inf if row.high is None else row.high
    drawing.line(x(low), y, x(high), y, f"whisker {kind}")
    for end, side in ((low, -1), (high, 1)):
        at = x(end)
        if abs(end) > reach:
            drawing.path([(at - side * 7, y - 5), (at, y), (at - side * 7, y + 5)], f"arrow {kind}")
        else:
            drawing.line(at, y - 5, at, y + 5, f"whisker {kind}")
    if abs(row.difference) <= reach:
        drawing.dot(x(row.difference), y, f"point {kind}", row.tip, 5)


def _kind(verdict: str) -> str:
    return verdict if verdict in {"better", "worse"} else "open"


def _range(known: Sequence[TimedInterval], scale: float) -> tuple[float, float]:
    """From where to where the settled intervals reach, zero included."""
    settled = known[int(len(known) * SETTLED) :]
    ends = [end * scale for look in settled for end in (look.low, look.high) if end is not None]
    low, high = min(0.0, *ends), max(0.0, *ends)
    pad = MARGIN * (high - low) or 1.0
    return low - pad, high + pad


def ticks(low: float, high: float, about: int, *, outside: bool = True) -> list[float]:
    """Round numbers over a range, some ``about`` of them; with ``outside`` the first and last enclose it."""
    rough = (high - low) / about
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1, 2, 5, 10) if size * times >= rough * (1 - 1e-9))
    first = math.floor(low / step) if outside else math.ceil(low / step)
    last = math.ceil(high / step) if outside else math.floor(high / step)
    return [place * step for place in range(first, last + 1)]


def tick_words(value: float, steps: Sequence[float]) -> str:
    """A number of an axis, with as many decimals as tell it from its neighbours."""
    step = steps[1] - steps[0] if len(steps) > 1 else 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return "0" if value == 0 else f"{value:+,.{decimals}f}"


def _time_axis(drawing: _Drawing, x: Place, first: float, last: float) -> None:
    in_days = last - first >= DAYS_FROM_H
    size = DAY_H if in_days else 1.0
    y = HEIGHT - LOWER
    for step in ticks(first / size, last / size, TICKS + 1, outside=False):
        drawing.line(x(step * size), y, x(step * size), y + 4, "grid")
        drawing.text(x(step * size), y + 16, f"{step:g}", "tick", "middle")
    drawing.text(WIDTH - RIGHT, HEIGHT - 5, f"{'days' if in_days else 'hours'} since the start", "tick", "end")


def _shown(words: str) -> str:
    return escape(printable(words))

"""A small vocabulary for charts in SVG: a panel with axes, and what is drawn in it.  Text is escaped."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from earmark.named_file import printable

FONT: Final = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
INK, QUIET, GRID, PAPER = "#1f2933", "#5f6c7b", "#dfe4ea", "#ffffff"
AFTER, BEFORE, CHOSEN = "#0b5cad", "#c2560c", "#1a7f4b"
"""What is fitted, what was said before, and what was picked; told apart by shape too, not by colour alone."""

Point = tuple[float, float]


@dataclass(slots=True)
class Panel:
    """One chart: data from 0 to 1 across and from 0 to ``top`` up, in a box of pixels."""

    left: float
    upper: float
    width: float
    height: float
    top: float = 1.0
    parts: list[str] = field(default_factory=list)

    def x(self, value: float) -> float:
        """Pixels from the left of the picture."""
        return round(self.left + value * self.width, 1)

    def y(self, value: float) -> float:
        """Pixels from the top of the picture; values above the panel stay at its edge."""
        return round(self.upper + self.height * (1 - min(value, self.top) / self.top), 1)

    def axes(self, title: str, across: str, up: str, *, steps: int = 5) -> None:
        """Title, grid, numbers and names of the axes."""
        for step in range(steps + 1):
            share = step / steps
            x, y = self.x(share), self.y(share * self.top)
            self.line([(share, 0), (share, self.top)], GRID, 1)
            self.line([(0, share * self.top), (1, share * self.top)], GRID, 1)
            self.text(x, self.upper + self.height + 14, percent(share), anchor="middle", size=10, colour=QUIET)
            self.text(self.left - 6, y + 3.5, percent(share * self.top), anchor="end", size=10, colour=QUIET)
        self.text(self.left, self.upper - 10, title, size=13, weight=600)
        self.text(
            self.left + self.width / 2,
            self.upper + self.height + 30,
            across,
            anchor="middle",
            size=11,
            colour=QUIET,
        )
        middle = self.upper + self.height / 2
        turn = f' transform="rotate(-90 {self.left - 40:.1f} {middle:.1f})"'
        self.text(self.left - 40, middle, up, anchor="middle", size=11, colour=QUIET, more=turn)

    def line(self, points: Sequence[Point], colour: str, width: float, *, dash: str = "") -> None:
        """A line through points."""
        path = " ".join(f"{self.x(x)},{self.y(y)}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"'
            f' stroke-linejoin="round"{dashed}/>'
        )

    def band(self, lower: Sequence[Point], upper: Sequence[Point], colour: str) -> None:
        """The area between two lines."""
        path = " ".join(f"{self.x(x)},{self.y(y)}" for x, y in [*lower, *reversed(upper)])
        self.parts.append(f'<polygon points="{path}" fill="{colour}" fill-opacity="0.15"/>')

    def dot(self, at: Point, radius: float, colour: str, *, hollow: bool = False, tip: str = "") -> None:
        """A round mark, with a text that shows under the pointer."""
        fill = PAPER if hollow else colour
        told = f"<title>{_shown(tip)}</title>" if tip else ""
        self.parts.append(
            f'<circle cx="{self.x(at[0])}" cy="{self.y(at[1])}" r="{radius:.1f}" fill="{fill}" stroke="{colour}"'
            f' stroke-width="1.5">{told}</circle>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "start",
        size: int = 11,
        colour: str = INK,
        weight: int = 400,
        more: str = "",
    ) -> None:
        """Words at a place in pixels."""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
            f' fill="{colour}"{more}>{_shown(words)}</text>'
        )


def picture(width: float, height: float, title: str, description: str, panels: Sequence[Panel]) -> str:
    """A whole SVG file on white paper."""
    body = "\n".join(part for panel in panels for part in panel.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
        f' height="{height:g}" role="img" aria-labelledby="title description" font-family="{escape(FONT)}">\n'
        f'<title id="title">{_shown(title)}</title>\n<desc id="description">{_shown(description)}</desc>\n'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>\n{body}\n</svg>\n'
    )


def _shown(words: str) -> str:
    """Words as XML takes them: it has no control characters, not even escaped."""
    return escape(printable(words))


def percent(share: float) -> str:
    """A share as people read it: ``12.5 %``."""
    return f"{100 * share:.3g} %"

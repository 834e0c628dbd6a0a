"""The picture of what a threshold costs and buys: answers sent on, and wrong answers among those kept."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.calibration.reliability_chart import axis_top
from runtime.svg import AFTER, CHOSEN, INK, QUIET, Panel, percent, picture
from workers.risk_coverage import KEPT_LEAST, RiskPoint

WIDTH, HEIGHT = 640.0, 430.0


def cost_quality_chart(
    curve: Sequence[RiskPoint], chosen: RiskPoint | None, name: str, usd_per_answer: float | None = None
) -> str:
    """An SVG with one curve, its 95 % band and the threshold that was chosen.

    Args:
        curve: in rising order.
        chosen: one of its points, if one was.
        name: whose curve it is.
        usd_per_answer: what asking the fallback once costs, if known.
    """
    shown = [point for point in curve if point.kept >= KEPT_LEAST] or list(curve[:1])
    panel = Panel(80, 70, WIDTH - 110, HEIGHT - 140, top=axis_top([point.risk.high for point in shown]))
    panel.axes("", "answers sent to the fallback", "wrong among the kept")
    title = f"What a threshold costs and buys: {name}"
    panel.text(20, 30, title, size=16, weight=600)
    price = f"; asking once costs ${usd_per_answer:g}" if usd_per_answer else ""
    panel.text(20, 50, f"{curve[0].kept} held-out answers, the band holds 95 %{price}", size=11, colour=QUIET)
    sent = [1 - point.coverage.value for point in shown]
    panel.band(
        [(x, point.risk.low) for x, point in zip(sent, shown, strict=True)],
        [(x, point.risk.high) for x, point in zip(sent, shown, strict=True)],
        AFTER,
    )
    panel.line([(x, point.risk.value) for x, point in zip(sent, shown, strict=True)], AFTER, 2)
    for x, point in zip(sent, shown, strict=True):
        tip = f"threshold {point.threshold:.2f}: {percent(x)} sent, {point.risk} wrong among the kept"
        panel.dot((x, point.risk.value), 2, AFTER, tip=tip)
    if chosen is not None:
        at = (1 - chosen.coverage.value, chosen.risk.value)
        panel.line([(at[0], 0), at], CHOSEN, 1, dash="3 3")
        panel.dot(at, 6, CHOSEN, tip="chosen")
        right = at[0] < 0.6  # noqa: PLR2004  # words go where there is room
        words = f"threshold {chosen.threshold:.2f}: {percent(at[0])} sent, {percent(at[1])} wrong"
        x = panel.x(at[0]) + (10 if right else -10)
        panel.text(
            x,
            panel.y(chosen.risk.high) - 12,
            words,
            anchor="start" if right else "end",
            size=12,
            colour=INK,
            weight=600,
        )
    return picture(WIDTH, HEIGHT, title, f"{len(shown)} thresholds", [panel])

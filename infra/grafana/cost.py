"""Cost: what is spent now and against the cap, on whom, and why the fallback is asked."""

from typing import Final

from infra.grafana.board import Board, Column, Kind, Panel, Prometheus, Row, Warehouse
from infra.grafana.limits import ALERTS, worse_from
from infra.grafana.promql import LANE, LATELY, a_minute, highest, rate, share
from router.fate import Fate
from runtime.metrics import of_controller as controller
from runtime.metrics import of_router as router
from runtime.metrics import of_workers as worker

_CAP_WATCH: Final = ALERTS["EarmarkSpendHigh"]
_SHARE_OF_CAP: Final = share(highest(controller.SPENT), highest(controller.SPEND_CAP))
_KNOWN: Final = f'{LANE}, fate="{Fate.KNOWN}"'
_HOUR: Final = "3600 * "
_WHOLE: Final = "SUM(cost_usd) AS usd, SUM(COALESCE(fallback_usd, 0.0)) AS fallback_usd"
_NAMES: Final = {
    "tenant": "Customer",
    "tier": "Tier",
    "model": "Model",
    "arm": "Arm",
    "lane": "Lane",
    "origin": "Origin",
    "status": "Status",
    "error_kind": "Error",
}
_MONEY: Final = (
    Column("jobs", "Jobs", "short"),
    Column("audio_h", "Hours of audio", "short"),
    Column("usd", "Dollars", "currencyUSD"),
    Column("fallback_usd", "of it the fallback", "currencyUSD"),
    Column("usd_per_analysis", "An analysis", "currencyUSD"),
    Column("usd_per_audio_h", "An hour of audio", "currencyUSD"),
)


def _by(*columns: str) -> Warehouse:
    """Jobs, hours and dollars by columns of ``jobs``, the dearest first."""
    names = ", ".join(columns)
    return Warehouse(
        f"SELECT {names}, COUNT(*) AS jobs, SUM(audio_s) / 3600 AS audio_h,\n  {_WHOLE},\n"
        "  SAFE_DIVIDE(SUM(cost_usd), COUNTIF(status = 'done')) AS usd_per_analysis,\n"
        "  3600 * SAFE_DIVIDE(SUM(cost_usd), SUM(audio_s)) AS usd_per_audio_h\n"
        f"FROM jobs\nWHERE $__timeFilter(`at`)\nGROUP BY {names}\nORDER BY usd DESC, {names}\nLIMIT 20"
    )


def _dollars(by: str, where: str = LANE) -> Panel:
    return Panel(
        f"Dollars an hour, by {by}",
        "At the pace of the moment; the primary has a price where `model_usd_per_hour` is set.",
        Kind.STACKED,
        (Prometheus(_HOUR + rate(worker.COST, by, where), "{{" + by + "}}"),),
        unit="currencyUSD",
    )


def _columns(*own: str) -> tuple[Column, ...]:
    return (*(Column(name, _NAMES[name]) for name in own), *_MONEY)


_NOW: Final = Row(
    "Now",
    (
        Panel(
            "Fallback today, of its cap",
            "What the fallback was given since midnight (UTC), set aside or spent, as a share of `fallback_daily_usd`. "
            " At the cap answers stay as the primary gave them, marked for review.",
            Kind.STAT,
            (Prometheus(_SHARE_OF_CAP, "of the cap"),),
            unit="percentunit",
            width=6,
            height=5,
            limits=worse_from(1, watch=_CAP_WATCH),
            runbook="EarmarkSpendHigh",
        ),
        Panel(
            "Dollars an hour",
            "At the pace of the last 5 minutes.",
            Kind.STAT,
            (Prometheus(_HOUR + rate(worker.COST, where=LANE, over=LATELY), "all"),),
            unit="currencyUSD",
            width=6,
            height=5,
        ),
        Panel(
            "An analysis",
            "Dollars, mean of the last 5 minutes.",
            Kind.STAT,
            (
                Prometheus(
                    share(
                        rate(worker.COST, "lane", LANE, over=LATELY), rate(worker.ANSWERED, "lane", LANE, over=LATELY)
                    ),
                    "{{lane}}",
                ),
            ),
            unit="currencyUSD",
            width=6,
            height=5,
        ),
        Panel(
            "An hour of audio",
            "Dollars, mean of the last 5 minutes.",
            Kind.STAT,
            (
                Prometheus(
                    _HOUR
                    + share(
                        rate(worker.COST, "lane", LANE, over=LATELY), rate(worker.AUDIO, "lane", LANE, over=LATELY)
                    ),
                    "{{lane}}",
                ),
            ),
            unit="currencyUSD",
            width=6,
            height=5,
        ),
    ),
)
_PACE: Final = Row(
    "How it is spent",
    (
        *(_dollars(by) for by in ("model", "lane", "arm")),
        Panel(
            "Fallback today",
            "Dollars since midnight (UTC), set aside or spent, and the cap.",
            Kind.LINES,
            (
                Prometheus(highest(controller.SPENT), "given"),
                Prometheus(highest(controller.SPEND_CAP), "cap"),
            ),
            unit="currencyUSD",
            runbook="EarmarkSpendHigh",
        ),
        Panel(
            "Why the fallback was asked",
            "Analyses a minute, once for each reason.",
            Kind.STACKED,
            (Prometheus(a_minute(worker.FALLBACKS, "reason", LANE), "{{reason}}"),),
            unit="short",
        ),
        Panel(
            "Why it gave no answer",
            "Analyses a minute, once for each reason; `daily_cap` = the money of the day is spent.",
            Kind.STACKED,
            (Prometheus(a_minute(worker.REFUSALS, "reason", LANE), "{{reason}}"),),
            unit="short",
            runbook="EarmarkSpendCapReached",
        ),
        Panel(
            "Answered before",
            "Share of uploads that were known, so that they cost nothing.",
            Kind.LINES,
            (Prometheus(share(rate(router.ROUTED, where=_KNOWN), rate(router.ROUTED, where=LANE)), "known"),),
            unit="percentunit",
            width=12,
        ),
        Panel(
            "Hours of audio an hour",
            "What the money buys, by lane.",
            Kind.STACKED,
            (Prometheus(rate(worker.AUDIO, "lane", LANE), "{{lane}}"),),
            unit="short",
            width=12,
        ),
    ),
)
_WHOM: Final = Row(
    "From the warehouse",
    (
        Panel(
            "Dollars a day",
            "The primary's part and the fallback's.",
            Kind.BARS,
            (
                Warehouse(
                    "SELECT TIMESTAMP_TRUNC(`at`, DAY) AS time,\n"
                    "  SUM(cost_usd - COALESCE(fallback_usd, 0.0)) AS primary_usd,\n"
                    "  SUM(COALESCE(fallback_usd, 0.0)) AS fallback_usd\n"
                    "FROM jobs\nWHERE $__timeFilter(`at`)\nGROUP BY time\nORDER BY time",
                    over_time=True,
                ),
            ),
            unit="currencyUSD",
            width=12,
        ),
        Panel(
            "Asked the fallback",
            "Share of the analyses of a day, by lane.",
            Kind.LINES,
            (
                Warehouse(
                    "SELECT TIMESTAMP_TRUNC(`at`, DAY) AS time, lane,\n"
                    "  SAFE_DIVIDE(COUNTIF(fallback_model IS NOT NULL), COUNT(*)) AS asked\n"
                    "FROM jobs\nWHERE status = 'done' AND $__timeFilter(`at`)\n"
                    "GROUP BY time, lane\nORDER BY time, lane",
                    over_time=True,
                ),
            ),
            unit="percentunit",
            width=12,
        ),
        *(
            Panel(title, "The twenty dearest.", Kind.TABLE, (_by(*columns),), width=12, columns=_columns(*columns))
            for title, columns in (
                ("By customer", ("tenant", "tier")),
                ("By model and arm", ("model", "arm")),
                ("By lane and origin", ("lane", "origin")),
                ("By how it ended", ("status", "error_kind")),
            )
        ),
    ),
)

COST: Final = Board(
    uid="earmark-cost",
    title="Earmark: cost",
    tells="What is spent now and against the cap, on whom, and why the fallback is asked.",
    rows=(_NOW, _PACE, _WHOM),
    refresh="5m",
    since="now-24h",
)

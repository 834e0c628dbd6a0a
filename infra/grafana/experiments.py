"""A/B comparison: the arms of an experiment side by side, live from Prometheus and in full from the warehouse."""

from typing import Final

from infra.grafana.board import Board, Column, Kind, Panel, Prometheus, Row, Variable, Warehouse
from infra.grafana.limits import ALERTS, line_at
from infra.grafana.promql import LANE, LATELY, a_minute, mean, quantile, rate, share
from runtime.metrics import of_workers as worker

_THIS: Final = "experiment = '${experiment}' AND version = ${version}"
_WITHIN: Final = f"{_THIS} AND $__timeFilter(hour)"
_RATES: Final = (
    ("success_rate", "done"),
    ("error_rate", "failed"),
    ("fallback_rate", "fallback"),
    ("low_confidence_rate", "low_confidence"),
    ("over_sla_rate", "over_sla"),
)
_MEANS: Final = ("predict_s", "confidence", "cost_usd")


def _figures(indent: str = "  ") -> str:
    """Counts, rates and means of the rows at hand, as columns."""
    rates = (f"SAFE_DIVIDE(SUM({count}), SUM(done + failed)) AS {name}" for name, count in _RATES)
    means = (f"SAFE_DIVIDE(SUM({name}_sum), SUM({name}_n)) AS {name}" for name in _MEANS)
    return f",\n{indent}".join(["SUM(done) AS done", "SUM(failed) AS failed", *rates, *means])


def _by_hour(figure: str) -> Warehouse:
    """One figure of each hour, a series an arm."""
    return Warehouse(
        f"SELECT hour AS time, arm, {figure}\nFROM ab_hours\nWHERE {_WITHIN}\nGROUP BY time, arm\nORDER BY time, arm",
        over_time=True,
    )


def _rate_by_hour(count: str) -> Warehouse:
    return _by_hour(f"SAFE_DIVIDE(SUM({count}), SUM(done + failed)) AS share")


_PUT: Final = "\n  ".join(
    (
        "SELECT experiment, version, arm, SUM(assigned) AS jobs",
        "FROM ab_assigned_hours",
        f"WHERE {_WITHIN}",
        "GROUP BY experiment, version, arm",
    )
)
_ASSIGNED: Final = Warehouse(
    "SELECT put.arm AS arm, put.jobs AS jobs, SAFE_DIVIDE(put.jobs, SUM(put.jobs) OVER ()) AS share_seen,\n"
    f"  arms.share AS share_asked\nFROM (\n  {_PUT}\n) AS put\nLEFT JOIN ab_arms AS arms\n"
    "  ON arms.experiment = put.experiment AND arms.version = put.version AND arms.arm = put.arm\nORDER BY arm"
)
_COLUMNS: Final = (
    Column("arm", "Arm"),
    Column("done", "Answered", "short"),
    Column("failed", "Failed", "short"),
    Column("success_rate", "Success", "percentunit"),
    Column("error_rate", "Errors", "percentunit"),
    Column("fallback_rate", "Asked the fallback", "percentunit"),
    Column("low_confidence_rate", "Low confidence", "percentunit"),
    Column("over_sla_rate", "Late", "percentunit"),
    Column("predict_s", "Inference", "s"),
    Column("confidence", "Confidence", "percentunit"),
    Column("cost_usd", "Cost a request", "currencyUSD"),
)

_NOW: Final = Row(
    "Live, all experiments (primary = the control, and whatever takes part in none)",
    (
        Panel(
            "Answers a minute",
            "By arm, in the last 5 minutes.",
            Kind.STAT,
            (Prometheus(a_minute(worker.ANSWERED, "arm", LANE, over=LATELY), "{{arm}}"),),
            unit="short",
            width=6,
        ),
        Panel(
            "Confidence",
            "Mean of the customers' answers, after the fallback.",
            Kind.LINES,
            (Prometheus(mean(worker.CONFIDENCE, "arm", LANE), "{{arm}}"),),
            unit="percentunit",
            width=6,
            most=1,
        ),
        Panel(
            "Low confidence",
            "Share of the customers' answers below 0.70.",
            Kind.LINES,
            (
                Prometheus(
                    share(rate(worker.LOW_CONFIDENCE_JOBS, "arm", LANE), rate(worker.ANSWERED, "arm", LANE)), "{{arm}}"
                ),
            ),
            unit="percentunit",
            width=6,
            limits=line_at(ALERTS["EarmarkLowConfidence"]),
        ),
        Panel(
            "Cost of a request",
            "Dollars an answer, the fallback's part included.",
            Kind.LINES,
            (Prometheus(share(rate(worker.COST, "arm", LANE), rate(worker.ANSWERED, "arm", LANE)), "{{arm}}"),),
            unit="currencyUSD",
            width=6,
        ),
        Panel(
            "Models of the arms",
            "Answers a minute by model and arm.",
            Kind.STACKED,
            (Prometheus(a_minute(worker.ANSWERED, "model, arm", LANE), "{{model}} {{arm}}"),),
            unit="short",
            width=12,
        ),
        Panel(
            "The worst tenth",
            "A tenth of the answers of an arm has a lower confidence than this.",
            Kind.LINES,
            (Prometheus(quantile(0.1, worker.CONFIDENCE, "arm", LANE), "{{arm}}"),),
            unit="percentunit",
            width=12,
            most=1,
        ),
    ),
)
_SIDE_BY_SIDE: Final = Row(
    "The arms of ${experiment}, version ${version}",
    (
        Panel(
            "Side by side",
            "Rates are taken of jobs that were answered or failed, means of warm jobs' inference, of confidence before "
            "the fallback and of cost.  `earmark ab report` says which differences mean something.",
            Kind.TABLE,
            (
                Warehouse(
                    f"SELECT\n  arm,\n  {_figures()}\nFROM ab_hours\nWHERE {_WITHIN}\nGROUP BY arm\nORDER BY arm",
                ),
            ),
            width=24,
            height=6,
            columns=_COLUMNS,
        ),
        *(
            Panel(title, tells, Kind.LINES, (query,), unit=unit)
            for title, tells, query, unit in (
                ("Errors", "Jobs that failed in every try, by the hour.", _rate_by_hour("failed"), "percentunit"),
                ("Success", "Jobs that were answered, by the hour.", _rate_by_hour("done"), "percentunit"),
                (
                    "Low confidence",
                    "Jobs whose arm's model gave a confidence below the threshold, or none, by the hour.",
                    _rate_by_hour("low_confidence"),
                    "percentunit",
                ),
                (
                    "Inference, 95th percentile",
                    "Seconds that the arm's model took, warm jobs only, by the hour.",
                    _by_hour("MAX(predict_s_p95) AS seconds"),
                    "s",
                ),
                (
                    "Confidence",
                    "Mean before the fallback, by the hour.",
                    _by_hour("SAFE_DIVIDE(SUM(confidence_sum), SUM(confidence_n)) AS confidence"),
                    "percentunit",
                ),
                (
                    "Cost of a request",
                    "Mean dollars, the fallback's part included, by the hour.",
                    _by_hour("SAFE_DIVIDE(SUM(cost_usd_sum), SUM(cost_usd_n)) AS usd"),
                    "currencyUSD",
                ),
            )
        ),
    ),
)
_TRUST: Final = Row(
    "Whether it can be trusted",
    (
        Panel(
            "Who was put where",
            "Jobs that the router put into each arm, and the share that the experiment asks for.  Where the two differ "
            "by more than chance, nothing else here may be believed; `earmark ab report` tests it.",
            Kind.TABLE,
            (_ASSIGNED,),
            columns=(
                Column("arm", "Arm"),
                Column("jobs", "Jobs", "short"),
                Column("share_seen", "Share", "percentunit"),
                Column("share_asked", "Asked for", "percentunit"),
            ),
        ),
        Panel(
            "The shadow agrees",
            "Share of the fields that both models answered alike, where an experiment listens in the shadow.",
            Kind.TABLE,
            (
                Warehouse(
                    "SELECT arm, field, compared, SAFE_DIVIDE(agreeing, compared) AS agreement\n"
                    f"FROM ab_shadow_fields\nWHERE {_THIS}\nORDER BY arm, agreement, field"
                ),
            ),
            columns=(
                Column("arm", "Arm"),
                Column("field", "Field"),
                Column("compared", "Compared", "short"),
                Column("agreement", "Agree", "percentunit"),
            ),
        ),
        Panel(
            "Decisions",
            "Who started, paused, rolled back or completed it, and why.",
            Kind.TABLE,
            (
                Warehouse(
                    "SELECT `at` AS time, state, coverage, actor, reason\n"
                    f"FROM ab_experiments\nWHERE {_THIS}\nORDER BY time DESC\nLIMIT 20"
                ),
            ),
            columns=(
                Column("time", "Time", "dateTimeAsIso"),
                Column("state", "State"),
                Column("actor", "Who"),
                Column("reason", "Why"),
                Column("coverage", "Coverage", "percentunit"),
            ),
        ),
        Panel(
            "Parts of the traffic",
            "Exploratory: with many parts one of them looks different by chance, so nothing is decided by this.",
            Kind.TABLE,
            (
                Warehouse(
                    f"SELECT\n  segment,\n  value,\n  arm,\n  {_figures()}\nFROM ab_segments\nWHERE {_THIS}\n"
                    "GROUP BY segment, value, arm\nORDER BY segment, value, arm"
                ),
            ),
            width=24,
            columns=(Column("segment", "By"), Column("value", "Part"), *_COLUMNS),
        ),
    ),
)

EXPERIMENTS: Final = Board(
    uid="earmark-ab",
    title="Earmark: A/B comparison",
    tells="The arms of an experiment side by side, live from Prometheus and in full from the warehouse.",
    rows=(_NOW, _SIDE_BY_SIDE, _TRUST),
    variables=(
        Variable(
            "experiment",
            "Experiment",
            sql="SELECT experiment\nFROM ab_experiments\nGROUP BY experiment\nORDER BY MAX(`at`) DESC",
        ),
        Variable(
            "version",
            "Version",
            sql="SELECT version\nFROM ab_experiments\nWHERE experiment = '${experiment}'\n"
            "GROUP BY version\nORDER BY version DESC",
        ),
    ),
    refresh="5m",
    since="now-7d",
)

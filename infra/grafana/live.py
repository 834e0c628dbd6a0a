"""Live processing: is everybody answered, in time, and how sure are the answers?"""

from typing import Final

from infra.grafana.board import Board, Colour, Kind, Limit, Panel, Prometheus, Row
from infra.grafana.limits import ALERTS, SLA_HIGH_S, SLA_LOW_S, fine_from, line_at, worse_from
from infra.grafana.machines import API, MODELS
from infra.grafana.promql import LANE, LATELY, a_minute, filling, mean, quantile, rate, series, share
from runtime.metrics import of_router as router
from runtime.metrics import of_workers as worker

_DONE: Final = 'status="done"'
_FAILED: Final = 'status="failed"'
_TRIED: Final = 'status=~"done|failed"'
_ERRORS: Final = ALERTS["EarmarkJobErrors"]
_LOW: Final = ALERTS["EarmarkLowConfidence"]
_LEVELS: Final = (0.5, 0.95, 0.99)


def failed_share(by: str = "", where: str = LANE, *, over: str = LATELY) -> str:
    """Jobs that failed among all that ended, as the alert has it."""
    return share(rate(worker.JOBS, by, f"{where}, {_FAILED}", over=over), rate(worker.JOBS, by, where, over=over))


def answered_share(by: str = "", where: str = LANE, *, over: str = LATELY) -> str:
    """Jobs with an analysis among those that were answered or failed; rejected input is left out."""
    part = rate(worker.JOBS, by, f"{where}, {_DONE}", over=over)
    return share(part, rate(worker.JOBS, by, f"{where}, {_TRIED}", over=over))


def low_share(by: str = "", *, over: str = LATELY) -> str:
    """Analyses with a confidence below 0.70 among all."""
    return share(
        rate(worker.LOW_CONFIDENCE_JOBS, by, LANE, over=over),
        rate(worker.ANSWERED, by, LANE, over=over),
    )


def _levels(lane: str) -> tuple[Prometheus, ...]:
    return tuple(
        Prometheus(quantile(level, worker.RESPONSE, where=f'lane="{lane}"'), f"p{level * 100:g}") for level in _LEVELS
    )


_NOW: Final = Row(
    "Now (the last 5 minutes)",
    (
        Panel(
            "Answered a minute",
            "Jobs that ended with an analysis, by lane.",
            Kind.STAT,
            (Prometheus(a_minute(worker.JOBS, "lane", f"{LANE}, {_DONE}", over=LATELY), "{{lane}}"),),
            unit="short",
            width=4,
            height=5,
        ),
        Panel(
            "Success",
            "Jobs with an analysis among those that were answered or failed; rejected input is left out.",
            Kind.STAT,
            (Prometheus(answered_share("lane"), "{{lane}}"),),
            unit="percentunit",
            width=4,
            height=5,
            limits=fine_from(1 - _ERRORS / 2, watch=1 - _ERRORS),
            runbook="EarmarkJobErrors",
        ),
        Panel(
            "High: 95 % answered within",
            f"From the queue to the analysis.  The promise is {SLA_HIGH_S:g} s (`sla_high_s`).",
            Kind.STAT,
            (Prometheus(quantile(0.95, worker.RESPONSE, where='lane="high"', over=LATELY), "high"),),
            unit="s",
            width=4,
            height=5,
            limits=worse_from(SLA_HIGH_S),
            runbook="EarmarkResponseSlow",
        ),
        Panel(
            "Low: 95 % answered within",
            f"From the queue to the analysis.  The promise is {SLA_LOW_S:g} s (`sla_low_s`).",
            Kind.STAT,
            (Prometheus(quantile(0.95, worker.RESPONSE, where='lane="low"', over=LATELY), "low"),),
            unit="s",
            width=4,
            height=5,
            limits=worse_from(SLA_LOW_S),
            runbook="EarmarkResponseSlow",
        ),
        Panel(
            "Low confidence",
            "Share of analyses with a confidence below 0.70.",
            Kind.STAT,
            (Prometheus(low_share("lane"), "{{lane}}"),),
            unit="percentunit",
            width=4,
            height=5,
            limits=worse_from(_LOW),
            runbook="EarmarkLowConfidence",
        ),
        Panel(
            "Workers",
            "Worker processes that Prometheus sees.",
            Kind.STAT,
            (Prometheus(f"count({series(worker.WORKER_HELD)})", "workers"),),
            unit="short",
            width=4,
            height=5,
            limits=(Limit(float("-inf"), Colour.BAD), Limit(1, Colour.FINE)),
            runbook="EarmarkWorkersAbsent",
        ),
    ),
)
_FLOW: Final = Row(
    "What comes and goes",
    (
        Panel(
            "Uploads a minute",
            "What was routed, by what became of it; `known` was answered before and cost nothing.",
            Kind.STACKED,
            (Prometheus(a_minute(router.ROUTED, "lane, fate", LANE), "{{lane}} {{fate}}"),),
            unit="short",
        ),
        Panel(
            "Jobs ended a minute",
            "By lane and how they ended; `rejected` = the input is at fault, `failed` = every try failed.",
            Kind.STACKED,
            (Prometheus(a_minute(worker.JOBS, "lane, status", LANE), "{{lane}} {{status}}"),),
            unit="short",
        ),
        Panel(
            "Seconds of audio a second",
            "How many times faster than it plays audio is worked through, all workers together.",
            Kind.STACKED,
            (Prometheus(rate(worker.AUDIO, "lane", LANE), "{{lane}}"),),
            unit="short",
        ),
    ),
)
_TIMES: Final = Row(
    "Response time",
    (
        Panel(
            "High: from the queue to the analysis",
            "Half, 95 % and 99 % of the jobs took no longer; the line is the promise.",
            Kind.LINES,
            _levels("high"),
            unit="s",
            limits=line_at(SLA_HIGH_S),
            runbook="EarmarkResponseSlow",
        ),
        Panel(
            "Low: from the queue to the analysis",
            "Half, 95 % and 99 % of the jobs took no longer; the line is the promise.",
            Kind.LINES,
            _levels("low"),
            unit="s",
            limits=line_at(SLA_LOW_S),
            runbook="EarmarkResponseSlow",
        ),
        Panel(
            "Later than promised",
            "Share of the analyses of a lane that took longer than it promises.",
            Kind.LINES,
            (Prometheus(share(rate(worker.JOBS_LATE, "lane", LANE), rate(worker.ANSWERED, "lane", LANE)), "{{lane}}"),),
            unit="percentunit",
            limits=line_at(ALERTS["EarmarkJobsLate"]),
            runbook="EarmarkJobsLate",
        ),
        Panel(
            "Where the time goes",
            "Mean seconds of an analysis in each part; `rest` has the fallback, waits and writes.",
            Kind.STACKED,
            (Prometheus(mean(worker.STAGES, "stage", LANE), "{{stage}}"),),
            unit="s",
            width=12,
        ),
        Panel(
            "Response times",
            "How many analyses took how long, by the upper bound in seconds.",
            Kind.HEATMAP,
            (Prometheus(filling(worker.RESPONSE, LANE), "{{le}}"),),
            unit="s",
            width=12,
        ),
    ),
)
_ANSWERS: Final = Row(
    "Errors and confidence",
    (
        Panel(
            "Failed",
            "Share of jobs whose every try failed, among all that ended; the line is where an alert fires.",
            Kind.LINES,
            (Prometheus(failed_share("lane", over="$__rate_interval"), "{{lane}}"),),
            unit="percentunit",
            limits=line_at(_ERRORS),
            runbook="EarmarkJobErrors",
        ),
        Panel(
            "Jobs without an analysis, by error",
            "A minute, by the class of the last error; `docs/dead-letters.md` says what each class mostly is.",
            Kind.STACKED,
            (Prometheus(f"{a_minute(worker.JOB_ERRORS, 'kind', LANE)} > 0", "{{kind}}"),),
            unit="short",
        ),
        Panel(
            "Tries that failed and are followed by another",
            "A minute, by the class of the error.",
            Kind.STACKED,
            (Prometheus(a_minute(worker.JOBS_RETRIED, "lane", LANE), "{{lane}}"),),
            unit="short",
        ),
        Panel(
            "Low confidence",
            "Share of analyses below 0.70, by the model and the arm of an experiment.",
            Kind.LINES,
            (Prometheus(low_share("model, arm", over="$__rate_interval"), "{{model}} {{arm}}"),),
            unit="percentunit",
            limits=line_at(_LOW),
            runbook="EarmarkLowConfidence",
        ),
        Panel(
            "Confidence",
            "How many analyses have which confidence, by the upper bound.",
            Kind.HEATMAP,
            (Prometheus(filling(worker.CONFIDENCE, LANE), "{{le}}"),),
            unit="percentunit",
        ),
        Panel(
            "Asked the fallback, or for a person",
            "Share of analyses for which the fallback came up, by reason, and of those marked for review.",
            Kind.LINES,
            (
                Prometheus(
                    f"{rate(worker.FALLBACKS, 'reason', LANE)} / ignoring (reason) group_left ()"
                    f" ({rate(worker.ANSWERED, '', LANE)} > 0)",
                    "{{reason}}",
                ),
                Prometheus(share(rate(worker.REVIEWS, "", LANE), rate(worker.ANSWERED, "", LANE)), "for review"),
            ),
            unit="percentunit",
        ),
    ),
)
LIVE: Final = Board(
    uid="earmark-live",
    title="Earmark: live processing",
    tells="Is everybody answered, in time, and how sure are the answers?",
    rows=(_NOW, _FLOW, _TIMES, _ANSWERS, MODELS, API),
)

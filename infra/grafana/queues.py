"""Queue health: what waits, whether the fleet keeps up, what was given up, and whether anybody still looks."""

from typing import Final

from infra.grafana.board import Board, Colour, Column, Kind, Limit, Panel, Prometheus, Row, Warehouse
from infra.grafana.limits import ALERTS, DEAD_LETTER_S, NONE_AT_ALL, OLDEST_S, line_at, worse_from
from infra.grafana.promql import LANE, LATELY, a_minute, age, highest, of_lanes, rate, series
from runtime.metrics import of_controller as controller
from runtime.metrics import of_router as router
from runtime.metrics import of_workers as worker

_RETENTION: Final = {metric.name.removeprefix("earmark_retention_"): metric for metric in controller.RETENTION}
_OF_LANES: Final = 'queue=~"$lane"'
_BACKLOG: Final = ALERTS["EarmarkBacklog"]
_NOT_RUN_S: Final = ALERTS["EarmarkRetentionNotRunning"]

_WAITING: Final = Row(
    "What waits",
    (
        Panel(
            "Waiting",
            "Jobs that could be leased now.",
            Kind.STAT,
            (Prometheus(of_lanes(controller.QUEUE_WAITING, "$lane"), "{{lane}}"),),
            unit="short",
            width=6,
            height=5,
            limits=worse_from(_BACKLOG),
            runbook="EarmarkBacklog",
        ),
        Panel(
            "Oldest high job",
            "For how long the longest waiting one has waited; far beyond the promise it is red.",
            Kind.STAT,
            (Prometheus(of_lanes(controller.QUEUE_OLDEST, "high"), "high"),),
            unit="s",
            width=6,
            height=5,
            limits=worse_from(OLDEST_S["high"]),
            runbook="EarmarkOldestWaiting",
        ),
        Panel(
            "Oldest low job",
            "For how long the longest waiting one has waited; far beyond the promise it is red.",
            Kind.STAT,
            (Prometheus(of_lanes(controller.QUEUE_OLDEST, "low"), "low"),),
            unit="s",
            width=6,
            height=5,
            limits=worse_from(OLDEST_S["low"]),
            runbook="EarmarkOldestWaiting",
        ),
        Panel(
            "Dead letters",
            "Those that nobody has dealt with.",
            Kind.STAT,
            (Prometheus(f"sum({highest(controller.DEAD_LETTERS, 'kind')})", "letters"),),
            unit="short",
            width=6,
            height=5,
            limits=(Limit(1, Colour.WATCH),),
            runbook="EarmarkDeadLetterRate",
        ),
        Panel(
            "Waiting, by queue",
            "Jobs that could be leased now; the line is where an alert fires.",
            Kind.LINES,
            (Prometheus(of_lanes(controller.QUEUE_WAITING, "$lane"), "{{lane}}"),),
            unit="short",
            limits=line_at(_BACKLOG),
            runbook="EarmarkBacklog",
        ),
        Panel(
            "In hand",
            "Jobs that workers hold, as the queues know it.",
            Kind.STACKED,
            (Prometheus(highest(controller.QUEUE_LEASED, "queue", _OF_LANES), "{{queue}}"),),
            unit="short",
        ),
        Panel(
            "Audio that waits",
            "As far as its length can be told from sizes.",
            Kind.STACKED,
            (Prometheus(highest(controller.QUEUE_AUDIO, "lane", LANE), "{{lane}}"),),
            unit="s",
        ),
    ),
)
_PACE: Final = Row(
    "Whether the fleet keeps up",
    (
        Panel(
            "Queued and ended a minute",
            "Where more is queued than ends, what waits grows; what commands feed themselves is not counted.",
            Kind.LINES,
            (
                Prometheus(a_minute(router.ROUTED, "lane", f'{LANE}, fate="queued"'), "{{lane}} queued"),
                Prometheus(a_minute(worker.JOBS, "lane", LANE), "{{lane}} ended"),
            ),
            unit="short",
        ),
        Panel(
            "Time to drain",
            "What waits, divided by how many ended a second in the last 5 minutes.",
            Kind.LINES,
            (
                Prometheus(
                    of_lanes(controller.QUEUE_WAITING, "$lane")
                    + f" / on (lane) ({rate(worker.JOBS, 'lane', LANE, over=LATELY)} > 0)",
                    "{{lane}}",
                ),
            ),
            unit="s",
            runbook="EarmarkBacklog",
        ),
        Panel(
            "Workers: wanted and there",
            "What the controller wants of each lane, and how many there are in all.",
            Kind.LINES,
            (
                Prometheus(highest(controller.DESIRED_WORKERS, "lane", LANE), "{{lane}} wanted"),
                Prometheus(f"count({series(worker.WORKER_HELD)})", "there"),
            ),
            unit="short",
        ),
        Panel(
            "Arrivals that scaling reckons with",
            "How many jobs a second come in, as scaling has smoothed it.",
            Kind.LINES,
            (Prometheus(highest(controller.ARRIVALS, "lane", LANE), "{{lane}}"),),
            unit="short",
        ),
        Panel(
            "Seconds of a worker a job takes",
            "What workers took lately, as scaling reckons.",
            Kind.LINES,
            (Prometheus(highest(controller.SERVICE_S, "lane", LANE), "{{lane}}"),),
            unit="s",
        ),
        Panel(
            "Failover",
            "Whether the fallback helps out because no number of workers meets the promise.",
            Kind.STATES,
            (Prometheus(highest(controller.FAILOVER, "lane", LANE), "{{lane}}"),),
            runbook="EarmarkFailover",
            words=(("0", "no", Colour.FINE), ("1", "helps out", Colour.WATCH)),
        ),
    ),
)
_GIVEN_UP: Final = Row(
    "What was given up",
    (
        Panel(
            "Dead letters, by error",
            "Those that nobody has dealt with, by the class of the last error.",
            Kind.STACKED,
            (Prometheus(f"{highest(controller.DEAD_LETTERS, 'kind')} > 0", "{{kind}}"),),
            unit="short",
        ),
        Panel(
            "Oldest dead letter",
            "Orange where an alert fires; at the red line it is deleted (`dead_letter_days`).",
            Kind.LINES,
            (Prometheus(highest(controller.DEAD_LETTER_OLDEST), "oldest"),),
            unit="s",
            limits=(Limit(ALERTS["EarmarkDeadLetterOld"], Colour.WATCH), Limit(DEAD_LETTER_S, Colour.BAD)),
            runbook="EarmarkDeadLetterOld",
        ),
        Panel(
            "Given up and tried again, a minute",
            "Jobs that failed in every try or were rejected, tries that are followed by another, objects that cannot "
            "be heard.",
            Kind.LINES,
            (
                Prometheus(a_minute(worker.JOBS, "lane, status", f'{LANE}, status!="done"'), "{{lane}} {{status}}"),
                Prometheus(a_minute(worker.JOBS_RETRIED, "lane", LANE), "{{lane}} tried again"),
                Prometheus(a_minute(router.ARRIVALS_REJECTED), "objects"),
            ),
            unit="short",
        ),
        Panel(
            "Why tries fail",
            "By fingerprint, the most frequent first; `earmark dlq list` has the letters behind them.",
            Kind.TABLE,
            (
                Warehouse(
                    "SELECT kind, stage, model, fingerprint, COUNT(*) AS failures, COUNTIF(final) AS final_failures,"
                    " COUNT(DISTINCT job_id) AS jobs, MAX(`at`) AS latest\n"
                    "FROM failures\nWHERE $__timeFilter(`at`)\n"
                    "GROUP BY kind, stage, model, fingerprint\nORDER BY failures DESC, fingerprint\nLIMIT 20"
                ),
            ),
            width=14,
            columns=(
                Column("kind", "Error"),
                Column("stage", "Stage"),
                Column("model", "Model"),
                Column("fingerprint", "Fingerprint"),
                Column("jobs", "Jobs"),
                Column("failures", "Tries"),
                Column("final_failures", "Last tries"),
                Column("latest", "Latest", "dateTimeAsIso"),
            ),
        ),
        Panel(
            "Failures by the hour",
            "Of all tries, by the class of the error.",
            Kind.BARS,
            (
                Warehouse(
                    "SELECT hour AS time, kind, SUM(failures) AS failures\n"
                    "FROM failure_analytics\nWHERE $__timeFilter(hour)\nGROUP BY time, kind\nORDER BY time, kind",
                    over_time=True,
                ),
            ),
            unit="short",
            width=10,
        ),
    ),
)
_TOLD: Final = Row(
    "Customers' servers",
    (
        Panel(
            "Webhook calls a minute",
            "Of customers' servers, by what became of them.",
            Kind.LINES,
            (Prometheus(a_minute(router.WEBHOOK_CALLS, "outcome"), "{{outcome}}"),),
            unit="short",
            height=6,
        ),
        Panel(
            "Oldest webhook that is due",
            "For how long it has not been made; what waits for its next try after a failed one is not due.",
            Kind.LINES,
            (Prometheus(highest(controller.WEBHOOK_OLDEST), "oldest"),),
            unit="s",
            limits=line_at(ALERTS["EarmarkWebhooksLate"]),
            runbook="EarmarkWebhooksLate",
            height=6,
        ),
    ),
)
_WATCHED: Final = Row(
    "Whether anybody looks",
    (
        Panel(
            "Workers: since the last end of a job",
            "Of the worker that is furthest behind; one that holds jobs for long without an end is stuck.",
            Kind.LINES,
            (Prometheus(age(worker.WORKER_PROGRESS), "furthest behind"),),
            unit="s",
            width=6,
            limits=line_at(ALERTS["EarmarkWorkerStuck"]),
            runbook="EarmarkWorkerStuck",
        ),
        Panel(
            "Workers: since a queue answered",
            "Of the worker that is furthest behind.",
            Kind.LINES,
            (Prometheus(age(worker.WORKER_QUEUE), "furthest behind"),),
            unit="s",
            width=6,
            limits=line_at(ALERTS["EarmarkQueueUnanswered"]),
            runbook="EarmarkQueueUnanswered",
        ),
        Panel(
            "Jobs in workers' hands",
            "As the workers themselves know it.",
            Kind.STACKED,
            (Prometheus(series(worker.WORKER_HELD), "{{instance}}"),),
            unit="short",
            width=6,
        ),
        Panel(
            "Controller: since its last look",
            "What it cannot see has no figures here and on the other dashboards.",
            Kind.LINES,
            (Prometheus(f"time() - {highest(controller.LOOKED, 'part')}", "{{part}}"),),
            unit="s",
            width=6,
            limits=line_at(ALERTS["EarmarkPartUnseen"]),
            runbook="EarmarkPartUnseen",
        ),
    ),
)
_FORGETTING: Final = Row(
    "Retention",
    (
        *(
            Panel(
                title,
                _RETENTION[name].meaning,
                Kind.STAT,
                (Prometheus(highest(_RETENTION[name]), title.lower()),),
                unit=unit,
                width=4,
                height=4,
                limits=limits,
                runbook=runbook,
            )
            for title, name, unit, limits, runbook in (
                ("Overdue objects", "overdue_objects", "short", NONE_AT_ALL, "EarmarkRetentionOverdue"),
                ("Longest overdue", "overdue_seconds", "s", NONE_AT_ALL, "EarmarkRetentionOverdue"),
                ("Since a run ended", "run_age_seconds", "s", worse_from(_NOT_RUN_S), "EarmarkRetentionNotRunning"),
                ("Unfinished erasures", "unfinished_erasures", "short", NONE_AT_ALL, "EarmarkErasureUnfinished"),
                ("Notices failed", "failed_notices", "short", NONE_AT_ALL, "EarmarkRetentionNoticesFail"),
                ("Not reached", "bounced_customers", "short", NONE_AT_ALL, "EarmarkRetentionNoticeBounced"),
            )
        ),
        Panel(
            "Catalogue and buckets",
            "Objects without a row, rows without an object, and objects of nobody we know, at the last comparison.",
            Kind.LINES,
            tuple(
                Prometheus(highest(_RETENTION[f"{name}_objects"]), legend)
                for name, legend in (("orphan", "no row"), ("ghost", "no object"), ("nobodys", "of nobody"))
            ),
            unit="short",
            runbook="EarmarkRetentionNobodysObjects",
            width=12,
            height=6,
        ),
        Panel(
            "Deletions",
            "Whether somebody has stopped all of them.",
            Kind.STATES,
            (Prometheus(highest(_RETENTION["stopped"]), "deletions"),),
            width=12,
            runbook="EarmarkRetentionStopped",
            height=6,
            words=(("0", "as planned", Colour.FINE), ("1", "stopped", Colour.WATCH)),
        ),
    ),
)

QUEUES: Final = Board(
    uid="earmark-queues",
    title="Earmark: queue health",
    tells="What waits, whether the fleet keeps up, what was given up, and whether anybody still looks.",
    rows=(_WAITING, _PACE, _GIVEN_UP, _TOLD, _WATCHED, _FORGETTING),
)

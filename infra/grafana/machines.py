"""The rows of the live dashboard about what does the work: models, machines and the API."""

from typing import Final

from infra.grafana.board import Colour, Kind, Panel, Prometheus, Row
from infra.grafana.limits import ALERTS, line_at
from infra.grafana.promql import LANE, a_minute, highest, mean, quantile, rate, series, share, summed
from runtime.metrics import of_api as api
from runtime.metrics import of_controller as controller
from runtime.metrics import of_workers as worker

NO_GPU: Final = "No GPU"
_CUSTOMERS: Final = 'route=~"/v1/.*"'
"""Requests of customers, not those of whoever asks for figures and health; as the alert has it."""
_ASKED: Final = rate(api.API_REQUESTS, where=_CUSTOMERS)

MODELS: Final = Row(
    "Models and machines",
    (
        Panel(
            "How full batches are",
            "Mean of the larger of jobs by `batch_jobs` and audio by `batch_audio_s`.",
            Kind.LINES,
            (Prometheus(mean(worker.BATCH_FILL, "lane", LANE), "{{lane}}"),),
            unit="percentunit",
            most=1,
        ),
        Panel(
            "Jobs in a batch",
            "Mean number of jobs that a model began with.",
            Kind.LINES,
            (Prometheus(mean(worker.BATCH_JOBS, "lane", LANE), "{{lane}}"),),
            unit="short",
        ),
        Panel(
            "Breakers",
            "Who is asked (closed), tried (half open) or spared (open): providers, and the primary model itself.",
            Kind.STATES,
            (
                Prometheus(
                    "max by (provider) (" + series(worker.BREAKERS, 'state="open"') + " * 2"
                    " or " + series(worker.BREAKERS, 'state="half_open"') + ")",
                    "{{provider}}",
                ),
            ),
            runbook="EarmarkBreakerOpen",
            words=(("0", "closed", Colour.FINE), ("1", "half open", Colour.WATCH), ("2", "open", Colour.BAD)),
        ),
        Panel(
            "Memory of models",
            "Resident memory of their processes, all workers together.",
            Kind.STACKED,
            (Prometheus(summed(series(worker.MODEL_MEMORY), "model"), "{{model}}"),),
            unit="bytes",
            width=6,
        ),
        Panel(
            "Model starts",
            "How often a model's process became ready within half an hour, all workers together.",
            Kind.LINES,
            (Prometheus(f"sum by (model) (increase({series(worker.MODEL_LOADS)}[30m]))", "{{model}}"),),
            unit="short",
            runbook="EarmarkModelReloading",
            width=4,
        ),
        Panel(
            "Time to load",
            "How long the latest start of a model's process took, on the slowest worker.",
            Kind.LINES,
            (Prometheus(highest(worker.MODEL_LOAD_S, "model"), "{{model}}"),),
            unit="s",
            width=4,
        ),
        Panel(
            "GPU memory",
            "In use, as a share of what the GPU has.",
            Kind.LINES,
            (Prometheus(f"{series(worker.GPU_MEMORY)} / {series(worker.GPU_MEMORY_TOTAL)}", "{{instance}} {{gpu}}"),),
            unit="percentunit",
            width=5,
            most=1,
            empty=NO_GPU,
        ),
        Panel(
            "GPU use",
            "Share of the last moments in which the GPU computed.",
            Kind.LINES,
            (Prometheus(series(worker.GPU_USE), "{{instance}} {{gpu}}"),),
            unit="percentunit",
            width=5,
            most=1,
            empty=NO_GPU,
        ),
        Panel(
            "Free on the disk of the data folder",
            "Below the red line readiness fails; on Google Cloud no disk lasts, and there is nothing to show.",
            Kind.LINES,
            (
                Prometheus(f"min({series(controller.DISK_FREE)})", "free"),
                Prometheus(highest(controller.DISK), "in all"),
            ),
            unit="bytes",
            width=24,
            height=6,
            limits=line_at(ALERTS["EarmarkDiskFull"]),
            runbook="EarmarkDiskFull",
        ),
    ),
)
API: Final = Row(
    "API",
    (
        Panel(
            "Requests a minute",
            "Answered, by the class of the answer.",
            Kind.STACKED,
            (Prometheus(a_minute(api.API_REQUESTS, "status_class", _CUSTOMERS), "{{status_class}}"),),
            unit="short",
            width=6,
        ),
        Panel(
            "95 % of requests answered within",
            "By route; those that wait for a job to end take as long as they were asked to.",
            Kind.LINES,
            (Prometheus(quantile(0.95, api.API_SECONDS, "route, method", _CUSTOMERS), "{{method}} {{route}}"),),
            unit="s",
            width=6,
        ),
        Panel(
            "Server errors",
            "Share of requests answered with 5xx.",
            Kind.LINES,
            (Prometheus(share(rate(api.API_REQUESTS, where=f'{_CUSTOMERS}, status_class="5xx"'), _ASKED), "5xx"),),
            unit="percentunit",
            width=6,
            limits=line_at(ALERTS["EarmarkApiErrors"]),
            runbook="EarmarkApiErrors",
        ),
        Panel(
            "Under way",
            "Requests now: all, those that wait for a job, answers that stream, bodies that come in.",
            Kind.LINES,
            (
                Prometheus(summed(series(api.API_ACTIVE)), "all"),
                Prometheus(summed(series(api.API_WAITING)), "wait"),
                Prometheus(summed(series(api.API_STREAMS)), "stream"),
                Prometheus(summed(series(api.API_BODIES)), "come in"),
            ),
            unit="short",
            width=6,
        ),
    ),
)

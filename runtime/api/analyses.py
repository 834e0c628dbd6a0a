"""``make_analysis_parts``: what the endpoints of analyses and uploads work with, from the adapters of a backend."""

from earmark.clock import utc_now
from earmark.ports import Clock
from earmark.settings import Settings
from retention.tombstones import Tombstones
from router.router import Router
from runtime.api.analysis_erasing import AnalysisErasing
from runtime.api.awaited_jobs import AwaitedJobs
from runtime.api.direct_uploads import DirectUploads
from runtime.api.idempotency import IdempotencyKeys
from runtime.api.job_requests import JobRequests
from runtime.api.metrics import ApiMetrics
from runtime.api.readiness import Readiness, probes_of
from runtime.api.submission import Submission
from runtime.backend import Backend
from runtime.batches.parts import open_batches
from runtime.chores import Chore, every
from runtime.endpoints.analysis_parts import AnalysisParts, Streams
from runtime.endpoints.bodies import Bodies
from runtime.wiring import make_arrivals

SWEEP_EVERY_S = 300.0


def make_analysis_parts(
    settings: Settings, backend: Backend, router: Router, metrics: ApiMetrics, clock: Clock = utc_now
) -> AnalysisParts:
    """The parts.

    Args:
        settings: limits.
        backend: the adapters.
        router: decides where a job goes.
        metrics: of the process.
        clock: the present.

    Raises:
        ConfigurationError: a file that the settings name cannot be read.
    """
    requests = JobRequests(backend.state, backend.results, clock)
    arrivals = make_arrivals(settings, backend, clock=clock)
    return AnalysisParts(
        bodies=Bodies(backend.scratch, most_bytes=settings.api_body_max_bytes, within_s=settings.api_body_s),
        submission=Submission(
            backend,
            router,
            requests,
            max_input_bytes=settings.max_input_bytes,
            clock=clock,
            refuse=Tombstones(backend.state, clock).refuse,
        ),
        requests=requests,
        awaited=AwaitedJobs(requests, open_batches(settings, backend, clock), backend.warehouse),
        idempotency=IdempotencyKeys(backend.state, clock),
        uploads=DirectUploads(
            backend,
            arrive=arrivals.arrive,
            valid_s=settings.upload_url_s,
            clock=clock,
        ),
        streams=Streams(settings.api_streams),
        erasing=AnalysisErasing(settings, backend, requests, clock),
        readiness=Readiness(probes_of(backend, settings.data)),
        metrics=metrics,
    )


def sweeps_of(parts: AnalysisParts) -> Chore:
    """The step that forgets what is over, and queues again what nobody knows any more."""

    def sweep() -> None:
        parts.requests.sweep(parts.submission.again)
        parts.idempotency.sweep()
        parts.uploads.sweep()

    return every(SWEEP_EVERY_S, sweep)

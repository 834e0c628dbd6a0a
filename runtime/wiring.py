"""Wiring: the only module that knows which adapters are in use.

Reads as a list of what the system is made of.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from earmark.clock import utc_now
from earmark.domain import Clip, Job, Lease, Record, Upload
from earmark.errors import ConfigurationError, InputFault, InputRejected
from earmark.ports import Clock
from earmark.settings import Settings
from earmark.vocabulary import Lane, Origin
from retention.stores import ErasableStore
from retention.tombstones import Tombstones
from router.arrivals import Arrivals
from router.batches.batch import Batch
from router.batches.batches import Batches
from router.batches.feeding import Feeding
from router.intake import upload_file
from router.lanes import load_rules
from router.router import Router
from runtime.backend import TEMPORARY, UPLOADS, Backend
from runtime.batches.following import BatchFollowing
from runtime.batches.parts import open_batches, open_cancelled, open_feeding, open_following
from runtime.cascading import bound_to, calibrator, fallback_spec, make_degradation, make_second_opinion
from runtime.erasing.stores import erasable_stores
from runtime.experiments import Assigning, experimenting, open_arms
from runtime.fetching import Fetching
from runtime.local.backend import connect_local
from runtime.looking import nothing_there
from runtime.pulse import Pulse
from runtime.retention.needed_until import NeededUntil
from runtime.routing.arriving import open_arrivals
from runtime.routing.placing import TemporaryUploads
from runtime.tenants.tenancy import open_tenants
from runtime.tracing.job_spans import JobSpans
from runtime.tracing.opening import open_spans
from runtime.tracing.router_spans import RouterSpans
from runtime.webhooks.parts import announcing_to_all
from runtime.worker_name import own_name
from workers.decode.limits import DecodeLimits
from workers.decode.sandbox import DecoderPool
from workers.keeper import Keeper
from workers.lane_picker import LanePicker
from workers.model_process import ModelProcess
from workers.models.catalogue import ModelSpec, check_packages, find_model
from workers.observer import Observers
from workers.parts import WorkerLimits, WorkerParts
from workers.primary import Arms, Primary
from workers.settle import Settler, read_record
from workers.settled_rows import SettledRows
from workers.shadows import Shadows
from workers.worker import Worker

PIPELINE = "1"
"""Version of everything outside the model that can change an answer: decoding, windows, composition."""


def connect(settings: Settings, clock: Clock = utc_now, *, late: bool = False) -> Backend:
    """The adapters of the backend that is set; with ``late``, what is broken says so when it is used and not now."""
    if settings.backend == "local":
        return connect_local(settings, clock, late=late)
    connect_gcp = _gcp("runtime.gcp.backend").connect_gcp
    backend: Backend = connect_gcp(settings, clock)
    return backend


def connect_existing(settings: Settings, clock: Clock = utc_now, *, late: bool = False) -> Backend:
    """The same of data that is there; for whoever only looks, or goes on with what others began.

    Raises:
        ConfigurationError: there is none, and none was made: a folder that is misspelt is no healthy system.
    """
    if missing := nothing_there(settings):
        raise ConfigurationError(missing)
    return connect(settings, clock, late=late)


def _gcp(module: str) -> Any:
    """A module of the adapters for Google Cloud, which need packages that one machine does not."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        remedy = "Install it in Earmark's folder: pip install --editable '.[gcp]'."
        message = f"The backend gcp needs the package of {error.name}.  {remedy}"
        raise ConfigurationError(message) from error


def pipeline_version(spec: ModelSpec, fallback: ModelSpec | None = None, calibrations: Sequence[str] = ()) -> str:
    """Version of everything that can change an answer; part of every job's id."""
    parts = [PIPELINE, f"{spec.name}-{spec.version}"]
    if fallback is not None:
        parts.append(f"fallback-{fallback.version}")
    return "+".join([*parts, *(f"calibration-{each}" for each in calibrations if each)])


def configured_pipeline(settings: Settings) -> str:
    """The pipeline version of these settings; reads the artefacts they name."""
    spec, fallback = find_model(settings.model, settings), fallback_spec(settings)
    calibrations = [calibrator(settings.calibration, spec)[1]]
    if fallback is not None:
        calibrations.append(calibrator(settings.fallback_calibration, fallback, prompt=False)[1])
    return pipeline_version(spec, fallback, calibrations)


def make_router(settings: Settings, backend: Backend, clock: Clock = utc_now) -> Router:
    """The router."""
    assigning = Assigning(backend, clock)
    return Router(
        lanes=backend.lanes,
        find_record=lambda name, job: read_record(backend.results, name, job),
        rules=load_rules(settings.lane_rules),
        pipeline=configured_pipeline(settings),
        clock=clock,
        assign=assigning.assign,
        exposed=assigning.exposed,
        claims=backend.claims,
        routed=backend.routed,
        handed=RouterSpans(open_spans(settings, "router")).handed,
    )


def make_intake(
    settings: Settings, backend: Backend, tenant: str, origin: Origin, clock: Clock = utc_now
) -> Callable[[Path], Upload]:
    """What turns one tenant's files into uploads that every worker can fetch."""
    customer = open_tenants(settings, backend, clock).find(tenant)
    tombstones = Tombstones(backend.state, clock)

    def upload(path: Path) -> Upload:
        limit = settings.max_input_bytes
        found = upload_file(path, customer, origin, max_input_bytes=limit, received_at=clock())
        tombstones.refuse(found)
        return backend.place(path, found)

    return upload


def make_arrivals(settings: Settings, backend: Backend, bucket: str = UPLOADS, clock: Clock = utc_now) -> Arrivals:
    """What routes the objects of a bucket: the upload bucket, or another one than ours; see ``open_arrivals``."""
    return open_arrivals(
        settings,
        backend,
        make_router(settings, backend, clock),
        bucket,
        clock=clock,
        refuse=Tombstones(backend.state, clock).refuse,
        # A folder cleans up nothing by itself.
        needed_until=NeededUntil(backend, clock) if settings.backend != "local" else lambda _: None,
    )


def make_batches(settings: Settings, backend: Backend, clock: Clock = utc_now) -> Batches:
    """The register of batches."""
    return open_batches(settings, backend, clock)


def make_feeding(settings: Settings, backend: Backend, clock: Clock = utc_now, *, files: bool = False) -> Feeding:
    """What turns batches into jobs; with ``files`` also files of this machine, of batches that were made by command."""
    refuse = Tombstones(backend.state, clock).refuse
    return open_feeding(settings, backend, make_router(settings, backend, clock), clock, refuse, files=files)


def make_following(
    settings: Settings,
    backend: Backend,
    on_ended: Callable[[Batch], None],
    clock: Clock = utc_now,
    *,
    files: bool = False,
) -> BatchFollowing:
    """What sees batches through to their end, of which ``on_ended`` hears at least once each; see ``make_feeding``."""
    refuse, router = Tombstones(backend.state, clock).refuse, make_router(settings, backend, clock)
    return open_following(settings, backend, router, clock, refuse, on_ended, files=files)


def all_stores(settings: Settings, backend: Backend, clock: Clock = utc_now) -> list[ErasableStore]:
    """Every place where something of a customer can be, in the order in which an erasure goes through them."""
    if settings.backend == "local":
        from runtime.local.erasure import local_stores  # noqa: PLC0415  # only who erases needs it

        first, last = local_stores(Path(settings.data), backend.bucket("notices"), clock)
        return erasable_stores(backend, first=first, last=last)
    own: list[ErasableStore] = _gcp("runtime.gcp.erasure").cloud_stores()
    return erasable_stores(backend, first=own, cloud=True)


def initialise(settings: Settings, clock: Clock = utc_now) -> list[str]:
    """Make what the backend needs; returns the names of what was missing."""
    if settings.backend == "local":
        connect(settings, clock)
        return []
    made: list[str] = _gcp("runtime.gcp.backend").initialise(settings, clock)
    return made


@contextmanager
def open_worker(
    settings: Settings,
    backend: Backend,
    *,
    lanes: frozenset[Lane] = frozenset(Lane),
    on_settled: Callable[[Record], None] = lambda _: None,
    spec: ModelSpec | None = None,
    warm: bool = False,
    observers: Observers | None = None,
    clock: Clock = utc_now,
) -> Iterator[Worker]:
    """A worker with all its parts; leaving the context ends its processes.

    ``observers`` hear what happens.  With ``spec`` that model hears everything, whatever the arms of experiments.  With
    ``warm`` model and decoders are started now and not with the first job; raises ``ModelUnavailable`` or
    ``Unavailable`` when they do not.
    """
    spans = open_spans(settings, "worker")
    observers = Observers(observers or Observers(), *([JobSpans(spans, clock)] if spans.share else []))
    own = spec is None
    spec = spec or find_model(settings.model, settings)
    check_packages(spec)
    tenants, tombstones = open_tenants(settings, backend, clock), Tombstones(backend.state, clock)
    regions_of_upload, sure_regions = bound_to(tenants), bound_to(tenants, sure=True)

    cancelled = open_cancelled(settings, backend, clock)

    def find_record(tenant: str, job: str) -> Record | None:
        return read_record(backend.results, tenant, job)

    def dropped(job: Job) -> bool:
        return tombstones.dropped(job) or cancelled.dropped(job)

    def alive() -> None:
        pulse.beat()
        observers.queue_answered()

    served = {lane: queue for lane, queue in backend.lanes.items() if lane in lanes}
    limits = DecodeLimits(
        max_input_bytes=settings.max_input_bytes,
        max_duration_s=settings.max_duration_s,
        wall_s=settings.decode_timeout_s,
        nice=settings.niceness,
    )
    pulse = Pulse(Path(settings.data), own_name())
    with ExitStack() as stack:
        keeper = stack.enter_context(Keeper(served, lease_s=settings.lease_s, alive=alive))
        pool = stack.enter_context(DecoderPool(settings.decoders, limits, backend.scratch))
        model = ModelProcess(
            spec.factory,
            spec.options,
            start_timeout_s=settings.model_start_timeout_s,
            nice=settings.niceness,
            loaded=partial(observers.model_loaded, spec.name),
        )
        stack.callback(model.close)
        calibrate, calibrated_as = calibrator(settings.calibration if spec.name == settings.model else None, spec)
        primary = Primary(
            spec.name,
            spec.version,
            model,
            pause_s=settings.retry_delay_s,
            calibrate=calibrate,
            calibration=calibrated_as,
        )

        part = stack.enter_context(experimenting(backend, clock))
        arms = (
            stack.enter_context(open_arms(settings, part, primary, regions_of_upload, observers.model_loaded))
            if own
            else Arms(primary)
        )

        def decode(lease: Lease, path: Path) -> Clip:
            upload = lease.job.upload
            if spec.regions is not None and not (regions := sure_regions(upload)) <= spec.regions:
                where = ", ".join(sorted(regions))
                message = f"The data of {upload.tenant} must stay in {where}, and {spec.name} does not"
                raise InputRejected(InputFault.REGION, message)
            clip = pool.decode(lease.job.id, path, upload.content_sha256)
            longest_s = tenants.find(upload.tenant).max_duration_s
            if longest_s is not None and clip.duration_s > longest_s:
                pool.discard(clip)
                message = f"It lasts {clip.duration_s:.0f} s; this tenant may send {longest_s:.0f} s"
                raise InputRejected(InputFault.TOO_LONG, message, "Split it, or raise the tenant's max_duration_s.")
            return clip

        worker = Worker(
            WorkerParts(
                name=own_name(),
                lanes=served,
                picker=LanePicker(served, low_share=settings.low_share, low_max_wait_s=settings.low_max_wait_s),
                keeper=keeper,
                fetch=Fetching(backend).fetch,
                decode=decode,
                discard=pool.discard,
                decoders=settings.decoders,
                find_record=find_record,
                arms=arms,
                settler=Settler(
                    lanes=served,
                    results=backend.results,
                    warehouse=backend.warehouse,
                    keeper=keeper,
                    max_tries=settings.max_tries,
                    clock=clock,
                    on_settled=on_settled,
                    announce=announcing_to_all(settings, backend, clock),
                    rows=SettledRows(
                        settings.confidence_threshold, {Lane.HIGH: settings.sla_high_s, Lane.LOW: settings.sla_low_s}
                    ),
                    shadows=Shadows(lane=backend.lanes.get(Lane.LOW), arms=part.shadows, find_record=find_record),
                    on_trial=part.counters.add,
                    erased=dropped,
                    observers=observers,
                    discard=TemporaryUploads(backend.kept[TEMPORARY], backend.object_of).discard,
                ),
                erased=dropped,
                clock=clock,
                second=make_second_opinion(settings, backend, clock),
                degradation=make_degradation(settings, backend),
                alive=alive,
                observers=observers,
            ),
            WorkerLimits(**{name: getattr(settings, name) for name in WorkerLimits.__dataclass_fields__}),
        )
        stack.callback(worker.close)
        if warm:
            pool.start()
            worker.warm_up()
        stack.enter_context(pulse)  # from now on it counts as alive
        yield worker

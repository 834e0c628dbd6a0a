"""``earmark route``: queue files, be the router, or find the uploads that nobody told of."""

import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from earmark.errors import ConfigurationError, InputFault, InputRejected
from earmark.settings import Settings
from earmark.vocabulary import Origin
from router.arrivals import Arrival, Arrivals, Routed
from router.intake import display
from router.router import Known
from runtime import exit_status
from runtime.analyzing.inputs import expand
from runtime.analyzing.result import of_rejection
from runtime.backend import BUCKETS, TEMPORARY
from runtime.metrics.exposition import serving_metrics
from runtime.metrics.metric import Server
from runtime.metrics.router_metrics import ArrivalMetrics, RouterMetrics, WebhookMetrics
from runtime.ordering import order
from runtime.routing.arriving import placing_into
from runtime.routing.loop import Step, stepping, take_all
from runtime.routing.placing import TemporaryUploads
from runtime.routing.steps import open_steps
from runtime.signals import stoppable
from runtime.strangers import strangers_in
from runtime.wiring import connect, make_arrivals, make_intake, make_router

AT_ONCE: Final = 8
"""Missed objects read at the same time."""
LOOK_S: Final = 2.0
"""Seconds between looks at the upload bucket where nobody tells of new objects."""
LOOK_SHARE: Final = 0.05
"""Part of the time that these looks may take, for a bucket of a million objects takes some seconds to list."""
_STRANGE: Final = "cannot be heard: no object can have this name, or it is no regular file"
_RENAME: Final = "Put a regular file there, under a name in UTF-8 without control characters, or remove it."


def route_paths(settings: Settings, paths: Sequence[Path], *, tenant: str, into: str = "") -> int:
    """Queue inputs and say what became of each, a JSON line an input; returns the exit status.

    With ``into``, a copy of each is put into that bucket of ours first, and it is the copy that is heard.
    """
    backend = connect(settings)
    if into:
        backend = replace(backend, place=placing_into(backend, into))
    router = make_router(settings, backend)
    upload = make_intake(settings, backend, tenant, Origin.COMMAND)
    order(settings, backend, "uploads.route", tenant=tenant, detail=f"{len(paths)} paths")
    refused = False
    for found in expand(paths):
        if found.skipped:
            continue
        source = display(found.path)
        try:
            placed = upload(found.path)
            [routed] = router.route([placed])
        except InputRejected as rejection:
            refused = True
            _print(of_rejection(source, rejection).as_json())
        else:
            if isinstance(routed, Known):
                if into == TEMPORARY:
                    TemporaryUploads(backend.kept[TEMPORARY], backend.object_of).remove(placed)
                _print({"source": source, "status": "known", "job_id": routed.record.job_id})
            else:
                _print({"source": source, "status": "queued", "job_id": routed.job.id, "lane": routed.job.lane})
    return exit_status.SOME_NOT_DONE if refused else 0


def listen(settings: Settings, *, until_empty: bool) -> int:
    """Be the router: route new uploads, feed batches, call webhooks; returns the exit status.

    With ``until_empty``, until none of these has anything to do.
    """
    registry = CollectorRegistry()
    backend, counted = replace(connect(settings), routed=RouterMetrics(registry).routed), ArrivalMetrics(registry)
    by_bucket: dict[str, Arrivals] = {backend.upload_bucket: make_arrivals(settings, backend)}

    def tell(routed: Routed) -> None:
        if routed.error is not None:
            counted.rejected(routed.error.fault)
        _print(_line(routed))

    def arrive(bucket: str, name: str, generation: int | None) -> None:
        arrivals = by_bucket.get(bucket)
        if arrivals is not None:  # else it is about a bucket that is not for uploads
            tell(arrivals.arrive(name, generation))

    order(settings, backend, "uploads.listen")
    with (
        stoppable() as stop,
        serving_metrics(settings, Server.ROUTER, registry),
        open_steps(settings, backend, called=WebhookMetrics(registry).called) as others,
    ):
        look = Step("uploads", partial(_look, by_bucket[backend.upload_bucket], tell), LOOK_S, share=LOOK_SHARE)
        steps = [look, *others] if backend.listen is None else others
        if until_empty:
            if backend.listen is not None:
                backend.listen(arrive)(stop, until_empty=True)
            take_all(steps)
            return 0
        with stepping(steps, stop):
            if backend.listen is not None:
                backend.listen(arrive)(stop)
            stop.wait()
    return 0


def _look(arrivals: Arrivals, tell: Callable[[Routed], None]) -> int:
    """Route what nobody told of, and tell of each; returns how many objects."""
    missed = [info.name for info in islice(arrivals.missed(), 16 * AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE, "route") as pool:
        for routed in pool.map(arrivals.arrive, missed):
            tell(routed)
    return len(missed)


def reconcile(settings: Settings, uri: str) -> int:
    """Route what lies under ``bucket/prefix`` and was never routed, and forget what is gone; returns the exit status.

    The bucket is ``uploads``, or ``gs://`` and the full name of any other.
    """
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    if not bucket or (bucket not in BUCKETS and not uri.startswith("gs://")):
        message = f"{uri!r} is no address: write uploads/PREFIX, or gs://BUCKET/PREFIX."
        raise ConfigurationError(message)
    backend = connect(settings)
    arrivals = make_arrivals(settings, backend, bucket)
    order(settings, backend, "uploads.reconcile")
    rejected = False
    missed = arrivals.missed(prefix)
    with ThreadPoolExecutor(AT_ONCE, "route") as pool:
        while some := [info.name for info in islice(missed, 16 * AT_ONCE)]:
            for routed in pool.map(arrivals.arrive, some):
                rejected |= routed.arrival is Arrival.REJECTED
                _print(_line(routed))
    arrivals.forget_gone(prefix)
    for path in strangers_in(backend.bucket(bucket), prefix):
        rejected = True
        source = display(path)
        _print(of_rejection(source, InputRejected(InputFault.NOT_A_FILE, f"{source} {_STRANGE}", _RENAME)).as_json())
    return exit_status.SOME_NOT_DONE if rejected else 0


def _line(routed: Routed) -> dict[str, object]:
    if routed.error is not None:
        return of_rejection(display(routed.uri), routed.error).as_json()
    line: dict[str, object] = {"source": display(routed.uri), "status": routed.arrival}
    return line | ({"job_id": routed.job_id} if routed.job_id else {})


def _print(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()

"""The router: known content is answered from the store, new content becomes a job in a lane."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from earmark.domain import PRIMARY, Exposure, Job, Record, Upload, job_id
from earmark.log import event
from earmark.ports import Clock, Queue
from earmark.trace import TraceContext, begun, current, parsed, trace_id_of
from earmark.vocabulary import Lane
from router.claims import Claims, NoClaims
from router.fate import Fate
from router.handoff import Handoff
from router.lanes import LaneRule, lane_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """The analysis exists; nothing was queued."""

    record: Record


@dataclass(frozen=True, slots=True)
class Queued:
    """The job waits in its lane, put there now or before."""

    job: Job


Routed = Known | Queued


class _Way(NamedTuple):
    """Where in a trace the routing of an upload began, and when."""

    parent: TraceContext | None
    began_at: datetime


class Router:
    """Decides for each upload whether there is anything to do, in which lane and for which experiment arm."""

    def __init__(
        self,
        *,
        lanes: Mapping[Lane, Queue],
        find_record: Callable[[str, str], Record | None],
        rules: Sequence[LaneRule],
        pipeline: str,
        clock: Clock,
        assign: Callable[[Upload, str], Exposure | None] = lambda _upload, _job: None,
        exposed: Callable[[Sequence[Job]], None] = lambda _: None,
        claims: Claims | None = None,
        routed: Callable[[Upload, Lane, Fate], None] = lambda _upload, _lane, _fate: None,
        handed: Callable[[Handoff], None] = lambda _: None,
    ) -> None:
        """Take the queues, a look-up of records by tenant and job id, the rules and the pipeline version.

        ``assign`` says which experiment and arm an upload with a job's id takes part in; ``exposed`` hears of the jobs
        that were queued in one.  Without ``claims`` the queues themselves must know which jobs they hold.  ``routed``
        hears of each upload once its queue has taken it or had it already; ``handed`` too, with its place in a trace.
        """
        self._lanes = lanes
        self._find_record = find_record
        self._rules = rules
        self._assign = assign
        self._exposed = exposed
        self._pipeline = pipeline
        self._clock = clock
        self._claims = claims or NoClaims()
        self._routed = routed
        self._handed = handed

    def identity(self, upload: Upload) -> str:
        """The id of the job that an upload is."""
        return job_id(upload.tenant, upload.content_sha256, self._pipeline)

    def found(self, upload: Upload) -> None:
        """Count an upload whose analysis its taker found before it asked for a route."""
        self._routed(upload, lane_of(upload, self._rules), Fate.KNOWN)

    def route(self, uploads: Sequence[Upload]) -> list[Routed]:
        """Route uploads in order; all new jobs of a lane that are in no experiment are put in one durable write.

        Raises:
            Unavailable: a queue or the results store cannot be reached; routing again is safe.
        """
        routed: list[Routed] = []
        waiting: dict[Lane, list[Job]] = defaultdict(list)
        ways: dict[str | None, _Way] = {}
        for upload in uploads:
            way = _Way(parsed(upload.trace) or current(), self._clock())
            here = way.parent.child() if way.parent else begun()
            identity = self.identity(upload)
            record = self._find_record(upload.tenant, identity)
            if record is not None and record.status == "done":
                routed.append(Known(record))
                event(_log, "upload.known", job_id=identity, trace_id=here.trace_id, tenant=upload.tenant)
                self._routed(upload, lane_of(upload, self._rules), Fate.KNOWN)
                self._handed(Handoff(upload, identity, None, Fate.KNOWN, way.parent, here, way.began_at, self._clock()))
                continue
            exposure = self._assign(upload, identity)
            job = Job(
                id=identity,
                upload=upload.model_copy(update={"trace": here.header}),
                lane=lane_of(upload, self._rules),
                pipeline=self._pipeline,
                arm=exposure.arm if exposure else PRIMARY,
                exposure=exposure,
                enqueued_at=self._clock(),
            )
            waiting[job.lane].append(job)
            ways[here.header] = way
            routed.append(Queued(job))
        for lane, jobs in waiting.items():
            ours = [job for job in {job.id: job for job in jobs}.values() if self._claims.take(job)]
            added, exposed = self._put(self._lanes[lane], ours)
            for job in ours:
                self._claims.confirm(job)
                event(_log, "job.queued", job_id=job.id, tenant=job.upload.tenant, lane=lane, arm=job.arm,
                      trace_id=trace_id_of(job.upload.trace))  # fmt: skip
            if added < len(jobs):
                event(_log, "job.coalesced", lane=lane, count=len(jobs) - added)
            if exposed:
                self._exposed(exposed)
            self._tell(lane, jobs, ours[:added], ways)
        return routed

    def _tell(self, lane: Lane, jobs: Sequence[Job], added: Sequence[Job], ways: Mapping[str | None, _Way]) -> None:
        """Tell of each job; a queue says how many it added and not which, so the first ones count as those."""
        fresh, now = {id(job) for job in added}, self._clock()
        for job in jobs:
            fate = Fate.QUEUED if id(job) in fresh else Fate.WAITING_ALREADY
            self._routed(job.upload, lane, fate)
            way, here = ways[job.upload.trace], parsed(job.upload.trace)
            if here is not None:
                self._handed(Handoff(job.upload, job.id, lane, fate, way.parent, here, way.began_at, now))

    def _put(self, lane: Queue, jobs: Sequence[Job]) -> tuple[int, list[Job]]:
        """Put jobs; how many were added, and which of those in an experiment.

        A job that waits already keeps the arm that it was stamped with, whatever has been started or ended since; so
        where the queue alone knows which ones wait, those in an experiment are put one by one.
        """
        exposed = [job for job in jobs if job.exposure is not None]
        if not exposed or not isinstance(self._claims, NoClaims):
            return lane.put(jobs), exposed
        others = [job for job in jobs if job.exposure is None]
        fresh = [job for job in exposed if lane.put([job])]
        return lane.put(others) + len(fresh), fresh

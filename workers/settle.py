"""Settling: write the result, then its rows, announce it, then acknowledge; on a lost lease do none of it.

That order makes every crash safe: without the record the job comes again; with the record and without the
acknowledgement it comes again, is found done, and is only acknowledged.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pydantic import ValidationError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from earmark.catalogued import record_row
from earmark.domain import Done, Failure, Job, Lease, Record, Reject, Retry, Settlement, record_name
from earmark.errors import ConfigurationError, ObjectMissing, PreconditionFailed, StorageError, Unavailable
from earmark.log import event
from earmark.ports import Clock, ObjectInfo, ObjectStore, Queue, Warehouse
from earmark.rows import CatalogueRow, Row, TrialRow, failure_row
from earmark.trace import trace_id_of
from earmark.vocabulary import Lane, ObjectState
from workers.keeper import Keeper
from workers.lane_picker import by_lane
from workers.observer import Observers
from workers.settled_log import log_retried, log_settled
from workers.settled_rows import SettledRows
from workers.shadows import Shadows

_log = logging.getLogger(__name__)
WRITE_ATTEMPTS = 5
WRITERS = 16
"""Records written at the same time."""
Written = tuple[Record, list[CatalogueRow]]
"""The record that stands, and what the catalogue is told."""


def read_record(results: ObjectStore, tenant: str, job_id: str) -> Record | None:
    """The stored record of a job, if there is one that can be read; a damaged one is as good as none."""
    try:
        return Record.model_validate_json(b"".join(results.read(record_name(tenant, job_id))))
    except ObjectMissing:
        return None
    except ValidationError:
        event(_log, "record.unreadable", level=logging.ERROR, tenant=tenant, job_id=job_id)
        return None


class Settler:
    """Ends jobs: exactly one record each, however often they are delivered."""

    def __init__(
        self,
        *,
        lanes: Mapping[Lane, Queue],
        results: ObjectStore,
        warehouse: Warehouse,
        keeper: Keeper,
        max_tries: int,
        clock: Clock,
        on_settled: Callable[[Record], None] = lambda _: None,
        announce: Callable[[Sequence[Record]], None] = lambda _: None,
        rows: SettledRows | None = None,
        shadows: Shadows | None = None,
        on_trial: Callable[[TrialRow], None] = lambda _: None,
        erased: Callable[[Job], bool] = lambda _: False,
        discard: Callable[[Job], None] = lambda _: None,
        observers: Observers | None = None,
    ) -> None:
        """Take the queues and stores; the keeper knows which leases are still ours.

        ``announce`` tells whoever listens that jobs ended, at least once each: it is called before their leases are
        acknowledged and may raise ``Unavailable``.  ``on_settled`` is for this process and is called after.
        ``on_trial`` hears at most once of each job of an experiment, by whoever wrote its first record.
        ``erased`` says whether what a job is about was erased at its owner's request: such a job is acknowledged and
        leaves no record, row or event.  ``discard`` hears of each job that nobody will want to hear again; what it
        raises is logged.  ``observers`` hear of each job that ended or is tried again, once its queue knows.
        """
        self._lanes = lanes
        self._results = results
        self._warehouse = warehouse
        self._keeper = keeper
        self._max_tries = max_tries
        self._clock = clock
        self._on_settled = on_settled
        self._announce = announce
        self._rows = rows or SettledRows()
        self._shadows = shadows or Shadows()
        self._on_trial = on_trial
        self._erased = erased
        self._discard = discard
        self._observers = observers or Observers()
        self._retrying = Retrying(
            retry=retry_if_exception_type(Unavailable),
            stop=stop_after_attempt(WRITE_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            reraise=True,
        )

    def settle(self, settlements: Sequence[Settlement]) -> list[Record]:
        """Settle the jobs of a batch; gives the records of those that ended here, their leases still ours.

        Records are written side by side, then all rows in one call, then all finished jobs are acknowledged in one
        call per lane, so that a durable queue and warehouse pay for one commit per batch.

        Raises:
            Unavailable: a store or a queue cannot be reached; what was not acknowledged comes again.
        """
        ours = [settlement for settlement in settlements if self._keeper.holds(settlement.lease)]
        held: list[Settlement] = []
        silent: list[Lease] = []
        for each in ours:
            if self._erased(each.lease.job):
                silent.append(each.lease)
            else:
                held.append(each)
        ending = [(each, record) for each in held if (record := self._record_of(each)) is not None]
        unseen = [(each, record) for each, record in ending if each.lease.job.shadow_of is not None]
        shown = [(each, record) for each, record in ending if each.lease.job.shadow_of is None]
        written = self._write_all(shown)
        ended = [(each, record) for (each, _), (record, _) in zip(shown, written, strict=True)]
        retried = [
            (each.lease, each.outcome) for each in held if self._retries(each) and isinstance(each.outcome, Retry)
        ]
        rows = [row for settlement, record in ended for row in self._rows.of(settlement, record)]
        rows += [row for settlement, record in unseen for row in self._shadows.rows(settlement, record, self._rows)]
        rows += [
            failure_row(lease.job.id, lease.job.upload.tenant, retry.failure, final=False)
            for lease, retry in retried
            if lease.job.shadow_of is None
        ]
        self._append(rows, [row for _, kept in written for row in kept])
        if ended:
            self._retrying(self._announce, [record for _, record in ended])
        heard_again = {
            settlement.lease.job.id for settlement, record in ended if self._shadows.cast(settlement, record)
        }
        silent += [settlement.lease for settlement, _ in unseen]
        with self._keeping([each.lease for each in ours]):
            self._forget(silent)
            finished = self._let_go(ended, retried)
        over = [*silent, *(settlement.lease for settlement, _ in finished)]
        self._discard_all([lease.job for lease in over if lease.job.id not in heard_again])
        return [record for _, record in finished]

    def _append(self, rows: list[Row], kept: list[CatalogueRow]) -> None:
        """Write all rows in one call; those of the catalogue must not keep the others from being written."""
        try:
            self._retrying(self._warehouse.append, [*rows, *kept])
        except ConfigurationError as error:
            if not kept:
                raise
            event(_log, "catalogue.missed", level=logging.WARNING, objects=len(kept), error=str(error))
            self._retrying(self._warehouse.append, rows)

    def _discard_all(self, jobs: list[Job]) -> None:
        """Let go of what was kept for these jobs alone; what cannot be removed now goes by its age."""
        for job in jobs:
            try:
                self._discard(job)
            except (Unavailable, StorageError, ConfigurationError) as error:
                event(_log, "upload.left_behind", level=logging.WARNING, job_id=job.id, error=str(error),
                      trace_id=trace_id_of(job.upload.trace))  # fmt: skip

    def _forget(self, leases: list[Lease]) -> None:
        """Acknowledge jobs that leave no record, however they ended."""
        self._acknowledge([lease for lease in leases if self._keeper.let_go(lease)])

    @contextmanager
    def _keeping(self, leases: list[Lease]) -> Iterator[None]:
        """Hold on to leases when a queue cannot be reached: their jobs are settled again, and must not be lost."""
        try:
            yield
        except Unavailable:
            self._keeper.hold(leases)
            raise

    def _let_go(
        self, ended: list[tuple[Settlement, Record]], retried: list[tuple[Lease, Retry]]
    ) -> list[tuple[Settlement, Record]]:
        """Acknowledge, bury and release what is still ours; gives those that ended."""
        finished = [(each, record) for each, record in ended if self._keeper.let_go(each.lease)]
        self._acknowledge([each.lease for each, record in finished if record.status == "done"])
        for settlement, record in finished:
            lease = settlement.lease
            if record.status != "done":
                self._retrying(self._lanes[lease.job.lane].bury, lease, record.failures[-1])
            row = self._rows.job(settlement, record)
            log_settled(settlement, record, row)
            self._observers.settled(settlement, record, row)
            self._on_settled(record)
        for lease, retry in retried:
            if self._keeper.let_go(lease):
                self._retrying(self._lanes[lease.job.lane].release, lease, after_s=retry.after_s, failure=retry.failure)
                log_retried(lease, retry.failure, retry.after_s)
                if lease.job.shadow_of is None:
                    self._observers.retried(lease, retry.failure)
        return finished

    def _retries(self, settlement: Settlement) -> bool:
        if settlement.lease.job.shadow_of is not None and settlement.diverted:
            return False
        return isinstance(settlement.outcome, Retry) and settlement.lease.try_number < self._max_tries

    def _record_of(self, settlement: Settlement) -> Record | None:
        """The record of a job that ends here; None for one that is tried again."""
        lease, outcome = settlement.lease, settlement.outcome
        if self._retries(settlement):
            return None
        match outcome:
            case Done(analysis):
                return self._record(lease, "done", analysis=analysis.model_dump())
            case Reject(failure):
                return self._record(lease, "rejected", failures=_tries(lease, failure))
            case Retry(failure):
                return self._record(lease, "failed", failures=_tries(lease, failure))

    def _acknowledge(self, leases: list[Lease]) -> None:
        for lane, mine in by_lane(self._lanes, leases).items():
            if mine:
                self._retrying(self._lanes[lane].ack, mine)

    def _record(self, lease: Lease, status: str, **fields: object) -> Record:
        return Record.model_validate(
            {
                "job_id": lease.job.id,
                "tenant": lease.job.upload.tenant,
                "status": status,
                "enqueued_at": lease.job.enqueued_at,
                "received_at": lease.job.upload.received_at,
                "settled_at": self._clock(),
                "batch": lease.job.upload.batch,
                "failures": lease.history,
                **fields,
            }
        )

    def _write_all(self, ending: list[tuple[Settlement, Record]]) -> list[Written]:
        """Store records, several at a time: a store far away takes long for each and minds none."""
        if len(ending) < 2:  # noqa: PLR2004  # one needs no thread
            return [self._write(settlement, record) for settlement, record in ending]
        with ThreadPoolExecutor(min(len(ending), WRITERS), "write") as writers:
            return list(writers.map(lambda each: self._write(*each), ending))

    def _write(self, settlement: Settlement, record: Record) -> Written:
        """Store a record unless a done one is there already, which then stands.  Mostly there is none."""
        job = settlement.lease.job
        content = record.model_dump_json(indent=1, exclude_none=False).encode()
        present: ObjectInfo | None = None
        for _ in range(WRITE_ATTEMPTS):
            generation = 0 if present is None else present.generation
            try:
                info = self._retrying(
                    self._results.write,
                    record.name,
                    content,
                    content_type="application/json",
                    if_generation=generation,
                )
            except PreconditionFailed:
                present = self._retrying(self._results.stat, record.name)
                stored = self._retrying(read_record, self._results, record.tenant, record.job_id)
                if stored is not None and (stored.status == "done" or stored == record):
                    return stored, [record_row(present, job)] if present else []
            else:
                trial = self._rows.trial(settlement, record)
                if generation == 0 and trial is not None:
                    self._on_trial(trial)
                kept = [record_row(info, job)]
                if present is not None:
                    now = max(self._clock(), info.created_at)  # the store's clock may go ahead of ours
                    kept.append(record_row(present, job, at=now, state=ObjectState.REPLACED))
                return record, kept
        message = f"{record.name} keeps changing under {WRITE_ATTEMPTS} attempts to write it"
        raise Unavailable(message)


def _tries(lease: Lease, failure: Failure) -> tuple[Failure, ...]:
    """Every failed try, the last one once: a worker that died thrice leaves its last failure in the history."""
    return lease.history if lease.history[-1:] == (failure,) else (*lease.history, failure)

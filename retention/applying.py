"""``Applying``: carries out a plan: tells customers, then deletes, looking at everything again object by object.

Before each batch the kill switch, the lease and all that decides are looked at anew.  A batch is begun in the ledger,
deleted, decided in the ledger, written to the warehouse, and only then is the cursor behind it.  Killed anywhere, the
next run of the same plan goes on there: every object is deleted once, every outcome counts once.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import Final

from earmark.audit import AuditEntry, Auditing
from earmark.errors import ConfigurationError, EarmarkError, PreconditionFailed
from earmark.log import event
from earmark.ports import Clock, Warehouse
from retention.applied import Applied, Notify, Progress
from retention.candidates import Candidates, Stamp, stamp_of
from retention.catalogue import Catalogue
from retention.deciding import Decider
from retention.deleting import Deleter, Looker, StoreOf
from retention.kill_switch import KillSwitch, Stop
from retention.notifying import Notified
from retention.outcomes import Outcome, Result, changed_row, deletion_row
from retention.outlook import Outlook
from retention.pace import Pace
from retention.plan import Plan, open_plan
from retention.plans import Plans
from retention.run_ledger import Run, RunLease, RunLedger

__all__ = ["Applied", "Applying", "Progress"]

_log = logging.getLogger(__name__)

ACTION: Final = "retention.apply"
STALE: Final = timedelta(hours=24)
"""An older plan speaks of what was; make a new one."""
BATCH: Final = 100
RATE_PER_S: Final = 800.0
"""Deletions a second; Cloud Storage takes about 1000 writes a second in a bucket before it has to spread out
(docs.cloud.google.com/storage/docs/request-rate), and uploads want some of them."""


class Applying:
    """Carries out plans."""

    def __init__(
        self,
        *,
        backend: str,
        store_of: StoreOf,
        catalogue: Catalogue,
        warehouse: Warehouse,
        plans: Plans,
        runs: RunLedger,
        switch: KillSwitch,
        outlook: Callable[[], Outlook],
        notify: Notify,
        audit: Auditing,
        clock: Clock,
        rate_per_s: float = RATE_PER_S,
        threads: int = 16,
        batch: int = BATCH,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the parts.

        Args:
            backend: name of where the objects are, as in plans that were made here.
            store_of: gives the store of a bucket by its short name.
            catalogue: what there is.
            warehouse: takes the outcomes.
            plans: which were made.
            runs: how far they were carried out.
            switch: stops it.
            outlook: gives all that decides about objects, looked at anew.
            notify: sends notices.
            audit: writes down what is going to be done.
            clock: gives the time.
            rate_per_s: deletions a second at most.
            threads: deletions at the same time.
            batch: deletions between two looks at everything.
            monotonic: seconds of a clock that never goes back.
            pause: sleeps so many seconds.
        """
        self._backend, self._catalogue, self._warehouse = backend, catalogue, warehouse
        self._plans, self._runs, self._switch, self._outlook = plans, runs, switch, outlook
        self._notify, self._audit, self._clock = notify, audit, clock
        self._threads, self._batch = threads, batch
        pace = Pace(rate_per_s, monotonic=monotonic, pause=pause)
        self._deleter = Deleter(store_of, pace=pace, pause=pause)
        self._looker = Looker(store_of, pace=pace)
        self._decider = Decider(catalogue, self._looker)

    def apply(
        self,
        path: Path,
        *,
        execute: bool,
        approve: bool,
        reason: str,
        actor: str,
        progress: Callable[[Progress], object] = lambda _: None,
    ) -> Applied:
        """Carry out a plan, or go on with it.

        Args:
            path: the plan's file.
            execute: False = look at everything and change nothing.
            approve: go beyond the limits of the policy.
            reason: why, for the audit trail.
            actor: who does it.
            progress: called after each batch.

        Raises:
            ConfigurationError: the plan was altered, was not made here, is stale, is over its limits and not approved
                of, or is being carried out by another process; or all runs are stopped.
            PreconditionFailed: another process has taken over.
            Unavailable: something cannot be reached; run it again.
        """
        stamp = stamp_of(path)
        plan = open_plan(path)
        self._plans.demand(plan)
        if not execute:
            self._check(plan, approve=True)
            return self._rehearse(plan, stamp, progress)
        before = self._runs.find(plan.id)
        if before is not None and before.state == "done":
            return _applied(plan, before, Notified(), resumed=True).model_copy(update={"finished_before": True})
        approve = approve or (before is not None and before.approved)
        try:
            self._check(plan, approve=approve)
        except ConfigurationError:
            if before is not None and before.begun_until > before.cursor:
                with self._leased(plan, actor, reason, approve=approve) as lease:
                    self._settle(plan, stamp, lease)
            raise
        with self._leased(plan, actor, reason, approve=approve) as lease:
            self._say(plan, lease.run, before="begun" if before else "", after="begun", detail=_planned(plan))
            return self._carry_out(plan, stamp, lease, progress, resumed=before is not None)

    @contextmanager
    def _leased(self, plan: Plan, actor: str, reason: str, *, approve: bool) -> Iterator[RunLease]:
        """Hold the plan; where that ends before the plan does, the next run may begin at once."""
        lease = self._runs.take(plan.id, actor=actor, reason=reason, approved=approve)
        try:
            yield lease
        except PreconditionFailed:
            raise  # somebody else has it
        except BaseException:
            _leave(lease)
            raise
        finally:
            with suppress(EarmarkError):  # then the next plan waits for a minute
                self._runs.give_back(plan.id)

    def _check(self, plan: Plan, *, approve: bool) -> None:
        """Raise where a plan must not be carried out."""
        header, now, outlook = plan.header, self._clock(), self._outlook()
        oldest, stop = min(header.made_at, header.as_of), self._switch.stopped()
        if header.backend != self._backend:
            fault = f"it was made for {header.backend}, and this is {self._backend}"
        elif now - oldest > STALE:
            fault = f"it is of {oldest:%Y-%m-%d %H:%M} UTC, and one older than 24 hours is stale"
        elif header.as_of > now:
            fault = f"it looks ahead to {header.as_of:%Y-%m-%d %H:%M} UTC, and is for looking only"
        elif header.policy_version != outlook.timeline.version:
            fault = f"it follows version {header.policy_version} of the policy, not {outlook.timeline.version}"
        elif plan.summary.exceeded and not approve:
            told = "; ".join(map(str, plan.summary.exceeded))
            message = f"The plan {plan.id} is over its limits: {told}.  Look at it; --approve carries it out."
            raise ConfigurationError(message)
        elif stop is not None:
            message = f"{_stopped(stop)}.  `earmark retention resume` lets runs go on."
            raise ConfigurationError(message)
        else:
            return
        message = f"The plan {plan.id} cannot be carried out: {fault}.  Make a new one with `earmark retention plan`."
        raise ConfigurationError(message)

    def _rehearse(self, plan: Plan, stamp: Stamp, progress: Callable[[Progress], object]) -> Applied:
        counts: Counter[str] = Counter()
        freed = notices_due = 0
        with Candidates(plan, self._catalogue, stamp) as candidates, self._pool() as pool:
            outlook = self._outlook()
            for candidate in candidates.of("notice"):
                notices_due += candidate.row is not None and outlook.of(candidate.row).notice_due
            deletions = candidates.of("delete")
            while batch := list(islice(deletions, self._batch)):
                looked = self._outlook()
                outcomes = self._decider.decide(batch, looked, self._looker, pool)
                results = self._decider.results(batch, outcomes, looked)
                counts.update(result.outcome.value for result in results)
                freed += _freed(results)
                progress(Progress(counts.total(), plan.summary.count("delete"), dict(counts)))
        return Applied(
            plan=plan.id,
            executed=False,
            outcomes=dict(counts),
            deleted_bytes=freed,
            notified=Notified(),
            notices_due=notices_due,
            exceeded=tuple(map(str, plan.summary.exceeded)),
        )

    def _carry_out(
        self, plan: Plan, stamp: Stamp, lease: RunLease, progress: Callable[[Progress], object], *, resumed: bool
    ) -> Applied:
        why = list[Stop]()

        def stop() -> bool:
            lease.beat()
            present = self._switch.stopped()
            why.extend([] if present is None else [present])
            return present is not None

        start = lease.run.cursor
        read = Candidates(plan, self._catalogue, stamp, start=start, beat=lease.beat)
        with read as candidates, self._pool() as pool:
            notified = self._notify(
                candidates.of("notice"), plan=plan.id, actor=lease.run.actor, stop=stop, beat=lease.beat
            )
            deletions = candidates.of("delete")
            while not why and not stop() and (batch := list(islice(deletions, self._batch))):
                begun, until = lease.run.begun_until, batch[-1].index + 1
                # First said, then looked: whoever places a hold before this is seen by the look, and whoever places
                # one after it finds a run to wait for.
                lease.update(
                    state="deleting",
                    rounds=lease.run.rounds + 1,
                    looked_at=self._clock(),
                    begun_until=max(begun, until),
                )
                outlook = self._outlook()
                batch = self._decider.found(batch, begun, lease.beat)
                outcomes = self._decider.decide(
                    batch, outlook, self._deleter, pool, begun=begun, decided=lease.run.decided, beat=lease.beat
                )
                self._write_down(plan, lease, self._decider.results(batch, outcomes, outlook), until)
                counts = lease.run.counts
                progress(Progress(sum(counts.values()), plan.summary.count("delete"), counts))
        # What some contact did not take is tried again where the same plan is run again.
        state = "stopped" if why else "interrupted" if notified.failed else "done"
        told = ", ".join(f"{count} {name}" for name, count in sorted(lease.run.counts.items()))
        self._say(plan, lease.run, before="begun", after="stopped" if why else "done", detail=told)
        lease.update(state=state)
        event(_log, f"retention.{'stopped' if why else 'applied'}", plan=plan.id, **lease.run.counts)
        return _applied(plan, lease.run, notified, stopped=_stopped(why[0]) if why else "", resumed=resumed)

    def _settle(self, plan: Plan, stamp: Stamp, lease: RunLease) -> None:
        """Write down what a run deleted that died before it could, and delete nothing more."""
        until = lease.run.begun_until
        with Candidates(plan, self._catalogue, stamp, start=lease.run.cursor) as candidates:
            batch = list(takewhile(lambda each: each.index < until, candidates.of("delete")))
        outlook, batch = self._outlook(), self._decider.found(batch, until, lease.beat)
        outcomes = self._decider.gone(batch, lease.run.decided)
        ended = [each for each in batch if each.line.id in outcomes]
        self._say(plan, lease.run, before="begun", after="settled", detail=f"{len(ended)} of {len(batch)} had ended")
        self._write_down(plan, lease, self._decider.results(ended, outcomes, outlook), until)
        lease.update(state="interrupted")

    def _write_down(self, plan: Plan, lease: RunLease, results: Sequence[Result], until: int) -> None:
        """Make outcomes final: from here on they stand, whatever a later look would say."""
        lease.update(decided={result.candidate.line.id: result.outcome.value for result in results})
        now = self._clock()
        self._warehouse.append([deletion_row(plan.id, result, now) for result in results])
        changed = [row for result in results if (row := changed_row(result, now)) is not None]
        if changed:
            self._catalogue.record(changed)
        counts = Counter(lease.run.counts) + Counter(result.outcome.value for result in results)
        freed = lease.run.deleted_bytes + _freed(results)
        lease.update(cursor=until, decided={}, counts=dict(counts), deleted_bytes=freed)

    def _say(self, plan: Plan, run: Run, *, before: str, after: str, detail: str) -> None:
        entry = AuditEntry(
            at=self._clock(),
            actor=run.actor,
            action=ACTION,
            target=plan.id,
            before=before,
            after=after,
            reason=run.reason,
            policy_version=plan.header.policy_version,
            detail=detail,
        )
        self._audit([entry])

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="retention")


def _leave(lease: RunLease) -> None:
    """Let the next run begin at once; where that cannot be written down, it waits for the lease to end."""
    with suppress(EarmarkError):
        lease.update(state="interrupted")


def _planned(plan: Plan) -> str:
    """For the audit trail."""
    deletions, notices = plan.summary.count("delete"), plan.summary.count("notice")
    return f"{deletions} deletions of {plan.summary.size_bytes('delete')} bytes, {notices} notices"


def _stopped(stop: Stop) -> str:
    return f"All runs are stopped since {stop.at:%Y-%m-%d %H:%M} UTC by {stop.actor or 'somebody'}: {stop.reason}"


def _freed(results: Sequence[Result]) -> int:
    return sum(each.candidate.line.size_bytes for each in results if each.outcome is Outcome.DELETED)


def _applied(plan: Plan, run: Run, notified: Notified, *, resumed: bool, stopped: str = "") -> Applied:
    return Applied(
        plan=plan.id,
        executed=True,
        outcomes=dict(run.counts),
        deleted_bytes=run.deleted_bytes,
        notified=notified,
        exceeded=tuple(map(str, plan.summary.exceeded)),
        stopped=stopped,
        resumed=resumed,
    )

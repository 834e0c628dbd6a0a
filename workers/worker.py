"""The worker: lease, decode, predict, settle.

::

    queues ──lease──► flights ──decoders──► ready ──batch──► model ──► settle ──► record, rows, ack
                         ▲                                                │
                         └── keeper extends every lease until it is settled

The worker's own process computes nothing: decoding and inference run in child processes, and the loop here
only waits for whichever finishes next.  While the model is busy with one batch the decoders prepare the
next, so at most two batches are held, never more than can be started soon.
"""

import logging
import random
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime
from typing import Any

from earmark.domain import Done, Lease, Outcome, Retry
from earmark.errors import InputFault, InputRejected, Unavailable
from earmark.log import event
from earmark.stage import Stage, StageName
from earmark.trace import follow, parsed, trace_id_of
from workers.answering import Answering
from workers.breaker import Breaker
from workers.failures import kind_of
from workers.flight import Flight, one_suspect
from workers.hand_back import HandBack
from workers.outage import PAUSE_MAX_S, Outage
from workers.outcomes import Outcomes
from workers.parts import WorkerLimits, WorkerParts
from workers.second_opinion import Answer
from workers.unsettled import Unsettled

_log = logging.getLogger(__name__)

SUSPECT_WAIT_S = 0.5
"""Seconds after which a job that had to wait for another suspect is offered again."""


class Worker:
    """Runs jobs until told to stop; ``run_once`` is one deterministic step."""

    def __init__(self, parts: WorkerParts, limits: WorkerLimits) -> None:
        """Start no process yet: decoders and model start with the first job."""
        self._parts = parts
        self._limits = limits
        self._threads = ThreadPoolExecutor(parts.decoders, "decode")
        self._decoding: dict[Future[None], Flight] = {}
        self._outcomes = Outcomes(parts, limits)
        self._queue, self._source, self._store = (
            Outage(part, pause_s=limits.retry_delay_s) for part in ("queue", "source", "store")
        )
        self._hand_back = HandBack(parts.lanes, parts.keeper, self._queue)
        self._unsettled = Unsettled(parts.settler, self._store, ended=self._ended, give_back=self._return)
        self._answering = Answering(parts, limits, give_back=self._return)
        self._hurry = threading.Event()

    @property
    def held(self) -> int:
        """How many jobs the worker holds."""
        return len(self._flights())

    @property
    def breakers(self) -> dict[str, Breaker]:
        """The breakers of the primary and of the fallback, by the names of their models."""
        primary = self._parts.arms.default
        return {primary.name: primary.breaker, **self._parts.second.breakers}

    def run(self, stop: threading.Event, *, until_empty: bool = False) -> None:
        """Work until ``stop`` is set (or, if asked, until the lanes are empty and no retry is due), then drain.

        Raises:
            ModelUnavailable: the model did not start, several times in a row.
        """
        try:
            while not stop.is_set():
                admitted = self._admit()
                self._parts.observers.held(self.held)
                if not admitted and not self.held:
                    if until_empty and not self._expects_more:
                        break
                    stop.wait(self._limits.poll_s * random.uniform(0.5, 1.5))  # noqa: S311  # jitter, no secret
                else:
                    self._advance(self._limits.poll_s)
        finally:
            self._drain()

    @property
    def _expects_more(self) -> bool:
        outages = (self._queue, self._source, self._store, self._parts.arms.default.outage)
        return self._hand_back.due_later or any(outage.lasts for outage in outages)

    def run_once(self) -> int:
        """Lease up to one batch and see it to its end; returns how many jobs were leased."""
        admitted = self._admit()
        while self._decoding or self._answering.flights or self._unsettled.due:
            self._parts.observers.held(self.held)
            self._advance(self._limits.poll_s)
        self._parts.observers.held(self.held)
        return admitted

    def warm_up(self) -> None:
        """Load the model now rather than with the first job; raises ``ModelUnavailable`` when it does not load."""
        self._answering.load().result()

    def hurry(self) -> None:
        """Cut a drain short: hand back what is not finished now."""
        self._hurry.set()

    def close(self) -> None:
        """End the threads; the parts belong to whoever made them."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._answering.close()

    def _admit(self) -> int:
        self._hand_back.try_again()
        slots = self._limits.batch_jobs - len(self._decoding) - self._answering.ready
        if slots <= 0 or not self._answering.open:
            return 0
        if any(outage.resting for outage in (self._queue, self._source, self._store)):
            return 0
        now = self._parts.clock()
        try:
            leases = self._parts.picker.lease(slots, self._limits.lease_s, now)
        except Unavailable as error:
            self._queue.failed(error)
            return 0
        self._queue.over()
        self._parts.alive()
        return self._begin(leases, now)

    def _begin(self, leases: list[Lease], now: datetime) -> int:
        """Hold leases and prepare their jobs; returns of how many."""
        free = not any(flight.suspect for flight in self._flights())
        leases, returned = one_suspect(leases, free=free, max_tries=self._limits.max_tries)
        self._parts.keeper.hold(leases)
        for lease in returned:
            self._hand_back.release(lease, SUSPECT_WAIT_S)
        if leases and not self._parts.arms.default.model.loads:
            self._answering.load()  # while the first clips are decoded
        for lease in leases:
            flight = Flight(lease, now)
            self._decoding[self._threads.submit(self._prepare, flight)] = flight
        return len(leases)

    def _admit_urgent(self) -> None:
        """Let high jobs that came while a low batch was being prepared go before it, though no slot is free."""
        try:
            leases = self._parts.picker.urgent(self._limits.batch_jobs, self._limits.lease_s)
            self._begin(leases, self._parts.clock())
        except Unavailable as error:
            self._queue.failed(error)

    def _flights(self) -> list[Flight]:
        return [*self._decoding.values(), *self._answering.flights, *self._unsettled.flights]

    def _prepare(self, flight: Flight) -> None:
        """Fetch and decode, in a thread that mostly waits for a decoder process."""
        lease = flight.lease
        began, began_at = time.monotonic(), self._parts.clock()
        follow(parsed(lease.job.upload.trace))  # until the next job of this thread
        try:
            if self._parts.erased(lease.job):  # the settler acknowledges it and leaves no trace
                message = "It was erased while it waited"
                raise InputRejected(InputFault.ERASED, message)  # noqa: TRY301  # an outcome like any other
            flight.known = self._parts.find_record(lease.job.upload.tenant, lease.job.id)
            answered = flight.known is not None and flight.known.status == "done"
            if not answered and lease.try_number <= self._limits.max_tries:
                with self._parts.fetch(lease.job.upload) as path:
                    flight.clip = replace(self._parts.decode(lease, path), trace_id=trace_id_of(lease.job.upload.trace))
        except OSError as error:  # all that a recording can cause has an error of Earmark's own
            flight.error = Unavailable(f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001  # whatever goes wrong with one job is that job's outcome
            flight.error = error
        flight.decode_s = time.monotonic() - began
        kind = "" if flight.error is None else kind_of(flight.error)
        flight.stages.append(Stage(StageName.DECODE, began_at, self._parts.clock(), error=kind))

    def _advance(self, timeout_s: float) -> None:
        """Wait for the next thing to finish, deal with it, and keep the model busy."""
        self._wait(timeout_s)
        self._unsettled.try_again()
        for flight in self._take_decoded():
            self._decoded(flight)
        answered = self._answering.take()
        self._answering.start(self._decoding.values(), self._admit_urgent)
        self._settle_answers(answered)  # last, so that the model is at work on the next batch meanwhile

    def _wait(self, timeout_s: float) -> None:
        pending: list[Future[Any]] = [*self._decoding, *self._answering.futures]
        if pending:
            wait(pending, timeout_s, return_when=FIRST_COMPLETED)
        else:
            self._hurry.wait(timeout_s)

    def _take_decoded(self) -> list[Flight]:
        return [self._decoding.pop(future) for future in list(self._decoding) if future.done()]

    def _decoded(self, flight: Flight) -> None:
        lease = flight.lease
        if flight.known is not None and flight.known.status == "done" and flight.known.analysis is not None:
            self._unsettled.settle([(flight, Done(flight.known.analysis))])
        elif lease.try_number > self._limits.max_tries:
            self._unsettled.settle([(flight, self._outcomes.of_spent(lease))])
        elif isinstance(flight.error, Unavailable) and self._age_s(lease) < self._limits.outage_max_s:
            pause_s = self._source.failed(flight.error)  # none of the job's doing, so no try, for as long as that lasts
            self._return(flight, max(pause_s, min(self._age_s(lease) / 4, PAUSE_MAX_S)))
        elif flight.error is not None:
            self._unsettled.settle([(flight, self._outcomes.of_error(flight.error, lease, "decode"))])
        elif self._parts.keeper.holds(lease):
            self._source.over()
            self._answering.add(flight)
        else:
            self._forget(flight)

    def _age_s(self, lease: Lease) -> float:
        return (self._parts.clock() - lease.job.enqueued_at).total_seconds()

    def _settle_answers(self, answered: list[tuple[Flight, Answer]]) -> None:
        outcomes = [(flight, self._outcomes.of_answer(flight, answer)) for flight, answer in answered]
        self._unsettled.settle(outcomes)

    def _ended(self, flight: Flight, outcome: Outcome) -> None:
        if isinstance(outcome, Retry):
            self._hand_back.expect(outcome.after_s)
        self._forget(flight)
        self._parts.observers.ended(flight.lease)

    def _forget(self, flight: Flight) -> None:
        self._parts.keeper.let_go(flight.lease)
        if flight.clip is not None:
            self._parts.discard(flight.clip)

    def _return(self, flight: Flight, after_s: float = 0.0) -> None:
        """Give a job back without spending a try."""
        self._forget(flight)
        self._hand_back.release(flight.lease, after_s)

    def _drain(self) -> None:
        """Finish the batch the model has, within ``drain_s``; hand everything else back without spending a try."""
        deadline = time.monotonic() + self._limits.drain_s
        if self.held:
            event(_log, "worker.draining", jobs=self.held, drain_s=self._limits.drain_s)
        cancelled = [self._decoding.pop(future) for future in list(self._decoding) if future.cancel()]
        for flight in [*self._answering.put_down(), *cancelled]:
            self._return(flight)
        while (
            (self._decoding or self._answering.under_way or self._unsettled.flights or self._hand_back.waiting)
            and time.monotonic() < deadline
            and not self._hurry.is_set()
        ):
            self._parts.observers.held(self.held)
            self._wait(self._limits.poll_s)
            self._unsettled.try_again()
            self._hand_back.try_again()
            self._settle_answers(self._answering.take())
            for flight in [*self._take_decoded(), *self._answering.put_down()]:
                self._return(flight)
        for flight in [*self._decoding.values(), *self._answering.abandon(), *self._unsettled.forget()]:
            self._return(flight)
        self._decoding.clear()
        self._hand_back.give_up()

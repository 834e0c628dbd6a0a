"""``Outcomes``: what a try came to, from the error or the answer it ended with."""

import logging
import random

from earmark.domain import Done, Failure, Lease, Outcome, Prediction, Reject, Retry
from earmark.errors import EarmarkError, NoAnswer, PermanentError
from earmark.lost import worker_lost
from earmark.metadata import AudioMetadata
from workers.compose import compose_analysis
from workers.failures import Stage, failure_of
from workers.flight import Flight
from workers.parts import WorkerLimits, WorkerParts
from workers.primary import Primary
from workers.second_opinion import Answer

_log = logging.getLogger(__name__)


class Outcomes:
    """Judges tries for one worker."""

    def __init__(self, parts: WorkerParts, limits: WorkerLimits) -> None:
        """Take the worker's name, models and clock from its parts, delays and threshold from its limits."""
        self._parts = parts
        self._limits = limits

    def of_error(
        self, error: Exception, lease: Lease, stage: Stage, model: Primary | None = None, *, cost_usd: float = 0.0
    ) -> Reject | Retry:
        """Whether another try can help, and when; ``model`` is the one that was to hear it, where that is known.

        ``cost_usd`` is what the try cost all the same, in dollars.
        """
        failure = self._failure(error, lease, stage, model or self._parts.arms.default, cost_usd)
        if isinstance(error, PermanentError):
            return Reject(failure)
        if not isinstance(error, EarmarkError):
            _log.error("job.internal_error", exc_info=error)
        backoff_s = self._limits.retry_delay_s * 2 ** (lease.try_number - 1)
        return Retry(failure, backoff_s * random.uniform(0.5, 1.5))  # noqa: S311  # jitter, no secret

    def of_answer(self, flight: Flight, answer: Answer) -> Outcome:
        """The analysis, or a retry where there is no answer.

        Where only a cap on spending kept the last try from an answer, the record is left to a person instead.
        """
        prediction = answer.prediction
        if prediction is None and answer.capped and flight.lease.try_number >= self._limits.max_tries:
            prediction = Prediction(AudioMetadata(), covered_s=0.0)
        if prediction is None:
            reason = answer.error or NoAnswer("The model had no answer for this clip")
            return self.of_error(reason, flight.lease, "predict", flight.model, cost_usd=flight.vain_usd)
        assert flight.clip is not None  # noqa: S101  # only decoded flights reach the model
        model = flight.model or self._parts.arms.default
        alone = not answer.by_primary and bool(answer.fallback_model)
        return Done(
            compose_analysis(
                flight.lease,
                flight.clip,
                prediction,
                model=answer.fallback_model if alone else model.name,
                model_version=answer.fallback_version if alone else model.version,
                calibration="" if alone else model.calibration,
                hardware="" if alone else model.model.hardware,
                diverted=flight.diverted,
                primary=flight.primary if isinstance(flight.primary, Prediction) else None,
                routes=answer.routes,
                fallback_model=answer.fallback_model,
                fallback_version=answer.fallback_version,
                fallback_covered_s=answer.fallback_covered_s,
                leased_at=flight.leased_at,
                decode_s=flight.decode_s,
                now=self._parts.clock(),
                threshold=self._limits.confidence_threshold,
                usd_per_hour=self._limits.model_usd_per_hour,
                vain_usd=flight.vain_usd + sum(failure.cost_usd for failure in flight.lease.history),
                target_s=self._limits.target_s(flight.lease.job.lane),
            )
        )

    def of_spent(self, lease: Lease) -> Retry:
        """The end of a job whose tries were all spent before this lease: its last failure stands."""
        if lease.history:
            return Retry(lease.history[-1], 0.0)
        return Retry(worker_lost(lease.try_number, worker="", at=self._parts.clock()), 0.0)

    def _failure(self, error: Exception, lease: Lease, stage: Stage, model: Primary, cost_usd: float) -> Failure:
        return failure_of(
            error,
            lease=lease,
            stage=stage,
            model=model.name,
            model_version=model.version,
            worker=self._parts.name,
            at=self._parts.clock(),
            cost_usd=cost_usd,
        )

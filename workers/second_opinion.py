"""``SecondOpinion``: asks the fallback about what the primary left open, within region, breaker and caps."""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from earmark.clock import utc_now
from earmark.domain import Clip, FieldRoute, Job, Prediction, Upload
from earmark.errors import NoAnswer, RateLimited, TransientError, Unavailable
from earmark.log import event
from earmark.metadata import uncalibrated_fields
from earmark.ports import Clock
from earmark.stage import Stage, StageName
from earmark.trace import following, parsed
from workers.breaker import Breaker
from workers.cascade import ALL_FIELDS, CascadeRules, Merged, Reason, Refusal, merge, weak_fields
from workers.daemon_threads import DaemonThreads
from workers.fallback import Fallback
from workers.reply import Reply
from workers.spend import Cap

_log = logging.getLogger(__name__)

LEAVE_S = 2.0
"""Seconds questions under way may take to end when the worker does."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known about a clip at the end of the cascade."""

    prediction: Prediction | None
    error: TransientError | None = None
    """Why there is no prediction."""
    routes: tuple[FieldRoute, ...] = ()
    fallback_model: str = ""
    """Who was asked; empty = nobody."""
    fallback_version: str = ""
    fallback_covered_s: float = 0.0
    """Seconds of audio that it heard."""
    by_primary: bool = True
    """Whether the primary answered at all."""
    stages: tuple[Stage, ...] = ()
    """When the fallback was asked; none where it was not."""
    cost_usd: float = 0.0
    """What asking it cost, whatever came of it; a part of what the prediction cost, where there is one."""

    @classmethod
    def of_primary(cls, answer: Prediction | TransientError | None) -> Self:
        """What the primary said, where nobody else was asked."""
        return cls(answer) if isinstance(answer, Prediction) else cls(None, answer)

    def after(self, primary: Prediction | TransientError | None) -> Self:
        """The same, with the primary's failure as the reason where nobody has an answer: it came first."""
        if self.prediction is None and isinstance(primary, TransientError):
            return replace(self, error=primary)
        return self

    @property
    def capped(self) -> bool:
        """Whether only a cap on spending kept the fallback from answering."""
        return any(route.refused in {Refusal.DAY, Refusal.TENANT} for route in self.routes)


def regions_of(upload: Upload) -> frozenset[str]:
    """Where an upload's data must stay, as the router noted it."""
    return frozenset() if upload.region is None else frozenset({upload.region})


class SecondOpinion:
    """The fallback as the worker sees it.  Without one every answer of the primary stands as it is."""

    def __init__(
        self,
        rules: CascadeRules | None = None,
        fallback: Fallback | None = None,
        bound_to: Callable[[Upload], frozenset[str]] = regions_of,
        clock: Clock = utc_now,
    ) -> None:
        """Take the rules, and the fallback with its guards; without both, nobody is ever asked.

        ``bound_to`` gives the regions that all must be the provider's own; empty = it may be sent anywhere.  ``clock``
        says when it was asked.
        """
        self._clock = clock
        self._bound_to = bound_to
        self._rules = rules or CascadeRules(threshold=0.0, fields=frozenset(), prior=0.0)
        self._fallback = fallback
        self._threads = DaemonThreads(fallback.concurrency, "fallback") if fallback else None

    @property
    def available(self) -> bool:
        """Whether there is a fallback that is likely to answer now."""
        return self._fallback is not None and not self._fallback.breaker.open

    @property
    def breakers(self) -> dict[str, Breaker]:
        """The breaker of the fallback, by the name of its model; none where there is no fallback."""
        return {} if self._fallback is None else {self._fallback.provider.name: self._fallback.breaker}

    @property
    def exists(self) -> bool:
        """Whether there is a fallback."""
        return self._fallback is not None

    def questions(self, prediction: Prediction | None, reason: Reason) -> dict[str, Reason]:
        """The fields to ask about, and why: the weak ones of an answer, all listed ones where there is none."""
        if self._fallback is None:
            return {}
        if prediction is not None:
            return weak_fields(prediction.metadata, self._rules)
        return {field: reason for field in ALL_FIELDS if field in self._rules.fields}

    def refusal(self, job: Job) -> Refusal | None:
        """Why the fallback would not be asked about this job, caps aside."""
        if self._fallback is None or not self._bound_to(job.upload) <= self._fallback.regions:
            return Refusal.REGION
        return Refusal.BREAKER if self._fallback.breaker.open else None

    def submit(self, job: Job, clip: Clip, primary: Prediction | None, asked: Mapping[str, Reason]) -> Future[Answer]:
        """Ask in a thread of its own; the future never raises."""
        assert self._threads is not None  # noqa: S101  # nobody asks a fallback that does not exist
        return self._threads.submit(self.answer, job, clip, primary, asked)

    def answer(self, job: Job, clip: Clip, primary: Prediction | None, asked: Mapping[str, Reason]) -> Answer:
        """Ask, and merge what comes; whatever keeps the fallback from answering, the primary's answer stands."""
        with following(parsed(job.upload.trace)):
            return self._answer(job, clip, primary, asked)

    def _answer(self, job: Job, clip: Clip, primary: Prediction | None, asked: Mapping[str, Reason]) -> Answer:
        assert self._fallback is not None  # noqa: S101
        began, began_at = time.monotonic(), self._clock()
        try:
            reply, refused = self._reply(self._fallback, job, clip, asked)
        except Unavailable as error:  # the store of the sums: what may not be counted may not be spent
            reply, refused = Reply(None, error), Refusal.FAILED
        except Exception as error:  # noqa: BLE001  # a fault of ours must not cost a job its answer
            _log.exception("fallback.internal_error")
            reply, refused = Reply(None, NoAnswer(f"{type(error).__name__}: {error}")), Refusal.FAILED
        second = None if reply.prediction is None else self._fallback.calibrate(reply.prediction)
        merged = merge(
            primary.metadata if primary else None,
            second.metadata if second else None,
            asked,
            prior=self._rules.prior,
            refused=refused,
            cost_usd=reply.cost_usd,
            coverage=_coverage(second, clip),
        )
        name = self._fallback.provider.name if refused in {None, Refusal.FAILED} else ""
        event(
            _log,
            "fallback.asked" if name else "fallback.refused",
            level=logging.INFO if name else logging.WARNING,
            job_id=job.id,
            tenant=job.upload.tenant,
            fields=list(asked),
            taken=list(merged.fallback_fields),
            refused=refused,
            error=None if reply.error is None else f"{reply.error.kind}: {reply.error}",
            cost_usd=round(reply.cost_usd, 6),
            seconds=round(time.monotonic() - began, 3),
        )
        return Answer(
            _prediction(primary, second, merged, reply.cost_usd),
            error=reply.error or (None if refused is None else Unavailable(f"The fallback was not asked: {refused}")),
            routes=merged.routes,
            fallback_model=name,
            fallback_version=self._fallback.version if name else "",
            fallback_covered_s=second.covered_s if second else 0.0,
            by_primary=primary is not None,
            stages=(_asked(name, began_at, self._clock(), reply),) if name else (),
            cost_usd=reply.cost_usd,
        )

    def close(self) -> None:
        """Leave the questions under way, whose jobs were handed back, and give back money that was set aside."""
        if self._fallback is not None and self._threads is not None:
            self._fallback.provider.close()
            self._threads.close(wait_s=LEAVE_S)
            self._fallback.spend.close()

    def _reply(
        self, fallback: Fallback, job: Job, clip: Clip, asked: Mapping[str, Reason]
    ) -> tuple[Reply, Refusal | None]:
        if self.refusal(job) is Refusal.REGION:
            return Reply(None), Refusal.REGION
        reserved = fallback.spend.reserve(job.upload.tenant, fallback.provider.estimate_usd(clip, asked))
        if isinstance(reserved, Cap):
            return Reply(None), Refusal(reserved)
        cost_usd = 0.0
        try:
            if not fallback.breaker.admit():
                return Reply(None), Refusal.BREAKER
            try:
                reply = fallback.provider.ask(clip, list(asked))
            except BaseException:
                fallback.breaker.withdrawn()
                raise
            cost_usd = reply.cost_usd
            if reply.error is None:
                fallback.breaker.succeeded()
            else:
                fallback.breaker.failed(reply.error)
        finally:
            with suppress(Unavailable):  # then what was set aside counts as spent
                fallback.spend.settle(reserved, cost_usd)
        if reply.prediction is not None:
            return reply, None
        return reply, Refusal.RATE if isinstance(reply.error, RateLimited) else Refusal.FAILED


def _asked(model: str, began_at: datetime, ended_at: datetime, reply: Reply) -> Stage:
    """The question as a stage of the job's way, with what the provider counted."""
    usage = reply.usage
    return Stage(
        StageName.FALLBACK,
        began_at,
        ended_at,
        model=model,
        input_tokens=usage.audio_tokens + usage.text_tokens if usage.requests else None,
        output_tokens=usage.answer_tokens if usage.requests else None,
        error=reply.error.kind if reply.error is not None else "",
    )


def _coverage(second: Prediction | None, clip: Clip) -> float:
    """Share of a clip that the fallback heard."""
    return 1.0 if second is None or not clip.samples else min(1.0, second.covered_s / clip.duration_s)


def _prediction(
    primary: Prediction | None, second: Prediction | None, merged: Merged, cost_usd: float
) -> Prediction | None:
    """The prediction that stands, with what both cost.

    What was heard is told by whoever gave the transcript, or else by the primary: it is never more than that.
    """
    first = primary or second
    if first is None:
        return None
    by_fallback = second is not None and (primary is None or "transcript" in merged.fallback_fields)
    return replace(
        first,
        metadata=merged.metadata,
        uncalibrated=uncalibrated_fields(merged.metadata),
        cost_usd=(primary.cost_usd if primary else 0.0) + cost_usd,
        covered_s=second.covered_s if second is not None and by_fallback else first.covered_s,
    )

"""``Answering``: the models' part of a worker: decoded jobs in, jobs with an answer or a failure out.

::

    ready ──batch──► primary ──► strong answers ─────────────────────────► answered
      │                 └──────► weak, missing or failed ──► fallback ──►┘
      └── primary down, or lane degraded and primary busy ──►┘

Each arm of an experiment has a primary of its own; one is at work at a time, so that they share the hardware fairly.
An arm costs no customer more than a moment: a job whose arm has no model any more, or one that is down, is heard by the
default, and so are those of a batch that an arm broke over; and the default waits for no arm that hangs.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from earmark.domain import Clip, Prediction
from earmark.errors import ModelCrashed, ModelUnavailable, NoAnswer, TimedOut, TransientError, Unavailable
from earmark.log import event
from workers.cascade import Reason
from workers.flight import Flight, next_batch
from workers.isolation import predict_isolated
from workers.parts import WorkerLimits, WorkerParts
from workers.predicting import Answers, Predicting
from workers.primary import MODEL_STARTS_MAX, Primary
from workers.questions import Questions
from workers.second_opinion import Answer

_log = logging.getLogger(__name__)

ASKING_BATCHES = 4
"""Batches of jobs that may wait for the fallback; then no more are leased."""

PRIMARY_WAIT_S = 5.0
"""Seconds after which a job that only the primary may hear is offered again, while the primary is down."""

ARM_TIMEOUT_S = 30.0
"""Most seconds that the model of an arm may take over a batch, plus its audio length."""

Answered = list[tuple[Flight, Answer]]
"""Jobs with their answers."""


class Answering:
    """One batch at the primary and some jobs at the fallback; used by one thread."""

    def __init__(self, parts: WorkerParts, limits: WorkerLimits, *, give_back: Callable[[Flight, float], None]) -> None:
        """Start nothing; ``give_back`` ends a job without a try."""
        self._parts = parts
        self._limits = limits
        self._arms = parts.arms
        self._default = parts.arms.default
        self._give_back = give_back
        self._second = parts.second
        self._predictor = ThreadPoolExecutor(1, "predict")
        self._arm_predictor = ThreadPoolExecutor(1, "predict-arm")
        self._ready: list[Flight] = []
        self._predicting: list[Predicting] = []
        """A batch at the default, one at an arm, or both where the arm takes too long."""
        self._questions = Questions(parts.second)
        self._yielded = False
        """Whether the low jobs that are ready have let high ones go before them."""
        self._over: Answered = []
        """Jobs that nobody is to hear any more in this try."""
        self._loading: Future[None] | None = None

    @property
    def ready(self) -> int:
        """How many jobs wait for a model."""
        return len(self._ready)

    @property
    def open(self) -> bool:
        """Whether further jobs would be answered soon."""
        crowded = len(self._questions) >= ASKING_BATCHES * self._limits.batch_jobs
        return not crowded and (self._second.available or not self._default.outage.resting)

    @property
    def under_way(self) -> bool:
        """Whether a model is at work."""
        return bool(self._predicting or len(self._questions))

    @property
    def flights(self) -> list[Flight]:
        """Every job here."""
        predicting = [flight for each in self._predicting for flight in each.batch]
        return [*self._ready, *(flight for flight, _ in self._over), *predicting, *self._questions.flights]

    @property
    def futures(self) -> list[Future[Any]]:
        """What to wait for."""
        return [*self._questions.futures, *(each.future for each in self._predicting)]

    def load(self) -> Future[None]:
        """Load the default while there is nothing for it to do yet."""
        self._loading = self._predictor.submit(self._default.model.start)
        return self._loading

    def add(self, flight: Flight) -> None:
        """Take a decoded job."""
        flight.primary_only = flight.shadow
        self._ready.append(flight)

    def start(self, decoding: Collection[Flight], admit_urgent: Callable[[], None]) -> None:
        """Give the models what is ready.

        Args:
            decoding: jobs that will be ready soon, a view of those there are at any moment.
            admit_urgent: leases high jobs that came while a low batch was being prepared.
        """
        self._choose()
        self._start_primary(decoding, admit_urgent)
        self._call_fallback()

    def _choose(self) -> None:
        """Say for each job that is ready who is to hear it, by what its experiment says now.

        None waits behind a batch that an arm is in trouble with: those who wait keep others from being leased.
        """
        stuck = [each.model for each in self._predicting if each.overtime or each.model.shaky]
        for flight in list(self._ready):
            job = flight.lease.job
            own = self._default if job.exposure is None else self._arms.find(job)
            unfit = own is not None and (own in stuck or not own.usable)
            down = own is not self._default and (flight.shunned or unfit)
            flight.diverted = own is None or down
            flight.model = self._default if own is None or down else own
            if flight.diverted and flight.shadow:
                self._ready.remove(flight)
                if own is None:
                    self._over.append((flight, Answer(None, NoAnswer("Its experiment has ended"))))
                else:
                    self._give_back(flight, PRIMARY_WAIT_S)

    def _start_primary(self, decoding: Collection[Flight], admit_urgent: Callable[[], None]) -> None:
        if not self._hearable():
            return
        if not self._yielded and not any(flight.urgent for flight in self._ready):
            self._yielded = True  # once for each low batch, or low could wait for ever
            admit_urgent()
            self._choose()
        batch = next_batch(
            self._hearable(),
            decoding=list(decoding),  # with those just admitted
            max_jobs=self._limits.batch_jobs,
            max_audio_s=self._limits.batch_audio_s,
            now=self._parts.clock(),
        )
        model = batch[0].model if batch else None
        if model is None or ((self._second.exists or model is not self._default) and not model.breaker.admit()):
            return
        batch = batch[:1] if model.shaky else batch
        self._yielded &= batch[0].urgent
        self._ready = [flight for flight in self._ready if flight not in batch]
        self._predicting.append(self._begun(batch, model))

    def _begun(self, batch: list[Flight], model: Primary) -> Predicting:
        """Let a model begin; an arm gets no second go at a batch it breaks over, for the default hears that then."""
        clips = [flight.clip for flight in batch if flight.clip is not None]
        audio_s, arm = sum(flight.audio_s for flight in batch), model is not self._default
        most_s = min(ARM_TIMEOUT_S, self._limits.predict_timeout_s) if arm else self._limits.predict_timeout_s

        def predict(some: Sequence[Clip]) -> list[Prediction | None]:
            return model.model.predict(some, timeout_s=most_s + audio_s)

        def isolated(some: Sequence[Clip]) -> Answers:
            return predict_isolated(predict, some)

        whole = arm and len(batch) > 1
        for each in self._predicting:
            each.alone = False
        self._parts.observers.batch_begun(batch[0].lease.job.lane, len(batch), audio_s)
        thread = self._arm_predictor if arm else self._predictor
        future: Future[Answers] = thread.submit(predict if whole else isolated, clips)
        return Predicting(future, batch, model, self._parts.clock(), not self._predicting)

    def _hearable(self) -> list[Flight]:
        """The jobs that are ready and whose model may be asked now."""
        return [flight for flight in self._ready if flight.model is not None and self._free(flight.model)]

    def _free(self, model: Primary) -> bool:
        """Whether a model may begin: one at a time, but the default need not wait for an arm that is in trouble."""
        if model.outage.resting:
            return False
        return not self._predicting or (
            model is self._default
            and all(each.model is not model and (each.overtime or each.model.shaky) for each in self._predicting)
        )

    def _call_fallback(self) -> None:
        """Let the fallback take what the primary cannot hear, or not soon enough."""
        down = self._default.outage.resting or self._default.breaker.open
        busy = bool(self._predicting)
        for flight in list(self._ready) if self._second.exists and (down or busy) else []:
            if flight.model is not self._default:
                continue  # it has a model of its own, which is not down
            job = flight.lease.job
            waited_s = (self._parts.clock() - job.enqueued_at).total_seconds()
            if not (down or self._parts.degradation.lasts(job.lane, waited_s)):
                continue
            if flight.primary_only or self._second.refusal(job) is not None:
                if down:  # it would keep a slot from jobs that the fallback can answer
                    self._ready.remove(flight)
                    self._unhearable(flight, PRIMARY_WAIT_S)
                continue
            flight.instead = Reason.PRIMARY_DOWN if down else Reason.DEGRADED
            if self._questions.ask(flight, flight.instead):
                self._ready.remove(flight)

    def _unhearable(self, flight: Flight, pause_s: float) -> None:
        """Let a job wait for the primary; it spends a try where the fallback was paid in vain, or that had no end."""
        if flight.unanswered is None:
            self._give_back(flight, pause_s)
        else:
            self._over.append((flight, Answer(None, flight.unanswered)))

    def take(self) -> Answered:
        """The jobs that have an answer or a failure by now.

        Raises:
            ModelUnavailable: the primary did not start, several times in a row, and no fallback answered.
        """
        answered, self._over = self._over, []
        for flight, answer in self._questions.answered():
            if flight.instead is not None and (answer.prediction is not None or isinstance(answer.error, NoAnswer)):
                self._default.failed_starts = 0
            if answer.prediction is None and flight.instead is not None:
                flight.instead, flight.primary_only = None, True  # so the job waits for the primary, without a try
                self._ready.append(flight)
            else:
                answered.append((flight, answer.after(flight.primary)))
        for each in [each for each in self._predicting if each.future.done()]:
            self._predicting.remove(each)
            each.ended(self._parts.clock())
            answers = self._answers(each.future, each.batch, each.model)
            answered += [] if answers is None else self._heard(answers, each.batch, each.model)
        for retired in self._arms.retired():
            self._arm_predictor.submit(retired.model.close)
        return answered

    def _answers(self, future: Future[Answers], batch: list[Flight], model: Primary) -> Answers | None:
        """What the primary said to each; ``None`` = nothing, and its jobs wait for another go."""
        try:
            return future.result()
        except ModelUnavailable as error:
            self._failed(error, batch, model)
        except Unavailable as error:  # a clip went with its disk: neither model nor recording is at fault
            event(_log, "clips.lost", level=logging.WARNING, jobs=len(batch), error=str(error))
            model.breaker.withdrawn()
            if (self._parts.clock() - batch[0].lease.job.enqueued_at).total_seconds() >= self._limits.outage_max_s:
                return [error] * len(batch)
            for flight in batch:
                self._give_back(flight, PRIMARY_WAIT_S)
        except (ModelCrashed, TimedOut) as error:
            self._broke(error, batch, model)
        except Exception as error:  # noqa: BLE001  # a fault of ours costs these jobs a try, not the worker its life
            _log.exception("batch.failed")
            return [ModelCrashed(f"{type(error).__name__}: {error}")] * len(batch)
        return None

    def _heard(self, answers: Answers, batch: list[Flight], model: Primary) -> list[tuple[Flight, Answer]]:
        """Who needs nobody else's answer."""
        if model is not self._default and all(isinstance(answer, TransientError) for answer in answers):
            if model.shaky or isinstance(answers[0], TimedOut):  # else the recording may be at fault
                self._unwell(model, batch, str(answers[0]))
            model.shaky = True
        else:
            model.failed_starts = 0
            model.shaky = False
            model.outage.over()
        # One clip that fails alone a second time is at fault itself; so says its history.
        if all(isinstance(answer, TransientError) for answer in answers) and not batch[0].suspect:
            model.breaker.failed(ModelUnavailable(f"every clip of a batch failed: {answers[0]}"))
        else:
            model.breaker.succeeded()
        final = []
        for flight, answer in zip(batch, answers, strict=True):
            flight.primary = model.calibrate(answer) if isinstance(answer, Prediction) else answer
            if flight.lease.job.exposure is not None and not flight.diverted:
                self._arms.tried(flight.lease.job, ok=isinstance(answer, Prediction))
            why = Reason.PRIMARY_FAILED if isinstance(answer, TransientError) else Reason.NO_ANSWER
            if not self._questions.ask(flight, why):
                final.append((flight, Answer.of_primary(flight.primary)))
        return final

    def _failed(self, error: ModelUnavailable, batch: list[Flight], model: Primary) -> None:
        """No clip is at fault: no try is spent, and there is a pause before the next start."""
        model.breaker.withdrawn()
        if model is not self._default:
            self._unwell(model, batch, str(error))
            self._ready += batch  # for the default to hear
            return
        model.failed_starts += 1
        pause_s = model.outage.failed(error)
        for flight in batch:
            if self._second.exists and self._second.refusal(flight.lease.job) is None and not flight.primary_only:
                self._ready.append(flight)
            else:
                self._unhearable(flight, pause_s if self._second.exists else 0.0)
        if model.failed_starts >= MODEL_STARTS_MAX:
            raise error

    def _unwell(self, model: Primary, batch: list[Flight], why: str) -> None:
        """Let the model of an arm rest, and tell of it when it has failed for long without an answer in between."""
        if model.rest(why):
            self._arms.lost(batch[0].lease.job, why)

    def _broke(self, error: TransientError, batch: list[Flight], model: Primary) -> None:
        """An arm crashed or hung over several clips: the default hears them, and the arm a single one next.

        Which clip was at fault is not looked for, so it counts as one failure of the arm and as no try of anybody.
        """
        self._unwell(model, batch, str(error))
        model.breaker.failed(error)
        event(_log, "arm.broke_over_batch", level=logging.WARNING, model=model.name, jobs=len(batch), error=str(error))
        self._arms.tried(batch[0].lease.job, ok=False)
        for flight in batch:
            flight.shunned = True
        self._ready += batch

    def put_down(self) -> list[Flight]:
        """Take back what no model has begun with."""
        flights, self._ready = self._ready, []
        return flights

    def abandon(self) -> list[Flight]:
        """Take back everything; a primary at work is ended."""
        flights, self._ready = self.flights, []
        self._questions.forget()
        self._over.clear()
        for each in self._predicting:
            each.model.model.end()
        self._predicting.clear()
        return flights

    def close(self) -> None:
        """End the threads, without waiting for a model that is only being loaded."""
        if self._loading is not None and not self._loading.done():
            self._default.model.end()  # nobody needs it any more
        self._predictor.shutdown(wait=True, cancel_futures=True)
        self._arm_predictor.shutdown(wait=True, cancel_futures=True)
        self._second.close()

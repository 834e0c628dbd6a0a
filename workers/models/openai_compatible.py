"""``OpenAICompatible``: OpenAI, vLLM, Ollama and whatever else speaks chat completions with audio.

It is asked for some fields as the fallback (``ask``), or for all of them as the primary model (``predict``).  The
client is imported only when one is made: looking here is cheap.
"""

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from earmark.domain import Clip, Prediction
from earmark.errors import (
    ConfigurationError,
    ModelUnavailable,
    NoAnswer,
    QuotaExhausted,
    RateLimited,
    TimedOut,
    TransientError,
    Unavailable,
)
from earmark.log import event
from earmark.metadata import AudioMetadata, RatedContentType, uncalibrated_fields
from earmark.vocabulary import Basis, ContentType
from workers.daemon_threads import DaemonThreads
from workers.models.answer import FIELDS, chosen_fields
from workers.models.chat_request import answer_tokens, question_tokens
from workers.models.exchange import Exchange, Heard
from workers.models.prices import estimated_usd
from workers.models.prompt import prompt_version
from workers.models.provider import FRESH_DAYS, Provider
from workers.models.window_merge import WindowAnswer, merge_windows
from workers.models.windows import LEAST_S, SEARCH_S, WINDOW_S, Window, covered_s, heard, speech_windows, spread_windows
from workers.reply import Reply, Usage

_log = logging.getLogger(__name__)

WARNED_DAYS: Final = 60
"""Days before a model is turned off from which each start says so."""
LEAVE_S: Final = 1.0
"""Seconds requests under way may take to end when the connection is closed."""
CLOSED: Final = "The connection to the provider was closed; the worker is stopping"


def version_of(provider: Provider) -> str:
    """Changes with anything that can change an answer: the model, the words it is asked with, how much it is sent."""
    asked = (
        provider.url, provider.output, provider.audio_format, provider.audio_windows, provider.answer_tokens,
        provider.repair_model, prompt_version(FIELDS),
    )  # fmt: skip
    return f"{provider.model}-{hashlib.sha256(repr(asked).encode()).hexdigest()[:8]}"


@dataclass
class _Call:
    """One call of ``ask`` or ``predict``: what stops all of it."""

    fields: tuple[str, ...]
    error: TransientError | None = None


@dataclass
class _Question:
    """One clip of a call."""

    clip: Clip
    windows: list[Window] = field(default_factory=list)
    heard: list[Future[Heard]] = field(default_factory=list)
    error: TransientError | None = None
    """Why no more windows are sent."""


class OpenAICompatible:
    """Asks one provider about clips.  Safe for several threads."""

    def __init__(
        self,
        provider: Provider,
        *,
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """Take the key from the environment; connects to nothing yet.

        Args:
            provider: that is asked.
            environment: where its key is; None = that of this process.
            clock: counts seconds, for the limits per minute.
            sleep: waits for a limit or before another try; None = until the time is up or this is closed.

        Raises:
            ConfigurationError: there is no key, or no ``openai`` package.
        """
        try:
            from workers.models.chat_client import ChatClient  # noqa: PLC0415  # takes a second to import
        except ModuleNotFoundError as error:
            message = f"Not installed: {error.name}.  Install Earmark with its extra `openai`."
            raise ConfigurationError(message) from None
        self.provider = provider
        self.name = f"{provider.name}/{provider.model}"
        self.engine = provider.engine
        self.version = version_of(provider)
        self._closed = threading.Event()
        self._client = ChatClient(provider, environment=environment, clock=clock, sleep=sleep or self._closed.wait)
        self._exchange = Exchange(self._client, provider)
        self._pool = DaemonThreads(provider.concurrency, provider.name)

    def __repr__(self) -> str:
        """Name and version, nothing secret."""
        return f"OpenAICompatible({self.name})"

    def check(self) -> None:
        """Ask whether the provider has the models that are set, and warn of one that is turned off soon, or old prices.

        Raises:
            ConfigurationError: it has not, or refuses the key; names what to set.
            Unavailable: it cannot be asked now.
        """
        from workers.models.chat_client import check_provider  # noqa: PLC0415  # imported long before

        days = self.provider.days_left(datetime.now(UTC).date())
        if days is not None and days <= WARNED_DAYS:
            event(_log, "provider.model_retires", level=logging.WARNING, provider=self.name, model=self.provider.model,
                  retires=str(self.provider.retires), days_left=days)  # fmt: skip
        age = self.provider.prices_age_days(datetime.now(UTC).date())
        if age is not None and age > FRESH_DAYS:
            event(_log, "provider.prices_old", level=logging.WARNING, provider=self.name, model=self.provider.model,
                  as_of=str(self.provider.prices.as_of), days=age)  # fmt: skip
        check_provider(self._client, self.provider)

    def estimate_usd(self, clip: Clip, fields: Collection[str]) -> float:
        """The most that ``ask`` should cost, every answer at its longest and mended, nothing sent twice."""
        if clip.technical.silent or not clip.samples:
            return 0.0
        if "transcript" in fields:
            count = min(self.provider.audio_windows, math.floor(clip.duration_s / (WINDOW_S - SEARCH_S)) + 1)
            seconds = [min(clip.duration_s, WINDOW_S * count) / count] * count
        else:
            seconds = [window.duration_s for window in spread_windows(clip.samples, self.provider.audio_windows)]
        asked, written = question_tokens(fields), answer_tokens(self.provider, fields)
        repair_usd = estimated_usd(
            self.provider.repair_prices, audio_tokens=0, text_tokens=asked + written, answer_tokens=written
        )
        return sum(
            estimated_usd(
                self.provider.prices,
                audio_tokens=math.ceil(max(each, LEAST_S) * self.provider.tokens_per_audio_s),
                text_tokens=asked,
                answer_tokens=written,
            )
            + (repair_usd if self.provider.repair_model else 0.0)
            for each in seconds
        )

    def ask(self, clip: Clip, fields: Collection[str]) -> Reply:
        """Some fields of one clip; failures are values, with what was spent until then.

        A recording of which some windows failed is answered from the others; ``covered_s`` says how much was heard.
        """
        return self._replies([clip], fields)[0]

    def predict(self, clips: Sequence[Clip]) -> list[Prediction | None]:
        """All fields of each clip, in order; None = no answer for that clip.

        Raises:
            ModelUnavailable: the provider is down, throttles or has no quota for all of them.
        """
        replies = self._replies(clips, FIELDS)
        for clip, reply in zip(clips, replies, strict=True):
            if reply.error is not None:  # None says nothing of the reason, so it is told here
                event(_log, "provider.gave_no_answer", level=logging.WARNING, provider=self.name, job_id=clip.job_id,
                      trace_id=clip.trace_id, error=reply.error.kind, reason=str(reply.error),
                      cost_usd=round(reply.cost_usd, 6))  # fmt: skip
        errors = [reply.error for reply in replies]
        at_fault = Unavailable if len(clips) == 1 else (Unavailable, TimedOut)  # one clip alone may be what takes long
        if errors and all(isinstance(error, at_fault) for error in errors):
            raise ModelUnavailable(str(errors[0]))
        return [reply.prediction for reply in replies]

    def close(self) -> None:
        """End all waits, give what is under way a moment to end, hang up."""
        self._closed.set()
        self._pool.close(wait_s=LEAVE_S)
        self._client.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _replies(self, clips: Sequence[Clip], fields: Collection[str]) -> list[Reply]:
        call = _Call(chosen_fields(fields))
        questions = [_Question(clip) for clip in clips]
        began = time.monotonic()
        for question in questions:
            self._begin(call, question)
        heard_of = [[_result(future) for future in question.heard] for question in questions]
        total_s = sum(part.seconds for parts in heard_of for part in parts)
        share_s = (time.monotonic() - began) / total_s if total_s else 0.0
        return [
            self._reply(call, question, parts, share_s) for question, parts in zip(questions, heard_of, strict=True)
        ]

    def _begin(self, call: _Call, question: _Question) -> None:
        clip = question.clip
        if clip.technical.silent or not clip.samples:
            return
        try:
            samples = np.memmap(clip.path, np.dtype("<f4"), "r", shape=(clip.samples,))
            question.windows = self._windows(samples, call.fields)
        except (OSError, ValueError) as error:
            question.error = NoAnswer(f"The samples of the clip cannot be read: {type(error).__name__}")
            return
        try:
            for window in question.windows:
                question.heard.append(self._pool.submit(self._hear, call, question, samples, window))
        except RuntimeError:  # the pool takes nothing more
            question.error = ModelUnavailable(CLOSED)

    def _windows(self, samples: NDArray[np.float32], fields: Sequence[str]) -> list[Window]:
        if "transcript" in fields:
            return speech_windows(samples[: self._most_samples])[: self.provider.audio_windows]
        return spread_windows(len(samples), self.provider.audio_windows)

    @property
    def _most_samples(self) -> int:
        """Beyond this no window is sent, so none need be looked for."""
        return round((self.provider.audio_windows + 1) * WINDOW_S * 16_000)

    def _hear(self, call: _Call, question: _Question, samples: NDArray[np.float32], window: Window) -> Heard:
        stopped = ModelUnavailable(CLOSED) if self._closed.is_set() else call.error or question.error
        if stopped is not None:
            return Heard(None, stopped)
        began = time.monotonic()
        said = self._exchange.about(heard(samples, window), call.fields)
        if isinstance(said.error, QuotaExhausted | ModelUnavailable):
            call.error = said.error
        elif isinstance(said.error, Unavailable | TimedOut):
            question.error = said.error
        return replace(said, seconds=time.monotonic() - began)

    def _reply(self, call: _Call, question: _Question, parts: Sequence[Heard], share_s: float) -> Reply:
        """What the windows come to.

        Args:
            call: it is part of.
            question: about one clip.
            parts: What came of its windows.
            share_s: Seconds that passed for each second a request took; less than 1 where several were under way.
        """
        usage, cost_usd = sum((part.usage for part in parts), Usage()), sum(part.cost_usd for part in parts)
        pairs = list(zip(question.windows, parts, strict=False))
        answered = [window for window, part in pairs if part.metadata is not None]
        if answered:
            metadata = merge_windows([WindowAnswer(window, part.metadata) for window, part in pairs])
            seconds = share_s * sum(part.seconds for part in parts)
            prediction = self._prediction(call, metadata, covered_s(answered), cost_usd, seconds)
            return Reply(prediction, None, cost_usd, usage)
        errors = [error for error in (question.error, *(part.error for part in parts)) if error is not None]
        if errors:
            telling = min(errors, key=_silence)
            return Reply(None, telling, cost_usd, usage)
        silence = RatedContentType(value=ContentType.SILENCE, confidence=1.0, basis=Basis.MEASURED)
        metadata = AudioMetadata(content_type=silence)  # known for certain, and models hear things in it
        return Reply(self._prediction(call, metadata, question.clip.duration_s, 0.0, 0.0))

    def _prediction(
        self, call: _Call, metadata: AudioMetadata, seconds_heard: float, cost_usd: float, seconds: float
    ) -> Prediction:
        return Prediction(
            metadata,
            covered_s=seconds_heard,
            uncalibrated=uncalibrated_fields(metadata),
            cost_usd=cost_usd,
            predict_s=seconds,
            engine=self.engine,
            prompt_version=prompt_version(call.fields),
        )


def _silence(error: TransientError) -> int:
    """How little an error says about the provider: one about a clip, or by our own limit, hides no other."""
    return 2 if isinstance(error, NoAnswer) else int(isinstance(error, RateLimited))


def _result(future: Future[Heard]) -> Heard:
    try:
        return future.result()
    except CancelledError:
        return Heard(None, ModelUnavailable(CLOSED))


def load(provider: Mapping[str, Any], threads: int = 1) -> OpenAICompatible:  # noqa: ARG001  # others compute here
    """The primary model of a child process.

    Args:
        provider: The fields of a ``Provider``, as ``model_dump`` gives them.
        threads: Not used; every factory takes them.

    Raises:
        ConfigurationError: the provider refuses what is set.
    """
    try:
        known = Provider.model_validate(dict(provider))
    except ValidationError as error:
        keys = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False))
        message = f"The provider's settings are wrong: {keys}"
        raise ConfigurationError(message) from None
    model = OpenAICompatible(known)
    try:
        model.check()
    except ConfigurationError:
        model.close()
        raise
    except Unavailable as error:  # it may be up when the first clips come; predict says if it is not
        event(_log, "provider.unreachable", level=logging.WARNING, provider=known.name, reason=str(error))
    return model

"""``Exchange``: the question about one window, the answer, and at most one attempt to mend it."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from earmark.domain import CLIP_RATE_HZ
from earmark.errors import NoAnswer, TransientError
from earmark.log import event
from earmark.metadata import AudioMetadata
from workers.models.answer import metadata_of, parse_answer
from workers.models.answer_reader import BadAnswer
from workers.models.audio_bytes import encoded
from workers.models.call_failed import CallFailed
from workers.models.chat_answer import FINISHED, ChatAnswer, read_answer
from workers.models.chat_request import (
    BYTES_PER_TOKEN,
    MOST_MENDED_CHARS,
    answer_tokens,
    question,
    question_tokens,
    repair,
)
from workers.models.logprob_scores import logprob_scores
from workers.models.prices import billed, estimated_usd
from workers.models.provider import Provider
from workers.reply import Usage

if TYPE_CHECKING:  # it imports the client, which takes a second
    from workers.models.chat_client import ChatClient

_log = logging.getLogger(__name__)

REASONS: Final = frozenset({"empty", "content_filter", "error", "abort"})
"""Reasons of no answer that are told as they are; others are foreign words."""
USUAL_SHARE: Final = 0.25
"""Share of the tokens an answer may have that it usually needs, for the limit on tokens a minute."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one window."""

    metadata: AudioMetadata | None
    error: TransientError | None = None
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    seconds: float = 0.0
    """How long it took."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What came of one request, and of all its sendings."""

    usage: Usage
    cost_usd: float
    answer: ChatAnswer = field(default_factory=lambda: ChatAnswer("", ""))
    failure: CallFailed | None = None


class Exchange:
    """Asks one provider.  Safe for several threads."""

    def __init__(self, client: "ChatClient", provider: Provider) -> None:
        """Take the connection, and what is known about who is at its other end."""
        self._client = client
        self._provider = provider
        self._logprobs = provider.logprobs != "no"
        self._unclear_told = False

    def about(self, piece: NDArray[np.float32], fields: Sequence[str]) -> Heard:
        """Ask for some fields of one window; failures are values, and cost what they cost.

        Args:
            piece: Mono at 16 kHz, (n,), at most 30 s, as ``windows.heard`` gives it.
            fields: What to ask for.
        """
        said = self._asked(piece, fields)
        read = self._read(said, fields)
        if not isinstance(read, BadAnswer):
            return Heard(*read, said.usage, said.cost_usd)
        who, text = self._provider.name, said.answer.text
        if not self._provider.repair_model or len(text) > MOST_MENDED_CHARS:
            error = NoAnswer(f"{who} gave an answer that does not fit the schema: {_bounded(read)}")
            return Heard(None, error, said.usage, said.cost_usd)
        # The model that hears is not asked twice: most of what it costs is the audio.
        mended = self._mended(text, read, fields)
        usage, cost_usd = said.usage + mended.usage + Usage(repairs=1), said.cost_usd + mended.cost_usd
        read = self._read(mended, fields)
        if isinstance(read, BadAnswer):
            message = f"{who} gave an answer that does not fit the schema, nor does the mended one: {_bounded(read)}"
            return Heard(None, NoAnswer(message), usage, cost_usd)
        return Heard(*read, usage, cost_usd)

    def _read(
        self, said: _Said, fields: Sequence[str]
    ) -> tuple[AudioMetadata | None, TransientError | None] | BadAnswer:
        """The metadata, or why there is none, or an answer that may be mended."""
        if said.failure is not None:
            return None, said.failure.error
        if fault := _fault(said.answer):
            return None, NoAnswer(f"{self._provider.name} {fault}")
        text = said.answer.text
        try:
            values = parse_answer(text, fields)
        except BadAnswer as error:
            return error
        return metadata_of(values, logprob_scores(text, said.answer.tokens)), None

    def _asked(self, piece: NDArray[np.float32], fields: Sequence[str]) -> _Said:
        audio_tokens = math.ceil(len(piece) / CLIP_RATE_HZ * self._provider.tokens_per_audio_s)
        audio = encoded(piece, self._provider.audio_format)
        with_logprobs = self._logprobs
        body = question(self._provider, fields, audio, logprobs=with_logprobs)
        said = self._sent(body, fields, audio_tokens=audio_tokens, text_tokens=question_tokens(fields))
        refused = said.failure is not None and "logprob" in said.failure.parameter.lower()
        if not (refused and with_logprobs and self._provider.logprobs == "auto"):
            return said
        self._logprobs = False
        event(_log, "provider.gives_no_logprobs", provider=self._provider.name, model=self._provider.model)
        del body["logprobs"]
        again = self._sent(body, fields, audio_tokens=audio_tokens, text_tokens=question_tokens(fields))
        return replace(again, usage=said.usage + again.usage, cost_usd=said.cost_usd + again.cost_usd)

    def _mended(self, text: str, fault: BadAnswer, fields: Sequence[str]) -> _Said:
        text_tokens = question_tokens(fields) + len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN
        body = repair(self._provider, fields, text.encode("utf-8", "replace").decode(), str(fault))
        return self._sent(body, fields, audio_tokens=0, text_tokens=text_tokens)

    def _sent(self, body: dict[str, Any], fields: Sequence[str], *, audio_tokens: int, text_tokens: int) -> _Said:
        prices = self._provider.prices if audio_tokens else self._provider.repair_prices
        # A failure for which the provider may have worked is taken to be on the bill with its question.
        vain_usd = estimated_usd(prices, audio_tokens=audio_tokens, text_tokens=text_tokens, answer_tokens=0)
        reserved = audio_tokens + text_tokens + USUAL_SHARE * answer_tokens(self._provider, fields)
        try:
            completion, sendings = self._client.complete(body, tokens=reserved)
        except CallFailed as failure:
            return _Said(Usage(requests=failure.sendings.all), vain_usd * failure.sendings.in_vain, failure=failure)
        answer = read_answer(completion)
        usage, cost_usd, unclear = billed(
            answer.usage,
            prices,
            audio_tokens=audio_tokens,
            text_tokens=text_tokens,
            answer_tokens=answer_tokens(self._provider, fields),
        )
        if unclear and not self._unclear_told:
            self._unclear_told = True
            event(_log, "provider.bill_unclear", level=logging.WARNING, provider=self._provider.name,
                  model=body["model"], what=unclear, counted="the estimate")  # fmt: skip
        self._client.limit.settle(reserved, usage.audio_tokens + usage.text_tokens + usage.answer_tokens)
        usage = replace(usage, requests=sendings.all)
        return _Said(usage, cost_usd + vain_usd * sendings.in_vain, answer)


def _fault(answer: ChatAnswer) -> str:
    """Why an answer is none, whatever its text; empty = it may be one."""
    if answer.refusal:
        return "refused to answer"
    if answer.finish == "length":
        return "was cut off at the most tokens an answer may have"
    if answer.finish not in FINISHED:
        return f"gave no answer, reason {answer.finish if answer.finish in REASONS else 'unknown'}"
    return "" if answer.text.strip() else "said nothing"


def _bounded(error: BadAnswer) -> str:
    return str(error)[:300]

"""``Assumed``: everything a comparison stands on, measured, priced or given, each with where it comes from."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from earmark.errors import ConfigurationError
from runtime.cost.measured import LEAST_JOBS, Measured
from workers.models.answer import FIELDS
from workers.models.chat_request import BYTES_PER_TOKEN, question_tokens
from workers.models.prices import estimated_usd
from workers.models.provider import Provider
from workers.models.windows import WINDOW_S

ENGLISH_BYTES: Final = 4
"""Bytes of English in a token, about; reservations reckon with fewer."""
ANSWER_TOKENS: Final = 300
"""Of an answer about all fields of a window: some 75 words of transcript, and 800 bytes of other fields."""
QUESTION_TOKENS: Final = question_tokens(FIELDS) * BYTES_PER_TOKEN / ENGLISH_BYTES
"""Of the text that asks about all fields of a window."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and where it comes from."""

    value: float
    source: str


@dataclass(frozen=True, slots=True)
class Given:
    """What was given in place of what is measured; ``None`` = nothing."""

    audio_s_per_job: float | None = None
    fallback_share: float | None = None
    fallback_usd_per_job: float | None = None
    """Of a job that the fallback is asked about."""
    api_usd_per_job: float | None = None
    question_tokens: float | None = None
    answer_tokens: float | None = None
    predict_s_per_audio_s: Mapping[str, float] = field(default_factory=dict)
    """By machine."""
    usd_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class Assumed:
    """What holds for every machine."""

    audio_s_per_job: Figure
    api_usd_per_job: Figure
    fallback_share: Figure
    fallback_usd_per_job: Figure

    @property
    def fallback_usd(self) -> float:
        """Dollars of the fallback, mean over all jobs."""
        return self.fallback_share.value * self.fallback_usd_per_job.value


def assume(given: Given, provider: Provider, measured: Callable[[], Measured]) -> Assumed:
    """Put together what holds for every machine; ``measured`` is only called for what was not given.

    Raises:
        ConfigurationError: too few rows to tell what was not given.
        Unavailable: the warehouse cannot be reached.
    """
    audio_s, heard_s, requests = _lengths(given, provider, measured)
    api = _api(given, provider, heard_s, requests)
    share = _share(given, measured)
    return Assumed(audio_s, api, share, _asking(given, share, api, measured))


def asking_usd(provider: Provider, audio_s: float) -> float:
    """What a provider that is asked everything about a job of so many seconds takes for it, in dollars."""
    heard_s, requests = _heard(provider, audio_s)
    return estimated_usd(
        provider.prices,
        audio_tokens=heard_s * provider.tokens_per_audio_s,
        text_tokens=requests * QUESTION_TOKENS,
        answer_tokens=requests * ANSWER_TOKENS,
    )


def _heard(provider: Provider, audio_s: float) -> tuple[float, int]:
    """Seconds of a job that a provider hears, and the pieces it is sent."""
    heard_s = min(audio_s, provider.audio_windows * WINDOW_S)
    return heard_s, math.ceil(heard_s / WINDOW_S)


def _lengths(given: Given, provider: Provider, measured: Callable[[], Measured]) -> tuple[Figure, float, float]:
    """Seconds of audio in a job, what of it the provider would hear, and pieces it would be sent."""
    if given.audio_s_per_job is not None:
        return Figure(given.audio_s_per_job, "given"), *_heard(provider, given.audio_s_per_job)
    rows = measured()
    rows.check_answers("the length of a job", "--audio-s-per-job")
    if rows.audio_s <= 0:
        message = "The answers of the window are about no audio at all.  Give --audio-s-per-job."
        raise ConfigurationError(message)
    length = Figure(rows.audio_s / rows.answers, f"mean of {rows.answers} answers")
    return length, rows.provider_audio_s / rows.answers, rows.requests / rows.answers


def _api(given: Given, provider: Provider, heard_s: float, requests: float) -> Figure:
    """What one job costs a provider that is asked about everything."""
    if given.api_usd_per_job is not None:
        return Figure(given.api_usd_per_job, "given")
    asked = QUESTION_TOKENS if given.question_tokens is None else given.question_tokens
    answered = ANSWER_TOKENS if given.answer_tokens is None else given.answer_tokens
    usd = estimated_usd(
        provider.prices,
        audio_tokens=heard_s * provider.tokens_per_audio_s,
        text_tokens=requests * asked,
        answer_tokens=requests * answered,
    )
    if usd <= 0:
        message = (
            f"The provider {provider.name} costs nothing by its prices, so there is nothing to compare with.  Give its "
            f"prices in the file that EARMARK_PROVIDERS names, choose --provider, or give --api-usd-per-job."
        )
        raise ConfigurationError(message)
    how = (
        f"{heard_s:.4g} s of audio at {provider.tokens_per_audio_s:g} tokens a second, and {requests:.3g} requests of "
        f"{asked:.4g} tokens with answers of {answered:.4g}"
    )
    return Figure(usd, f"{how}, at the prices of {provider.name}/{provider.model}")


def _share(given: Given, measured: Callable[[], Measured]) -> Figure:
    if given.fallback_share is not None:
        return Figure(given.fallback_share, "given")
    rows = measured()
    rows.check_answers("the share of the fallback", "--fallback-share")
    return Figure(rows.asked / rows.answers, f"{rows.asked} of {rows.answers} answers")


def _asking(given: Given, share: Figure, api: Figure, measured: Callable[[], Measured]) -> Figure:
    """What a job costs that the fallback is asked about."""
    if given.fallback_usd_per_job is not None:
        return Figure(given.fallback_usd_per_job, "given")
    if share.value <= 0:
        return Figure(0.0, "nobody is asked")
    rows = measured()
    if rows.asked < LEAST_JOBS:
        few = f"only {rows.asked} were asked about" if rows.asked else "no rows about it"
        return Figure(api.value, f"{few}, so as much as asking about everything: the most")
    return Figure(rows.fallback_usd / rows.asked, f"mean of {rows.asked} that were asked about")

"""What a provider's errors mean to us.  Nothing of the client's leaves here, no key, and little of what was said."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import httpx2
import openai

from earmark.errors import ModelUnavailable, NoAnswer, QuotaExhausted, Throttled, TimedOut, Unavailable
from earmark.log import masked
from workers.models.call_failed import CallFailed
from workers.models.provider import Provider

MOST_SAID_CHARS: Final = 240
"""What is kept of a provider's own words."""
LONGEST_SAID_S: Final = 86_400.0
"""A longer pause than a day is taken for a day."""
QUOTA_WORDS: Final = frozenset(
    {
        "insufficient_quota",
        "insufficient_balance",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credits_exhausted",
        "access_terminated",
    }
)
"""Codes of a 429 or 403 that no waiting mends."""
MODEL_WORDS: Final = frozenset({"model_not_found", "model_not_available", "unsupported_model"})
PASSING: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""Statuses below 500 that may pass by themselves."""


def call_failed(error: Exception, provider: Provider, key: str, now: datetime) -> CallFailed:
    """Translate what the client raised.

    Args:
        error: of ``openai`` or ``httpx2``.
        provider: that was asked.
        key: blotted out wherever it appears.
        now: for a Retry-After that is a date, where the answer has none of its own.
    """
    who = provider.name
    if isinstance(error, openai.APIStatusError):
        return _refused(error, provider, _told(error, key), now)
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
    if isinstance(cause, httpx2.ReadTimeout | httpx2.WriteTimeout | TimeoutError):
        return CallFailed(TimedOut(f"{who} did not answer within {provider.timeout_s:g} s"), charged=True)
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError):
        return CallFailed(Unavailable(f"{who} cannot be reached at {provider.url}: {type(cause).__name__}"), again=True)
    if isinstance(cause, httpx2.HTTPError):
        said = f"{who} broke the connection off: {type(cause).__name__}"
        return CallFailed(Unavailable(said), again=True, charged=True)
    return CallFailed(Unavailable(f"{who} cannot be asked: {type(cause or error).__name__}"))


def _refused(error: openai.APIStatusError, provider: Provider, told: str, now: datetime) -> CallFailed:  # noqa: PLR0911  # a table
    status, who = error.status_code, provider.name
    words = {str(error.code or "").lower(), str(error.type or "").lower()}
    wait_s = retry_after_s(error.response.headers, now)
    may_repeat = error.response.headers.get("x-should-retry") != "false"
    if status == HTTPStatus.PAYMENT_REQUIRED or words & QUOTA_WORDS:
        message = f"{who}: the account has no money or quota left{told}"
        return CallFailed(QuotaExhausted(message), retry_after_s=wait_s)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        message = f"{who} asks for a pause{told}"
        return CallFailed(Throttled(message, wait_s), again=may_repeat, retry_after_s=wait_s)
    if status == HTTPStatus.NOT_FOUND or words & MODEL_WORDS:
        message = f"{who} knows no model {provider.model} at {provider.url}{told}.  Set `model` and `url` of {who}."
        return CallFailed(ModelUnavailable(message))
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        where = f"Set {provider.key_variable} to a key that may use it" if provider.key_variable else "Set key_variable"
        return CallFailed(ModelUnavailable(f"{who} refuses our key for {provider.model}{told}.  {where}."))
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        message = f"{who} sends us elsewhere, where no audio is sent unasked{told}.  Set `url` of {who}."
        return CallFailed(ModelUnavailable(message))
    if status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"{who} failed with status {status}{told}"
        return CallFailed(Unavailable(message), again=may_repeat, retry_after_s=wait_s)
    message = f"{who} refuses the question with status {status}{told}"
    return CallFailed(NoAnswer(message), parameter=_parameter(error, told))


def _parameter(error: openai.APIStatusError, told: str) -> str:
    """The parameter at fault; many servers name it in words alone."""
    return error.param if isinstance(error.param, str) and error.param else told


def _told(error: openai.APIStatusError, key: str) -> str:
    """The provider's own words in one bounded line, behind a colon."""
    body = error.body
    said = body.get("message") or body.get("detail") or "" if isinstance(body, Mapping) else body or ""
    return said_by(str(said), key)


def said_by(text: str, key: str) -> str:
    """Foreign words for a message: one line, bounded, without the key and whatever else looks secret."""
    line = " ".join(text[: 20 * MOST_SAID_CHARS].split())
    line = masked(line.replace(key, "********") if key else line)[:MOST_SAID_CHARS].rstrip(" .")
    return f": {line}" if line else ""


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds a provider asks to wait, from ``retry-after-ms`` or ``retry-after`` in seconds or as a date (RFC 9110).

    A date is read beside the provider's own ``Date``, so that no clock needs to be right.  None = it does not say, or
    nothing sensible; 0 to ``LONGEST_SAID_S``.
    """
    for name, per_s in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / per_s
        except ValueError:
            continue
        if not math.isnan(seconds):
            return min(max(0.0, seconds), LONGEST_SAID_S)
    until, since = _date(headers.get("retry-after", "")), _date(headers.get("date", "")) or now
    return None if until is None else min(max(0.0, (until - since).total_seconds()), LONGEST_SAID_S)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)

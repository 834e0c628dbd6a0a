"""What an answer cost, from the bill that came with it."""

from collections.abc import Mapping
from typing import Any, Final

from workers.models.provider import Prices
from workers.reply import Usage

PER: Final = 1_000_000.0
"""Prices are per million tokens."""
MOST_TOKENS: Final = 100_000_000
"""A bill that counts more than this is wrong."""


def billed(
    usage: Mapping[str, Any] | None, prices: Prices, *, audio_tokens: int, text_tokens: int
) -> tuple[Usage, float]:
    """Counts and US dollars of one request.

    Args:
        usage: The bill; nothing of it is sure.  None = there is none: the estimates stand in for the question.
        prices: of the model that answered.
        audio_tokens: What the question's audio was estimated at, for a bill that does not tell audio from text.
        text_tokens: The same of its text.
    """
    bill = usage or {}
    asked, answered = _details(bill, "prompt_tokens_details"), _details(bill, "completion_tokens_details")
    prompt = _count(bill, "prompt_tokens") if "prompt_tokens" in bill else audio_tokens + text_tokens
    audio = _count(asked, "audio_tokens") if asked.get("audio_tokens") is not None else audio_tokens
    audio = min(audio, prompt)
    cached = min(_count(asked, "cached_tokens"), prompt - audio)
    written = _count(bill, "completion_tokens")
    spoken = min(_count(answered, "audio_tokens"), written)
    cost = (
        audio * prices.audio_in
        + (prompt - audio - cached) * prices.text_in
        + cached * prices.cached_in
        + (written - spoken) * prices.text_out
        + spoken * prices.audio_out
    ) / PER
    counts = Usage(
        requests=1, audio_tokens=audio, text_tokens=prompt - audio, cached_tokens=cached, answer_tokens=written
    )
    return counts, cost


def estimated_usd(prices: Prices, *, audio_tokens: float, text_tokens: float, answer_tokens: float) -> float:
    """US dollars a request would cost, nothing of it cached."""
    return (audio_tokens * prices.audio_in + text_tokens * prices.text_in + answer_tokens * prices.text_out) / PER


def _details(bill: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    details = bill.get(name)
    return details if isinstance(details, dict) else {}


def _count(bill: Mapping[str, Any], name: str) -> int:
    value = bill.get(name)
    return int(min(MOST_TOKENS, max(0, value))) if isinstance(value, int | float) else 0

"""What an answer cost, from the bill that came with it."""

import math
from collections.abc import Mapping
from typing import Any, Final

from workers.models.provider import Prices
from workers.reply import Usage

PER: Final = 1_000_000.0
"""Prices are per million tokens."""
SANE: Final = 50.0
"""A bill that counts more than so many times what was reckoned with, an upper estimate, is wrong."""


def billed(
    usage: Mapping[str, Any] | None, prices: Prices, *, audio_tokens: int, text_tokens: int, answer_tokens: int
) -> tuple[Usage, float, str]:
    """Counts and US dollars of one request.

    Args:
        usage: The bill; nothing of it is sure.
        prices: of the model that answered.
        audio_tokens: What the question's audio was estimated at, for a bill that does not tell audio from text.
        text_tokens: The same of its text.
        answer_tokens: The most the answer may have.

    Returns:
        Counts, US dollars, and what is unclear about the bill, for then all estimates stand in: a provider that bills
        nothing, or nonsense, must not get round a cap on spending.  Empty = it is clear.
    """
    bill = usage or {}
    asked, answered = _details(bill, "prompt_tokens_details"), _details(bill, "completion_tokens_details")
    counts = {
        "prompt_tokens": _count(bill.get("prompt_tokens"), SANE * (audio_tokens + text_tokens)),
        "completion_tokens": _count(bill.get("completion_tokens"), SANE * answer_tokens),
        "audio_tokens": _count(asked.get("audio_tokens"), math.inf, absent=audio_tokens),
        "cached_tokens": _count(asked.get("cached_tokens"), math.inf, absent=0),
        "spoken_tokens": _count(answered.get("audio_tokens"), math.inf, absent=0),
    }
    unclear = next((name for name, count in counts.items() if count is None), "")
    if unclear or not counts["prompt_tokens"]:  # no question is free of tokens
        usd = estimated_usd(prices, audio_tokens=audio_tokens, text_tokens=text_tokens, answer_tokens=answer_tokens)
        use = Usage(requests=1, audio_tokens=audio_tokens, text_tokens=text_tokens, answer_tokens=answer_tokens)
        return use, usd, unclear or "prompt_tokens"
    prompt, written, audio, cached, spoken = (count or 0 for count in counts.values())
    audio = min(audio, prompt)
    cached = min(cached, prompt - audio)
    spoken = min(spoken, written)
    cost = (
        audio * prices.audio_in
        + (prompt - audio - cached) * prices.text_in
        + cached * prices.cached_in
        + (written - spoken) * prices.text_out
        + spoken * prices.audio_out
    ) / PER
    use = Usage(requests=1, audio_tokens=audio, text_tokens=prompt - audio, cached_tokens=cached, answer_tokens=written)
    return use, cost, ""


def estimated_usd(prices: Prices, *, audio_tokens: float, text_tokens: float, answer_tokens: float) -> float:
    """US dollars a request would cost, nothing of it cached."""
    return (audio_tokens * prices.audio_in + text_tokens * prices.text_in + answer_tokens * prices.text_out) / PER


def _details(bill: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    details = bill.get(name)
    return details if isinstance(details, dict) else {}


def _count(value: object, most: float, *, absent: int | None = None) -> int | None:
    """A number of tokens; ``absent`` where there is none, None where it is no number, negative or beyond ``most``."""
    if value is None:
        return absent
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or value == math.inf:
        return None
    return int(value)

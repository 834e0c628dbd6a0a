"""What providers send is foreign: nothing in it makes the adapter raise, wait absurdly, or repeat a secret."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.models.chat_answer import ChatAnswer, read_answer
from workers.models.prices import SANE, billed
from workers.models.provider import Prices
from workers.models.provider_errors import LONGEST_SAID_S, MOST_SAID_CHARS, retry_after_s, said_by

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PRICES = Prices(text_in=1, cached_in=0.5, audio_in=10, text_out=4, audio_out=20)
KEYS = st.sampled_from(
    ["choices", "message", "content", "tool_calls", "function", "arguments", "audio", "transcript", "finish_reason",
     "logprobs", "token", "bytes", "logprob", "usage", "prompt_tokens", "completion_tokens", "prompt_tokens_details",
     "audio_tokens", "cached_tokens", "refusal"]
)  # fmt: skip
FOREIGN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


def in_http(seconds: float) -> str:
    """A moment from now, as HTTP writes it."""
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": in_http(20)}, 20.0),
        ({"retry-after": in_http(-20)}, 0.0),
        ({"retry-after": in_http(500), "date": in_http(490)}, 10.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "inf"}, LONGEST_SAID_S),
        ({"retry-after": "1e400"}, LONGEST_SAID_S),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Fri, 99 Nov 2026 12:00:00 GMT"}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    """In milliseconds, seconds, or as a date beside the provider's own clock."""
    assert retry_after_s(headers, NOW) == seconds


@given(st.text(max_size=60))
def test_any_header_gives_a_bounded_wait_or_none(text: str) -> None:
    """Whatever stands in it."""
    seconds = retry_after_s({"retry-after": text, "date": text, "retry-after-ms": text}, NOW)
    assert seconds is None or 0.0 <= seconds <= LONGEST_SAID_S


def test_foreign_words_are_one_bounded_line_without_secrets() -> None:
    """The key, whatever it looks like, whatever else looks like one, and line breaks are gone."""
    said = said_by(f"no\nkey s3cr3t-key, nor Authorization: Bearer abcdef, nor sk-abcdefgh {'x' * 9000}", "s3cr3t-key")
    assert "s3cr3t" not in said
    assert "abcdef" not in said
    assert "\n" not in said
    assert len(said) <= MOST_SAID_CHARS + 2


@given(st.dictionaries(KEYS, FOREIGN, max_size=6))
def test_any_completion_is_read_without_an_error(completion: dict[str, Any]) -> None:
    """It may come to nothing, and its bill is finite and not negative."""
    answer = read_answer(completion)
    assert isinstance(answer, ChatAnswer)
    usage, cost_usd, _ = billed(answer.usage, PRICES, audio_tokens=100, text_tokens=50, answer_tokens=100)
    assert 0 < cost_usd <= SANE * (150 * PRICES.audio_in + 100 * PRICES.audio_out) / 1e6
    assert min(usage.audio_tokens, usage.text_tokens, usage.cached_tokens, usage.answer_tokens) >= 0
    assert usage.cached_tokens <= usage.text_tokens


@pytest.mark.parametrize("logprob", [10**400, "x", None, float("nan"), [1]])
def test_tokens_that_cannot_be_read_are_none_at_all(logprob: object) -> None:
    """A gap would shift all that follow."""
    tokens = [{"token": "{}", "bytes": [123], "logprob": 0.0}, {"token": "}", "bytes": [125], "logprob": logprob}]
    choice = {"message": {"content": "{}"}, "logprobs": {"content": tokens}}
    assert read_answer({"choices": [choice]}).tokens == ()
    tokens[1]["logprob"] = 5
    assert [token.logprob for token in read_answer({"choices": [choice]}).tokens] == [0.0, 0.0]


def test_a_bill_is_counted_by_kind() -> None:
    """Audio, cached text, other text and words written have a price each."""
    bill = {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"audio_tokens": 600, "cached_tokens": 300},
        "completion_tokens_details": {"audio_tokens": 40},
    }
    usage, cost_usd, unclear = billed(bill, PRICES, audio_tokens=600, text_tokens=300, answer_tokens=100)
    assert not unclear
    assert (usage.audio_tokens, usage.text_tokens, usage.cached_tokens, usage.answer_tokens) == (600, 400, 300, 100)
    assert cost_usd == pytest.approx((600 * 10 + 100 * 1 + 300 * 0.5 + 60 * 4 + 40 * 20) / 1e6)


def test_a_bill_that_does_not_tell_audio_from_text_is_not_taken_for_text() -> None:
    """Audio is what costs; its estimate stands in."""
    bill = {"prompt_tokens": 500, "completion_tokens": 0}
    usage, cost_usd, _ = billed(bill, PRICES, audio_tokens=300, text_tokens=9, answer_tokens=9)
    assert (usage.audio_tokens, usage.text_tokens) == (300, 200)
    assert cost_usd == pytest.approx((300 * 10 + 200) / 1e6)


@pytest.mark.parametrize(
    "bill",
    [
        None,
        {},
        {"completion_tokens": 5},
        {"prompt_tokens": 500},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": -5, "completion_tokens": "x"},
        {"prompt_tokens": 500, "completion_tokens": -1},
        {"prompt_tokens": float("inf"), "completion_tokens": 5},
        {"prompt_tokens": float("nan"), "completion_tokens": 5},
        {"prompt_tokens": 10**400, "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5},
        {"prompt_tokens": 25_001, "completion_tokens": 5},
        {"prompt_tokens": 500, "completion_tokens": 5001},
        {"prompt_tokens": 500, "completion_tokens": 5, "prompt_tokens_details": {"audio_tokens": -1}},
        {"prompt_tokens": 500, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1e400}},
        {"prompt_tokens": 500, "completion_tokens": 5, "completion_tokens_details": {"audio_tokens": "x"}},
    ],
)
def test_a_bill_that_cannot_be_right_counts_as_the_estimate(bill: dict[str, Any] | None) -> None:
    """Neither nothing, which would get round a cap, nor a fortune."""
    usage, cost_usd, unclear = billed(bill, PRICES, audio_tokens=300, text_tokens=200, answer_tokens=100)
    assert unclear
    assert (usage.audio_tokens, usage.text_tokens, usage.answer_tokens) == (300, 200, 100)
    assert cost_usd == pytest.approx((300 * 10 + 200 * 1 + 100 * 4) / 1e6)


def test_fences_and_spoken_words_are_looked_through() -> None:
    """The JSON is the same wherever it stands."""
    text = json.dumps({"content_type": "music"})

    def said(message: dict[str, Any]) -> str:
        return read_answer({"choices": [{"message": message}]}).text

    assert said({"content": f"```json\n{text}\n```"}) == text
    assert said({"content": None, "audio": {"transcript": text}}) == text
    assert said({"content": "hm", "tool_calls": [{"function": {"arguments": text}}]}) == text

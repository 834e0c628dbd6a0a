"""What can go wrong at a provider, one value for each; ``OpenAIServer.plan`` lets requests meet them in order."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

Change = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class Fault:
    """What one request meets instead of its answer, or on the way to it."""

    name: str = "ok"
    status: int = 200
    error: Mapping[str, Any] | None = None
    """The error in the body, as OpenAI writes it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    """Silence before the answer."""
    drip_s: float = 0.0
    """Silence after each byte of the answer."""
    cut_after_bytes: int | None = None
    """The connection ends after so much of the body."""
    body: bytes | None = None
    """Sent as it is."""
    change: Change | None = None
    """Changes the right answer, a chat completion."""


def _message(completion: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = completion["choices"][0]["message"]
    return message


def says(text: str, name: str = "says") -> Fault:
    """The model writes this, where its answer belongs."""

    def change(completion: dict[str, Any]) -> None:
        message = _message(completion)
        completion["choices"][0]["logprobs"] = None
        if message.get("tool_calls"):
            message["tool_calls"][0]["function"]["arguments"] = text
        else:
            message["content"] = text

    return Fault(name, change=change)


def _answer(completion: dict[str, Any]) -> str:
    message = _message(completion)
    text = message["tool_calls"][0]["function"]["arguments"] if message.get("tool_calls") else message["content"]
    return str(text)


def _spoken(completion: dict[str, Any]) -> None:
    message = _message(completion)
    text = _answer(completion)
    completion["choices"][0]["logprobs"] = None
    message |= {"content": None, "audio": {"id": "audio_1", "data": "", "expires_at": 0, "transcript": text}}
    message.pop("tool_calls", None)


def _fenced(completion: dict[str, Any]) -> None:
    message = _message(completion)
    message |= {"content": f"```json\n{_answer(completion)}\n```"}
    message.pop("tool_calls", None)


def _unbilled(completion: dict[str, Any]) -> None:
    completion.pop("usage")


def _cut_off(completion: dict[str, Any]) -> None:
    says(_answer(completion)[:20]).change(completion)  # type: ignore[misc]
    completion["choices"][0]["finish_reason"] = "length"


def _refused(completion: dict[str, Any]) -> None:
    message = _message(completion)
    message |= {"content": None, "refusal": "I cannot help with that."}
    message.pop("tool_calls", None)


def failing(status: int, message: str, *, code: str = "", headers: Mapping[str, str] | None = None) -> Fault:
    """An error with a status and OpenAI's body."""
    error = {"message": message, "type": code or "server_error", "param": None, "code": code or None}
    return Fault(f"status_{status}", status, error, headers or {})


def throttled(after_s: float | None = None, *, how: str = "seconds") -> Fault:
    """A 429 that says when to come back in ``seconds``, as a ``date``, in ``ms``, or (None) not at all."""
    headers: dict[str, str] = {}
    if after_s is not None and how == "date":
        now = datetime.now(UTC)
        headers = {"Date": format_datetime(now), "Retry-After": format_datetime(now + timedelta(seconds=after_s))}
    elif after_s is not None:
        headers = {"Retry-After": f"{after_s:g}"} if how == "seconds" else {"retry-after-ms": f"{after_s * 1000:g}"}
    return failing(429, "Rate limit reached for requests", code="rate_limit_exceeded", headers=headers)


def slow(seconds: float) -> Fault:
    """The right answer, late."""
    return Fault("slow", delay_s=seconds)


OK = Fault()
BAD_JSON = says('{"content_type":"music",', "bad_json")
WRONG_SCHEMA = says('{"content_type":"noise","genres":"rock","confidence":2}', "wrong_schema")
FENCED = Fault("fenced", change=_fenced)
EMPTY_CHOICES = Fault("empty_choices", change=lambda completion: completion["choices"].clear())
SPOKEN = Fault("spoken", change=_spoken)
CUT_OFF = Fault("cut_off", change=_cut_off)
REFUSED = Fault("refused", change=_refused)
UNBILLED = Fault("unbilled", change=_unbilled)
CUT = Fault("cut", cut_after_bytes=40)
HUNG_UP = Fault("hung_up", cut_after_bytes=-1)
"""Cut before the first byte of the answer."""
DRIP = Fault("drip", drip_s=0.05)
BROKEN_DRIP = Fault("broken_drip", 500, {"message": "x" * 600}, drip_s=0.05)
FLOOD = Fault("flood", body=b" " * (9 * 1024**2))
HTML = Fault("html", body=b"<html><body>Welcome to the proxy</body></html>", headers={"Content-Type": "text/html"})
LIST = Fault("list", body=json.dumps([1, 2]).encode())
DEEP = Fault("deep", body=b"[" * 200_000)
NO_QUOTA = failing(429, "You exceeded your current quota, please check your plan.", code="insufficient_quota")
NO_MONEY = failing(402, "Payment required", code="insufficient_balance")
BROKEN = failing(500, "The server had an error")
OVERLOADED = failing(503, "Overloaded", headers={"Retry-After": "2"})
NO_MODEL = failing(404, "The model does not exist or you do not have access to it.", code="model_not_found")
BAD_KEY = failing(401, "Incorrect API key provided", code="invalid_api_key")
ELSEWHERE = Fault("elsewhere", 307, headers={"Location": "http://127.0.0.1:9/v1/chat/completions"}, body=b"")

BY_NAME: dict[str, Fault] = {
    "ok": OK,
    "bad_json": BAD_JSON,
    "wrong_schema": WRONG_SCHEMA,
    "fenced": FENCED,
    "empty_choices": EMPTY_CHOICES,
    "spoken": SPOKEN,
    "cut_off": CUT_OFF,
    "refused": REFUSED,
    "unbilled": UNBILLED,
    "cut": CUT,
    "hung_up": HUNG_UP,
    "drip": DRIP,
    "html": HTML,
    "no_quota": NO_QUOTA,
    "no_money": NO_MONEY,
    "broken": BROKEN,
    "overloaded": OVERLOADED,
    "no_model": NO_MODEL,
    "bad_key": BAD_KEY,
    "elsewhere": ELSEWHERE,
    "throttled": throttled(),
    "throttled_1s": throttled(1),
    "throttled_ms": throttled(0.2, how="ms"),
    "throttled_date": throttled(1, how="date"),
    "throttled_long": throttled(3600),
    "slow": slow(2),
    "hanging": slow(3600),
}
"""For use by hand."""

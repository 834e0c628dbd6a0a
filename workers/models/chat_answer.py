"""``ChatAnswer``: what a chat completion says.  Servers differ and break; nothing here is taken for granted."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_FENCED: Final = re.compile(r"\s*```[a-zA-Z]*\s*(.*?)\s*```\s*", re.DOTALL)
FINISHED: Final = frozenset({"stop", "tool_calls", "function_call", ""})
"""Reasons to finish that are no failure; servers that give none are taken at their word."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token the model wrote."""

    piece: bytes
    logprob: float
    """Natural logarithm of its probability, at most 0."""


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """One answer."""

    text: str
    """What should be JSON; empty = nothing was said."""
    finish: str
    """Why the model stopped: ``stop``, ``length``, ``content_filter``, …; empty = the server does not say."""
    refusal: str = ""
    tokens: tuple[TokenLogprob, ...] = ()
    usage: Mapping[str, Any] | None = None
    """The bill as it came."""


def read_answer(completion: Mapping[str, Any]) -> ChatAnswer:
    """Read the first choice: the arguments of the function called, else the content, else the words spoken."""
    usage = completion.get("usage")
    usage = usage if isinstance(usage, dict) else None
    choices = completion.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return ChatAnswer("", "empty", usage=usage)
    message = _mapping(choice.get("message"))
    return ChatAnswer(
        text=_unfenced(_arguments(message) or _text(message.get("content")) or _spoken(message)),
        finish=_text(choice.get("finish_reason")),
        refusal=_text(message.get("refusal")),
        tokens=_tokens(_mapping(choice.get("logprobs"))),
        usage=usage,
    )


def _arguments(message: Mapping[str, Any]) -> str:
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        arguments = _text(_mapping(_mapping(call).get("function")).get("arguments"))
        if arguments:
            return arguments
    return ""


def _spoken(message: Mapping[str, Any]) -> str:
    """A model that speaks although it is asked to write has no content; what it said stands here."""
    return _text(_mapping(message.get("audio")).get("transcript"))


def _tokens(logprobs: Mapping[str, Any]) -> tuple[TokenLogprob, ...]:
    """The tokens, or none at all where one of them cannot be read: a gap would shift all that follow."""
    content = logprobs.get("content")
    tokens = []
    for entry in content if isinstance(content, list) else ():
        each = _mapping(entry)
        piece = each.get("bytes")
        try:
            logprob = float(each["logprob"])
            read = bytes(piece) if isinstance(piece, list) else _text(each.get("token")).encode()
        except (KeyError, ValueError, TypeError, OverflowError):
            return ()
        if math.isnan(logprob):
            return ()
        tokens.append(TokenLogprob(read, min(0.0, logprob)))
    return tuple(tokens)


def _unfenced(text: str) -> str:
    """Without the Markdown fence that models like to put around code."""
    fenced = _FENCED.fullmatch(text)
    return fenced.group(1) if fenced else text


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

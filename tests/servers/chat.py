"""How models of three kinds take questions and answer them, as a chat completion."""

import json
import math
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np

from tests.servers import ears


class Kind(Enum):
    """What a model can do."""

    AUDIO = "audio"
    OPEN = "open"
    TEXT = "text"


MODELS: Mapping[str, Kind] = {"gpt-audio-1.5": Kind.AUDIO, "gpt-6.2-sol": Kind.TEXT, "qwen2-audio": Kind.OPEN}


class Refused(Exception):  # the server's own answer
    """A request the model does not take."""

    def __init__(self, message: str, param: str = "") -> None:
        """Take what to say, and the parameter that is wrong."""
        super().__init__(message)
        self.param = param


def _parts(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    contents = [message["content"] for message in body["messages"]]
    return [
        part
        for content in contents
        for part in ([{"type": "text", "text": content}] if isinstance(content, str) else content)
    ]


def samples_of(body: Mapping[str, Any]) -> "ears.Reals | None":
    """The first audio of a question; None = there is none.  Raises ``Refused`` for what is no audio."""
    sounds = [part["input_audio"] for part in _parts(body) if part["type"] == "input_audio"]
    if not sounds:
        return None
    try:
        return ears.decoded(sounds[0]["data"], sounds[0]["format"])
    except ValueError as error:
        message = f"The audio cannot be decoded: {error}"
        raise Refused(message, "messages") from None


def completion_of(models: Mapping[str, Kind], body: Mapping[str, Any], samples: "ears.Reals | None") -> dict[str, Any]:
    """The right answer of a model; raises ``Refused`` as it would."""
    kind = models.get(body["model"])
    if kind is None:
        why = f"The model {body['model']} does not exist"
        raise Refused(why, "model")
    _taken(kind, body, samples)
    text = " ".join(part["text"] for part in _parts(body) if part["type"] == "text")
    schema = _schema(body)
    answer = _mended(text) if samples is None else ears.heard(samples)
    names = list(schema["properties"]) if schema else [name for name in answer if f"\n{name}: " in text]
    written = json.dumps({name: answer[name] for name in names}, ensure_ascii=False, separators=(",", ":"))
    message: dict[str, Any] = {"role": "assistant", "content": written, "refusal": None}
    if body.get("tool_choice"):
        call = {"name": body["tool_choice"]["function"]["name"], "arguments": written}
        message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": call}]}
    seconds = 0.0 if samples is None else len(samples) / ears.RATE_HZ
    audio_tokens = math.ceil(seconds * (10 if kind is Kind.AUDIO else 25))
    text_tokens, answer_tokens = len(text) // 4, len(_pieces(written))
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or 10_000
    finish = "length" if answer_tokens > limit else "stop"
    usage: dict[str, Any] = {
        "prompt_tokens": audio_tokens + text_tokens,
        "completion_tokens": answer_tokens,
        "total_tokens": audio_tokens + text_tokens + answer_tokens,
    }
    if kind is not Kind.OPEN:  # vLLM does not say which tokens were audio
        usage["prompt_tokens_details"] = {
            "audio_tokens": audio_tokens, "text_tokens": text_tokens, "cached_tokens": text_tokens // 2,
        }  # fmt: skip
        usage["completion_tokens_details"] = {"audio_tokens": 0, "text_tokens": answer_tokens, "reasoning_tokens": 0}
    logprobs = {"content": _pieces(written)} if body.get("logprobs") else None
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": logprobs}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice],
        "usage": usage,
    }  # fmt: skip


def _taken(kind: Kind, body: Mapping[str, Any], samples: "ears.Reals | None") -> None:
    """Refuse what a model of this kind refuses."""
    if kind is Kind.AUDIO:
        if samples is None:
            message = "This model requires that either input content or output modality contain audio."
            raise Refused(message, "model_input")
        for name in ("response_format", "structured_outputs", "logprobs"):
            if body.get(name):
                message = f"Invalid parameter: '{name}' is not supported with this model."
                raise Refused(message, name)
        if body.get("tools") and body["tools"][0]["function"].get("strict"):
            message = "Invalid parameter: strict tools are not supported with this model."
            raise Refused(message, "tools")
    if kind is Kind.TEXT and samples is not None:
        message = "Unsupported modalities: audio"
        raise Refused(message, "messages")
    if kind is Kind.TEXT and "temperature" in body:
        message = "Unsupported value: 'temperature' does not support 0 with this model."
        raise Refused(message, "temperature")
    if kind is Kind.TEXT and (bad := set(_keys(_schema(body) or {})) & {"minLength", "maxLength", "pattern"}):
        message = f"Invalid schema for response_format: {', '.join(sorted(bad))} is not permitted."
        raise Refused(message, "response_format")


def _keys(schema: object) -> list[str]:
    """All keys of a schema."""
    if isinstance(schema, dict):
        return [*schema, *(key for value in schema.values() for key in _keys(value))]
    return [key for value in schema for key in _keys(value)] if isinstance(schema, list) else []


def _schema(body: Mapping[str, Any]) -> dict[str, Any] | None:
    if body.get("tools"):
        return dict(body["tools"][0]["function"]["parameters"])
    if body.get("structured_outputs"):
        return dict(body["structured_outputs"]["json"])
    if body.get("response_format"):
        return dict(body["response_format"]["json_schema"]["schema"])
    return None


def _mended(text: str) -> dict[str, Any]:
    """What a text model makes of a bad answer: the content type that stands in it, and nothing else."""
    found = re.findall(r'"content_type"\s*:\s*"(music|speech|mixed|sound|silence)"', text)
    return {
        **ears.heard(np.zeros(0)),
        "content_type": found[-1] if found else "sound",
        "description": "Mended.",
    }


def _pieces(text: str) -> list[dict[str, Any]]:
    """Tokens: words, and each mark alone; a letter beyond ASCII takes two."""
    raw = text.encode()
    tokens = [match.group() for match in re.finditer(rb"[A-Za-z0-9_ ]+|[\x80-\xff]|.", raw, re.DOTALL)]
    return [
        {
            "token": token.decode("utf-8", "replace"),
            "logprob": math.log(0.9) if token.strip(b'{}[]":,') else 0.0,
            "bytes": list(token),
            "top_logprobs": [],
        }
        for token in tokens
    ]

"""Structured log events: a stable name, ``noun.verb_past``, and fields.

Modules call ``event(logger, "job.settled", job_id=…)``; only the command line attaches an output, and the processes
it starts attach the same.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, TextIO

_SECRETS = re.compile(
    r"(?i)((?:(?:\b|_)(?:api[_-]?key|authorization|password|secret|token)\b[\"']?\s*[=:]\s*[\"']?)?\b(?:bearer|basic)\s+"
    r"|(?:\b|_)(?:api[_-]?key|authorization|password|secret|token)\b[\"']?\s*[=:]\s*[\"']?"
    r"|\b(?=sk-|em_live_|whsec_))[^\s\"',;&]+"
)
_SECRET_NAME = re.compile(r"(?i)(?:\b|_)(?:api[_-]?key|authorization|password|secret|token)$")
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]+(?=@)")
"""User and password in an address."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def masked(text: str) -> str:
    """Text with secrets blotted out and control characters escaped, safe for a log."""
    text = _CREDENTIALS.sub("********", _SECRETS.sub(r"\1********", text))
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def event(logger: logging.Logger, name: str, /, *, level: int = logging.INFO, **fields: object) -> None:
    """Log one event with its fields."""
    if logger.isEnabledFor(level):
        logger.log(level, name, extra={"fields": fields})


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(_clean(line), ensure_ascii=False)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(
            f"{name}={value}" for name, value in getattr(record, "fields", {}).items() if value is not None
        )
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        line = masked(f"{at} {record.levelname.lower():7} {record.getMessage()} {fields}".rstrip())
        return f"{line}\n{masked_lines(self.formatException(record.exc_info))}" if record.exc_info else line


def _clean(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            str(name): "********" if isinstance(item, str) and _SECRET_NAME.search(str(name)) else _clean(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return masked(str(value))


def masked_lines(text: str) -> str:
    """Several lines, each masked."""
    return "\n".join(masked(line) for line in text.splitlines())


def attached() -> tuple[str, Literal["json", "text"]] | None:
    """Level and style of what ``attach`` sends, for another process to do likewise; None = nothing is attached."""
    for output in logging.getLogger().handlers:
        if isinstance(output.formatter, _Json | _Text):
            level = logging.getLevelName(logging.getLogger("earmark").getEffectiveLevel())
            return level, "text" if isinstance(output.formatter, _Text) else "json"
    return None


def attach(level: str, style: Literal["auto", "json", "text"], stream: TextIO | None = None) -> None:
    """Send events to a stream (default: standard error); called once a process, by its main function."""
    stream = sys.stderr if stream is None else stream
    output = logging.StreamHandler(stream)
    text = style == "text" or (style == "auto" and stream.isatty())
    output.setFormatter(_Text() if text else _Json())
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(logging.WARNING)
    for name in ("earmark", "router", "workers", "runtime", "ab_testing", "retention"):
        logging.getLogger(name).setLevel(level.upper())

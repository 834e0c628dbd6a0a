"""Structured log events: a stable name, ``noun.verb_past``, and fields.

What is about a job, or happens while one is followed, carries its ``trace_id``, which is the same in all processes.

Modules call ``event(logger, "job.settled", job_id=…)``; only the command line attaches an output, and the processes
it starts attach the same.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple, TextIO

from earmark.trace import current

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
        context = current()
        if context is not None and fields.get("trace_id") is None:
            fields["trace_id"] = context.trace_id
        logger.log(level, name, extra={"fields": fields})


_SEVERITIES: Final = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "error": "ERROR", "critical": "CRITICAL"}
"""Of Cloud Logging's LogSeverity."""


class _Json(logging.Formatter):
    def __init__(self, project: str = "") -> None:
        super().__init__()
        self.project = project
        """Google Cloud project whose Cloud Logging is to understand the lines; empty = none."""

    def _google(self, line: dict[str, object]) -> dict[str, object]:
        """The fields that Cloud Logging takes for its own, see cloud.google.com/logging/docs/structured-logging."""
        own = {"severity": _SEVERITIES.get(str(line["level"]), "DEFAULT"), "message": line["event"], "time": line["at"]}
        if line.get("trace_id"):
            own["logging.googleapis.com/trace"] = f"projects/{self.project}/traces/{line['trace_id']}"
        return own

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
        if self.project:
            line = {**self._google(line), **line}
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


class Attached(NamedTuple):
    """What ``attach`` was asked for, for another process to do likewise."""

    level: str
    style: Literal["json", "text"]
    project: str = ""

    def again(self) -> None:
        """Attach the same."""
        attach(self.level, self.style, project=self.project)


def attached() -> Attached | None:
    """How events are sent; None = they are not."""
    for output in logging.getLogger().handlers:
        if isinstance(output.formatter, _Json | _Text):
            level = logging.getLevelName(logging.getLogger("earmark").getEffectiveLevel())
            if isinstance(output.formatter, _Json):
                return Attached(level, "json", output.formatter.project)
            return Attached(level, "text")
    return None


def attach(
    level: str, style: Literal["auto", "json", "text"], stream: TextIO | None = None, *, project: str = ""
) -> None:
    """Send events to a stream (default: standard error); called once a process, by its main function.

    With a Google Cloud project, JSON has what Cloud Logging knows a line's severity and trace by.
    """
    stream = sys.stderr if stream is None else stream
    output = logging.StreamHandler(stream)
    text = style == "text" or (style == "auto" and stream.isatty())
    output.setFormatter(_Text() if text else _Json(project))
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(logging.WARNING)
    for name in ("earmark", "router", "workers", "runtime", "ab_testing", "retention"):
        logging.getLogger(name).setLevel(level.upper())

"""``Span``: a part of a trace that has ended, as OpenTelemetry means it, without any package of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from earmark.trace import TraceContext

Attribute = str | bool | int | float | Sequence[str]


class SpanKind(StrEnum):
    """What a span is of OpenTelemetry's kinds."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened at one moment of a span."""

    name: str
    at: datetime
    attributes: Mapping[str, Attribute | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took from one moment to another."""

    name: str
    kind: SpanKind
    context: TraceContext
    parent: TraceContext | None
    began_at: datetime
    ended_at: datetime
    attributes: Mapping[str, Attribute | None] = field(default_factory=dict)
    """Those that are ``None`` are left out."""
    events: Sequence[SpanEvent] = ()
    error: str = ""
    """Class of the error it ended with; empty = it went well."""

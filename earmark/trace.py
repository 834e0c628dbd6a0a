"""``TraceContext``: which trace a line of the log or a span is of, after W3C Trace Context level 1.

Every request and every job has a trace, whether spans are recorded or not: its id is what connects log lines of all
processes.  What is under way in this thread or task is ``current()``.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Final, NamedTuple, Self

from pydantic import StringConstraints

_HEADER: Final = re.compile(r"^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$", re.DOTALL)
_SAMPLED: Final = 1
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_LOW_BITS: Final = 64
HEADER_CHARS: Final = 512
"""Characters beyond which a header is not looked at."""

TraceParent = Annotated[str, StringConstraints(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$")]
"""A ``traceparent`` as this code writes it."""


class TraceContext(NamedTuple):
    """A place in a trace: what happens next happens below this span."""

    trace_id: str
    """32 hexadecimal digits, not all zero."""
    span_id: str
    """16 hexadecimal digits, not all zero."""
    sampled: bool = False
    """Whether the spans of the trace are recorded."""

    @property
    def header(self) -> str:
        """As ``traceparent`` says it."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"

    def child(self) -> Self:
        """A new span of the same trace."""
        return self._replace(span_id=secrets.token_hex(8))

    def within(self, share: float) -> Self:
        """The same, sampled where the trace is among the share (0 to 1) of all traces that are recorded.

        Every process comes to the same answer, for it goes by the id alone, as OpenTelemetry's ``TraceIdRatioBased``
        does: the lower 64 bits of the id against the share of 2**64.
        """
        return self._replace(sampled=int(self.trace_id[16:], 16) < round(share * 2**_LOW_BITS))


def begun(share: float = 0.0) -> TraceContext:
    """The first span of a new trace, sampled where it is among that share of all traces."""
    return TraceContext(secrets.token_hex(16), secrets.token_hex(8)).within(share)


def parsed(header: str | None) -> TraceContext | None:
    """What a ``traceparent`` says; ``None`` for none, and for one that says nothing (section 3.2 of the standard)."""
    found = _HEADER.match(header.strip()) if header and len(header) <= HEADER_CHARS else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def trace_id_of(header: str | None) -> str | None:
    """The id of the trace that a ``traceparent`` is of, for the log."""
    context = parsed(header)
    return context.trace_id if context else None


_current: ContextVar[TraceContext | None] = ContextVar("earmark_trace", default=None)


def current() -> TraceContext | None:
    """What this thread or task is at; ``None`` = nothing that has a trace."""
    return _current.get()


def follow(context: TraceContext | None) -> None:
    """Be at it from now on, in this thread or task; see ``following``."""
    _current.set(context)


@contextmanager
def following(context: TraceContext | None) -> Iterator[None]:
    """Be at it while the context lasts: events are logged with its id, and what is queued belongs to its trace."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)

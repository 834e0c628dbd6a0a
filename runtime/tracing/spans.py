"""``Spans``: where a part of the system tells of what it did, and which traces are recorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earmark.trace import TraceContext
from runtime.tracing.span import Span

Add = Callable[[str, Sequence[Span]], None]
"""Takes the spans of a role to be sent, at once."""


def nowhere(_role: str, _spans: Sequence[Span]) -> None:
    """Where spans go while nobody wants them."""


@dataclass(frozen=True, slots=True)
class Spans:
    """One role's way to the collector."""

    role: str
    """``api``, ``router`` or ``worker``."""
    share: float = 0.0
    """Share of all traces that is recorded; 0 = tracing is off."""
    system: str = ""
    """What the queues are, as ``messaging.system`` names it."""
    add_spans: Add = nowhere

    def records(self, context: TraceContext) -> bool:
        """Whether the spans of a trace are recorded: by its id, the same in every process.

        What a caller's flag says is no reason: a customer must not be able to fill the collector, and a load balancer
        that samples little must not keep us from our own traces.
        """
        return context.within(self.share).sampled

    def add(self, *spans: Span) -> None:
        """Tell of spans that have ended, those of a trace that is recorded."""
        self.add_spans(self.role, [span for span in spans if self.records(span.context)])

"""``open_spans``: where the spans of a process go, as the settings say."""

from functools import cache
from typing import Final

from earmark.errors import ConfigurationError
from earmark.settings import Settings
from runtime.tracing.span_queue import SpanQueue
from runtime.tracing.spans import Spans

SYSTEMS: Final = {"local": "sqlite", "gcp": "gcp_pubsub"}
"""What the queues of a backend are, as ``messaging.system`` names them."""
_opened: Final[list[SpanQueue]] = []


def open_spans(settings: Settings, role: str) -> Spans:
    """Where a role of this process tells of what it did; nowhere unless ``trace_endpoint`` is set.

    All roles of a process share one queue; ``close_spans`` sends it empty.

    Raises:
        ConfigurationError: an endpoint is set, and the extra ``tracing`` is not installed.
    """
    if not settings.trace_endpoint:
        return Spans(role)
    return Spans(role, settings.trace_share, SYSTEMS[settings.backend], _queue(settings.trace_endpoint).add)


@cache
def _queue(endpoint: str) -> SpanQueue:
    try:
        from runtime.tracing.otlp import Otlp  # noqa: PLC0415  # needs packages that most do without
    except ImportError as error:
        remedy = "Install it in Earmark's folder: pip install --editable '.[tracing]', or unset EARMARK_TRACE_ENDPOINT."
        message = f"Tracing needs the package of {error.name}.  {remedy}"
        raise ConfigurationError(message) from error
    queue = SpanQueue(Otlp(endpoint).send)
    _opened.append(queue)
    return queue


def close_spans() -> None:
    """Send what is left, before the interpreter ends, for the exporter needs threads that it cannot have then."""
    while _opened:
        _opened.pop().close()
    _queue.cache_clear()

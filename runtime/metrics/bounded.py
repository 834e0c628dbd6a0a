"""``Bounded``: the values of a label that nobody can list beforehand, of which only the latest are kept."""

import threading
from collections.abc import Sequence
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

MOST: Final = 24
"""Values of such a label at a time; a worker knows a few models and the arms of a few experiments."""
CHARACTERS: Final = 120
"""Of a value; the rest is cut off."""


class Bounded:
    """Lets a new value take the place of the one that was used longest ago, whose series end; safe for threads."""

    def __init__(self, label: str, metrics: Sequence[MetricWrapperBase], *, most: int = MOST) -> None:
        """Take the label's name and the metrics that have it."""
        self._label, self._metrics, self._most = label, metrics, most
        self._lock = threading.Lock()
        self._used: dict[str, None] = {}
        """In the order of their latest use."""

    def value(self, told: str) -> str:
        """The value to use for a name; never empty."""
        value = told[:CHARACTERS] or "unknown"
        with self._lock:
            self._used.pop(value, None)
            self._used[value] = None
            gone = next(iter(self._used)) if len(self._used) > self._most else None
            if gone is not None:
                del self._used[gone]
        if gone is not None:
            for metric in self._metrics:
                metric.remove_by_labels({self._label: gone})
        return value

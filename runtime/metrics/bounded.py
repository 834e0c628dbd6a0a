"""``Bounded``: the values of a label that nobody can list beforehand, of which there are a bounded number."""

import threading
from collections.abc import Sequence
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from runtime.metrics.labels import OTHER

MOST: Final = 24
"""Values of such a label in the life of a process; a worker knows a few models and the arms of a few experiments."""
CHARACTERS: Final = 120
"""Of a value; the rest is cut off."""


class Bounded:
    """Gives each value a place while there are places, and ``other`` to those that come after; safe for threads.

    A value that has only been foreseen leaves its place to one that counts: its series had nothing but zeros.  What has
    counted stays for as long as the process lives, for a counter that goes away is taken for one that began anew.
    """

    def __init__(self, label: str, metrics: Sequence[MetricWrapperBase], *, most: int = MOST) -> None:
        """Take the label's name and the metrics that have it."""
        self._label, self._metrics, self._most = label, metrics, most
        self._lock = threading.Lock()
        self._counts: dict[str, bool] = {}
        """Of each value with a place, whether anything was counted under it."""

    def value(self, told: str, *, counts: bool = True) -> str:
        """The value to use for a name; never empty.

        Args:
            told: the name.
            counts: whether something is to be counted under it; else it is only foreseen.
        """
        value = told[:CHARACTERS] or "unknown"
        with self._lock:
            gone = None
            if value not in self._counts and len(self._counts) >= self._most:
                gone = next((each for each, counted in self._counts.items() if not counted), None) if counts else None
                if gone is None:
                    return OTHER
                del self._counts[gone]
            self._counts[value] = counts or self._counts.get(value, False)
            if gone is not None:
                for metric in self._metrics:
                    metric.remove_by_labels({self._label: gone})
        return value

"""``SpanQueue``: spans on their way to a collector, which may be slow or gone: nobody ever waits for it.

One thread sends what was added, some hundred spans a request.  What does not fit into the queue is dropped and counted.
While the collector is away there is one attempt now and then, and one line in the log for all of that time.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from earmark.log import event
from runtime.tracing.span import Span

_log = logging.getLogger(__name__)
MOST: Final = 8192
"""Spans that wait; some kilobytes each at most."""
BATCH: Final = 512
EVERY_S: Final = 1.0
"""Seconds for which spans gather."""
PAUSES_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""After the first failure, the second and so on, the last one from then on."""
ATTEMPTS: Final = 5
"""Failures after which a batch is dropped, for the batch itself may be what the collector does not take."""
LEAVE_S: Final = 2.0
"""Seconds that what is left may take to be sent when the process ends."""
Sent = tuple[str, Span]
"""A span, and the role of the process that it is of."""


class SpanQueue:
    """Sends spans in the background; safe to use from several threads."""

    def __init__(
        self,
        send: Callable[[Sequence[Sent]], None],
        *,
        most: int = MOST,
        every_s: float = EVERY_S,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        """Take what sends, which raises where it cannot; nothing runs before the first span."""
        self._send, self._most, self._every_s, self._pauses_s = send, most, every_s, pauses_s
        self._waiting: deque[Sent] = deque()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None
        self.dropped = 0
        """Spans that were not sent and never will be."""
        self._failures = 0
        """In a row."""

    def add(self, role: str, spans: Sequence[Span]) -> None:
        """Take spans to be sent; never waits for the collector and raises nothing."""
        with self._lock:
            room = self._most - len(self._waiting)
            self._waiting.extend((role, span) for span in spans[:room])
            self.dropped += max(0, len(spans) - room)
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
                self._thread.start()

    def close(self, wait_s: float = LEAVE_S) -> None:
        """Send what is left if that is quickly done, and not at all while the collector is away."""
        self._stop.set()
        thread = self._thread
        if thread is not None and not self._failures:
            thread.join(wait_s)

    def step(self) -> bool:
        """Send one batch; whether there may be more to send now."""
        with self._lock:
            batch = [self._waiting[position] for position in range(min(BATCH, len(self._waiting)))]
        if not batch:
            return False
        try:
            self._send(batch)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with traces is no fault of who made them
            self._failed(len(batch), error)
            return False
        if self._failures:
            event(_log, "spans.sent_again", failures=self._failures, dropped=self.dropped)
        self._failures = 0
        self._remove(len(batch))
        return len(batch) == BATCH

    def _failed(self, count: int, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            event(_log, "spans.not_sent", level=logging.WARNING, error=f"{type(error).__name__}: {error}")
        if self._failures % ATTEMPTS == 0:
            self._remove(count, lost=True)

    def _remove(self, count: int, *, lost: bool = False) -> None:
        with self._lock:
            for _ in range(count):
                self._waiting.popleft()
            self.dropped += count if lost else 0

    def _run(self) -> None:
        while not self._stop.wait(self._pause_s):
            while self.step() and not self._stop.is_set():
                pass
        while not self._failures and self.step():
            pass

    @property
    def _pause_s(self) -> float:
        return self._pauses_s[min(self._failures, len(self._pauses_s)) - 1] if self._failures else self._every_s

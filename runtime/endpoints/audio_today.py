"""``AudioToday``: how many seconds of audio of each customer were analysed since midnight, as far as is known."""

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from earmark.errors import Unavailable
from earmark.log import event
from earmark.ports import Clock, Warehouse

_log = logging.getLogger(__name__)
QUERY: Final = "audio_of_day"
KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Seen:
    at: datetime
    day: datetime
    audio_s: float
    jobs: int
    since_s: float = 0.0
    """Seconds of audio that ended here after the look."""


class AudioToday:
    """Asks the warehouse now and then; safe to use from several threads.

    While the warehouse is down the last answer stands, and none counts as nothing: who is not sure of a limit does not
    turn a customer away.
    """

    def __init__(self, warehouse: Warehouse, clock: Clock, *, remembered_s: float) -> None:
        """Take the warehouse, the present, and the seconds for which an answer is good."""
        self._warehouse, self._clock = warehouse, clock
        self._remembered = timedelta(seconds=remembered_s)
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def used_s(self, tenant: str, under_way: int) -> float:
        """Seconds since 00:00 UTC, those of jobs under way as many each as the customer's others had on average."""
        seen = self._look(tenant)
        return seen.audio_s + seen.since_s + under_way * (seen.audio_s / seen.jobs if seen.jobs else 0.0)

    def today(self, tenant: str) -> tuple[float, int]:
        """Seconds since 00:00 UTC, and how many jobs they are of, as of the last look at the warehouse."""
        seen = self._look(tenant)
        return seen.audio_s, seen.jobs

    def heard(self, tenant: str, audio_s: float) -> None:
        """A job ended here, which the last answer does not know of."""
        with self._lock:
            seen = self._seen.get(tenant)
            if seen is not None:
                self._seen[tenant] = replace(seen, since_s=seen.since_s + audio_s)

    def _look(self, tenant: str) -> _Seen:
        now = self._clock().astimezone(UTC)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        with self._lock:
            seen = self._seen.get(tenant)
        if seen is None or seen.day != day or not timedelta(0) <= now - seen.at < self._remembered:
            seen = self._ask(tenant, now, day, seen)
        return seen

    def _ask(self, tenant: str, now: datetime, day: datetime, before: _Seen | None) -> _Seen:
        try:
            rows = self._warehouse.query(QUERY, {"tenant": tenant, "since": day})
        except Unavailable as error:
            event(_log, "limits.unknown", level=logging.WARNING, tenant=tenant, error=str(error))
            kept = before if before is not None and before.day == day else _Seen(now, day, 0.0, 0)
            seen = replace(kept, at=now)
        else:
            row = rows[0] if rows else {}
            seen = _Seen(now, day, _number(row.get("audio_s")), int(_number(row.get("jobs"))))
        with self._lock:
            self._seen[tenant] = seen
            self._seen.move_to_end(tenant)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        return seen


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0

"""``ScalingRows``: what the warehouse tells of each lane: what ended lately, and what usually comes at this hour."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from earmark.ports import Clock, Warehouse
from earmark.vocabulary import Lane
from scaling.forecast import WEEKS, usual
from scaling.seen import Settled

FIRST_LOOK: Final = timedelta(hours=1)
"""How far the first look goes back, and a look after others that failed at most."""
HOUR: Final = timedelta(hours=1)
_NONE: Final[Mapping[str, float]] = {}


@dataclass(frozen=True, slots=True)
class Ended:
    """Of one lane, since the last look; of jobs that had audio, so that bytes go with seconds."""

    settled: Settled
    size_bytes: float


class ScalingRows:
    """Looks now and then.  All methods raise ``Unavailable`` when the warehouse cannot be reached."""

    def __init__(self, warehouse: Warehouse, clock: Clock, every_s: float) -> None:
        """Take the warehouse, the present, and the seconds between two looks."""
        self._warehouse, self._clock = warehouse, clock
        self._every = timedelta(seconds=every_s)
        self._until: datetime | None = None
        self._usual: tuple[datetime, dict[Lane, float | None]] | None = None

    def ended(self) -> dict[Lane, Ended] | None:
        """What ended since the last look, of each lane; ``None`` = it is too soon to look again."""
        now = self._clock()
        since = now - FIRST_LOOK if self._until is None else max(self._until, now - FIRST_LOOK)
        if self._until is not None and now - self._until < self._every:
            return None
        rows = {row["lane"]: row for row in self._query("scaling_demand", since, now)}
        self._until = now
        span_s = (now - since).total_seconds()
        return {lane: _ended(rows.get(lane.value, _NONE), span_s) for lane in Lane}

    def usual_audio_per_s(self) -> Mapping[Lane, float | None]:
        """Seconds of audio a second that usually come in this hour, of each lane; looked up once an hour."""
        hour = self._clock().replace(minute=0, second=0, microsecond=0)
        if self._usual is None or self._usual[0] != hour:
            weeks = [self._hour(hour - timedelta(weeks=week)) for week in range(1, WEEKS + 1)]
            hours = {lane: usual([week.get(lane.value, 0.0) for week in weeks]) for lane in Lane}
            rates = {
                lane: None if audio_s is None else audio_s / HOUR.total_seconds() for lane, audio_s in hours.items()
            }
            self._usual = hour, rates
        return self._usual[1]

    def _hour(self, hour: datetime) -> dict[str, float]:
        return {row["lane"]: float(row["audio_s"] or 0.0) for row in self._query("jobs_by_hour", hour, hour + HOUR)}

    def _query(self, name: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
        return self._warehouse.query(name, {"since": since, "until": until})


def _ended(row: Mapping[str, Any], span_s: float) -> Ended:
    def of(name: str) -> float:
        return float(row.get(name) or 0.0)

    settled = Settled(
        span_s=span_s,
        jobs=int(of("jobs")),
        audio_s=of("audio_s"),
        heard_audio_s=of("heard_audio_s"),
        busy_s=of("busy_s"),
        queued_s=of("queued_s"),
    )
    return Ended(settled, of("size_bytes"))

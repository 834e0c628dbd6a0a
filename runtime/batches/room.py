"""``BatchRoom``: how many entries of a customer's batches may be fed, so that they stay within its audio of a day.

Nobody knows the length of what was not decoded yet.  Entries that wait count as much each as the day's mean, and no
more than ``AT_ONCE`` of a customer wait at the same time, so that whatever their lengths are, no more than these take
it beyond its limit.  Customers without a limit are never asked about, nor are those that no register has, whose
batches come from whoever runs the service.
"""

import logging
import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from earmark.errors import Unavailable
from earmark.log import event
from earmark.ports import Clock, Warehouse
from earmark.vocabulary import Tier
from router.batches.batch import Batch, BatchState
from router.batches.batches import Batches
from router.tenant import Tenant
from router.tenants import Tenants
from router.tiers import TierLimits
from runtime.endpoints.audio_today import AudioToday

_log = logging.getLogger(__name__)
AT_ONCE: Final = 100
"""Entries of a customer with a limit that may wait or run at the same time."""
PRESUMED_S: Final = 300.0
"""Seconds that an entry is taken to have while none of the customer's jobs has ended on that day: a long song."""
LOST: Final = timedelta(days=1)
"""After which an entry that has not ended counts no more: its job may have been lost, and is looked after later."""
KEPT: Final = 10_000
"""Most customers remembered."""
TOO_MUCH_AUDIO: Final = "too_much_audio"
"""Why a batch is paused, in the word that requests beyond the same limit are answered with."""


@dataclass(frozen=True, slots=True)
class _Backlog:
    at: datetime
    jobs: int
    """That have not ended, those that were queued here after the look among them."""


class BatchRoom:
    """Asks the warehouse now and then; ``paused_until`` is safe to use from several threads, the rest for one feeder.

    While the warehouse is down the last answers stand, and none counts as nothing.
    """

    def __init__(
        self,
        *,
        tenants: Tenants,
        tiers: Mapping[Tier, TierLimits],
        audio: AudioToday,
        batches: Batches,
        warehouse: Warehouse,
        clock: Clock,
        remembered_s: float,
    ) -> None:
        """Take customers and limits, what knows the audio of their day, batches, and how long a look is good for."""
        self._tenants, self._tiers, self._audio = tenants, tiers, audio
        self._batches, self._warehouse, self._clock = batches, warehouse, clock
        self._remembered = timedelta(seconds=remembered_s)
        self._backlogs: OrderedDict[str, _Backlog] = OrderedDict()
        self._spent: tuple[datetime, dict[str, float]] = (datetime.min.replace(tzinfo=UTC), {})
        """A day, and seconds of audio of customers that had used theirs up: the day's audio only grows."""

    def room(self, tenant: Tenant) -> int | None:
        """How many entries may be fed now: ``None`` = any number."""
        most_s = self._limit_s(tenant)
        if most_s is None:
            return None
        used_s, mean_s = self._used(tenant.name, most_s)
        if used_s >= most_s:
            return 0
        return max(0, min(AT_ONCE, math.ceil((most_s - used_s) / mean_s)) - self._backlog(tenant.name))

    def queued(self, tenant: str, jobs: int) -> None:
        """So many of a customer's jobs were queued, which the last look does not know of."""
        seen = self._backlogs.get(tenant)
        if seen is not None:
            self._backlogs[tenant] = replace(seen, jobs=seen.jobs + jobs)

    def paused_until(self, tenant: Tenant) -> datetime | None:
        """When a customer's batches are fed again, if its audio of this day (UTC) is used up."""
        most_s = self._limit_s(tenant)
        if most_s is None or self._used(tenant.name, most_s)[0] < most_s:
            return None
        return self._day() + timedelta(days=1)

    def pause_of(self, batch: Batch, tenant: Tenant) -> datetime | None:
        """The same of one batch of the customer's: one that was fed, or is over, is not paused."""
        return self.paused_until(tenant) if batch.state in {BatchState.ACCEPTING, BatchState.FEEDING} else None

    def _limit_s(self, tenant: Tenant) -> float | None:
        most_s = self._tiers[tenant.tier].of(tenant).audio_s_per_day
        return most_s if most_s is not None and self._tenants.knows(tenant.name) else None

    def _used(self, tenant: str, most_s: float) -> tuple[float, float]:
        """Seconds of today, and the mean of a job."""
        day, spent = self._spent
        if day != self._day():
            day, spent = self._spent = self._day(), {}
        if spent.get(tenant, 0.0) >= most_s:
            return spent[tenant], PRESUMED_S
        used_s, jobs = self._audio.today(tenant)
        if used_s >= most_s:
            spent[tenant] = used_s
        return used_s, used_s / jobs if used_s and jobs else PRESUMED_S

    def _backlog(self, tenant: str) -> int:
        now, seen = self._clock(), self._backlogs.get(tenant)
        if seen is not None and timedelta(0) <= now - seen.at < self._remembered:
            return seen.jobs
        under_way = {batch for _, batch in self._batches.open(tenant)}
        try:
            rows = self._warehouse.query("batch_backlog", {"tenant": tenant, "since": now - LOST})
            jobs = sum(int(str(row["jobs"])) for row in rows if row["batch"] in under_way)
        except Unavailable as error:
            event(_log, "batch.room_unknown", level=logging.WARNING, tenant=tenant, error=str(error))
            jobs = seen.jobs if seen is not None else 0
        self._backlogs[tenant] = _Backlog(now, jobs)
        self._backlogs.move_to_end(tenant)
        while len(self._backlogs) > KEPT:
            self._backlogs.popitem(last=False)
        return jobs

    def _day(self) -> datetime:
        return self._clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

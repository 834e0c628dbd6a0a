"""Which lane gives the next jobs: high first, with a guaranteed share for low, which ages upwards."""

from collections.abc import Mapping
from datetime import datetime

from earmark.domain import Lease
from earmark.errors import EarmarkError
from earmark.ports import Queue
from earmark.vocabulary import Lane

AGED_SHARE = 0.5
"""Share of starts the low lane gets while its oldest job is over age: every second one, as if it were high."""


class LanePicker:
    """Leases from two lanes.

    While both lanes have jobs, low gets at least ``low_share`` of the starts: each start adds that share to
    a credit, and a full credit buys low a start before high is asked.  Starts that low gets because high is
    empty cost it nothing.  A low job that waited longer than ``low_max_wait_s`` raises the share to one half
    until the backlog is young again.
    """

    def __init__(self, lanes: Mapping[Lane, Queue], *, low_share: float, low_max_wait_s: float) -> None:
        """Take the queues to lease from (one lane alone is fine) and the two limits."""
        self._lanes = lanes
        self._low_share = low_share
        self._low_max_wait_s = low_max_wait_s
        self._credit = 0.0
        self._out_of_turn = 0.0
        """What low is owed for high jobs that were started out of turn."""
        self._low_is_aged = False

    def lease(self, slots: int, lease_s: float, now: datetime) -> list[Lease]:
        """Take up to ``slots`` jobs, those of the high lane first in the list.

        Raises:
            EarmarkError: a queue failed, and none is held: jobs that one call took outlive the failure of the next.
        """
        high, low = self._lanes.get(Lane.HIGH), self._lanes.get(Lane.LOW)
        if high is None or low is None:
            only = high or low
            return [] if only is None else only.lease(slots, lease_s)
        share = AGED_SHARE if self._low_is_aged else self._low_share
        claim = self._credit + self._out_of_turn + share * slots
        owed = min(int(claim), slots)
        guaranteed = low.lease(owed, lease_s) if owed else []
        urgent: list[Lease] = []
        filling: list[Lease] = []
        free = asked = slots - len(guaranteed)
        try:
            urgent = high.lease(asked, lease_s) if asked else []
            free = asked - len(urgent)
            filling = low.lease(free, lease_s) if free and len(guaranteed) == owed else []
        except EarmarkError:
            if not guaranteed and not urgent:
                raise
        if not free:  # high could have used every slot, so low's are paid for
            rest = claim - len(guaranteed)
            self._credit = min(rest, 1.0)
            self._out_of_turn = min(self._out_of_turn, rest - self._credit) if len(guaranteed) == owed else 0.0
        if guaranteed or filling:
            self._low_is_aged = any(
                (now - lease.job.enqueued_at).total_seconds() > self._low_max_wait_s
                for lease in (*guaranteed, *filling)
            )
        return [*urgent, *guaranteed, *filling]

    def urgent(self, slots: int, lease_s: float) -> list[Lease]:
        """Take up to ``slots`` jobs of the high lane, where this worker serves both; low is credited for each."""
        high = self._lanes.get(Lane.HIGH)
        leases = high.lease(slots, lease_s) if high is not None and len(self._lanes) > 1 else []
        share = AGED_SHARE if self._low_is_aged else self._low_share
        self._out_of_turn += share * len(leases)
        return leases


def by_lane(lanes: Mapping[Lane, Queue], leases: list[Lease]) -> dict[Lane, list[Lease]]:
    """Leases grouped by the queue they came from."""
    grouped: dict[Lane, list[Lease]] = {lane: [] for lane in lanes}
    for lease in leases:
        grouped[lease.job.lane].append(lease)
    return grouped

"""``LaneController``: what one lane needs, from look to look."""

import math
from typing import Final

from scaling.demand import Demand
from scaling.desired import Desired
from scaling.failover import Failover
from scaling.pace import Pace
from scaling.policy import LanePolicy, Policy
from scaling.seen import Seen
from scaling.sizing import Load, need, wait_s

IDLE: Final = 0.5
"""With less to do than this share of one worker, and nothing at hand, a lane that may have none has none."""
ROUNDING: Final = 1e-9
WANTED_MOST: Final = 1e6
"""More is not said, however much there is to do."""


class LaneController:
    """Keeps what was seen of one lane; the same in production and in the simulator."""

    def __init__(self, lane: LanePolicy, policy: Policy, start: int | None) -> None:
        """Take the lane's policy, the one of all lanes, and the workers to begin with; ``None`` = nobody knows."""
        self._lane, self._policy = lane, policy
        self._demand = Demand(lane)
        self._pace = Pace(lane, max(lane.floor, lane.blind if start is None else min(start, lane.cap)))
        self._failover = Failover(lane)
        self._wanted = 0
        self._seen: Seen = Seen()
        self._queue_seen_s: float | None = None
        """When the queue was last seen, itself or by what ended."""
        self._began_s: float | None = None
        self._reason = ""

    def want(self, now_s: float, seen: Seen) -> int:
        """Take in what is seen now, and say how many workers the lane should have if it were alone."""
        self._demand.take(seen)
        self._seen = seen
        if self._began_s is None:
            self._began_s = now_s
        if seen.waiting is not None or seen.in_hand == 0 or (seen.settled and seen.settled.jobs):
            self._queue_seen_s = now_s
        hold = self._queue_seen_s is None or now_s - self._queue_seen_s > 2 * self._policy.rows_every_s
        self._wanted = max(self._needed(now_s), self._least(now_s))
        if hold:
            self._reason = "what waits cannot be seen, so no worker is taken away"
        return self._pace.step(now_s, min(self._wanted, self._lane.cap), hold=hold)

    def grant(self, now_s: float, workers: int, most: int, *, money: bool) -> Desired:
        """What comes of it.

        Args:
            now_s: a steady clock, in seconds.
            workers: that the lane gets.
            most: that it could get.
            money: whether the fallback may be paid.
        """
        self._pace.cut(now_s, workers)
        failover = self._failover.step(now_s, self._wait_s(now_s, most), money=money)
        short = self._wanted > workers >= most
        return Desired(
            workers=workers,
            wanted=self._wanted,
            arrivals_per_s=self._demand.arrivals_per_s,
            service_s=self._demand.service_s if self._demand.measured else None,
            waiting_audio_s=self._demand.waiting_audio_s,
            failover=failover,
            reason="more are needed than may be had" if short else self._reason,
        )

    def stands_until_s(self, now_s: float) -> float:
        """Until when nothing changes if nothing comes; what was seen at this moment is that nothing is there."""
        starts = self._pace.least_since(now_s, self._lane.cold_start_s) < self._pace.workers
        if starts or self._failover.turns or self._wanted > self._least(now_s):
            return -math.inf
        return self._pace.stands_until_s

    def _needed(self, now_s: float) -> int:
        load = self._load(now_s, self._lane.ahead * (self._lane.cold_start_s + self._policy.every_s))
        if load is None:
            self._reason = "nothing was seen yet"
            return 0
        found = need(self._lane, load)
        self._reason = "what waits" if load.backlog_s > load.load * self._lane.buffer_s else "what arrives"
        nobody = self._lane.floor == 0 and self._pace.workers == 0
        if nobody and not self._is_due(load):
            self._reason = "what waits can wait for more"
            return 0
        working = load.backlog_s > 0 or bool(self._seen.in_hand)
        if not working and load.load < IDLE:
            return 0
        return max(math.ceil(min(found, WANTED_MOST, self._of_use()) - ROUNDING), int(working))

    def _of_use(self) -> float:
        """Workers that could have a job each by the time a new one is there: one job is never done by two."""
        seen = self._seen
        if seen.waiting is None or seen.in_hand is None:
            return math.inf
        ahead_s = self._lane.cold_start_s + self._policy.every_s
        return seen.waiting + seen.in_hand + math.floor(self._demand.arrivals_in(ahead_s))

    def _is_due(self, load: Load) -> bool:
        """Whether, with nobody there, it is time to start somebody: one who comes too late is of no use."""
        if load.backlog_s <= 0:
            return False
        waited_s = self._seen.oldest_s
        enough = load.backlog_s >= self._lane.cold_start_s  # a start costs as much as it brings
        return enough or waited_s is None or waited_s + 2 * self._lane.cold_start_s >= self._lane.target_s / 2

    def _least(self, now_s: float) -> int:
        """Workers that there are whatever is needed."""
        least, seen = self._lane.floor, self._seen
        if seen.waiting is None:  # who sees no queue learns of it only from workers
            least = max(least, 1)
        since_s = self._began_s if self._queue_seen_s is None else self._queue_seen_s
        if since_s is not None and (self._queue_seen_s is None or now_s - since_s > self._policy.blind_s):
            least = max(least, self._lane.blind)
        if seen.seasonal_per_s:
            usual = seen.seasonal_per_s * self._demand.service_s_per_audio_s * self._policy.seasonal_share
            least = max(least, math.ceil(min(self._lane.cap, usual)))
        return least

    def _load(self, now_s: float, ahead_s: float) -> Load | None:
        """What there is to do; ``None`` = nothing was ever seen."""
        load, backlog_s = self._demand.load_in(ahead_s), self._demand.backlog_s
        if load is None and backlog_s is None:
            return None
        there = self._pace.least_since(now_s, self._lane.cold_start_s)
        return Load(load or 0.0, backlog_s or 0.0, self._seen.oldest_s, there, self._pace.workers - there)

    def _wait_s(self, now_s: float, most: int) -> float | None:
        load = self._load(now_s, 0.0)
        return None if load is None else wait_s(self._lane, load, most)

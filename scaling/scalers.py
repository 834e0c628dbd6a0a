"""``Scaler``: ways to scale that the simulator compares: ours, by depth as an HPA does it, and not at all."""

import math
from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

from earmark.vocabulary import Lane
from scaling.desired import Desired
from scaling.policy import LanePolicy, Policy
from scaling.quota import shared
from scaling.seen import Seen

TOLERANCE: Final = 0.1
"""An HPA leaves things as they are while what it sees is this close to what it wants."""
WINDOW_S: Final = 300.0
"""For so long an HPA must have wanted fewer before it takes any away."""
UP_PODS: Final = 4
UP_EVERY_S: Final = 15.0
"""An HPA adds as many again, or four, in 15 s, whichever is more (the defaults of Kubernetes' autoscaling/v2)."""


class Scaler(Protocol):
    """Says how many workers each lane should have."""

    def step(self, now_s: float, seen: Mapping[Lane, Seen], *, money: bool = True) -> Mapping[Lane, Desired]:
        """As ``Controller.step``."""
        ...

    def stands_until_s(self, now_s: float) -> float:
        """Until when its answer stays the same if nothing comes, once it has seen that nothing is there.

        Args:
            now_s: when it was asked last.

        Returns:
            Seconds of the same clock, so that nobody need ask it before; earlier than now where nobody can tell.
        """
        ...


class FixedFleet:
    """Always the same."""

    def __init__(self, workers: Mapping[Lane, int]) -> None:
        """Take the workers of each lane."""
        self._workers = dict(workers)

    def step(self, now_s: float, seen: Mapping[Lane, Seen], *, money: bool = True) -> dict[Lane, Desired]:
        """Always the same."""
        del now_s, seen, money
        return {lane: _plain(count) for lane, count in self._workers.items()}

    def stands_until_s(self, now_s: float) -> float:
        """For ever."""
        del now_s
        return math.inf


class DepthScaler:
    """So many jobs for each worker, waiting or in hand, as with an HPA on the number of messages of a subscription.

    Floors, caps and GPUs are those of the policy; how quickly it follows is Kubernetes' default.
    """

    def __init__(self, policy: Policy, jobs_per_worker: Mapping[Lane, float]) -> None:
        """Take the policy and the number of jobs that one worker is for."""
        self._policy = policy
        self._lanes = {lane: _DepthLane(policy.lanes[lane], jobs_per_worker[lane]) for lane in Lane}

    def step(self, now_s: float, seen: Mapping[Lane, Seen], *, money: bool = True) -> dict[Lane, Desired]:
        """What the depth says."""
        del money
        wanted = {lane: each.step(now_s, seen[lane]) for lane, each in self._lanes.items()}
        granted = shared(self._policy, wanted)
        for lane, each in self._lanes.items():
            each.workers = min(each.workers, granted[lane])
        return {lane: _plain(count) for lane, count in granted.items()}

    def stands_until_s(self, now_s: float) -> float:
        """Until the window has passed over the last time that as many were wanted."""
        del now_s
        return min(each.stands_until_s for each in self._lanes.values())


class _DepthLane:
    def __init__(self, lane: LanePolicy, jobs_per_worker: float) -> None:
        self._lane, self._jobs_per_worker = lane, jobs_per_worker
        self.workers = lane.floor
        self._wanted: deque[tuple[float, int]] = deque()
        self._had: deque[tuple[float, int]] = deque([(0.0, lane.floor)])

    def step(self, now_s: float, seen: Seen) -> int:
        if seen.waiting is None:  # an HPA without its metric leaves things as they are
            return self.workers
        ratio = (seen.waiting + (seen.in_hand or 0)) / self._jobs_per_worker
        wanted = min(max(math.ceil(ratio), self._lane.floor), self._lane.cap)
        if self.workers and abs(ratio / self.workers - 1) <= TOLERANCE:
            wanted = self.workers
        while self._wanted and self._wanted[-1][1] <= wanted:
            self._wanted.pop()
        self._wanted.append((now_s, wanted))
        while self._wanted[0][0] < now_s - WINDOW_S:
            self._wanted.popleft()
        while len(self._had) > 1 and self._had[1][0] <= now_s - UP_EVERY_S:
            self._had.popleft()
        if wanted > self.workers:
            least = min(count for _, count in self._had)
            self.workers = max(self.workers, min(wanted, max(2 * least, least + UP_PODS)))
        else:
            self.workers = min(self.workers, self._wanted[0][1])
        self._had.append((now_s, self.workers))
        return self.workers

    @property
    def stands_until_s(self) -> float:
        if not self._wanted or self.workers == self._wanted[-1][1]:
            return math.inf
        return self._wanted[0][0] + WINDOW_S if self.workers > self._wanted[-1][1] else -math.inf


def _plain(workers: int) -> Desired:
    return Desired(workers, workers, None, None, None, failover=False, reason="")

"""``Controller``: how many workers each lane should have; the same code in production and in the simulator.

It is told what is seen (``Seen``) and the time, and knows nothing of where that comes from.
"""

from collections.abc import Mapping

from earmark.vocabulary import Lane
from scaling.desired import Desired
from scaling.lane_controller import LaneController
from scaling.policy import Policy
from scaling.quota import most, shared
from scaling.seen import Seen

NOTHING = Seen()
"""Of a lane that nobody could look at."""


class Controller:
    """Takes in one look at all lanes after the other."""

    def __init__(self, policy: Policy, start: Mapping[Lane, int] | None = None) -> None:
        """Take the policy, and the workers of each lane to begin with, as an earlier controller left them."""
        self._policy, start = policy, start or {}
        self._lanes = {lane: LaneController(policy.lanes[lane], policy, start.get(lane)) for lane in Lane}

    def step(self, now_s: float, seen: Mapping[Lane, Seen], *, money: bool = True) -> dict[Lane, Desired]:
        """What each lane should have now.

        Args:
            now_s: a steady clock, in seconds; never less than before.
            seen: what could be seen of each lane; one that is left out could not be seen at all.
            money: whether the fallback may be paid.
        """
        wanted = {lane: each.want(now_s, seen.get(lane, NOTHING)) for lane, each in self._lanes.items()}
        granted = shared(self._policy, wanted)
        return {
            lane: each.grant(now_s, granted[lane], most(self._policy, lane, granted), money=money)
            for lane, each in self._lanes.items()
        }

    def stands_until_s(self, now_s: float) -> float:
        """Until when nothing changes if nothing comes; as ``Scaler`` has it."""
        return min(each.stands_until_s(now_s) for each in self._lanes.values())

"""How the GPUs there are go to the lanes: high first, low keeps its floor."""

from collections.abc import Mapping

from earmark.vocabulary import Lane
from scaling.policy import Policy


def shared(policy: Policy, wanted: Mapping[Lane, int]) -> dict[Lane, int]:
    """Workers of each lane: what it wants up to its cap, and never more than ``gpus`` together.

    Where that is not enough for both, high takes what it wants from low, all but low's floor.
    """
    capped = {lane: min(count, policy.lanes[lane].cap) for lane, count in wanted.items()}
    low_least = min(capped[Lane.LOW], policy.lanes[Lane.LOW].floor)
    high = min(capped[Lane.HIGH], policy.gpus - low_least)
    return {Lane.HIGH: high, Lane.LOW: min(capped[Lane.LOW], policy.gpus - high)}


def most(policy: Policy, lane: Lane, others: Mapping[Lane, int]) -> int:
    """Workers that a lane could have at most, while the other one has so many; high can take from low."""
    own = policy.lanes[lane]
    if lane is Lane.HIGH:
        return min(own.cap, policy.gpus - policy.lanes[Lane.LOW].floor)
    return min(own.cap, policy.gpus - others[Lane.HIGH])

"""``Machines``: the GPUs that are to be had, by region, and what those in use cost."""

import random

from scaling.policy import Circumstances, Policy


class Machines:
    """Counts machines against the quota; a machine counts from when it is asked for until it has gone."""

    def __init__(self, policy: Policy, seed: int) -> None:
        """Take the policy and what chance hangs on."""
        self.circumstances: Circumstances = policy.simulation
        self._seed = seed
        self._quota = policy.gpus
        self._in = [0] * self.circumstances.regions
        self._lost = [False] * self.circumstances.regions

    def take(self) -> int | None:
        """A machine in the region that has fewest; ``None`` = there is none to be had."""
        share = -(-self._quota // len(self._in))
        free = [
            (count, region)
            for region, count in enumerate(self._in)
            if not self._lost[region] and count < share and sum(self._in) < self._quota
        ]
        if not free:
            return None
        region = min(free)[1]
        self._in[region] += 1
        return region

    def give_back(self, region: int) -> None:
        """One machine of a region is free."""
        self._in[region] -= 1

    def lose(self, region: int, *, lost: bool) -> None:
        """A region is gone, or back."""
        self._lost[region] = lost

    def chance(self, lane: str, number: int) -> random.Random:
        """What decides over the fate of a lane's n-th machine: the same whoever scales."""
        return random.Random(f"{self._seed}:{lane}:{number}")  # noqa: S311  # a simulation wants chance that repeats

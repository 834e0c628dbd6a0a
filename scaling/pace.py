"""``Pace``: up fast, down slow."""

import math
from collections import deque
from typing import Final

from scaling.policy import LanePolicy

STEP_S: Final = 60.0
"""``up_step`` and ``down_step`` are for so many seconds."""


class Pace:
    """How quickly the workers of one lane follow what is wanted."""

    def __init__(self, lane: LanePolicy, start: int) -> None:
        """Take the lane's policy and the workers to begin with."""
        self._lane = lane
        self.workers = start
        self._wanted: deque[tuple[float, int]] = deque()
        """When how many were wanted, later ones always fewer: the first is the most of the time remembered."""
        self._had: deque[tuple[float, int]] = deque()
        """When how many there were; the first entry is the last one before the time remembered."""
        self._kept_s = max(STEP_S, lane.cold_start_s)

    def step(self, now_s: float, wanted: int, *, hold: bool = False) -> int:
        """The workers to have now.

        Args:
            now_s: a steady clock, in seconds.
            wanted: workers that would be right now.
            hold: never fewer than there are, for nobody sees what there is to do.
        """
        if not self._had:
            self._had.append((now_s, self.workers))
            self._wanted.append((now_s, self.workers))  # whoever begins takes nobody away at once
        enough = self._most_wanted(now_s, max(wanted, self.workers) if hold else wanted)
        if wanted > self.workers:
            least = self.least_since(now_s, STEP_S)
            self.workers = min(wanted, max(self.workers, least + self._lane.up_step, 2 * least))
        elif enough < self.workers:
            most = max(self._since(now_s, STEP_S))
            self.workers = max(enough, min(self.workers, most - self._lane.down_step))
        self._note(now_s)
        return self.workers

    def cut(self, now_s: float, workers: int) -> None:
        """Say that there may be no more than so many for now."""
        if workers < self.workers:
            self.workers = workers
            self._note(now_s)

    @property
    def stands_until_s(self) -> float:
        """Until when the workers stay as they are, if from now on as many are wanted as at the last step."""
        wanted, (most_s, most) = self._wanted[-1][1], self._wanted[0]
        if wanted == self.workers:
            return math.inf
        return most_s + self._lane.down_after_s if wanted < self.workers <= most else -math.inf

    def least_since(self, now_s: float, past_s: float) -> int:
        """The least workers within the last seconds, at most a cold start: those that were asked for before that."""
        return min(self._since(now_s, past_s))

    def _since(self, now_s: float, past_s: float) -> list[int]:
        """The numbers of workers there were within the last seconds, from the one at their beginning."""
        found = [self.workers]
        for at_s, count in reversed(self._had):
            found.append(count)
            if at_s <= now_s - past_s:
                break
        return found

    def _note(self, now_s: float) -> None:
        if self._had[-1][1] != self.workers:
            self._had.append((now_s, self.workers))
        while len(self._had) > 1 and self._had[1][0] <= now_s - self._kept_s:
            self._had.popleft()

    def _most_wanted(self, now_s: float, wanted: int) -> int:
        """The most workers that were wanted at once within ``down_after_s``."""
        while self._wanted and self._wanted[-1][1] <= wanted:
            self._wanted.pop()
        self._wanted.append((now_s, wanted))
        while self._wanted[0][0] < now_s - self._lane.down_after_s:
            self._wanted.popleft()
        return self._wanted[0][1]

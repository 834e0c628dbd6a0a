"""``Weather``: what befalls a simulated fleet, and how well it can be seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from scaling.seen import Seen


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment on, for a while; seconds of the trace."""

    at_s: float
    for_s: float

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.at_s + self.for_s

    def holds(self, now_s: float) -> bool:
        """Whether it lasts now."""
        return self.at_s <= now_s < self.end_s


@dataclass(frozen=True, slots=True)
class Weather:
    """The same for every way to scale; all that is left to chance hangs on the seed."""

    seed: int = 0
    regions_lost: Sequence[Span] = ()
    """The first region is gone, with all that runs there."""
    unseen: Sequence[Span] = ()
    """Neither queues nor rows can be looked into."""
    late_s: float = 0.0
    """By how many seconds the depth of queues is behind, as with numbers of Cloud Monitoring."""
    hides_length: bool = False
    """Whether nobody sees how long what waits is, only how many."""
    hides_queue: bool = False
    """Whether nobody sees what waits, only what workers hold and what has ended."""

    def seen(self, now_s: float, seen: Seen) -> Seen:
        """What is left to see of it."""
        if any(each.holds(now_s) for each in self.unseen):
            return Seen()
        hides = self.hides_queue
        return Seen(
            waiting=None if hides else seen.waiting,
            in_hand=seen.in_hand,
            waiting_audio_s=None if hides or self.hides_length else seen.waiting_audio_s,
            oldest_s=None if hides else seen.oldest_s,
            settled=seen.settled,
        )

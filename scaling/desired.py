"""``Desired``: how many workers a lane should have now, and what that was reckoned from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Desired:
    """What the controller says of one lane; what scales the workers follows ``workers``."""

    workers: int
    """Within floor, cap and what is left of the GPUs."""
    wanted: int
    """Without cap and GPUs; where it is more than ``workers``, a limit is in the way."""
    arrivals_per_s: float | None
    """Jobs a second that it reckons with; ``None`` = nobody has seen any yet."""
    service_s: float | None
    """Seconds of a worker that a job takes; ``None`` = none has ended yet, and the policy's figure is reckoned with."""
    waiting_audio_s: float | None
    """Seconds of audio that wait; ``None`` = nobody can tell."""
    failover: bool
    """Whether the fallback is to help out, since no number of workers that may be had meets the promise."""
    reason: str
    """What decided, for a person: one of a few short sentences."""

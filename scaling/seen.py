"""``Seen``: what somebody saw of a lane at one moment; everything that could not be seen is ``None``, never zero."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settled:
    """The jobs of a lane that ended between two looks at the rows and had audio; sums over them.

    What is no audio is refused within moments.  Counted, it would make the others look shorter than they are.
    """

    span_s: float
    """Seconds between the two looks."""
    jobs: int
    audio_s: float
    heard_audio_s: float
    """Audio of those that a worker's model heard, and no fallback in its place."""
    busy_s: float
    """Seconds of workers that these took."""
    queued_s: float
    """Seconds that all of them waited for a worker."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A lane at one moment."""

    waiting: int | None = None
    """Jobs that wait, also those that are to come again later."""
    in_hand: int | None = None
    """Jobs that workers hold."""
    waiting_audio_s: float | None = None
    """Seconds of audio of those that wait."""
    oldest_s: float | None = None
    """For how long the longest waiting has waited."""
    settled: Settled | None = None
    """``None`` = nobody looked at the rows this time, or they could not be seen."""
    seasonal_per_s: float | None = None
    """Seconds of audio a second that came at this hour of earlier weeks; ``None`` = nobody knows."""

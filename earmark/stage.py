"""``Stage``: a part of a try, as it went by the clock."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class StageName(StrEnum):
    """What is done in it."""

    DECODE = "decode"
    """Fetching the audio too."""
    PRIMARY = "primary"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Stage:
    """One of the parts that tell where the time of a try went; a model's is that of its whole batch."""

    name: StageName
    began_at: datetime
    ended_at: datetime
    model: str = ""
    """Who was asked, as records name it; empty = nobody."""
    engine: str = ""
    """What ran it, where that is known."""
    jobs: int = 1
    """How many jobs went through it together."""
    input_tokens: int | None = None
    """As the provider counted; ``None`` = nobody did."""
    output_tokens: int | None = None
    error: str = ""
    """Class of the error it ended with, from ``earmark.errors``; empty = it went well."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(0.0, (self.ended_at - self.began_at).total_seconds())

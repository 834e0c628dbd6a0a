"""``Reply``: what came of asking a provider, and what it cost; failures are values, for failed calls cost money too."""

from dataclasses import dataclass

from earmark.domain import Prediction
from earmark.errors import TransientError


@dataclass(frozen=True, slots=True)
class Usage:
    """What a provider counted, over every request of one question, those that failed and were repaired too."""

    requests: int = 0
    repairs: int = 0
    """Requests that only mended an answer."""
    audio_tokens: int = 0
    text_tokens: int = 0
    """Of the questions, audio aside."""
    cached_tokens: int = 0
    """Of the text tokens, those the provider had in its cache."""
    answer_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """The sum."""
        return Usage(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer or the error there is instead of one."""

    prediction: Prediction | None
    error: TransientError | None = None
    """``Unavailable`` with its kinds and ``TimedOut`` are about the provider, ``NoAnswer`` is about what it said."""
    cost_usd: float = 0.0
    usage: Usage = Usage()

"""``CallFailed``: a request to a provider that came to nothing."""

from dataclasses import dataclass, field

from earmark.errors import TransientError


@dataclass(slots=True)
class Sendings:
    """How often a request was sent before it was answered or given up."""

    all: int = 0
    in_vain: int = 0
    """Failed, and may be on the bill all the same."""
    error: TransientError | None = None
    """What the last of them came to."""


@dataclass(eq=False)
class CallFailed(Exception):
    """A request that came to nothing; never leaves ``Exchange``."""

    error: TransientError
    """What it is to the rest of the system."""
    again: bool = False
    """Whether the same request may succeed soon."""
    retry_after_s: float | None = None
    """Seconds the provider asks to wait."""
    charged: bool = False
    """Whether the provider may have worked on it, and put it on the bill."""
    parameter: str = ""
    """The parameter the provider objects to, or words that may name it."""
    sendings: Sendings = field(default_factory=Sendings)

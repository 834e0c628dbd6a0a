"""``Fallback``: the second model, asked about single fields of single clips, and what guards it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from earmark.domain import Clip, Prediction
from workers.breaker import Breaker
from workers.reply import Reply
from workers.spend import Spend


class Provider(Protocol):
    """Somebody who listens for money; safe to use from several threads."""

    name: str
    """As records name it: the provider and its model."""

    def ask(self, clip: Clip, fields: Collection[str]) -> Reply:
        """What it says about some fields; every failure is in the reply, none is raised."""
        ...

    def close(self) -> None:
        """End waits for a next attempt; questions under way come to their end."""
        ...

    def estimate_usd(self, clip: Clip, fields: Collection[str]) -> float:
        """What asking may cost at most, in dollars."""
        ...


@dataclass(frozen=True, slots=True)
class Fallback:
    """A provider with its guards."""

    provider: Provider
    breaker: Breaker
    spend: Spend
    regions: frozenset[str]
    """Regions the provider keeps data in; a tenant bound to another one is never sent there."""
    concurrency: int
    version: str
    """Of the provider's model and how it is asked, as calibrations name it."""
    calibrate: Callable[[Prediction], Prediction]
    """Gives its answers the confidences that were fitted for it, if any."""

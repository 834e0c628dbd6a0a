"""``Predicting``: a batch that a primary is at work on."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from earmark.domain import Prediction
from earmark.errors import TransientError
from workers.flight import Flight
from workers.primary import Primary

OVERTIME_S: Final = 15.0
"""Seconds beyond the length of its audio after which an arm's batch no longer keeps the default from its work."""

Answers = Sequence[Prediction | TransientError | None]


@dataclass(slots=True)
class Predicting:
    """One batch at one model."""

    future: Future[Answers]
    batch: list[Flight]
    model: Primary
    alone: bool = True
    """Whether no other model was at work meanwhile; else its times say little."""
    began: float = field(default_factory=time.monotonic)

    @property
    def overtime(self) -> bool:
        """Whether it takes so long that others need not wait for it: it hangs, or its model is being loaded."""
        audio_s = sum(flight.audio_s for flight in self.batch)
        return time.monotonic() - self.began > OVERTIME_S + audio_s

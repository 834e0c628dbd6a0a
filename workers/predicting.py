"""``Predicting``: a batch that a primary is at work on."""

import time
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from earmark.domain import Prediction
from earmark.errors import TransientError
from earmark.stage import Stage, StageName
from workers.failures import kind_of
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
    began_at: datetime
    alone: bool = True
    """Whether no other model was at work meanwhile; else its times say little."""
    began: float = field(default_factory=time.monotonic)

    @property
    def overtime(self) -> bool:
        """Whether it takes so long that others need not wait for it: it hangs, or its model is being loaded."""
        audio_s = sum(flight.audio_s for flight in self.batch)
        return time.monotonic() - self.began > OVERTIME_S + audio_s

    def ended(self, at: datetime) -> None:
        """Tell its jobs how it went: whether the model was warm, and when it was at work."""
        warm = self.model.was_warm() and self.alone
        broke = CancelledError() if self.future.cancelled() else self.future.exception()
        answers = self.future.result() if broke is None else [broke] * len(self.batch)
        for flight, answer in zip(self.batch, answers, strict=True):
            flight.warm = warm
            flight.stages.append(
                Stage(
                    StageName.PRIMARY,
                    self.began_at,
                    at,
                    model=self.model.name,
                    engine=answer.engine if isinstance(answer, Prediction) else "",
                    jobs=len(self.batch),
                    error=kind_of(answer) if isinstance(answer, BaseException) else "",
                )
            )

"""``Unsettled``: outcomes on their way to the stores, kept while a store is down; what was computed is not lost."""

from collections.abc import Callable, Sequence

from earmark.domain import Outcome, Settlement
from earmark.errors import ConfigurationError, Unavailable
from workers.flight import Flight
from workers.outage import Outage
from workers.settle import Settler

Outcomes = Sequence[tuple[Flight, Outcome]]


class Unsettled:
    """Settles outcomes, again and again where a store cannot be reached."""

    def __init__(
        self,
        settler: Settler,
        store: Outage,
        *,
        ended: Callable[[Flight, Outcome], None],
        give_back: Callable[[Flight], object],
    ) -> None:
        """Take the settler, whether the stores can be reached, and who hears of jobs that ended or cannot be."""
        self._settler = settler
        self._store = store
        self._ended = ended
        self._give_back = give_back
        self._waiting: list[Outcomes] = []

    @property
    def flights(self) -> list[Flight]:
        """The jobs that wait to be settled."""
        return [flight for outcomes in self._waiting for flight, _ in outcomes]

    @property
    def due(self) -> bool:
        """Whether jobs wait and it is time to try again."""
        return bool(self._waiting) and not self._store.resting

    def settle(self, outcomes: Outcomes) -> None:
        """Settle a batch, or keep it for later.

        Raises:
            ConfigurationError: a missing table or role; its jobs are given back, for they are not at fault.
        """
        if not outcomes:
            return
        try:
            self._settler.settle(
                [
                    Settlement(
                        flight.lease,
                        outcome,
                        flight.audio_s,
                        warm=flight.warm,
                        diverted=flight.diverted,
                        queued_s=flight.queued_s,
                        hardware=flight.hardware,
                        stages=tuple(flight.stages),
                    )
                    for flight, outcome in outcomes
                ]
            )
        except Unavailable as error:
            self._store.failed(error)
            self._waiting.append(outcomes)
        except ConfigurationError:
            for flight, _ in outcomes:
                self._give_back(flight)
            raise
        else:
            self._store.over()
            for flight, outcome in outcomes:
                self._ended(flight, outcome)

    def try_again(self) -> None:
        """Settle what could not be settled before, unless it is too early to ask."""
        if self.due:
            waiting, self._waiting = self._waiting, []
            for outcomes in waiting:
                self.settle(outcomes)

    def forget(self) -> list[Flight]:
        """Give up on all of them; returns their flights."""
        flights, self._waiting = self.flights, []
        return flights

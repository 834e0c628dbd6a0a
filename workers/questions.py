"""``Questions``: what a worker has asked the fallback and has no answer to yet."""

from collections.abc import Iterator
from concurrent.futures import Future

from earmark.domain import Prediction
from earmark.errors import NoAnswer
from workers.cascade import Reason
from workers.flight import Flight
from workers.second_opinion import Answer, SecondOpinion


class Questions:
    """Questions under way, at most one about each job; used by one thread."""

    def __init__(self, second: SecondOpinion) -> None:
        """Ask nothing yet."""
        self._second = second
        self._asking: dict[Future[Answer], Flight] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._asking)

    @property
    def flights(self) -> list[Flight]:
        """The jobs that they are about."""
        return list(self._asking.values())

    @property
    def futures(self) -> list[Future[Answer]]:
        """What to wait for."""
        return list(self._asking)

    def ask(self, flight: Flight, reason: Reason) -> bool:
        """Ask about what is open; False when nothing is, or the fallback said nothing about it in this try already."""
        primary = flight.primary if isinstance(flight.primary, Prediction) else None
        mute = flight.shadow or flight.unanswered is not None
        asked = {} if mute else self._second.questions(primary, reason)
        if asked and flight.clip is not None:
            self._asking[self._second.submit(flight.lease.job, flight.clip, primary, asked)] = flight
        return bool(asked)

    def answered(self) -> Iterator[tuple[Flight, Answer]]:
        """Those that have ended, once each; what was paid for nothing is noted with the job."""
        for future in [future for future in self._asking if future.done()]:
            flight, answer = self._asking.pop(future), future.result()
            flight.stages += answer.stages
            if answer.prediction is None:
                flight.vain_usd += answer.cost_usd
                flight.unanswered = answer.error if isinstance(answer.error, NoAnswer) else None
            yield flight, answer

    def forget(self) -> None:
        """Leave all of them."""
        self._asking.clear()

"""The keeper: when it extends, and what it believes about a lease."""

from collections.abc import Sequence

import pytest

from earmark.domain import Lease
from earmark.errors import Unavailable
from earmark.vocabulary import Lane
from tests.making import make_lease
from workers.keeper import Keeper


class Desk:
    """A queue that extends, loses or cannot be reached."""

    def __init__(self) -> None:
        """Extend everything."""
        self.lost: list[Lease] = []
        self.down = False

    def extend(self, leases: Sequence[Lease], lease_s: float) -> list[Lease]:
        """The leases that are lost."""
        if self.down:
            message = "no route"
            raise Unavailable(message)
        return self.lost


class Pauses:
    """Stands for the event the keeper waits on; ends it after a few pauses and remembers them."""

    def __init__(self, count: int) -> None:
        """Allow so many pauses."""
        self._count = count
        self.seconds: list[float] = []

    def wait(self, timeout_s: float) -> bool:
        """Whether it is time to end."""
        self.seconds.append(timeout_s)
        return len(self.seconds) >= self._count


@pytest.fixture
def desk() -> Desk:
    """A queue."""
    return Desk()


@pytest.fixture
def keeper(desk: Desk) -> Keeper:
    """A keeper of leases of half a minute, not started."""
    return Keeper({Lane.LOW: desk}, lease_s=30)  # type: ignore[dict-item]


def test_it_extends_when_a_third_is_used(keeper: Keeper) -> None:
    """Two more attempts fit into a lease when one fails, and no two keepers keep the same beat."""
    pauses = Pauses(50)
    keeper._stop = pauses  # type: ignore[assignment]
    keeper._run()
    assert all(8 <= seconds <= 10 for seconds in pauses.seconds)
    assert len(set(pauses.seconds)) > 1


def test_an_outage_loses_no_lease(keeper: Keeper, desk: Desk) -> None:
    """A queue that does not answer says nothing about whose the job is; only the queue's word does."""
    lease = make_lease()
    keeper.hold([lease])
    desk.down = True
    keeper.extend_all()
    assert keeper.holds(lease)
    desk.down, desk.lost = False, [lease]
    keeper.extend_all()
    assert not keeper.holds(lease)

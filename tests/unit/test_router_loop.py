"""Steps are taken again and again, each on its own, whatever becomes of the others."""

import threading
from collections.abc import Callable

import pytest

from earmark.errors import ConfigurationError, Unavailable
from runtime.routing import loop as router_loop
from runtime.routing.loop import Step, stepping, take_all

WAIT_S = 20.0


class Counting:
    """Does something a few times, then nothing; may fail."""

    def __init__(self, times: int, error: Exception | None = None) -> None:
        """Take how often there is something to do, and what to raise once it is all done."""
        self.times, self.error, self.calls = times, error, 0
        self.done = threading.Event()

    def __call__(self) -> int:
        """One step."""
        self.calls += 1
        if self.calls <= self.times:
            return 1
        self.done.set()
        if self.error is not None:
            raise self.error
        return 0


def test_steps_go_on_until_nothing_is_left() -> None:
    """In turn, all of them, and the sum is told."""
    one, two = Counting(2), Counting(5)
    assert take_all([Step("one", one, 9.0), Step("two", two, 9.0)]) == 7


@pytest.mark.parametrize("error", [Unavailable("down"), ConfigurationError("wrong"), RuntimeError("a fault of ours")])
def test_a_step_that_fails_stops_neither_itself_nor_others(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """It rests, and is taken again."""
    monkeypatch.setattr(router_loop, "TROUBLE_S", 0.001)
    failing, other = Counting(0, error), Counting(3)
    again: Callable[[], bool] = lambda: failing.calls > 2  # noqa: E731
    stop = threading.Event()
    with stepping([Step("failing", failing, 0.001), Step("other", other, 0.001)], stop):
        assert other.done.wait(WAIT_S)
        deadline = threading.Event()
        while not again():
            assert not deadline.wait(0.001)
    assert stop.is_set()


def test_a_costly_step_rests_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that may take a tenth of the time rests nine times as long as it took."""
    rests: list[float] = []
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(router_loop.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(router_loop.random, "uniform", lambda _low, _high: 1.0)

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            rests.append(timeout or 0.0)
            self.set()
            return True

    router_loop._again(Step("costly", lambda: 1, 1.0, share=0.1), Stop())
    assert rests == [pytest.approx(90.0)]

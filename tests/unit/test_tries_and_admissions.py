"""What is noted about tries beside Pub/Sub: a try that was undone never was, and one that is told twice counts once."""

from datetime import timedelta
from pathlib import Path

from runtime.gcp.admissions import Admissions
from runtime.gcp.tries import Tries
from tests.flows.world import World
from tests.making import make_failure


def test_a_failure_told_twice_counts_once(tmp_path: Path) -> None:
    """The same lease's end is noted once, however often; another lease's is one more, numbered in order."""
    tries = Tries(World(tmp_path).store("state"), "low")
    for _ in range(2):
        assert len(tries.add("message", "one", make_failure())) == 1
    assert [failure.try_number for failure in tries.add("message", "two", make_failure())] == [1, 2]


def test_a_try_that_was_undone_never_was(tmp_path: Path) -> None:
    """Of two admissions in one pull the withdrawn one is no lost try when the lease is over; the other is."""
    world = World(tmp_path)
    mine, others = (Admissions(world.store("state"), "low", worker=name, clock=world.clock) for name in ("a", "b"))
    mine.admit({"first": "message 1", "second": "message 2"}, world.clock() + timedelta(seconds=60))
    mine.withdraw("first")
    world.clock.move(61)
    assert [found.token for found in others.earlier(["message 1", "message 2"])] == ["second"]
    assert others.count() == 1

"""What is noted about tries beside Pub/Sub: a try that was undone never was, and one that is told twice counts once."""

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest

from earmark.errors import Unavailable
from runtime.gcp.admissions import Admissions
from runtime.gcp.tries import Tries
from tests.flaky import Faults, FlakyStore
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


def test_an_undoing_that_failed_half_way_is_done_later(tmp_path: Path) -> None:
    """Tries undone one after another, each at the second attempt, leave nothing behind but the one that stands."""
    world = World(tmp_path)
    store = FlakyStore(world.store("state"))
    mine = Admissions(store, "low", worker="a", clock=world.clock)
    others = Admissions(world.store("state"), "low", worker="b", clock=world.clock)
    messages = {f"token {number}": f"message {number}" for number in range(4)}
    mine.admit(messages, world.clock() + timedelta(seconds=60))
    undone = list(messages)[:3]
    for method, when in (("delete", "before"), ("delete", "after"), ("write", "before"), ("write", "after")):
        for token in undone:
            store.faults.fail(method, when=when)
            with contextlib.suppress(Unavailable):
                mine.withdraw(token)
            store.faults = Faults()
    for token in undone:
        mine.withdraw(token)
    world.clock.move(61)
    assert [found.token for found in others.earlier(list(messages.values()))] == ["token 3"]


def test_an_admission_that_was_never_answered_is_no_try(tmp_path: Path) -> None:
    """A worker that could not know whether it admitted a message began nothing, and takes the note off again."""
    world = World(tmp_path)
    store = FlakyStore(world.store("state"))
    mine = Admissions(store, "low", worker="a", clock=world.clock)
    others = Admissions(world.store("state"), "low", worker="b", clock=world.clock)
    store.faults.fail("write", when="after")
    with pytest.raises(Unavailable):
        mine.admit({"never": "message"}, world.clock() + timedelta(seconds=60))
    assert others.count() == 1
    assert mine.earlier(["message"]) == []
    world.clock.move(61)
    assert others.earlier(["message"]) == []
    assert others.count() == 0

"""The tiers that customers were seen with."""

from pathlib import Path
from typing import Any

import pytest

from earmark.errors import Unavailable
from earmark.ports import ObjectInfo
from retention.tiers import KEPT, Tiers
from retention.timeline import TierChange
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock
from tests.flaky import FlakyStore


class World:
    """A store that several processes share."""

    def __init__(self, folder: Path) -> None:
        """Start with nothing."""
        self.clock = ManualClock()
        self.store = FlakyStore(LocalObjectStore(folder, "state"))

    def tiers(self) -> Tiers:
        """As another process sees them."""
        return Tiers(self.store, self.clock)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """In which nobody was seen."""
    return World(tmp_path)


def test_a_change_is_remembered_with_what_was_before(world: World) -> None:
    """By every process; the first tier that is seen is no change."""
    seen = world.tiers().observe({"acme": "free", "zoe": "pro"})
    assert (seen.tier_of("acme", "enterprise"), seen.changed("acme")) == ("free", ())
    world.clock.move(60)
    seen = world.tiers().observe({"acme": "pro", "zoe": "pro"})
    first = TierChange("free", world.clock())
    assert (seen.changed("acme"), seen.changed("zoe")) == ((first,), ())
    world.clock.move(60)
    assert world.tiers().observe({"acme": "pro", "zoe": "pro"}).changed("acme") == (first,)
    second = TierChange("pro", world.clock())
    assert world.tiers().observe({"acme": "free"}).changed("acme") == (first, second)


def test_what_is_remembered_of_one_customer_is_bounded(world: World) -> None:
    """The latest changes."""
    for number in range(KEPT + 5):
        world.clock.move(1)
        seen = world.tiers().observe({"acme": ("free", "pro")[number % 2]})
    changes = seen.changed("acme")
    assert (len(changes), changes[-1].at) == (KEPT, world.clock())


def test_customers_who_left_keep_the_tier_they_had(world: World) -> None:
    """And of those never seen, the tier that their objects came with counts."""
    world.tiers().observe({"acme": "enterprise"})
    seen = world.tiers().observe({})
    assert (seen.tier_of("acme", "free"), seen.tier_of("other", "pro")) == ("enterprise", "pro")
    assert seen.changed("other") == ()


def test_nothing_is_written_where_nothing_changed(world: World) -> None:
    """For it is looked at in every run."""
    world.tiers().observe({"acme": "free"})
    world.store.faults.calls.clear()
    world.tiers().observe({"acme": "free"})
    assert "write" not in world.store.faults.calls


def test_two_who_see_a_change_at_once_agree(world: World) -> None:
    """The first to write it tells since when."""
    world.tiers().observe({"acme": "free"})
    first = world.tiers().observe({"acme": "pro"})
    world.clock.move(60)
    assert world.tiers().observe({"acme": "pro"}) == first


def test_a_customer_is_forgotten(world: World) -> None:
    """Beside one who changes the record at the same moment; nobody else is."""
    world.tiers().observe({"acme": "pro", "zoe": "pro"})
    other, write = world.tiers(), world.store.write
    calls: list[str] = []

    def after_another(name: str, *arguments: Any, **named: Any) -> ObjectInfo:
        calls.append(name)
        if len(calls) == 1:
            other.observe({"new": "free"})
        return write(name, *arguments, **named)

    world.store.write = after_another  # type: ignore[method-assign]
    assert world.tiers().forget("acme")
    assert set(world.tiers().seen().tenants) == {"zoe", "new"}
    assert not world.tiers().forget("acme")


def test_a_change_that_cannot_be_remembered_is_not_judged_by(world: World) -> None:
    """Or it would delete without a fresh notice."""
    world.tiers().observe({"acme": "pro"})
    world.store.faults.fail("write")
    with pytest.raises(Unavailable):
        world.tiers().observe({"acme": "free"})

"""Holds: in force for everybody at once, kept on record, and written to the audit log first."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from earmark.audit import AuditEntry
from earmark.errors import ConfigurationError, Unavailable
from retention.holds import FOLDER, Holds
from retention.scope import read_scope
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock
from tests.flaky import FlakyStore
from tests.retention_rows import Entries, make_row

SONG = read_scope(target="uploads/acme/song.wav")
ACME = read_scope(tenant="acme")


class World:
    """A store that several processes share."""

    def __init__(self, folder: Path) -> None:
        """Start with nothing."""
        self.clock, self.entries = ManualClock(), Entries()
        self.store = FlakyStore(LocalObjectStore(folder, "state"))

    def holds(self) -> Holds:
        """As another process sees them."""
        return Holds(self.store, self.clock, self.entries)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """With no holds in it."""
    return World(tmp_path)


def test_a_hold_is_seen_by_every_process_at_once(world: World) -> None:
    """Also by one that looked before; and its release too."""
    here, there = world.holds(), world.holds()
    assert there.view().covering(make_row()) is None
    hold = here.place(SONG, "case 7", "ada")
    assert there.view().covering(make_row()) == hold
    assert there.view().covering(make_row("acme/other.wav")) is None
    world.clock.move(60)
    released = here.release(hold.id, "closed", "bob")
    assert there.view().covering(make_row()) is None
    assert there.all() == [released]
    assert (released.released_by, released.release_reason) == ("bob", "closed")


def test_two_holds_must_both_be_released(world: World) -> None:
    """The oldest is the one that is told of."""
    holds = world.holds()
    first = holds.place(SONG, "case 7", "ada")
    world.clock.move(1)
    second = holds.place(ACME, "case 8", "bob")
    assert holds.view().covering(make_row()) == first
    holds.release(first.id, "closed", "ada")
    assert holds.view().covering(make_row()) == second
    holds.release(second.id, "closed", "ada")
    assert holds.view().covering(make_row()) is None


def test_when_a_hold_was_released_is_known(world: World) -> None:
    """For what it covered, and nothing else."""
    holds = world.holds()
    hold = holds.place(SONG, "case 7", "ada")
    assert not holds.view().released_after(make_row(), world.clock() - timedelta(days=1))
    world.clock.move(60)
    holds.release(hold.id, "closed", "ada")
    view, at = holds.view(), world.clock()
    moments = [at - timedelta.resolution, at]
    assert [view.released_after(make_row(), moment) for moment in moments] == [True, False]
    assert not view.released_after(make_row("acme/other.wav"), moments[0])


def test_releasing_again_changes_nothing(world: World) -> None:
    """Nor does it write to the audit log again."""
    holds = world.holds()
    hold = holds.place(SONG, "case 7", "ada")
    released = holds.release(hold.id, "closed", "ada")
    world.clock.move(60)
    assert world.holds().release(hold.id, "again", "bob") == released
    assert [entry.action for entry in world.entries] == ["retention.hold", "retention.release"]


@pytest.mark.parametrize(
    "change",
    [
        lambda holds: holds.place(SONG, "", "ada"),
        lambda holds: holds.place(SONG, "case 7", " "),
        lambda holds: holds.release("20260101T000000Z-00000000", "closed", "ada"),
        lambda holds: holds.release("../policies/000001", "closed", "ada"),
        lambda holds: holds.release("", "closed", "ada"),
    ],
)
def test_what_is_incomplete_or_unknown_is_refused(world: World, change: Callable[[Holds], object]) -> None:
    """And nothing is written anywhere."""
    with pytest.raises(ConfigurationError):
        change(world.holds())
    assert (list(world.store.scan()), world.entries) == ([], [])


def test_the_audit_log_comes_first(world: World) -> None:
    """What cannot be written there is not done; it names the hold and no file."""
    holds = world.holds()
    hold = holds.place(SONG, "case 7", "ada")
    entry = world.entries[0]
    assert (entry.action, entry.actor, entry.target, entry.reason) == ("retention.hold", "ada", hold.id, "case 7")
    assert "song" not in entry.model_dump_json()

    def down(entries: Sequence[AuditEntry]) -> None:
        raise Unavailable

    with pytest.raises(Unavailable):
        Holds(world.store, world.clock, down).release(hold.id, "closed", "ada")
    with pytest.raises(ConfigurationError, match="opened for reading"):
        Holds(world.store, world.clock).place(ACME, "case 8", "ada")
    assert holds.all() == [hold]


def test_a_hold_whose_write_failed_is_no_hold(world: World) -> None:
    """Whoever placed it is told."""
    world.store.faults.fail("write")
    with pytest.raises(Unavailable):
        world.holds().place(SONG, "case 7", "ada")
    assert world.holds().all() == []


def test_what_cannot_be_read_stops_everything(world: World) -> None:
    """A hold that nobody can read may cover anything."""
    world.holds().place(SONG, "case 7", "ada")
    world.store.write(f"{FOLDER}x.json", b'{"id": "x"}', content_type="application/json")
    with pytest.raises(ConfigurationError, match=r"retention/holds/x\.json in the state store is no hold: scope"):
        world.holds().view()


def test_looking_again_reads_only_what_changed(world: World) -> None:
    """For a run looks before each batch."""
    holds = world.holds()
    for _ in range(3):
        holds.place(SONG, "case 7", "ada")
    holds.view()
    world.store.faults.calls.clear()
    holds.view()
    assert world.store.faults.calls.count("read") == 0
    holds.release(holds.all()[0].id, "closed", "ada")
    world.store.faults.calls.clear()
    holds.view()
    assert world.store.faults.calls.count("read") == 1

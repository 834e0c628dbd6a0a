"""Extensions: for enterprise customers, within bounds, approved; and on record when they are over."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from earmark.errors import ConfigurationError
from retention.extensions import Extension, Extensions
from retention.scope import Scope, read_scope
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock
from tests.retention_rows import Entries, make_policy, make_row

SONG = read_scope(target="uploads/acme/song.wav")
DAY = timedelta(days=1)


class World:
    """A store that several processes share; acme is an enterprise customer."""

    def __init__(self, folder: Path) -> None:
        """Start with nothing."""
        self.clock, self.entries = ManualClock(), Entries()
        self.store = LocalObjectStore(folder, "state")

    def extensions(self) -> Extensions:
        """As another process sees them."""
        return Extensions(
            self.store,
            self.clock,
            self.entries,
            tier_of=lambda tenant, tier: "enterprise" if tenant == "acme" else tier,
            policy=lambda: make_policy({"extension_most": "90 days"}),
        )

    def grant(self, scope: Scope = SONG, days: float = 10, **fields: Any) -> Extension:
        """An extension, of ten days unless told otherwise."""
        given = {"reason": "ticket 15", "actor": "ada", "approved_by": "bob", **fields}
        return self.extensions().grant(scope, self.clock() + days * DAY, **given)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """With no extensions in it."""
    return World(tmp_path)


def test_the_longest_extension_counts(world: World) -> None:
    """For every process, for what it covers, and after it is over."""
    view = world.extensions().view
    assert view().until(make_row()) is None
    world.grant(days=10)
    longest = world.grant(read_scope(prefix="uploads/acme/"), days=20)
    world.grant(read_scope(tenant="acme"), days=5)
    assert view().covering(make_row()) == longest
    assert view().until(make_row(generation=2, bucket="archive")) == longest.until
    assert view().until(make_row("acme/x", bucket="results")) == world.clock() + 5 * DAY
    world.clock.move(DAY.total_seconds() * 30)
    assert view().until(make_row()) == longest.until


def test_others_and_temporary_objects_are_not_covered(world: World) -> None:
    """A prefix may be that of another customer's name too; temporary files go after a day whatever happened."""
    world.grant(read_scope(prefix="uploads/acme/"))
    world.grant(read_scope(tenant="acme"))
    view = world.extensions().view()
    assert view.until(make_row(tenant="other")) is None
    assert view.until(make_row(bucket="temporary", object_class="temporary")) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"days": 0},
        {"days": -1},
        {"days": 90.1},
        {"reason": ""},
        {"actor": " "},
        {"approved_by": ""},
        {"scope": read_scope(tenant="other")},
        {"scope": read_scope(target="uploads/other/song.wav")},
        {"scope": read_scope(prefix="uploads/")},
        {"scope": read_scope(prefix="uploads/acme")},
        {"scope": read_scope(prefix="results/analyses/")},
        {"tenant": "other"},
    ],
)
def test_what_goes_beyond_the_bounds_is_refused(world: World, fields: dict[str, Any]) -> None:
    """And nothing is written anywhere."""
    with pytest.raises(ConfigurationError):
        world.grant(**fields)
    assert (world.extensions().all(), world.entries) == ([], [])


def test_an_extension_may_reach_as_far_as_the_policy_says(world: World) -> None:
    """To the microsecond."""
    assert world.grant(days=90).until == world.clock() + 90 * DAY


def test_whose_objects_are_meant_is_told_by_their_names(world: World) -> None:
    """Or said."""
    assert world.grant(read_scope(target="results/analyses/acme/1.json")).tenant == "acme"
    assert world.grant(read_scope(target="uploads/x/song.wav"), tenant="acme").tenant == "acme"


def test_one_that_is_withdrawn_is_as_if_it_had_never_been(world: World) -> None:
    """But when that was is known."""
    extension = world.grant()
    world.clock.move(DAY.total_seconds())
    withdrawn = world.extensions().withdraw(extension.id, "sold", "cem")
    view, at = world.extensions().view(), world.clock()
    assert view.until(make_row()) is None
    moments = [at - timedelta.resolution, at]
    assert [view.withdrawn_after(make_row(), moment) for moment in moments] == [True, False]
    assert not view.withdrawn_after(make_row("acme/other.wav"), moments[0])
    world.clock.move(1)
    assert world.extensions().withdraw(extension.id, "again", "cem") == withdrawn
    assert [entry.action for entry in world.entries] == ["retention.extend", "retention.withdraw"]


@pytest.mark.parametrize("days", [10, 11])
def test_one_that_is_over_cannot_be_withdrawn(world: World, days: int) -> None:
    """It has had its effect, and customers were told."""
    extension = world.grant(days=10)
    world.clock.move(DAY.total_seconds() * days)
    with pytest.raises(ConfigurationError, match="was over"):
        world.extensions().withdraw(extension.id, "sold", "cem")
    assert world.extensions().view().until(make_row()) == extension.until


@pytest.mark.parametrize(
    "change",
    [
        lambda extensions: extensions.withdraw("nothing", "sold", "cem"),
        lambda extensions: extensions.withdraw("../holds/x", "sold", "cem"),
        lambda extensions: extensions.withdraw("x", "", "cem"),
    ],
)
def test_withdrawing_what_is_not_there_is_refused(world: World, change: Callable[[Extensions], object]) -> None:
    """Or without a reason."""
    with pytest.raises(ConfigurationError):
        change(world.extensions())


def test_the_audit_log_knows_the_approver_and_no_file(world: World) -> None:
    """Written before the extension is."""
    extension = world.grant()
    entry = world.entries[0]
    assert (entry.target, entry.tenant, entry.actor) == (extension.id, "acme", "ada")
    assert "bob" in entry.detail
    assert "song" not in entry.model_dump_json()
    with pytest.raises(ConfigurationError, match="opened for reading"):
        Extensions(world.store, world.clock).grant(SONG, world.clock() + DAY, "a", "b", "c")

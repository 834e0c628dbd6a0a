"""The switch that stops all runs."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from earmark.audit import AuditEntry
from earmark.errors import ConfigurationError, Unavailable
from retention.kill_switch import NAME, KillSwitch
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock
from tests.flaky import FlakyStore
from tests.retention_rows import Entries


@pytest.fixture
def store(tmp_path: Path) -> FlakyStore:
    """The state store."""
    return FlakyStore(LocalObjectStore(tmp_path, "state"))


def test_stop_and_resume(store: FlakyStore) -> None:
    """Both are written down, with who and why."""
    audit = Entries()
    switch = KillSwitch(store, ManualClock(), audit)
    assert switch.stopped() is None
    assert switch.resume("no reason", "ada") is False
    stop = switch.stop("wrong policy", "ada")
    assert switch.stopped() == stop
    assert KillSwitch(store, ManualClock(), audit).stopped() == stop
    assert switch.stop("another reason", "bob") == stop, "the first reason stands"
    assert switch.resume("put right", "ada") is True
    assert switch.stopped() is None
    assert [(entry.action, entry.actor, entry.reason) for entry in audit] == [
        ("retention.stop", "ada", "wrong policy"),
        ("retention.resume", "ada", "put right"),
    ]


def test_it_stops_also_where_the_audit_trail_is_down(store: FlakyStore) -> None:
    """What stops deletions must work; whoever stopped them is told that it was not written down."""

    def refuse(entries: Sequence[AuditEntry]) -> None:
        message = "down"
        raise Unavailable(message)

    switch = KillSwitch(store, ManualClock(), refuse)
    with pytest.raises(Unavailable):
        switch.stop("wrong policy", "ada")
    assert switch.stopped() is not None
    with pytest.raises(Unavailable):
        switch.resume("put right", "ada")
    assert switch.stopped() is not None, "resuming is no emergency"


def test_whatever_lies_there_stops(store: FlakyStore) -> None:
    """An object that says nothing, as one made by hand, stops as well."""
    store.write(NAME, b"", content_type="text/plain")
    stop = KillSwitch(store, ManualClock(), Entries()).stopped()
    assert stop is not None
    assert NAME in stop.reason


def test_a_store_that_is_down_does_not_look_like_go_ahead(store: FlakyStore) -> None:
    """Nobody knows, so nobody deletes."""
    store.faults.down = True
    with pytest.raises(Unavailable):
        KillSwitch(store, ManualClock(), Entries()).stopped()


@pytest.mark.parametrize(("reason", "actor"), [("", "ada"), ("why", " ")])
def test_a_reason_and_an_actor_are_demanded(store: FlakyStore, reason: str, actor: str) -> None:
    """For both directions."""
    switch = KillSwitch(store, ManualClock(), Entries())
    for act in (switch.stop, switch.resume):
        with pytest.raises(ConfigurationError):
            act(reason, actor)

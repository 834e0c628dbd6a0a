"""Holds and custom times as Cloud Storage has them, against a server that keeps them (fake-gcs-server does not)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from earmark.errors import ConfigurationError, ObjectHeld, PreconditionFailed, Unavailable
from earmark.ports import ObjectInfo
from runtime.gcp.object_store import PROTECT_ATTEMPTS, GcsObjectStore
from tests.contracts.gcs_case import client_of
from tests.contracts.test_object_store import put
from tests.servers.holding import HoldingServer

AT = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture(name="server")
def fixture_server() -> Iterator[HoldingServer]:
    """A bucket."""
    with HoldingServer() as server:
        yield server


@pytest.fixture(name="store")
def fixture_store(server: HoldingServer) -> GcsObjectStore:
    """The adapter, which asks this server straight away, as it does Cloud Storage."""
    store = GcsObjectStore(client_of(server.url), "bucket")
    store._looks_before_delete = False
    return store


def test_a_held_object_stays(server: HoldingServer, store: GcsObjectStore) -> None:
    """A delete and an overwrite of a held object are refused by Cloud Storage and told as ``ObjectHeld``."""
    info = put(store, "a/ö")
    assert store.protect("a/ö", if_generation=info.generation, held=True)
    held = ObjectInfo(info.name, info.generation, info.size_bytes, info.created_at, info.content_type, held=True)
    assert store.stat("a/ö") == held
    assert list(store.scan()) == [held]
    with pytest.raises(ObjectHeld, match="gs://bucket/a/ö"):
        store.delete("a/ö", if_generation=info.generation)
    for generation in (None, info.generation):
        with pytest.raises(ObjectHeld, match="gs://bucket/a/ö"):
            store.write("a/ö", b"new", content_type="a/b", if_generation=generation)
    with pytest.raises(PreconditionFailed):
        store.write("a/ö", b"new", content_type="a/b", if_generation=0)
    assert store.stat("a/ö") == held
    assert store.protect("a/ö", if_generation=info.generation, held=False)
    assert store.delete("a/ö", if_generation=info.generation)
    assert server.objects == {}


def test_a_delete_looks_first_only_where_it_must(server: HoldingServer, store: GcsObjectStore) -> None:
    """To Cloud Storage a delete is one request, with its generation; to an emulator the adapter sees a hold itself."""
    info = put(store, "a")
    store.protect("a", if_generation=info.generation, held=True)
    server.requests.clear()
    with pytest.raises(ObjectHeld):
        store.delete("a", if_generation=info.generation)
    assert [method for method, _, _ in server.requests] == ["DELETE", "GET"]
    store._looks_before_delete = True
    server.requests.clear()
    with pytest.raises(ObjectHeld):
        store.delete("a", if_generation=info.generation)
    assert [method for method, _, _ in server.requests] == ["GET"]
    store.protect("a", if_generation=info.generation, held=False)
    store._looks_before_delete = False
    server.requests.clear()
    assert store.delete("a", if_generation=info.generation)
    [(parameters, _)] = server.sent("DELETE")
    assert parameters["ifGenerationMatch"] == str(info.generation)
    assert len(server.requests) == 1


def test_want_of_rights_is_no_hold(server: HoldingServer, store: GcsObjectStore) -> None:
    """What is forbidden for another reason is told as what it is."""
    info = put(store, "a")
    server.forbidding = "forbidden"
    with pytest.raises(ConfigurationError, match="Grant the role"):
        store.delete("a", if_generation=info.generation)


def test_a_retention_policy_holds_too(server: HoldingServer, store: GcsObjectStore) -> None:
    """What the bucket keeps for a while, as the audit trail, is held by it."""
    info = put(store, "a")
    server.forbidding = "retentionPolicyNotMet"
    with pytest.raises(ObjectHeld):
        store.delete("a", if_generation=info.generation)


def test_a_patch_names_what_it_saw(server: HoldingServer, store: GcsObjectStore) -> None:
    """Only what changes is sent, in one request with both preconditions; what is so already sends nothing."""
    info = put(store, "a")
    store.protect("a", if_generation=info.generation, held=True, not_needed_after=AT)
    [(parameters, changes)] = server.sent("PATCH")
    assert parameters["ifGenerationMatch"] == str(info.generation)
    assert parameters["ifMetagenerationMatch"] == "1"
    assert changes == {"temporaryHold": True, "customTime": "2027-01-01T00:00:00.000000Z"}
    for held, after in ((True, None), (None, AT), (True, AT - timedelta(days=1)), (None, None)):
        assert store.protect("a", if_generation=info.generation, held=held, not_needed_after=after)
    assert len(server.sent("PATCH")) == 1


def test_a_custom_time_only_moves_later(server: HoldingServer, store: GcsObjectStore) -> None:
    """Cloud Storage refuses an earlier one, so it is never sent; a hold beside it is."""
    info = put(store, "a")
    zone = timezone(timedelta(hours=-8))
    for days in (0, 3, 1):
        after = (AT + timedelta(days=days)).astimezone(zone)
        assert store.protect("a", if_generation=info.generation, not_needed_after=after)
    assert store.protect("a", if_generation=info.generation, held=True, not_needed_after=AT)
    assert server.objects["a"]["customTime"] == "2027-01-04T00:00:00.000000Z"
    assert [changes for _, changes in server.sent("PATCH")][2:] == [{"temporaryHold": True}]


def test_somebody_else_was_first(server: HoldingServer, store: GcsObjectStore) -> None:
    """A change that lost a race is decided anew on what is there now; after some of them it is given up."""
    info = put(store, "a")
    server.before_patch = [{"customTime": "2029-01-01T00:00:00.000000Z"}]
    assert store.protect("a", if_generation=info.generation, held=True, not_needed_after=AT)
    assert (server.objects["a"]["customTime"], server.objects["a"]["temporaryHold"]) == (
        "2029-01-01T00:00:00.000000Z",
        True,
    )
    server.before_patch = [{}] * PROTECT_ATTEMPTS
    server.requests.clear()
    with pytest.raises(Unavailable, match="keeps changing"):
        store.protect("a", if_generation=info.generation, held=False)
    assert len(server.sent("PATCH")) == PROTECT_ATTEMPTS

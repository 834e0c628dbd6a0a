"""Authentication: who gets in, who does not and why, how long a look counts, and how bad keys are slowed down."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from earmark.errors import Unavailable
from earmark.ports import ObjectInfo
from router.access_scopes import AccessScope
from router.keys import ApiKey, Keys
from runtime.endpoints.authentication import BAD_MAX, Authentication
from runtime.endpoints.caller import Reads
from runtime.endpoints.problem import Problem, not_found
from runtime.local.object_store import LocalObjectStore
from tests.api_world import ApiWorld
from tests.clock import ManualClock

ADDRESS = "192.0.2.1"


class Counted(LocalObjectStore):
    """A store that counts looks and can be made to be away."""

    looks = 0
    away = False

    def stat(self, name: str) -> ObjectInfo | None:
        """Count, and look."""
        self.looks += 1
        if self.away:
            message = "the store is away"
            raise Unavailable(message)
        return super().stat(name)


class Gate:
    """An authentication, and keys for it."""

    def __init__(self, folder: Path) -> None:
        """Open the register."""
        self.clock = ManualClock()
        self.store = Counted(folder, "state", clock=self.clock)
        self.keys = Keys(self.store, self.clock)
        self.authentication = Authentication(self.keys, self.clock)

    def key(self, **fields: Any) -> str:
        """The text of a new key."""
        new = self.keys.draft("acme", **fields)
        self.keys.add(new)
        return new.text.get_secret_value()

    def check(self, token: str, scope: AccessScope = AccessScope.READ, address: str = ADDRESS) -> ApiKey:
        """Check a token."""
        return self.authentication.check(token, scope, address)

    def refused(self, token: str, scope: AccessScope = AccessScope.READ, address: str = ADDRESS) -> tuple[int, str]:
        """Status and kind of the problem that a token is."""
        with pytest.raises(Problem) as caught:
            self.check(token, scope, address)
        assert token not in str(vars(caught.value)) or not token
        if caught.value.status in {401, 403}:
            assert caught.value.headers["WWW-Authenticate"].startswith('Bearer realm="earmark"')
        else:
            assert int(caught.value.headers["Retry-After"]) > 0
        return caught.value.status, caught.value.kind


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """The gate."""
    return Gate(tmp_path)


def test_a_good_key_is_its_customer_s(gate: Gate) -> None:
    """It gives the customer and the scopes."""
    found = gate.check(gate.key(scopes=[AccessScope.READ, AccessScope.WRITE]), AccessScope.WRITE)
    assert (found.tenant, found.scopes) == ("acme", frozenset({AccessScope.READ, AccessScope.WRITE}))


def test_each_refusal_says_why(gate: Gate) -> None:
    """None, malformed, unknown, wrong secret, expired, revoked, and outside its scopes."""
    assert gate.refused("") == (401, "no_key")
    assert gate.refused("secret") == (401, "unknown_key")
    assert gate.refused(gate.keys.draft("acme").text.get_secret_value()) == (401, "unknown_key")
    short = gate.key(lifetime=timedelta(seconds=10))
    gate.check(short)
    gate.clock.move(10)
    assert gate.refused(short) == (401, "expired_key")
    text = gate.key(scopes=[AccessScope.READ])
    assert gate.refused(text, AccessScope.DELETE) == (403, "missing_scope")
    gate.keys.revoke(gate.check(text).id)
    gate.clock.move(60)
    assert gate.refused(text) == (401, "revoked_key")


def test_the_right_id_with_another_secret_is_no_key(gate: Gate) -> None:
    """A secret that is not that key's is told nothing of it."""
    mine, other = gate.key(), gate.keys.draft("other")
    stolen = gate.keys.find(gate.check(mine).id)
    assert stolen is not None
    gate.keys._write(f"keys/{other.key.id}.json", stolen.model_copy(update={"id": other.key.id}), 0)
    assert gate.refused(other.text.get_secret_value()) == (401, "unknown_key")


def test_a_revoked_key_ends_within_a_minute(gate: Gate) -> None:
    """A look counts for twenty seconds: one look in that time, and none of it later."""
    text = gate.key()
    key = gate.check(text)
    before = gate.store.looks
    gate.clock.move(19.9)
    gate.check(text)
    assert gate.store.looks == before
    gate.keys.revoke(key.id)
    gate.clock.move(0.1)
    assert gate.refused(text) == (401, "revoked_key")


def test_memory_stands_in_for_the_register_for_less_than_a_minute(gate: Gate) -> None:
    """While the store is away a known key works for 50 s; an unknown one is not judged."""
    text = gate.key()
    gate.check(text)
    gate.store.away = True
    gate.clock.move(49.9)
    assert gate.check(text).tenant == "acme"
    gate.clock.move(0.1)
    with pytest.raises(Unavailable):
        gate.check(text)
    with pytest.raises(Unavailable):
        gate.check(gate.keys.draft("acme").text.get_secret_value())


def test_bad_keys_are_slowed_down_by_address(gate: Gate) -> None:
    """After thirty an address must wait, and costs the register nothing; a known key and other addresses go on."""
    known, fresh = gate.key(), gate.key()
    gate.check(known)
    for _ in range(BAD_MAX):
        assert gate.refused(gate.keys.draft("acme").text.get_secret_value())[0] == 401
    before = gate.store.looks
    assert gate.refused("whatever") == (429, "too_many_bad_keys")
    assert gate.refused(gate.keys.draft("acme").text.get_secret_value()) == (429, "too_many_bad_keys")
    assert gate.store.looks == before
    gate.check(known)
    gate.clock.move(20)
    gate.check(known)
    assert gate.check(fresh, address="192.0.2.2").tenant == "acme"
    assert gate.refused("whatever")[0] == 401


def test_an_address_of_ipv6_counts_with_its_network(gate: Gate) -> None:
    """Whoever has one address of a network has them all; an IPv4 address is the same however it is written."""
    for number in range(BAD_MAX):
        gate.refused("whatever", address=f"2001:db8::{number:x}")
    assert gate.refused("whatever", address="2001:db8::ffff")[0] == 429
    assert gate.refused("whatever", address="2001:db8:0:1::1")[0] == 401
    for _ in range(BAD_MAX):
        gate.refused("whatever", address="::ffff:192.0.2.9")
    assert gate.refused("whatever", address="192.0.2.9")[0] == 429
    assert gate.refused("whatever", address="testclient")[0] == 401


def test_a_bad_key_is_remembered_too(gate: Gate) -> None:
    """The same bad key again costs the register no look, and a key that comes to be is seen after a while."""
    new = gate.keys.draft("acme")
    text = new.text.get_secret_value()
    gate.refused(text)
    before = gate.store.looks
    gate.refused(text)
    assert gate.store.looks == before
    gate.keys.add(new)
    gate.clock.move(20)
    assert gate.check(text).tenant == "acme"


def test_an_object_that_is_no_key_lets_nobody_in(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the caller is told that there is no such key."""
    new = gate.keys.draft("acme")
    gate.store.write(f"keys/{new.key.id}.json", b"{}", content_type="application/json")
    assert gate.refused(new.text.get_secret_value()) == (401, "unknown_key")
    assert "key.unreadable" in caplog.text


def test_uses_are_noted_in_the_background(gate: Gate) -> None:
    """A request writes nothing; the step does, once for each key."""
    text = gate.key()
    for _ in range(3):
        key = gate.check(text)
    assert gate.keys.of("acme")[0].used_at is None
    gate.authentication.note_uses()
    assert gate.keys.of("acme")[0].used_at == gate.clock()
    gate.clock.move(300)
    gate.authentication.note_uses()
    assert gate.keys.of("acme")[0].used_at != gate.clock()
    assert key.used_at is None


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API with one endpoint of its own."""
    with ApiWorld(tmp_path) as world:

        @world.app.get("/v1/nothing")
        def nothing(caller: Reads, number: int = 0) -> None:
            raise Unavailable if number else not_found()

        @world.app.get("/v1/name")
        def name(caller: Reads) -> dict[str, str]:
            return {"name": caller.tenant.name, "tier": caller.tenant.tier}

        yield world


def test_over_http(api: ApiWorld) -> None:
    """The header decides: a key, none, another scheme, and one of another scope."""
    good = api.client("acme")
    answer = good.get("/v1/name")
    assert answer.json() == {"name": "acme", "tier": "enterprise"}
    assert answer.headers["RateLimit-Policy"] == '"requests";q=6000;w=60'
    assert answer.headers["RateLimit"] == '"requests";r=5999;t=1'
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
        refused = api.anybody().get("/v1/name", headers=headers)
        assert refused.status_code == 401
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.headers["WWW-Authenticate"] == 'Bearer realm="earmark"'
        assert refused.json()["type"] == "urn:earmark:problem:no_key"
    writes = api.client("acme", [AccessScope.WRITE])
    assert writes.get("/v1/name").status_code == 403


def test_problems_say_what_is_left_too(api: ApiWorld) -> None:
    """Each counted; one without a caller says nothing."""
    client = api.client("acme")
    for left, (path, status) in enumerate(
        [("/v1/nothing", 404), ("/v1/nothing?number=1", 503), ("/v1/nothing?number=x", 422)], start=1
    ):
        answer = client.get(path)
        assert answer.status_code == status
        assert answer.headers["RateLimit"].startswith(f'"requests";r={6000 - left};')
    assert "RateLimit" not in api.anybody().get("/v1/nothing").headers


def test_a_customer_who_was_taken_out_of_the_file_is_shut_out(tmp_path: Path) -> None:
    """Its key is good and nobody's: 403, and no error of ours."""
    file = tmp_path / "tenants.toml"
    file.write_text("[other]\n")
    with ApiWorld(tmp_path, tenants=file) as world:

        @world.app.get("/v1/name")
        def name(caller: Reads) -> str:
            return str(caller.tenant.name)

        client = world.client("acme")
        info = world.backend.state.stat("tenants/acme.json")
        assert info is not None
        world.backend.state.delete(info.name, if_generation=info.generation)
        answer = client.get("/v1/name")
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:earmark:problem:unknown_customer")


def test_an_odd_header_is_no_fault_of_ours(api: ApiWorld) -> None:
    """Bytes that are no text are a bad key."""
    client: TestClient = api.anybody()
    assert client.get("/v1/name", headers={b"Authorization": b"Bearer em_live_\xff\xfe"}).status_code == 401

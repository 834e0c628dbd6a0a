"""Keys: what they look like, what is kept of them, and how many a customer may have."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import ConfigurationError
from router.access_scopes import AccessScope
from router.keys import ACTIVE_MAX, KEPT, MAKING, Keys, NewKey, read_key
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def clock() -> ManualClock:
    """The present."""
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> LocalObjectStore:
    """The state store."""
    return LocalObjectStore(tmp_path, "state", clock=clock)


@pytest.fixture
def keys(store: LocalObjectStore, clock: ManualClock) -> Keys:
    """The register."""
    return Keys(store, clock)


def made(keys: Keys, tenant: str = "acme", lifetime: timedelta | None = None) -> NewKey:
    """A key that was added."""
    new = keys.draft(tenant, lifetime=lifetime)
    keys.add(new)
    return new


def drafts(count: int) -> Iterator[str]:
    """The texts of keys that nobody added."""
    keys = Keys(None, ManualClock())  # type: ignore[arg-type]  # a draft needs no store
    for _ in range(count):
        yield keys.draft("acme").text.get_secret_value()


SAMPLE = list(drafts(20))


def test_key_is_found_by_its_own_text(keys: Keys) -> None:
    """A key gives its id and the SHA-256 that is kept; the text itself is nowhere in the store."""
    new = made(keys)
    text = new.text.get_secret_value()
    read = read_key(text)
    assert read == (new.key.id, new.key.sha256)
    found = keys.find(new.key.id)
    assert found == new.key
    assert found.is_of(read[1])
    assert len(text) == len("em_live_") + 12 + 1 + 30 + 6
    kept = b"".join(b"".join(keys._store.read(info.name)) for info in keys._store.scan())
    assert text.encode() not in kept
    assert text[21:51].encode() not in kept
    assert text not in repr(new)


def test_keys_differ() -> None:
    """No two drafts share an id or a secret."""
    assert len({text[8:20] for text in SAMPLE}) == len(SAMPLE)
    assert len({text[21:51] for text in SAMPLE}) == len(SAMPLE)


@given(st.sampled_from(SAMPLE), st.integers(8, 56), st.sampled_from(BASE62 + "_-. é"))
def test_one_wrong_sign_is_noticed_without_a_look(text: str, at: int, sign: str) -> None:
    """CRC-32 finds every change of one sign; what looks otherwise is no key either."""
    changed = text[:at] + sign + text[at + 1 :]
    assert (read_key(changed) is None) is (changed != text)


@given(st.text(max_size=80))
def test_whatever_is_sent_is_read_or_refused(text: str) -> None:
    """No text is an error, and none that was not made here is a key."""
    assert read_key(text) is None


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: text + "\n", lambda text: f" {text}", lambda text: text[:-1]]
)
def test_nearly_a_key_is_none(change: object) -> None:
    """Case, spaces and length count."""
    assert callable(change)
    assert read_key(change(SAMPLE[0])) is None


def test_a_third_active_key_is_refused_with_the_remedy(keys: Keys, clock: ManualClock) -> None:
    """Two may be active, to let one follow the other; the message names the one to revoke."""
    first, second = made(keys), made(keys)
    with pytest.raises(ConfigurationError, match=f"earmark tenant revoke {first.key.id}"):
        made(keys)
    assert [key.id for key in keys.of("acme")] == [first.key.id, second.key.id]
    made(keys, tenant="other")
    keys.revoke(first.key.id)
    third = made(keys, lifetime=timedelta(hours=1))
    with pytest.raises(ConfigurationError, match="2 active"):
        keys.demand_room("acme")
    clock.move(3600)
    keys.demand_room("acme")
    assert [key.state(clock()) for key in keys.of("acme")] == ["revoked", "active", "expired"]
    assert third.key.expires_at == clock()


def test_two_who_make_keys_at_once_make_two(store: LocalObjectStore, clock: ManualClock) -> None:
    """Eight threads at once: two succeed, the others are refused."""
    refused = []

    def make() -> None:
        try:
            made(Keys(store, clock))
        except ConfigurationError as error:
            refused.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 8 - ACTIVE_MAX
    assert len(Keys(store, clock).of("acme")) == ACTIVE_MAX


def test_a_key_that_was_never_finished_counts_for_a_minute(keys: Keys, clock: ManualClock) -> None:
    """Whoever died between ring and register leaves room for another after a while, and no key."""
    write = keys._write
    keys._write = lambda name, value, generation: write(name, value, generation) if "rings" in name else False  # type: ignore[method-assign]
    lost = [made(keys), made(keys)]
    keys._write = write  # type: ignore[method-assign]
    with pytest.raises(ConfigurationError, match="2 active"):
        made(keys)
    assert keys.of("acme") == []
    clock.move(MAKING.total_seconds())
    new = made(keys)
    assert [key.id for key in keys.of("acme")] == [new.key.id]
    assert keys.find(lost[0].key.id) is None


def test_an_answer_that_was_lost_on_the_way_makes_no_second_key(keys: Keys) -> None:
    """The ring was written and the store's answer lost: the next attempt finds its own key there, and goes on."""
    made(keys)
    write, lost = keys._write, [True]

    def losing(name: str, value: object, generation: int) -> bool:
        return write(name, value, generation) and not lost.pop() if lost else write(name, value, generation)  # type: ignore[arg-type]

    keys._write = losing  # type: ignore[method-assign]
    new = made(keys)
    assert [key.id for key in keys.of("acme")][1:] == [new.key.id]
    with pytest.raises(ConfigurationError, match="2 active"):
        made(keys)


def test_old_keys_are_forgotten_and_active_ones_never(keys: Keys) -> None:
    """So many are remembered of each customer, and the objects of others are removed."""
    stays = made(keys)
    for _ in range(KEPT + 5):
        keys.revoke(made(keys).key.id)
    found = keys.of("acme")
    assert len(found) == KEPT
    assert found[0] == stays.key
    objects = [info.name for info in keys._store.scan("keys/") if "rings" not in info.name]
    assert len(objects) == KEPT


def test_revoked_keys_stay_revoked(keys: Keys, clock: ManualClock) -> None:
    """Revoking again keeps the first time; an unknown key is an error."""
    new = made(keys)
    at = keys.revoke(new.key.id).revoked_at
    clock.move(60)
    assert keys.revoke(new.key.id).revoked_at == at
    for unknown in ("0" * 12, "../../etc", ""):
        with pytest.raises(ConfigurationError, match="There is no key"):
            keys.revoke(unknown)
        assert keys.find(unknown) is None


def test_use_is_noted_once_a_minute(keys: Keys, clock: ManualClock) -> None:
    """The second note within a minute writes nothing; a note never brings a revoked key back."""
    new = made(keys)
    keys.note_use(new.key.id)
    first = clock()
    clock.move(59)
    keys.note_use(new.key.id)
    [key] = keys.of("acme")
    assert key.used_at == first
    clock.move(1)
    keys.revoke(new.key.id)
    keys.note_use(new.key.id)
    [key] = keys.of("acme")
    assert (key.used_at, key.state(clock())) == (clock(), "revoked")
    keys.note_use("0" * 12)


def test_scopes_are_kept(keys: Keys) -> None:
    """A key is for what it was made for."""
    new = keys.draft("acme", [AccessScope.READ])
    keys.add(new)
    found = keys.find(new.key.id)
    assert found is not None
    assert found.scopes == {AccessScope.READ}


def test_an_object_that_is_no_key_is_told_of(keys: Keys, store: LocalObjectStore) -> None:
    """What somebody else wrote there is no key, and says where it is."""
    store.write(f"keys/{'0' * 12}.json", b"{}", content_type="application/json")
    with pytest.raises(ConfigurationError, match=r"keys/000000000000\.json"):
        keys.find("0" * 12)
    store.write("keys/rings/acme.json", b"[]", content_type="application/json")
    with pytest.raises(ConfigurationError, match=r"keys/rings/acme\.json"):
        made(keys)

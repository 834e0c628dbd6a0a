"""Customers that were added by command: kept, found within seconds, and behind those of the file."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from earmark.domain import Upload
from earmark.errors import ConfigurationError, Unavailable
from earmark.settings import Settings
from earmark.vocabulary import Tier
from retention.stores import ErasableStore, ErasureRequest
from router.keys import Keys
from router.tenant import Tenant
from router.tenant_register import TenantRegister
from router.tenants import Tenants
from router.tiers import load_tiers
from runtime.cascading import bound_to
from runtime.erasing.customers import customer_stores
from runtime.local.object_store import LocalObjectStore
from runtime.retention.desk import open_desk
from runtime.retention.inventory import owners
from runtime.wiring import connect, make_arrivals
from tests.clock import ManualClock
from tests.making import make_upload


class Away(LocalObjectStore):
    """A store that can be made to be away."""

    away = False

    def read(self, name: str, *, generation: int | None = None) -> Iterator[bytes]:
        """Read, or not."""
        if self.away:
            message = "the store is away"
            raise Unavailable(message)
        return super().read(name, generation=generation)


@pytest.fixture
def clock() -> ManualClock:
    """The present."""
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Away:
    """The state store."""
    return Away(tmp_path / "objects", "state", clock=clock)


@pytest.fixture
def register(store: Away) -> TenantRegister:
    """The register."""
    return TenantRegister(store)


def test_added_customers_are_found(register: TenantRegister) -> None:
    """What was added comes back whole; the same again changes nothing, something else is refused."""
    acme = Tenant(name="acme", tier=Tier.PRO, region="europe-west1", concurrent_jobs=3, sources=("gs://acme-music/a/",))
    assert register.add(acme)
    assert not register.add(acme)
    with pytest.raises(ConfigurationError, match="earmark tenant set acme"):
        register.add(Tenant(name="acme"))
    assert register.find("acme") == acme
    assert register.find("other") is None
    register.add(Tenant(name="abc"))
    assert [each.name for each in register.all()] == ["abc", "acme"]


def test_changes_at_the_same_moment_all_count(register: TenantRegister) -> None:
    """Each change is made of the one before it: none is lost."""
    register.add(Tenant(name="acme", concurrent_jobs=1))

    def raise_by_one() -> None:
        register.change(
            "acme", lambda found: found.model_copy(update={"concurrent_jobs": (found.concurrent_jobs or 0) + 1})
        )

    threads = [threading.Thread(target=raise_by_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = register.find("acme")
    assert found is not None
    assert found.concurrent_jobs == 5
    with pytest.raises(ConfigurationError, match="There is no customer other"):
        register.change("other", lambda found: found)


@pytest.mark.parametrize("content", [b"{}", b"no JSON", b'{"name": "other"}', b'{"name": "acme", "tier": "gold"}'])
def test_an_object_that_is_no_customer_is_told_of(register: TenantRegister, store: Away, content: bytes) -> None:
    """Nobody is served by a guess: the message says which object to put right."""
    store.write("tenants/acme.json", content, content_type="application/json")
    with pytest.raises(ConfigurationError, match=r"tenants/acme\.json"):
        register.find("acme")


@pytest.mark.parametrize("source", ["gs://acme", "gs://acme/music", "s3://acme/", "gs://ACME/", "gs://a/../", "/etc/"])
def test_a_source_is_a_folder(source: str) -> None:
    """Without a slash at its end it would cover folders that begin alike."""
    with pytest.raises(ValueError, match="sources"):
        Tenant(name="acme", sources=(source,))


def test_the_file_goes_before_the_register(tmp_path: Path, store: Away, clock: ManualClock) -> None:
    """Who is in both is as the file says; who is in neither is nobody, where there is a file."""
    file = tmp_path / "tenants.toml"
    file.write_text('[acme]\ntier = "enterprise"\n')
    register = TenantRegister(store)
    register.add(Tenant(name="acme", tier=Tier.FREE))
    register.add(Tenant(name="second", tier=Tier.PRO))
    tenants = Tenants(file, store, clock)
    assert tenants.find("acme").tier is Tier.ENTERPRISE
    assert tenants.find("second").tier is Tier.PRO
    assert tenants.tiers == {"acme": "enterprise", "second": "pro"}
    assert (tenants.in_file("acme"), tenants.in_file("second")) == (True, False)
    with pytest.raises(ConfigurationError, match="earmark tenant add third"):
        tenants.find("third")
    assert Tenants(None, store, clock).find("third") == Tenant(name="third")


def test_a_look_counts_for_ten_seconds(register: TenantRegister, store: Away, clock: ManualClock) -> None:
    """Found or not, the register is asked again after that, and no earlier."""
    tenants = Tenants(None, store, clock)
    assert tenants.find("acme").tier is Tier.FREE
    register.add(Tenant(name="acme", tier=Tier.PRO))
    clock.move(9.9)
    assert tenants.find("acme").tier is Tier.FREE
    clock.move(0.1)
    assert tenants.find("acme").tier is Tier.PRO
    register.change("acme", lambda found: found.model_copy(update={"tier": Tier.ENTERPRISE}))
    clock.move(10)
    assert tenants.find("acme").tier is Tier.ENTERPRISE


def test_what_is_known_stands_while_the_register_is_away(
    register: TenantRegister, store: Away, clock: ManualClock
) -> None:
    """A region that was seen still binds; about others nobody guesses."""
    register.add(Tenant(name="acme", region="europe-west1"))
    tenants = Tenants(None, store, clock)
    tenants.find("acme")
    store.away = True
    clock.move(3600)
    assert tenants.find("acme").region == "europe-west1"
    with pytest.raises(Unavailable):
        tenants.find("other")


def test_who_cannot_be_looked_up_stays_here(store: Away, clock: ManualClock) -> None:
    """A fallback elsewhere is not asked meanwhile; who would reject the upload for good waits instead."""
    store.away = True
    tenants, upload = Tenants(None, store, clock), make_upload("word")
    assert bound_to(tenants)(upload) == {"unknown"}
    with pytest.raises(Unavailable):
        bound_to(tenants, sure=True)(upload)


def test_registered_customers_count_everywhere(tmp_path: Path, clock: ManualClock) -> None:
    """Uploads bear their tier and region, retention knows their tiers and contacts."""
    settings = Settings(data=tmp_path / "data", synchronous="NORMAL")
    backend = connect(settings, clock)
    register = TenantRegister(backend.state)
    register.add(Tenant(name="acme", tier=Tier.PRO, region="europe-west1", notice_email="archive@acme.example"))
    backend.bucket("uploads").write("acme/song.wav", b"RIFF", content_type="audio/wav")
    routed: list[Upload] = []
    arrivals = make_arrivals(settings, backend, clock=clock)
    arrivals._refuse = routed.append
    arrivals.arrive("acme/song.wav")
    assert [(each.tier, each.region) for each in routed] == [(Tier.PRO, "europe-west1")]
    desk = open_desk(settings, backend, clock)
    assert desk.tiers().tier_of("acme", "free") == "pro"
    assert [contact.address for contact in desk.contacts_of("acme")] == ["archive@acme.example"]
    owner = owners(desk)("acme")
    assert owner is not None
    assert owner.tier is Tier.PRO
    register.change("acme", lambda found: found.model_copy(update={"tier": Tier.FREE}))
    clock.move(60)
    assert [change.before for change in desk.tiers().changed("acme")] == ["pro"]


def test_limits_are_the_tier_s_unless_it_has_its_own(tmp_path: Path) -> None:
    """The shipped limits, a customer's own, and those of a file."""
    tiers = load_tiers()
    assert [tiers[tier].requests_per_minute for tier in Tier] == [60, 600, 6000]
    assert [tiers[tier].audio_s_per_day for tier in Tier] == [3600, 86_400, None]
    assert [tiers[tier].concurrent_jobs for tier in Tier] == [4, 64, 512]
    own = tiers[Tier.FREE].of(Tenant(name="acme", requests_per_minute=7))
    assert (own.requests_per_minute, own.concurrent_jobs) == (7, 4)
    file = tmp_path / "tiers.toml"
    table = "requests_per_minute = 1\nconcurrent_jobs = 2\n"
    file.write_text("".join(f"[{tier}]\n{table}" for tier in Tier))
    assert load_tiers(file)[Tier.PRO].concurrent_jobs == 2
    for text, fault in (
        (f"[free]\n{table}", "lack: pro, enterprise"),
        (f"[gold]\n{table}", "gold"),
        ("[free]\nrequests_per_minute = 0\n", "free.requests_per_minute"),
        ("[", "Cannot read"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigurationError, match=fault):
            load_tiers(file)


def test_an_erased_customer_has_no_entry_and_no_keys(store: Away, clock: ManualClock) -> None:
    """Entry, keys and the list of keys go; those of others stay, also of one whose name is a word in them."""
    register, keys = TenantRegister(store), Keys(store, clock)
    for name in ("acme", "acme-2", "read"):
        register.add(Tenant(name=name))
        keys.add(keys.draft(name))
    stores: list[ErasableStore] = customer_stores(store)
    assert [sorted(each.tenants()) for each in stores] == [["acme", "acme-2", "read"]] * 2
    for name in ("acme", "read"):
        request = ErasureRequest(id="1", at=clock(), kind="tenant", tenant=name)
        assert [each.erase(request).items for each in stores] == [2, 1]
        assert [each.left(request) for each in stores] == [0, 0]
    assert len(keys.of("acme-2")) == 1
    assert [each.name for each in register.all()] == ["acme-2"]
    single = ErasureRequest(id="2", at=clock(), kind="content", tenant="acme-2")
    assert [each.erase(single).items for each in stores] == [0, 0]

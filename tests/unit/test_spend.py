"""What the fallback may cost: caps hold for all workers together, and nothing is spent twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import Unavailable
from earmark.ports import ObjectStore
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock
from tests.flaky import FlakyStore
from workers.spend import Cap, Reservation, Spend


def made(store: ObjectStore, clock: ManualClock, *, day: float = 1.0, tenant: float = 1.0) -> Spend:
    """The sums as one worker sees them."""
    return Spend(store, day_usd=day, tenant_usd=lambda _: tenant, clock=clock)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    """Where the sums are."""
    return LocalObjectStore(tmp_path, "state")


def taken(spend: Spend, tenant: str, usd: float) -> float:
    """Reserve until a cap forbids it, spending all of it; gives the dollars."""
    sum_usd = 0.0
    while isinstance(reserved := spend.reserve(tenant, usd), Reservation):
        spend.settle(reserved, usd)
        sum_usd += usd
    return sum_usd


def test_the_daily_cap_holds_and_a_new_day_begins(store: ObjectStore) -> None:
    """To the cent, over tenants; at midnight UTC there is money again."""
    clock = ManualClock()
    spend = made(store, clock, day=0.10, tenant=0.08)
    assert taken(spend, "one", 0.01) == pytest.approx(0.08)
    assert spend.reserve("one", 0.01) is Cap.TENANT
    assert taken(spend, "two", 0.01) == pytest.approx(0.02)
    assert spend.reserve("two", 0.01) is Cap.DAY
    assert (spend.today(), spend.today("one")) == pytest.approx((0.10, 0.08))
    clock.move(86_400)
    assert taken(spend, "one", 0.01) == pytest.approx(0.08)


def test_a_cap_of_nothing_allows_nothing(store: ObjectStore) -> None:
    """Zero is the way to forbid."""
    assert made(store, ManualClock(), day=0.0).reserve("one", 0.0) is Cap.DAY
    assert made(store, ManualClock(), tenant=0.0).reserve("one", 0.0) is Cap.TENANT


def test_what_was_not_used_is_there_again(store: ObjectStore) -> None:
    """An answer that cost less, or nothing, leaves the rest for others; one that cost more is owed."""
    spend = made(store, ManualClock(), day=0.10)
    for _ in range(50):
        reserved = spend.reserve("one", 0.10)
        assert isinstance(reserved, Reservation)
        spend.settle(reserved, 0.0)
    reserved = spend.reserve("one", 0.05)
    assert isinstance(reserved, Reservation)
    spend.settle(reserved, 0.08)
    assert spend.reserve("one", 0.03) is Cap.DAY or spend.reserve("one", 0.03) is Cap.TENANT
    assert isinstance(spend.reserve("one", 0.02), Reservation)


def test_two_workers_share_the_cap_and_return_their_blocks(tmp_path: Path, store: ObjectStore) -> None:
    """Together they spend the cap and not a cent more, even at the same moment; after both end the sum is exact."""
    clock = ManualClock()
    workers = [made(LocalObjectStore(tmp_path, "state"), clock, day=1.0, tenant=1.0) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        spent = sum(threads.map(lambda spend: taken(spend, "one", 0.013), workers))
    assert spent <= 1.0 + 1e-9
    for spend in workers:
        spend.close()
    assert made(store, clock).today() == pytest.approx(spent)
    last = made(store, clock)
    assert spent + taken(last, "one", 0.013) == pytest.approx(0.988)


def test_few_requests_for_many_questions(store: ObjectStore) -> None:
    """A store far away is not asked for each of them."""
    counted = FlakyStore(store)
    spend = made(counted, ManualClock(), day=100.0, tenant=100.0)
    for _ in range(70):
        reserved = spend.reserve("one", 0.013)
        assert isinstance(reserved, Reservation)
        spend.settle(reserved, 0.013)
    assert counted.faults.calls.count("write") <= 2


def test_a_store_that_is_down_lends_nothing(store: ObjectStore) -> None:
    """What cannot be counted may not be spent."""
    flaky = FlakyStore(store)
    flaky.faults.down = True
    with pytest.raises(Unavailable):
        made(flaky, ManualClock()).reserve("one", 0.01)


def test_a_sum_that_cannot_be_read_counts_as_spent(store: ObjectStore) -> None:
    """Rather no money than money twice."""
    clock = ManualClock()
    store.write(f"spend/{clock().date()}/all.json", b"{", content_type="application/json")
    assert made(store, clock).reserve("one", 0.01) is Cap.DAY


@settings(max_examples=20, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 0.3), st.floats(0, 0.3)), max_size=25),
    restarts=st.sets(st.integers(0, 25)),
)
def test_sums_stay_within_the_caps(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, float, float]], restarts: set[int]
) -> None:
    """Whatever is reserved and used, no more than the caps is ever set aside, across restarts and days."""
    store = LocalObjectStore(tmp_path_factory.mktemp("spend"), "state")
    clock = ManualClock()
    spend = made(store, clock, day=1.0, tenant=0.6)
    spent: dict[str, float] = {}
    for number, (tenant, usd, used) in enumerate(steps):
        if number in restarts:
            spend.close()
            spend = made(store, clock, day=1.0, tenant=0.6)
            clock.move(timedelta(minutes=1).total_seconds())
        reserved = spend.reserve(tenant, usd)
        if isinstance(reserved, Reservation):
            assert spent.get(tenant, 0) + usd <= 0.6 + 1e-4
            assert sum(spent.values()) + usd <= 1.0 + 1e-4
            spend.settle(reserved, min(usd, used))
            spent[tenant] = spent.get(tenant, 0) + min(usd, used)
    spend.close()
    assert made(store, clock).today() == pytest.approx(sum(spent.values()), abs=1e-4)


@pytest.mark.parametrize(
    "content", [b"{", b'{"micro_usd": 1e999}', b'{"micro_usd": -5}', b'{"micro_usd": 4611686018427387904}']
)
def test_a_sum_that_cannot_be_read_is_no_number_and_counts_as_spent(store: ObjectStore, content: bytes) -> None:
    """Nobody is told of billions, nothing is spent, and what is owed from before makes no sum of it."""
    clock = ManualClock()
    spend = made(store, clock)
    earlier = spend.reserve("one", 0.001)
    assert isinstance(earlier, Reservation)
    [whole] = [info for info in store.scan("spend/") if info.name.endswith("all.json")]
    store.write(whole.name, content, content_type="application/json", if_generation=whole.generation)
    spend.settle(earlier, 0.5)
    assert spend.reserve("two", 0.5) is Cap.DAY
    spend.close()
    with pytest.raises(Unavailable, match=r"all\.json .* delete it"):
        spend.today()
    assert b"".join(store.read(whole.name)) == content

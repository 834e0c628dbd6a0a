"""What a policy would do, against judging every object under both."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass, Tier
from retention.bands import Effect, Kind, bands
from retention.catalogue import Count, Cutoff
from retention.policies import Version
from retention.policy import Policy
from retention.policy_diff import TENANTS_MAX, PolicyDiff, Share, diff_policy
from retention.timeline import Timeline
from runtime.local.catalogue import LocalCatalogue
from runtime.local.warehouse import LocalWarehouse
from tests.retention_rows import EPOCH, make_policy, make_row, make_versions, tier_as_it_came

DAY = timedelta(days=1)
TERMS = ("7 days", "29 days", "30 days", "1 month", "100 hours", "1000 hours", "60 days", "2 months", "1 year")
TIERS = {"a": "free", "b": "pro", "c": "enterprise"}


class Counting(LocalCatalogue):
    """Counts what it was asked, and gives no object."""

    asked = 0

    def count(self, cutoffs: Sequence[Cutoff]) -> list[Count]:
        """Remember."""
        self.asked += len(cutoffs)
        return super().count(cutoffs)

    def due(self, cutoffs: Sequence[Cutoff]) -> Iterator[CatalogueRow]:
        """Objects are not to be read."""
        raise AssertionError


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Counting]:
    """With nothing in it."""
    warehouse = LocalWarehouse(tmp_path / "warehouse.sqlite", synchronous="NORMAL")
    yield Counting(warehouse)
    warehouse.close()


def compared(
    catalogue: LocalCatalogue, versions: list[Version], candidate: Policy, *, now: datetime, begins: datetime
) -> PolicyDiff:
    """What the candidate would do."""
    return diff_policy(
        catalogue,
        versions,
        candidate,
        now=now,
        effective_from=begins,
        tier_of=TIERS.get,
    )


def figures(share: Share) -> dict[str, int]:
    """Those that are not nought, of objects."""
    return {name: getattr(share, name) for name in ("earlier", "later", "due") if getattr(share, name)}


def by_hand(
    rows: Sequence[CatalogueRow], versions: list[Version], candidate: Policy, now: datetime, begins: datetime
) -> dict[tuple[str, str], Counter[str]]:
    """Each object judged under both, by tier and class."""
    version = Version(number=99, effective_from=begins, policy=candidate, registered_at=now, actor="ada", reason="test")
    before, after = (Timeline(each, now, TIERS.get) for each in (versions, [*versions, version]))
    horizon = candidate.notice.after(begins)
    found: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        old, new = before.expires_at(row), after.expires_at(row)
        names = [name for name, told in (("earlier", new < old), ("later", new > old)) if told]
        if new < horizon <= old and row.object_class != ObjectClass.TEMPORARY:
            names.append("due")
        counter = found.setdefault((TIERS[row.tenant], row.object_class), Counter())
        counter["objects"] += 1
        for name in names:
            counter[name] += 1
            counter[f"{name}_bytes"] += row.size_bytes
    return found


def long_enough(terms: dict[str, str]) -> Policy:
    """A policy with these terms; those shorter than a notice are made as long as it."""
    return make_policy(None, **{tier: "7 days" if term == "100 hours" else term for tier, term in terms.items()})


POLICIES = st.fixed_dictionaries({tier.value: st.sampled_from(TERMS) for tier in Tier}).map(long_enough)
HOURS = st.integers(0, 24 * 420)
ROWS = st.lists(st.tuples(st.sampled_from("abc"), HOURS, st.sampled_from(ObjectClass)), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(ROWS, POLICIES, POLICIES, st.lists(st.tuples(HOURS, POLICIES), max_size=2), st.integers(0, 24 * 60))
def test_counting_finds_what_judging_every_object_would(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, int, ObjectClass]],
    first: Policy,
    candidate: Policy,
    later: list[tuple[int, Policy]],
    ahead: int,
) -> None:
    """Months beside days, versions on their way, policies that begin later; nothing is read."""
    now = EPOCH + 420 * DAY
    versions = make_versions(first, *((EPOCH + timedelta(hours=2 * at), policy) for at, policy in later))
    rows = [
        make_row(f"{tenant}/{number}", created_at=EPOCH + timedelta(hours=hours), object_class=kind, size_bytes=number)
        for number, (tenant, hours, kind) in enumerate(drawn)
    ]
    warehouse = LocalWarehouse(tmp_path_factory.mktemp("diff") / "warehouse.sqlite", synchronous="NORMAL")
    catalogue = Counting(warehouse)
    catalogue.record(rows)
    begins = now + timedelta(hours=ahead)
    diff = compared(catalogue, versions, candidate, now=now, begins=begins)
    expected = by_hand(rows, versions, candidate, now, begins)
    assert {(share.tier, share.object_class): share.objects for share in diff.tiers} == {
        key: counter["objects"] for key, counter in expected.items()
    }
    for share in diff.tiers:
        counter = expected[share.tier, share.object_class]
        names = ("earlier", "earlier_bytes", "later", "later_bytes", "due", "due_bytes")
        assert {name: getattr(share, name) for name in names} == {name: counter[name] for name in names}
    assert sum(share.earlier for share in diff.tenants) == sum(counter["earlier"] for counter in expected.values())
    warehouse.close()


@given(
    st.sampled_from(TERMS),
    st.sampled_from(TERMS),
    st.integers(-40, 40),
    st.integers(0, 86_400 * 500 - 1),  # what is there was made before now
    st.integers(-3, 3),
)
def test_a_band_is_all_alike(old: str, new: str, begins: int, created_s: int, micro: int) -> None:
    """Any moment of it, to the microsecond."""
    now, created_at = EPOCH + 500 * DAY, EPOCH + timedelta(seconds=created_s, microseconds=micro)
    before = Timeline(make_versions(long_enough({"free": old})), now, tier_as_it_came)
    later = (now + begins * DAY / 3, long_enough({"free": new}))
    after = Timeline(make_versions(long_enough({"free": old}), later), now, tier_as_it_came)
    horizon = now + 7 * DAY
    kind = Kind("acme", "free", "upload")
    found = bands(kind, before, after, horizon, first=EPOCH - DAY, last=now)
    band = next(band for band in found if created_at <= band.until)
    ends = [timeline.expiry_of(*kind, created_at).at for timeline in (before, after)]
    moved = (ends[1] > ends[0]) - (ends[1] < ends[0])
    assert band.effect == Effect(moved, ends[1] < horizon <= ends[0])
    assert [band.until for band in found] == sorted({band.until for band in found})


def test_a_shorter_term_is_told_by_tier_and_customer(catalogue: Counting) -> None:
    """Those who lose most first; what had ended anyway is not counted."""
    now = EPOCH + 100 * DAY
    rows = [make_row(f"a/{age}", created_at=now - age * DAY) for age in (1, 8, 15, 25, 40)]
    rows += [make_row("z/1", created_at=now - 25 * DAY), make_row("c/1", created_at=now - 25 * DAY)]
    catalogue.record(rows)
    versions = make_versions(make_policy(free="30 days"))
    diff = compared(catalogue, versions, make_policy(free="10 days"), now=now, begins=now)
    assert [(share.tier, share.tenant, figures(share)) for share in diff.tenants] == [
        ("free", "a", {"earlier": 4, "due": 2}),
        ("free", "z", {"earlier": 1}),
    ]
    assert [(share.tier, share.object_class, figures(share)) for share in diff.tiers] == [
        ("enterprise", "upload", {}),
        ("free", "upload", {"earlier": 5, "due": 2}),
    ]
    assert diff.horizon == now + 7 * DAY
    assert catalogue.asked > 0


def test_a_policy_like_the_one_in_force_does_nothing(catalogue: Counting) -> None:
    """And the catalogue is not asked to count anything."""
    catalogue.record([make_row(f"a/{age}", created_at=EPOCH + age * DAY) for age in range(50)])
    now = EPOCH + 50 * DAY
    diff = compared(catalogue, make_versions(make_policy()), make_policy(), now=now, begins=now)
    assert (diff.tenants, [figures(share) for share in diff.tiers], catalogue.asked) == ((), [{}], 0)
    assert diff.tiers[0].objects == 50


def test_one_customer_s_own_terms_touch_nobody_else(catalogue: Counting) -> None:
    """Of the same tier."""
    catalogue.record(
        [make_row(f"{tenant}/{age}", created_at=EPOCH + age * DAY) for tenant in "cde" for age in range(9)]
    )
    own: dict[str, Any] = {"least": "30 days", "most": "10 years", "tenants": {"c": {"upload": "40 days"}}}
    now = EPOCH + 20 * DAY
    diff = diff_policy(
        catalogue,
        make_versions(make_policy()),
        make_policy({"own": own}),
        now=now,
        effective_from=now - DAY,
        tier_of=lambda *_: "enterprise",
    )
    assert [(share.tenant, figures(share)) for share in diff.tenants] == [("c", {"earlier": 9})]
    assert diff.effective_from == now


def test_customers_beyond_those_told_of_are_counted(catalogue: Counting) -> None:
    """An empty catalogue is none at all."""
    now, candidate = EPOCH + 20 * DAY, make_policy(free="10 days")
    versions = make_versions(make_policy(free="30 days"))
    assert compared(catalogue, versions, candidate, now=now, begins=now).tiers == ()
    catalogue.record([make_row(f"t{number}/a", created_at=EPOCH + 19 * DAY) for number in range(TENANTS_MAX + 5)])
    diff = compared(catalogue, versions, candidate, now=now, begins=now)
    assert (len(diff.tenants), diff.tenants_more) == (TENANTS_MAX, 5)

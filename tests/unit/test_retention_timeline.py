"""When objects end, against a model that goes through time in steps and asks at each of them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ConfigurationError
from earmark.vocabulary import ObjectClass, Tier
from retention.catalogue import Group
from retention.policies import Version
from retention.policy import Policy
from retention.timeline import TierChange, Timeline
from tests.retention_rows import EPOCH, make_policy, make_row, make_versions, tier_as_it_came

STEP = timedelta(hours=6)
TERMS = ("7 days", "10 days", "30 days", "1 month", "45 days", "2 months", "3 months")
POLICIES = {term: make_policy(free=term, pro="3 months", enterprise="10 days") for term in TERMS}
STEPS = st.integers(0, 4 * 150)


class Rules(NamedTuple):
    """A first term, and those that follow it."""

    first: str
    later: list[tuple[int, str]]
    """From which step on."""

    @property
    def versions(self) -> list[Version]:
        """As the timeline takes them."""
        return make_versions(POLICIES[self.first], *((EPOCH + at * STEP, POLICIES[term]) for at, term in self.later))

    def begun(self, at: datetime) -> tuple[datetime, str]:
        """When the policy in force at a moment began, and its term."""
        found = (datetime.min.replace(tzinfo=UTC), self.first)
        for steps, term in self.later:
            start = EPOCH + steps * STEP
            if found[0] <= start <= at:
                found = (start, term)
        return found


RULES = st.builds(Rules, st.sampled_from(TERMS), st.lists(st.tuples(STEPS, st.sampled_from(TERMS)), max_size=4))


def counted(start: datetime, term: str) -> datetime:
    """The end of a term: days added, or months turned like pages until the day fits."""
    count, unit = term.split()
    if unit.startswith("day"):
        return start + timedelta(days=int(count))
    pages = start.year * 12 + start.month - 1 + int(count)
    for day in range(start.day, 0, -1):
        try:
            return start.replace(year=pages // 12, month=pages % 12 + 1, day=day)
        except ValueError:
            continue
    raise AssertionError


def first_moment(created_at: datetime, now: datetime, rules: Rules) -> datetime:
    """Found by going on from now until the policy of that moment says that it was kept long enough, or else back."""
    at = now
    while counted(created_at, rules.begun(at)[1]) > at:
        at += STEP
    while at <= now and counted(created_at, rules.begun(at - STEP)[1]) <= at - STEP:
        at -= STEP
    return at


@settings(max_examples=300, deadline=None)
@given(RULES, STEPS, STEPS)
def test_an_object_ends_when_the_policy_of_that_moment_says_so(rules: Rules, created: int, present: int) -> None:
    """Whatever policies there were and are to come."""
    now, row = EPOCH + present * STEP, make_row(created_at=EPOCH + created * STEP)
    timeline = Timeline(rules.versions, now, tier_as_it_came)
    assert timeline.expires_at(row) == first_moment(row.created_at, now, rules)


@settings(max_examples=300, deadline=None)
@given(
    RULES,
    STEPS,
    STEPS,
    st.integers(0, 4 * 40),
    st.sampled_from([*Tier, None]),
    st.sampled_from(Tier),
    st.sampled_from([ObjectClass.UPLOAD, ObjectClass.TEMPORARY]),
)
def test_what_age_alone_tells_is_true(
    rules: Rules, created: int, present: int, ahead: int, tier: Tier | None, came: Tier, kind: ObjectClass
) -> None:
    """Of customers whose tier is known, and of others, whose objects may have come under any."""
    now, created_at = EPOCH + present * STEP, EPOCH + created * STEP
    at = now + ahead * STEP
    timeline = Timeline(rules.versions, now, lambda _, known: tier or known)
    bounds = timeline.candidates(Group("acme", kind, 1, 1, created_at, Tier.PRO), at)
    expires_at = timeline.expires_at(make_row(created_at=created_at, tier=came, object_class=kind))
    if created_at <= bounds.surely:
        assert expires_at <= at
    if created_at > bounds.possibly:
        assert expires_at > at


def test_the_bounds_are_close_where_the_tier_is_known() -> None:
    """None apart for days, four days for months."""
    for tier, apart in ((Tier.FREE, 0), (Tier.PRO, 4)):
        timeline = Timeline(make_versions(make_policy()), EPOCH, lambda _, __, tier=tier: tier)  # type: ignore[misc]
        bounds = timeline.candidates(Group("acme", ObjectClass.UPLOAD, 1, 1, EPOCH, tier), EPOCH)
        assert bounds.possibly - bounds.surely == timedelta(days=apart)


def seen(days: float, *later: tuple[float, str], free: str = "30 days") -> Callable[[float], float]:
    """Gives the day on which an object ends, from the day it came; as seen on a day."""
    versions = make_versions(make_policy(free=free), *((on(day), make_policy(free=term)) for day, term in later))
    timeline = Timeline(versions, on(days), tier_as_it_came)
    return lambda created: (timeline.expires_at(make_row(created_at=on(created))) - EPOCH) / timedelta(days=1)


def on(days: float) -> datetime:
    """A moment."""
    return EPOCH + timedelta(days=days)


def test_changes_of_the_policy_by_example() -> None:
    """A longer one saves at once, a shorter one is known ahead and reaches back no further than it begins."""
    assert seen(10)(0) == 30
    assert seen(10, (5, "60 days"))(0) == 60, "lengthened"
    assert seen(40, (5, "60 days"))(0) == 60, "what had not gone by then stays"
    assert seen(10, (20, "60 days"))(0) == 60, "lengthened before it ended"
    assert seen(10, (30, "60 days"))(0) == 60, "lengthened at the last moment"
    assert seen(10, (35, "60 days"))(0) == 30, "lengthened too late"
    assert seen(10, (20, "10 days"))(0) == 20, "shortened: not before it begins"
    assert seen(25, (20, "10 days"))(0) == 20, "the same when that is past"
    assert seen(25, (20, "10 days"))(24) == 34, "what comes later has its own term"
    assert seen(10, (20, "10 days"), (20, "30 days"))(0) == 30, "taken back"
    assert seen(10, (20, "60 days"), (40, "20 days"))(0) == 40, "lengthened, then shortened"
    assert seen(50, (20, "60 days"), (40, "20 days"), (45, "10 days"))(0) == 40, "and shortened again"
    assert seen(40, (35, "30 days"))(0) == 30, "nothing was changed for it"
    assert seen(40, (30, "30 days"))(0) == 30, "nor at the very moment at which it ended"
    assert seen(40, (35, "20 days"))(0) == 30, "shortened when it was over anyway"
    assert seen(40, (35, "35 days"), (37, "30 days"))(0) == 30, "lengthened by too little, and back"
    assert seen(40, (35, "36 days"), (37, "30 days"))(0) == 36, "lengthened for a day"


def test_the_tier_that_a_customer_has_now_counts() -> None:
    """Not the one it had when the object came."""
    versions, row = make_versions(make_policy(free="30 days", pro="6 months")), make_row(tier="free")
    tiers = {"acme": "pro"}
    timeline = Timeline(versions, EPOCH, tiers.get)
    assert timeline.expires_at(row) == datetime(2026, 7, 1, tzinfo=UTC)
    assert timeline.expires_at(make_row("other/song.wav")) == on(30)
    tiers["acme"] = "free"
    assert timeline.at(on(1)).expires_at(row) == on(30)


@pytest.mark.parametrize(
    ("tier", "before", "changed", "end"),
    [
        ("free", "pro", 90, 90),
        ("free", "pro", 20, 30),
        ("free", "pro", 30, 30),
        ("free", "pro", 190, 181),
        ("pro", "free", 20, 181),
        ("pro", "free", 40, 181),
        ("pro", "free", 190, 30),
    ],
)
def test_a_lowered_tier_reaches_back_no_further_than_the_change(
    tier: str, before: str, changed: float, end: float
) -> None:
    """Unless what it ends was over by the tier before too; a raised one saves what is still there."""
    changes = [TierChange(before, on(changed))]
    versions = make_versions(make_policy(free="30 days", pro="6 months"))
    timeline = Timeline(versions, on(changed), lambda *_: tier, lambda tenant: changes if tenant == "acme" else [])
    assert timeline.expires_at(make_row()) == on(end)
    assert timeline.at(on(300)).expires_at(make_row()) == on(end)
    assert timeline.expires_at(make_row("other/a")) == (on(30) if tier == "free" else on(181))


def test_customers_with_terms_of_their_own_do_not_share_them() -> None:
    """Though they have the tier of others."""
    own = {"least": "30 days", "most": "10 years", "tenants": {"acme": {"upload": "60 days"}}}
    policy: Policy = make_policy({"own": own}, enterprise="90 days")
    timeline = Timeline(make_versions(policy), EPOCH, lambda *_: "enterprise")
    rows = [make_row(f"{tenant}/a") for tenant in ("acme", "other", "acme")]
    assert [timeline.expires_at(row) for row in rows] == [on(60), on(90), on(60)]
    group = Group("acme", ObjectClass.UPLOAD, 1, 1, EPOCH, Tier.ENTERPRISE)
    assert timeline.candidates(group, on(60)).possibly == EPOCH


def test_temporary_objects_end_after_a_day_for_everybody() -> None:
    """Whatever their customers pay."""
    timeline = Timeline(make_versions(make_policy()), EPOCH, tier_as_it_came)
    ends = {timeline.expires_at(make_row(tier=tier, object_class="temporary")) for tier in Tier}
    assert ends == {on(1)}


def test_the_days_of_notices_are_those_of_utc() -> None:
    """What ends within seven days of the end of today is to be told of today."""
    timeline = Timeline(make_versions(make_policy()), on(3.5), tier_as_it_came)
    assert (timeline.day_end, timeline.notice_horizon) == (on(4), on(11))
    assert timeline.at(on(4)).day_end == on(5)
    assert timeline.at(timeline.now) is timeline


@pytest.mark.parametrize("fields", [{"tier": "platinum"}, {"object_class": "backup"}])
def test_an_object_of_no_known_kind_is_an_error(fields: dict[str, str]) -> None:
    """Rather than kept or deleted by a guess."""
    timeline = Timeline(make_versions(make_policy()), EPOCH, tier_as_it_came)
    with pytest.raises(ConfigurationError, match="tier or class"):
        timeline.expires_at(make_row(**fields))


def test_the_version_that_ends_an_object_is_told() -> None:
    """The one in force then, not the one in force now."""
    versions = make_versions(make_policy(), (on(20), make_policy(free="10 days")))
    timeline = Timeline(versions, on(5), tier_as_it_came)
    assert (timeline.version, timeline.expiry(make_row()).version) == (1, 2)


def many(timeline: Timeline, count: int) -> Sequence[datetime]:
    """Ends of objects of as many customers."""
    return [timeline.expires_at(make_row(f"c{number}/a")) for number in range(count)]


def test_tiers_are_asked_for_once_a_customer() -> None:
    """For asking may cost something, and there are millions of objects."""
    asked: list[str] = []

    def tier_of(tenant: str, tier: str) -> str:
        asked.append(tenant)
        return tier

    timeline = Timeline(make_versions(make_policy()), EPOCH, tier_of)
    many(timeline, 5)
    many(timeline, 5)
    assert asked == ["c0", "c1", "c2", "c3", "c4"]

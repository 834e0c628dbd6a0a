"""The rules of retention: one by one, and whole lives of objects against a model that knows only what happened."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectState
from retention.extensions import Extension, ExtensionsNow
from retention.holds import Hold, HoldsNow
from retention.policies import Version
from retention.scope import read_scope
from retention.standing import Hindrance, NoticeFault, NoticeState, Standing, delete_after, standing_of
from retention.term import Term
from retention.timeline import TierChange, Timeline
from tests.retention_rows import EPOCH, NO_EXTENSIONS, NO_HOLDS, make_policy, make_row, make_versions, tier_as_it_came

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
ACME = read_scope(tenant="acme")
VERSIONS = make_versions(make_policy(free="30 days"))


def on(days: float) -> datetime:
    """A moment."""
    return EPOCH + days * DAY


def told(confirmed: float, promised: float, *, bounced: bool = False) -> NoticeState:
    """A notice."""
    return NoticeState(on(confirmed), bounced, on(promised))


def hold(placed: float, released: float | None = None) -> Hold:
    """Of all that acme has."""
    at = None if released is None else on(released)
    return Hold(id="h", scope=ACME, reason="case 7", actor="ada", placed_at=on(placed), released_at=at)


def extension(until: float, withdrawn: float | None = None) -> Extension:
    """Same."""
    return Extension(
        id="e",
        scope=ACME,
        tenant="acme",
        until=on(until),
        reason="ticket 15",
        actor="ada",
        approved_by="bob",
        granted_at=EPOCH,
        withdrawn_at=None if withdrawn is None else on(withdrawn),
    )


def standing(
    days: float,
    notice: NoticeState | None = None,
    *,
    row: CatalogueRow | None = None,
    holds: tuple[Hold, ...] = (),
    extensions: tuple[Extension, ...] = (),
    **options: Any,
) -> Standing:
    """Of an object that came on day 0 and is kept for 30 days."""
    return standing_of(
        row or make_row(),
        now=on(days),
        timeline=Timeline(options.pop("versions", VERSIONS), on(days), tier_as_it_came),
        holds=HoldsNow(holds),
        extensions=ExtensionsNow(extensions),
        notice=notice,
        **options,
    )


@pytest.mark.parametrize(
    ("days", "notice", "hindrance"),
    [
        (29.9, told(20, 30), Hindrance.POLICY),
        (30, told(20, 30), None),
        (30, told(23, 30), None),
        (31, told(24, 31), None),
        (30.9, told(24, 31), Hindrance.NOTICE),
        (30, None, Hindrance.NOTICE),
        (60, NoticeState(None, bounced=False, delete_after=None), Hindrance.NOTICE),
        (60, told(20, 30, bounced=True), Hindrance.NOTICE),
        (30, told(29, 30), Hindrance.NOTICE),
    ],
)
def test_an_object_goes_when_it_has_ended_and_was_told_of_a_week_ago(
    days: float, notice: NoticeState | None, hindrance: Hindrance | None
) -> None:
    """Also where a notice promised less than a week, which none should."""
    found = standing(days, notice)
    assert (found.hindrance, found.deletable) == (hindrance, hindrance is None)


def test_a_temporary_object_goes_after_a_day_without_notice() -> None:
    """An extension does not keep it, a hold does."""
    row = make_row(bucket="temporary", object_class="temporary")
    found = [standing(days, row=row, extensions=(extension(50),)).deletable for days in (0.99, 1, 2)]
    assert found == [False, True, True]
    assert standing(2, row=row, holds=(hold(0),)).hindrance is Hindrance.HOLD
    assert not standing(2, row=row).notice_due


def test_what_is_gone_is_neither_deleted_nor_told_of() -> None:
    """Whatever it was that took it."""
    for state in set(ObjectState) - {ObjectState.ACTIVE, ObjectState.NOTICED}:
        found = standing(60, told(20, 30), row=make_row(state=state))
        assert (found.hindrance, found.notice_due) == (Hindrance.GONE, False)


def test_a_hold_keeps_an_object_and_a_notice_that_was_overtaken_is_void() -> None:
    """One that was released before the promised day changes nothing."""
    notice = told(20, 30)
    during = standing(40, notice, holds=(hold(25),))
    assert (during.hindrance, during.notice_due) == (Hindrance.HOLD, False)
    assert standing(40, notice, holds=(hold(25, 30),)).deletable
    after = standing(40, notice, holds=(hold(25, 30.1),))
    assert (after.notice_fault, after.hindrance, after.notice_due) == (NoticeFault.INTERRUPTED, Hindrance.NOTICE, True)
    late = standing(40, notice, holds=(hold(35, 36),))
    assert late.notice_fault is NoticeFault.INTERRUPTED, "placed after the promised day, when it had not gone yet"
    assert standing(50, told(41, 48), holds=(hold(25, 40),)).deletable, "a fresh notice is good again"


def test_an_extension_keeps_an_object_and_a_fresh_notice_is_needed_when_it_is_over() -> None:
    """Whether it ran out or was withdrawn; withdrawn before the promised day it changes nothing."""
    notice = told(20, 30)
    during = standing(40, notice, extensions=(extension(50),))
    assert (during.expires_at, during.hindrance) == (on(50), Hindrance.EXTENDED)
    assert (during.notice_fault, during.notice_due) == (NoticeFault.LATER, False)
    assert [standing(days, notice, extensions=(extension(50),)).notice_due for days in (42.9, 43)] == [False, True]
    over = standing(60, notice, extensions=(extension(50),))
    assert (over.hindrance, over.notice_due) == (Hindrance.NOTICE, True)
    assert standing(50, told(43, 50), extensions=(extension(50),)).deletable
    assert standing(40, notice, extensions=(extension(50, withdrawn=29),)).deletable
    assert standing(40, notice, extensions=(extension(50, withdrawn=31),)).notice_fault is NoticeFault.INTERRUPTED
    assert standing(10, extensions=(extension(50),)).hindrance is Hindrance.POLICY
    assert standing(30, notice, extensions=(extension(29),)).deletable, "shorter than the term"


@pytest.mark.parametrize(
    ("days", "due"), [(0, False), (21.99, False), (22, False), (23, True), (23.5, True), (40, True)]
)
def test_a_notice_is_due_from_the_day_that_lies_a_week_ahead(days: float, due: bool) -> None:  # noqa: FBT001
    """Days are those of UTC, any moment of them; what ends on day 30 at midnight is told of on day 23."""
    assert standing(days).notice_due is due
    assert not standing(days, suspended=True).notice_due
    assert not standing(days, told(min(days, 23), 30)).notice_due


def test_what_ends_late_in_a_day_is_told_of_on_that_day_a_week_before() -> None:
    """So that it is deleted less than a day late at most."""
    row = make_row(created_at=on(0.75))
    assert [standing(days, row=row).notice_due for days in (22.99, 23)] == [False, True]


def test_a_term_that_became_longer_needs_a_fresh_notice_when_the_time_comes() -> None:
    """And the old one is not taken for it."""
    versions = make_versions(make_policy(free="30 days"), (on(28), make_policy(free="60 days")))
    notice = told(23, 30)
    assert standing(27, notice, versions=versions).notice_fault is NoticeFault.LATER, "registered already"
    found = standing(40, notice, versions=versions)
    assert (found.hindrance, found.notice_due) == (Hindrance.POLICY, False)
    assert standing(53, notice, versions=versions).notice_due


def test_a_term_that_became_shorter_deletes_nothing_without_a_fresh_notice() -> None:
    """The day that was told stands until a fresh notice is confirmed."""
    versions = make_versions(make_policy(free="60 days"), (on(40), make_policy(free="10 days")))
    assert standing(40, versions=versions).hindrance is Hindrance.NOTICE
    assert [standing(days, versions=versions).notice_due for days in (32.9, 33)] == [False, True], "registered ahead"
    noticed = told(38, 60)
    found = standing(45, noticed, versions=versions)
    assert (found.notice_fault, found.delete_after, found.hindrance) == (None, on(60), Hindrance.NOTICE)
    assert found.notice_due, "it could go on day 52"
    assert not standing(53.5, noticed, versions=versions).notice_due, "a fresh one would promise no earlier day"
    assert standing(60, noticed, versions=versions).deletable


def test_a_fresh_notice_follows_no_other_on_its_heels() -> None:
    """One that was confirmed late promises a later day than the end, and stands."""
    for days in (24, 25, 30, 31, 32):
        assert not standing(days, told(24, 31)).notice_due
    assert not standing(24, told(24.01, 31.01)).notice_due, "judged as of a moment before"


def test_a_notice_of_more_than_a_week_is_kept_as_promised() -> None:
    """And never one of less, whatever was stored."""
    assert delete_after(on(30), on(20), Term.parse("14 days")) == on(34)
    assert delete_after(on(30), on(20), Term.parse("7 days")) == on(30)
    assert delete_after(on(30), on(25), Term(hours=1)) == on(32)
    versions = make_versions(make_policy({"notice": "14 days"}, free="30 days"))
    assert [standing(days, versions=versions).notice_due for days in (15.9, 16)] == [False, True]


def test_the_moment_asked_about_counts_and_not_that_of_the_timeline() -> None:
    """Which may have been made somewhat earlier, when another policy was in force."""
    versions = make_versions(make_policy(free="30 days"), (on(35), make_policy(free="60 days")))
    found = standing_of(
        make_row(),
        now=on(36),
        timeline=Timeline(versions, on(28), tier_as_it_came),
        holds=NO_HOLDS,
        extensions=NO_EXTENSIONS,
        notice=told(20, 30),
    )
    assert (found.now, found.expires_at) == (on(36), on(60))


# Lives: in steps of a quarter of a day an object is told of and deleted as its standing says, while policies, tiers,
# holds and extensions change.  The model looks at the record of what happened, and at nothing of ours.

STEP = DAY / 4
TERMS = (7, 10, 20, 30, 45)
POLICIES = {(free, pro): make_policy(free=f"{free} days", pro=f"{pro} days") for free in TERMS for pro in TERMS}
QUIET = 4 * 30
"""Steps in which nothing can happen any more."""
LAST = 4 * 70
"""Step at which that begins."""
STEPS = st.integers(0, LAST)


@dataclass
class Life:
    """What happens, in steps: everything but the notices is known beforehand."""

    first: tuple[int, int]
    policies: list[tuple[int, int, tuple[int, int]]]
    """Registered, in force so many steps later, terms in days of the two tiers."""
    tiers: list[int]
    """When the tier changes, from free to pro and back."""
    holds: list[tuple[int, int]]
    """Placed, released so many steps later."""
    extensions: list[tuple[int, int, int]]
    """Granted, for so many steps, withdrawn after so many."""
    outcomes: list[str]
    """What becomes of the notices: ``sent``, ``failed`` or ``bounced``; in the end all are sent."""
    notices: list[tuple[int, int, int]] = field(default_factory=list)
    """Confirmed, promised, bounced: steps; the last one is in a far future where it did not."""
    suspended: int = -1
    """Until then no notices are sent."""

    def tier(self, now: int) -> int:
        """The tier of a step: 0 is free, 1 is pro."""
        return sum(change <= now for change in self.tiers) % 2

    def policy_terms(self, known: int, at: int) -> tuple[int, tuple[int, int]]:
        """Since when which terms are in force at a step, as far as was known at another."""
        found = (-(10**6), self.first)
        for registered, ahead, terms in self.policies:
            if registered <= known and found[0] <= registered + ahead <= at:
                found = (registered + ahead, terms)
        return found

    def term(self, now: int, at: int) -> int:
        """Steps that the object is kept, by the policy and the tier of a step, of which the past and now are known."""
        return 4 * self.policy_terms(now, at)[1][self.tier(min(now, at))]

    def end(self, now: int) -> int:
        """When the object reaches its end, as it looks now; it came at step 0."""
        at = now
        while self.term(now, at) > at:
            at += 1
        while at <= now and self.term(now, at - 1) <= at - 1:
            at -= 1
        extended = [
            start + steps for start, steps, withdrawn in self.extensions if start <= now < start + max(withdrawn, 0)
        ]
        extended += [
            start + steps for start, steps, withdrawn in self.extensions if withdrawn >= steps and start <= now
        ]
        return max([at, *extended])

    def held(self, now: int) -> bool:
        """Whether a hold stands."""
        return any(placed <= now < placed + steps for placed, steps in self.holds)

    def freed(self, now: int) -> list[int]:
        """When holds were released and extensions withdrawn."""
        freed = [placed + steps for placed, steps in self.holds]
        freed += [start + withdrawn for start, steps, withdrawn in self.extensions if withdrawn < steps]
        return [at for at in freed if at <= now]

    def good(self, now: int) -> tuple[int, int] | None:
        """When the customer was told, and of which moment, if that still holds."""
        if not self.notices or self.notices[-1][2] <= now:
            return None
        confirmed, promised, _ = self.notices[-1]
        overtaken = any(at > promised for at in self.freed(now))
        return None if overtaken or self.end(now) > promised else (confirmed, promised)

    def must_go(self, now: int) -> bool:
        """Whether it is to be deleted."""
        good = self.good(now)
        return not self.held(now) and self.end(now) <= now and good is not None and good[1] <= now

    def must_tell(self, now: int) -> bool:
        """Whether the customer is to be told today."""
        midnight = now - now % 4 + 4
        if self.held(now) or now < self.suspended or self.end(now) >= midnight + 28:
            return False
        good = self.good(now)
        return good is None or max(self.end(now), now + 28) < good[1]


def ours(life: Life, now: int) -> Standing:
    """The same, as the rules see it."""
    at = EPOCH + now * STEP
    later = [(start + ahead, terms) for start, ahead, terms in life.policies if start <= now]
    versions: list[Version] = make_versions(
        POLICIES[life.first], *((EPOCH + start * STEP, POLICIES[terms]) for start, terms in later)
    )
    holds = [
        hold(placed / 4, (placed + steps) / 4 if placed + steps <= now else None)
        for placed, steps in life.holds
        if placed <= now
    ]
    extensions = [
        extension((start + steps) / 4, (start + gone) / 4 if gone < steps and start + gone <= now else None)
        for start, steps, gone in life.extensions
        if start <= now
    ]
    notice = None
    if life.notices:
        confirmed, promised, bounced = life.notices[-1]
        notice = told(confirmed / 4, promised / 4, bounced=bounced <= now)
    tiers = ("free", "pro")
    changes = [TierChange(tiers[life.tier(step - 1)], EPOCH + step * STEP) for step in life.tiers if step <= now]
    return standing_of(
        make_row(),
        now=at,
        timeline=Timeline(versions, at, lambda *_: tiers[life.tier(now)], lambda _: changes),
        holds=HoldsNow(holds),
        extensions=ExtensionsNow(extensions),
        notice=notice,
        suspended=now < life.suspended,
    )


TERM_PAIRS = st.sampled_from(sorted(POLICIES))
LIVES = st.builds(
    Life,
    first=TERM_PAIRS,
    policies=st.lists(st.tuples(STEPS, st.integers(0, 60), TERM_PAIRS), max_size=3).map(sorted),
    tiers=st.lists(STEPS, max_size=3, unique=True).map(sorted),
    holds=st.lists(st.tuples(STEPS, st.integers(1, 60)), max_size=2),
    extensions=st.lists(st.tuples(STEPS, st.integers(1, 60), st.integers(0, 80)), max_size=2),
    outcomes=st.lists(st.sampled_from(["sent", "sent", "failed", "bounced"]), max_size=5),
)


@settings(max_examples=200, deadline=None)
@given(LIVES, st.integers(0, 3))
def test_lives_go_as_a_model_of_them_says(life: Life, hour: int) -> None:
    """Nothing early, nothing late, and a notice before each, whatever happens on the way."""
    gone: int | None = None
    for now in range(hour, LAST + 60 + QUIET, 4):
        found = ours(life, now)
        assert (found.expires_at - EPOCH) / STEP == life.end(now)
        assert (found.deletable, found.notice_due) == (life.must_go(now), life.must_tell(now)), f"step {now}"
        if found.deletable:
            gone = now
            break
        if found.notice_due:
            outcome = life.outcomes.pop(0) if life.outcomes else "sent"
            fresh = delete_after(found.expires_at, found.now, Term(hours=168))
            assert found.delete_after is None or fresh < found.delete_after, "a notice that stands is not repeated"
            promised = int((fresh - EPOCH) / STEP)
            if outcome != "failed":
                life.notices.append((now, promised, now + 4 if outcome == "bounced" else 10**6))
            if outcome == "bounced":
                life.suspended = now + 16
    assert gone is not None, "it goes in the end"
    confirmed, promised, bounced = life.notices[-1]
    assert confirmed + 28 <= promised <= gone < bounced
    assert not life.held(gone)
    assert all(
        start + steps <= gone or withdrawn < steps for start, steps, withdrawn in life.extensions if start <= gone
    )
    assert life.term(gone, gone) <= gone
    assert gone - promised < 4 or life.freed(gone), "not later than a day after what was told, unless something kept it"

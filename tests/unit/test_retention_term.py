"""Terms against a calendar walked day by day."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from retention.term import Term

MOMENTS = st.datetimes(datetime(2019, 1, 1), datetime(2033, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TERMS = st.one_of(
    st.builds(Term, months=st.integers(1, 36)), st.builds(lambda hours: Term(hours=hours), st.integers(1, 2000))
)


def walked(start: datetime, months: int) -> datetime:
    """So many months later, found by going from day to day until the month has changed often enough."""
    day, changes = start, 0
    while changes < months or day.day < start.day:
        following = day + timedelta(days=1)
        if following.month != day.month:
            if changes == months:
                return day
            changes += 1
        day = following
    return day


@pytest.mark.parametrize(
    ("start", "term", "end"),
    [
        ("2026-08-31T10:00", "6 months", "2027-02-28T10:00"),
        ("2027-08-31T10:00", "6 months", "2028-02-29T10:00"),
        ("2028-02-29T10:00", "1 year", "2029-02-28T10:00"),
        ("2026-01-31T00:00", "1 month", "2026-02-28T00:00"),
        ("2026-12-15T23:59", "6 months", "2027-06-15T23:59"),
        ("2026-01-31T00:00", "30 days", "2026-03-02T00:00"),
        ("2026-03-28T12:00", "24 hours", "2026-03-29T12:00"),
    ],
)
def test_a_term_ends_on_the_same_day_of_the_calendar_or_the_last_there_is(start: str, term: str, end: str) -> None:
    """Month ends and the leap day by name."""
    assert Term.parse(term).after(datetime.fromisoformat(f"{start}Z")) == datetime.fromisoformat(f"{end}Z")


@given(MOMENTS, st.integers(1, 36))
def test_months_are_those_of_a_calendar_that_is_walked(start: datetime, months: int) -> None:
    """Any start, any number of months."""
    assert Term(months=months).after(start) == walked(start, months)


@given(MOMENTS, TERMS, st.integers(-14, 14))
def test_where_a_clock_hangs_does_not_matter(start: datetime, term: Term, offset_h: int) -> None:
    """A moment written in another zone is the same moment."""
    elsewhere = start.astimezone(timezone(timedelta(hours=offset_h)))
    assert term.after(elsewhere) == term.after(start)
    assert term.bounds(elsewhere) == term.bounds(start)


@given(MOMENTS, TERMS, st.timedeltas(timedelta(days=-6), timedelta(days=6)))
def test_bounds_enclose_what_has_ended(at: datetime, term: Term, near: timedelta) -> None:
    """At or before the first bound everything has, after the second nothing has."""
    surely, possibly = term.bounds(at)
    created_at = surely + near
    if created_at <= surely:
        assert term.after(created_at) <= at
    if created_at > possibly:
        assert term.after(created_at) > at
    assert possibly - surely == (timedelta(days=4) if term.months else timedelta(0))


@given(TERMS)
def test_a_term_reads_back_as_it_was_written(term: Term) -> None:
    """As text, and in JSON."""
    assert Term.parse(str(term)) == term
    adapter = TypeAdapter(Term)
    assert adapter.validate_json(adapter.dump_json(term)) == term


@pytest.mark.parametrize(
    "text",
    ["", "30", "days", "0 days", "-1 days", "1.5 days", "30  days", "30 Days", "1 week", "2000 months", "6 mons"],
)
def test_anything_else_is_no_term(text: str) -> None:
    """The message shows how to write one."""
    with pytest.raises(ValueError, match=r"`30 days`|century"):
        Term.parse(text)
    with pytest.raises(ValidationError):
        TypeAdapter(Term).validate_python(text)


def test_days_and_hours_are_told_in_the_larger_unit() -> None:
    """But a day is told in hours, as a term of temporary files is."""
    assert [str(Term(hours=hours)) for hours in (1, 24, 25, 48)] == ["1 hour", "24 hours", "25 hours", "2 days"]
    assert (str(Term(months=1)), str(Term.parse("1 year"))) == ("1 month", "12 months")

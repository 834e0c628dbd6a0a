"""The ledger of notices, and the customers who get none."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError, Unavailable
from earmark.vocabulary import ObjectClass, Tier
from retention.catalogue import object_id
from retention.notice import SAMPLE, NoticedObject
from retention.notices import FOLDER, Notices, Status
from retention.suspension import Suspension
from retention.term import Term
from retention.told import Told, lines_of
from tests.clock import ManualClock
from tests.flaky import FlakyStore
from tests.retention_office import DAY, Office
from tests.retention_rows import EPOCH, make_row

WEEK = Term.parse("7 days")


@pytest.fixture
def clock() -> ManualClock:
    """Told the time."""
    return ManualClock()


@pytest.fixture
def office(tmp_path: Path, clock: ManualClock) -> Office:
    """Over a folder of its own."""
    return Office(tmp_path, clock)


def noticed(*names: str, **fields: object) -> list[NoticedObject]:
    """Objects that end in ten days."""
    return [NoticedObject(expires_at=EPOCH + 10 * DAY, row=make_row(name, **fields)) for name in names]


def compose(notices: Notices, *objects: NoticedObject) -> Status:
    """Today's notice to acme."""
    return notices.compose("acme", objects, tier=Tier.FREE, term=WEEK, policy_version=1)


def confirm(office: Office, status: Status) -> Status:
    """As if everybody had taken it."""
    change = {"state": "sent", "confirmed_at": office.clock()}
    return office.notices.change(status.digest.id, lambda before: before.model_copy(update=change))


def test_a_notice_is_composed_once_a_day(office: Office, clock: ManualClock) -> None:
    """The list and the figures stay as they were composed first; the next day has its own."""
    first = compose(office.notices, *noticed("acme/a", "acme/b"), *noticed("acme/r", object_class="result"))
    assert first.digest.objects == 3
    assert first.digest.size_bytes == 3000
    assert [(each.object_class, each.objects) for each in first.digest.tallies] == [
        (ObjectClass.UPLOAD, 2),
        (ObjectClass.RESULT, 1),
    ]
    assert compose(office.notices, *noticed("acme/z")) == first
    clock.time += DAY
    assert compose(office.notices, *noticed("acme/z")).digest.id == "acme/2026-01-02"
    assert [each.digest.id for each in office.notices.all()] == ["acme/2026-01-01", "acme/2026-01-02"]
    assert [each.digest.id for each in office.notices.all("acme", date(2026, 1, 2))] == ["acme/2026-01-02"]


def test_a_list_without_a_status_is_taken_over(office: Office, clock: ManualClock) -> None:
    """Its writer died in between; the list stands, for somebody may have read it."""
    first = compose(office.notices, *noticed("acme/a"))
    state = office.buckets["state"]
    name = f"{FOLDER}acme/2026-01-01/status.json"
    info = state.stat(name)
    assert info is not None
    state.delete(name, if_generation=info.generation)
    again = compose(office.notices, *noticed("acme/z", "acme/y"))
    assert again.digest == first.digest
    assert [each.row.name for each in office.notices.objects(again)] == ["acme/a"]


def test_the_sample_is_the_beginning_of_the_list(office: Office) -> None:
    """A hundred of them."""
    names = [f"acme/{number:04}" for number in range(SAMPLE + 20)]
    notice = office.notices.notice(compose(office.notices, *noticed(*names)))
    assert notice.objects == SAMPLE + 20
    assert [each.row.name for each in notice.sample] == names[:SAMPLE]


def test_the_latest_come_first_and_are_read_one_by_one(office: Office, clock: ManualClock) -> None:
    """Whoever needs only the last one reads no other."""
    for _ in range(5):
        compose(office.notices, *noticed("acme/a"))
        clock.time += DAY
    store = FlakyStore(office.buckets["state"])
    found = Notices(store, clock).latest("acme", date(2026, 1, 2))
    assert next(found).digest.id == "acme/2026-01-05"
    assert store.faults.calls.count("read") == 1
    assert [each.digest.id for each in found] == ["acme/2026-01-04", "acme/2026-01-03"]


def test_a_confirmed_notice_is_good_for_what_it_tells_of(office: Office, clock: ManualClock) -> None:
    """For that very generation, a week after it was confirmed at the earliest."""
    clock.time += 8 * DAY
    status = compose(office.notices, *noticed("acme/a"))
    row = make_row("acme/a", notice=status.digest.id)
    unconfirmed = office.notices.view({}).state_of(row)
    assert unconfirmed is not None
    assert unconfirmed.confirmed_at is None
    assert unconfirmed.delete_after is None
    clock.move(5)
    confirm(office, status)
    view = office.notices.view({})
    state = view.state_of(row)
    assert state is not None
    assert state.confirmed_at == clock.time
    assert state.delete_after == clock.time + timedelta(days=7)
    assert not state.bounced
    assert view.state_of(make_row("acme/a", notice=status.digest.id, generation=2)) is None
    assert view.state_of(make_row("acme/b", notice=status.digest.id)) is None
    assert view.state_of(make_row("acme/a", notice="acme/2025-12-31")) is None
    assert view.state_of(make_row("acme/a")) is None


def test_an_end_that_is_later_than_a_week_is_the_promise(office: Office, clock: ManualClock) -> None:
    """The later of the two."""
    status = confirm(office, compose(office.notices, *noticed("acme/a")))
    state = office.notices.view({}).state_of(make_row("acme/a", notice=status.digest.id))
    assert state is not None
    assert state.delete_after == EPOCH + 10 * DAY
    assert office.notices.first_delete_after(status) == EPOCH + 10 * DAY


def test_a_status_that_is_none_stops_everything(office: Office) -> None:
    """Nothing is guessed about what a customer was told."""
    compose(office.notices, *noticed("acme/a"))
    office.buckets["state"].write(f"{FOLDER}acme/2026-01-01/status.json", b"{}", content_type="application/json")
    with pytest.raises(ConfigurationError, match="Nothing is deleted while it is there"):
        office.notices.view({}).state_of(make_row("acme/a", notice="acme/2026-01-01"))


def test_a_list_that_is_gone_tells_of_nothing(office: Office) -> None:
    """As after an erasure that was broken off: its objects count as not told of."""
    status = confirm(office, compose(office.notices, *noticed("acme/a")))
    state = office.buckets["state"]
    state.delete(f"{FOLDER}acme/2026-01-01/objects.jsonl", if_generation=status.list_generation)
    assert office.notices.view({}).state_of(make_row("acme/a", notice=status.digest.id)) is None


def test_lists_are_held_up_to_a_bound(office: Office, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those not asked for longest are forgotten, and read again when they are."""
    monkeypatch.setattr("retention.notices.KNOWN_BYTES_MAX", 48)
    statuses = []
    for _ in range(4):
        statuses.append(compose(office.notices, *noticed("acme/a")))
        clock.time += DAY
    for status in statuses:
        assert office.notices.told(status).expires_at(object_id("uploads", "acme/a", 1)) == EPOCH + 10 * DAY
    assert len(office.notices._told) == 2
    assert office.notices.told(statuses[0]).size_bytes == 24


def test_told_finds_each_object_and_no_other() -> None:
    """Also among many, and where lines are cut anywhere."""
    objects = [
        NoticedObject(expires_at=EPOCH + timedelta(microseconds=number), row=make_row(f"acme/{number}"))
        for number in range(500)
    ]
    content = b"".join(each.model_dump_json().encode() + b"\n" for each in objects)
    for size in (1, 7, 1000, len(content)):
        chunks = [content[start : start + size] for start in range(0, len(content), size)]
        told = Told(lines_of(chunks))
        assert told.size_bytes == 500 * 24
    for each in objects:
        assert told.expires_at(each.id) == each.expires_at
    assert told.expires_at(object_id("uploads", "acme/500", 1)) is None
    assert Told([]).expires_at(objects[0].id) is None


def test_a_bounce_makes_a_notice_void_and_suspends_its_customer(office: Office, clock: ManualClock) -> None:
    """Others stand; both ends are audited; the warehouse has the row."""
    status = confirm(office, compose(office.notices, *noticed("acme/a")))
    suspension = office.suspensions.bounce("acme/2026-01-01", "mailbox full", "mail")
    assert suspension.notices == ("acme/2026-01-01",)
    view = office.notices.view(office.suspensions.standing())
    assert view.suspended("acme")
    assert not view.suspended("birch")
    state = view.state_of(make_row("acme/a", notice=status.digest.id))
    assert state is not None
    assert state.bounced
    assert [(row["state"], row["detail"]) for row in office.rows("notices")] == [("bounced", "mailbox full")]
    office.suspensions.clear("acme", "new address", "ada")
    view = office.notices.view(office.suspensions.standing())
    assert not view.suspended("acme")
    state = view.state_of(make_row("acme/a", notice=status.digest.id))
    assert state is not None
    assert state.bounced, "what bounced stays void"
    assert [(entry.action, entry.actor, entry.tenant) for entry in office.audit] == [
        ("retention.bounce", "mail", "acme"),
        ("retention.clear", "ada", "acme"),
    ]


def test_one_write_makes_it_void(office: Office, clock: ManualClock) -> None:
    """Killed before the status was written, the notice is void all the same, and stays so after clearing."""
    status = confirm(office, compose(office.notices, *noticed("acme/a")))
    row = make_row("acme/a", notice=status.digest.id)
    suspension = Suspension(
        tenant="acme", notices=(status.digest.id,), since=clock.time, reason="mailbox full", actor="mail"
    )
    name = "retention/suspensions/acme.json"
    office.buckets["state"].write(name, suspension.model_dump_json().encode(), content_type="application/json")
    state = office.notices.view(office.suspensions.standing()).state_of(row)
    assert state is not None
    assert state.bounced
    office.suspensions.clear("acme", "new address", "ada")
    state = office.notices.view(office.suspensions.standing()).state_of(row)
    assert state is not None
    assert state.bounced


def test_a_second_bounce_joins_the_first(office: Office, clock: ManualClock) -> None:
    """All of them are void; a bounce that nobody looked at keeps the customer suspended."""
    for _ in range(2):
        compose(office.notices, *noticed("acme/a"))
        clock.time += DAY
    office.suspensions.bounce("acme/2026-01-01", "full", "mail")
    suspension = office.suspensions.bounce("acme/2026-01-02", "full", "mail")
    assert suspension.notices == ("acme/2026-01-01", "acme/2026-01-02")
    assert office.suspensions.bounce("acme/2026-01-02", "full", "mail") == suspension
    office.suspensions.clear("acme", "new address", "ada")
    assert office.suspensions.bounce("acme/2026-01-02", "full", "mail").notices == ("acme/2026-01-02",)


def test_what_there_is_not_cannot_bounce(office: Office) -> None:
    """Nor be cleared, nor without a reason."""
    with pytest.raises(ConfigurationError, match="no notice"):
        office.suspensions.bounce("acme/2026-01-01", "full", "mail")
    with pytest.raises(ConfigurationError, match="No notices to 'acme' are suspended"):
        office.suspensions.clear("acme", "new address", "ada")
    compose(office.notices, *noticed("acme/a"))
    with pytest.raises(ConfigurationError, match="give both"):
        office.suspensions.bounce("acme/2026-01-01", " ", "mail")
    assert office.suspensions.standing() == {}


def test_two_changes_at_once_both_count(office: Office, clock: ManualClock) -> None:
    """The one that was second is made again on what the first one left."""
    status = compose(office.notices, *noticed("acme/a"))
    others = Notices(office.buckets["state"], clock)
    done = []

    def rule(before: Status) -> Status:
        if not done:
            done.append(others.change(status.digest.id, lambda each: each.model_copy(update={"tries": 5})))
        return before.model_copy(update={"accepted": ("topic",)})

    after = office.notices.change(status.digest.id, rule)
    assert (after.tries, after.accepted) == (5, ("topic",))


def test_a_ledger_that_cannot_be_reached_says_so(office: Office, clock: ManualClock) -> None:
    """Nothing is taken for untold."""
    compose(office.notices, *noticed("acme/a"))
    store = FlakyStore(office.buckets["state"])
    store.faults.down = True
    with pytest.raises(Unavailable):
        Notices(store, clock).view({}).state_of(make_row("acme/a", notice="acme/2026-01-01"))

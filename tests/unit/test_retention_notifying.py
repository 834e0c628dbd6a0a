"""Telling customers: one digest for each and day, to everybody who is to take it, once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError, Unavailable
from earmark.vocabulary import Tier
from retention.candidates import Candidates, stamp_of
from retention.notice import Bounced, Channel, NoticedObject
from retention.scope import Scope
from retention.term import Term
from tests.clock import ManualClock
from tests.retention_office import DAY, Office, down, email, webhook


@pytest.fixture
def clock() -> ManualClock:
    """Told the time."""
    return ManualClock()


@pytest.fixture
def office(tmp_path: Path, clock: ManualClock) -> Office:
    """Over a folder of its own, with two customers whose uploads are to be told of."""
    office = Office(tmp_path, clock)
    office.contacts = {"acme": [webhook("acme"), email("acme")], "birch": [email("birch")]}
    office.upload("acme/a.wav", "acme/b.wav", "birch/c.wav")
    clock.time += 24 * DAY
    return office


def test_everybody_is_told_once(office: Office, clock: ManualClock) -> None:
    """A digest a customer, over every channel; the catalogue, the ledger and the warehouse know."""
    notified = office.apply().notified
    assert (notified.sent, notified.objects, notified.failed) == (2, 3, 0)
    assert sorted(office.postman.got("topic")) == ["acme/2026-01-25", "birch/2026-01-25"]
    assert sorted(office.postman.got("email")) == ["acme/2026-01-25", "birch/2026-01-25"]
    assert office.postman.got("webhook") == ["acme/2026-01-25"]
    row = office.row("acme/a.wav")
    assert (row.state, row.notice) == ("noticed", "acme/2026-01-25")
    assert row.delete_after == clock.time + 7 * DAY
    assert row.expires_at == clock.time + 6 * DAY
    [told] = [each for each in office.rows("notices") if each["tenant"] == "acme"]
    assert (told["state"], told["objects"], told["channels"]) == ("sent", 2, "topic,webhook,email")
    entries = [entry for entry in office.audit if entry.action == "retention.notify"]
    assert sorted(entry.target for entry in entries) == ["acme/2026-01-25", "birch/2026-01-25"]
    assert office.apply().notified.sent == 0
    clock.time += DAY
    assert office.apply().notified.sent == 0
    assert len(office.postman.sent) == 5


def test_a_digest_knows_the_tier_of_today(office: Office) -> None:
    """What can be done depends on it."""
    office.apply()
    assert {notice.tier for notice in office.postman.notices} == {Tier.FREE}


def test_what_fails_for_a_while_is_asked_again_and_nobody_else(office: Office, clock: ManualClock) -> None:
    """The same notice, to those alone who did not take it; it is confirmed when the last one did."""
    office.postman.faults["webhook"] = [down(), down()]
    assert office.apply().notified.failed == 1
    assert office.row("acme/a.wav").state == "active"
    clock.move(3600)
    assert office.apply().notified.failed == 1
    clock.move(3600)
    assert office.apply().notified.sent == 1
    contents = {text for notice, _, text in office.postman.sent if notice.startswith("acme")}
    assert len(contents) == 1, "the same words each time"
    assert sorted(office.postman.got("email")) == ["acme/2026-01-25", "birch/2026-01-25"]
    assert office.row("acme/a.wav").delete_after == clock.time + 7 * DAY, "from the confirmation on"
    status = office.notices.find("acme/2026-01-25")
    assert status is not None
    assert (status.tries, status.detail) == (3, "")


def test_what_nobody_confirmed_on_its_day_is_in_the_next_digest(office: Office, clock: ManualClock) -> None:
    """With whatever came due since: one message a day, and it is the whole truth."""
    office.postman.faults["webhook"] = [down()]
    office.apply()
    office.upload("acme/z.wav")
    clock.time += DAY
    assert office.apply().notified.sent == 1
    assert office.postman.got("webhook") == ["acme/2026-01-26"]
    assert office.row("acme/a.wav").notice == "acme/2026-01-26"


@pytest.mark.parametrize("channel", ["topic", "email", "webhook"])
def test_nothing_is_confirmed_unless_all_took_it(office: Office, clock: ManualClock, channel: str) -> None:
    """Neither the topic nor a contact may be left out."""
    office.postman.faults[channel] = [down(f"no {channel} today")]
    office.apply()
    status = office.notices.find("acme/2026-01-25")
    other = office.notices.find("birch/2026-01-25")
    assert status is not None
    assert other is not None
    failed = status if status.state == "failed" else other
    assert failed.confirmed_at is None
    assert f"{channel}: no {channel} today" in failed.detail


def test_a_bounce_stops_notices_and_deletions_until_somebody_looked(office: Office, clock: ManualClock) -> None:
    """The other customer is not touched; after clearing, a fresh notice gives a week again."""
    office.contacts["acme"] = [email("acme")]
    office.contacts["birch"] = []
    office.postman.faults["email"] = [Bounced("SMTP 550 no such user")]
    notified = office.apply().notified
    assert (notified.sent, notified.bounced) == (1, 1)
    clock.time += 10 * DAY
    applied = office.apply()
    assert applied.outcomes == {"deleted": 1}
    assert office.names() == ["acme/a.wav", "acme/b.wav"]
    assert office.postman.got("email") == []
    office.suspensions.clear("acme", "new address", "ada")
    assert office.apply().notified.sent == 1
    clock.time += 6 * DAY
    assert office.apply().outcomes == {}
    clock.time += DAY
    assert office.apply().outcomes == {"deleted": 2}


def test_a_suspension_after_the_plan_is_heeded(office: Office) -> None:
    """Everything is looked at again."""
    objects = [NoticedObject(expires_at=office.clock(), row=office.row("acme/a.wav"))]
    old = office.notices.compose("acme", objects, tier=Tier.FREE, term=Term.parse("7 days"), policy_version=1)
    plan = office.plan()
    office.suspensions.bounce(old.digest.id, "mailbox full", "mail")
    notified = office.apply(plan).notified
    assert (notified.sent, notified.suspended) == (1, 1)


def test_a_hold_after_the_plan_leaves_an_object_out(office: Office) -> None:
    """It will not go, so nobody is told that it will."""
    plan = office.plan()
    office.holds.place(Scope(kind="object", bucket="uploads", name="acme/a.wav"), "a case", "judge")
    assert office.apply(plan).notified.objects == 2
    assert office.row("acme/a.wav").state == "active"
    assert office.row("acme/b.wav").state == "noticed"


def test_what_comes_due_after_the_digest_waits_for_tomorrow(office: Office, clock: ManualClock) -> None:
    """One digest a customer and day."""
    hold = office.holds.place(Scope(kind="object", bucket="uploads", name="acme/a.wav"), "a case", "judge")
    office.apply()
    office.holds.release(hold.id, "closed", "judge")
    clock.move(60)
    notified = office.apply().notified
    assert (notified.sent, notified.waiting) == (0, 1)
    clock.time += DAY
    assert office.apply().notified.sent == 1
    assert office.row("acme/a.wav").notice == "acme/2026-01-26"


def test_an_object_replaced_since_needs_a_notice_of_its_own(office: Office, clock: ManualClock) -> None:
    """Told of the old one, nobody knows of the new one."""
    office.apply()
    office.upload("acme/a.wav", content=b"new")
    clock.time += 7 * DAY
    applied = office.apply()
    assert applied.outcomes == {"deleted": 2}
    assert office.names() == ["acme/a.wav"]
    clock.time += 16 * DAY
    assert office.apply().notified.sent == 1
    clock.time += 6 * DAY
    assert office.apply().outcomes == {}
    clock.time += DAY
    assert office.apply().outcomes == {"deleted": 1}


@pytest.mark.parametrize("days", [0, 1], ids=["the same day", "the day after"])
@pytest.mark.parametrize("step", ["composed", "audited", "accepted", "confirmed", "marked"])
def test_killed_between_any_two_steps(
    office: Office, clock: ManualClock, step: str, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was confirmed is not sent again and keeps its date; nobody gets two digests of one day."""

    class Killed(BaseException):
        pass

    office.contacts = {"acme": [email("acme")]}
    office.holds.place(Scope(kind="tenant", tenant="birch"), "a case", "judge")
    with monkeypatch.context() as patch:
        _kill_at(patch, office, step, Killed)
        with pytest.raises(Killed):
            office.apply()
    office.dead.add("me")
    before = clock.time
    clock.time += days * DAY
    clock.move(60)
    office.apply()
    confirmed_at = before if step in {"confirmed", "marked"} else clock.time
    rows = [office.row(name) for name in ("acme/a.wav", "acme/b.wav")]
    assert {row.state for row in rows} == {"noticed"}
    assert {row.delete_after for row in rows} == {confirmed_at + 7 * DAY}
    if step == "confirmed":
        assert all(status.marked for status in office.notices.all()), "what was made good once is not looked at again"
    mails = office.postman.got("email")
    assert len(mails) == len(set(mails))
    assert len(mails) == (2 if (step, days) == ("accepted", 1) else 1)


def _kill_at(patch: pytest.MonkeyPatch, office: Office, step: str, killed: type[BaseException]) -> None:
    def die(*_: object) -> None:
        raise killed

    def after(call: Callable[..., object]) -> Callable[..., object]:
        def both(*arguments: object, **rest: object) -> None:
            call(*arguments, **rest)
            die()

        return both

    match step:
        case "composed":
            patch.setattr(office.notices, "compose", after(office.notices.compose))
        case "audited":
            patch.setattr(office.notices, "notice", die)
        case "accepted":
            change = office.notices.change

            def until_all_took_it(identity: str, rule: Callable[..., object]) -> object:
                status = change(identity, rule)  # type: ignore[arg-type]
                return die() if status.accepted == ("topic", "email") else status

            patch.setattr(office.notices, "change", until_all_took_it)
        case "confirmed":
            patch.setattr(office.catalogue, "record", die)
        case "marked":
            patch.setattr(office.catalogue, "record", after(office.catalogue.record))


def test_many_customers_are_told_in_one_go(tmp_path: Path, clock: ManualClock) -> None:
    """More than are composed for at once."""
    office = Office(tmp_path, clock)
    office.upload(*(f"tenant{number:03}/a.wav" for number in range(70)))
    clock.time += 24 * DAY
    notified = office.apply().notified
    assert (notified.sent, notified.objects) == (70, 70)
    assert len(office.postman.got("topic")) == 70


def test_the_kill_switch_stops_notices_too(tmp_path: Path, clock: ManualClock) -> None:
    """Between some customers and the next."""
    office = Office(tmp_path, clock)
    office.upload(*(f"tenant{number:03}/a.wav" for number in range(70)))
    clock.time += 24 * DAY
    publish = office.postman.publish

    def publish_and_stop(notice: object) -> None:
        office.switch.stop("wrong words", "ada")
        publish(notice)  # type: ignore[arg-type]

    office.postman.publish = publish_and_stop  # type: ignore[method-assign]
    applied = office.apply()
    assert applied.notified.stopped
    assert "wrong words" in applied.stopped
    assert 0 < len(office.postman.got("topic")) < 70


def test_a_channel_that_nobody_set_up_is_a_failure(office: Office) -> None:
    """A customer who wants mail where none can be sent is not told, so nothing of its goes."""
    del office.senders[Channel.EMAIL]
    assert office.apply().notified.failed == 2
    status = office.notices.find("birch/2026-01-25")
    assert status is not None
    assert "nothing is set up" in status.detail


def test_a_fault_of_one_customers_setup_stops_no_other(office: Office) -> None:
    """As a secret that is none."""
    office.postman.faults["webhook"] = [ConfigurationError("the secret is none")]
    notified = office.apply().notified
    assert (notified.sent, notified.failed) == (1, 1)


def test_nobody_is_told_of_what_cannot_be_written_down(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit trail comes first."""
    applying = office.applying()

    class Trail:
        """Down from the second entry on."""

        taken = 0

        def __call__(self, entries: object) -> None:
            self.taken += 1
            if self.taken > 1:
                raise down()

    trail = Trail()
    applying._audit = trail
    notifying = office.notifying()
    notifying._audit = trail
    applying._notify = notifying.notify
    with pytest.raises(Unavailable):
        applying.apply(office.plan().path, execute=True, approve=True, reason="", actor="ada")
    assert office.postman.sent == []


def test_signs_of_life_are_given_meanwhile(office: Office) -> None:
    """One at least for each object; who sends for long keeps its lease."""
    beats: list[int] = []
    notifying = office.notifying()
    plan = office.plan()
    with Candidates(plan, office.catalogue, stamp_of(plan.path), beat=lambda: beats.append(1)) as candidates:
        assert len(beats) == 3
        notifying.notify(candidates.of("notice"), plan=plan.id, actor="ada", beat=lambda: beats.append(2))
    assert beats.count(2) >= 3

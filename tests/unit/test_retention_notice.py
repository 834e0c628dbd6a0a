"""What a notice says, in words and as JSON."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from earmark.errors import ConfigurationError
from earmark.vocabulary import ObjectClass, Tier
from retention.notice import Channel, Contact, Notice, NoticedObject, Tally, notice_id, read_notice_id
from retention.term import Term
from retention.wording import Wording, size
from tests.retention_rows import make_row

NOW = datetime(2026, 1, 31, 2, tzinfo=UTC)
WORDING = Wording(
    link="https://app.example/{tenant}/going/{day}", upgrade="https://app.example/tiers", contact="help@example.com"
)


def make_notice(*names: str, objects: int | None = None, tier: Tier = Tier.FREE, **fields: object) -> Notice:
    """A notice of some uploads that end in ten days."""
    names = names or ("acme/song.wav",)
    sample = tuple(NoticedObject(expires_at=NOW + timedelta(days=10), row=make_row(name)) for name in names)
    count = objects or len(sample)
    given = {
        "id": "acme/2026-01-31",
        "tenant": "acme",
        "tier": tier,
        "made_at": NOW,
        "term": Term.parse("7 days"),
        "policy_version": 3,
        "objects": count,
        "size_bytes": 1000 * count,
        "tallies": (Tally(object_class=ObjectClass.UPLOAD, objects=count, size_bytes=1000 * count),),
        "first_expires_at": NOW - timedelta(days=1),
        "last_expires_at": NOW + timedelta(days=10),
        "sample": sample,
        **fields,
    }
    return Notice.model_validate(given)


def test_the_text_says_what_goes_when_and_what_can_be_done() -> None:
    """How many, how much, not before when, and what a customer can do."""
    text = WORDING.text(make_notice("acme/a.wav", "acme/b.wav", objects=1200))
    assert "1,200" in text
    assert "1.2 MB" in text
    assert "not before 2026-02-07 02:00 UTC" in text, "the term ended yesterday, and a week is given all the same"
    assert "not before 2026-02-10 02:00 UTC" in text
    assert "2026-02-10  uploads/acme/a.wav  (1.0 kB, since 2026-01-01)" in text
    assert "and 1,198 more: https://app.example/acme/going/2026-01-31" in text
    assert "Download what you want to keep: https://app.example/acme/going/2026-01-31." in text
    assert "higher tier, which keeps files for longer: https://app.example/tiers." in text
    assert "Ask help@example.com." in text
    assert "acme/2026-01-31" in text


def test_enterprise_customers_are_offered_an_extension() -> None:
    """They are in the highest tier already."""
    text = WORDING.text(make_notice(tier=Tier.ENTERPRISE))
    assert "extension" in text
    assert "higher tier" not in text


def test_without_pages_no_link_is_promised() -> None:
    """What an operator did not set is not mentioned."""
    text = Wording().text(make_notice(objects=2))
    assert "http" not in text
    assert "Ask" not in text
    assert "and 1 more." in text


def test_one_object_is_told_of_in_the_singular() -> None:
    """Grammar."""
    assert "keeps an object of" in WORDING.text(make_notice())
    assert "1 object of acme" in WORDING.subject(make_notice())
    assert "2 objects of acme" in WORDING.subject(make_notice(objects=2))


@given(st.text(min_size=1, max_size=60))
def test_a_file_name_can_neither_add_a_line_nor_turn_the_text_around(name: str) -> None:
    """Whatever a file is called, the text has one line more than that of no other name, all printable."""
    plain = WORDING.text(make_notice("acme/a"))
    text = WORDING.text(make_notice(f"acme/{name}"))
    assert len(text.splitlines()) == len(plain.splitlines())
    assert all(char.isprintable() for line in text.split("\n") for char in line)


def test_the_subject_is_one_line() -> None:
    """Also where the name of the service is not."""
    subject = Wording(service="Evil\r\nBcc: all@example.com" + "x" * 300).subject(make_notice())
    assert "\n" not in subject
    assert "\r" not in subject
    assert len(subject) <= 200


def test_the_payload_holds_the_figures_and_the_sample() -> None:
    """As JSON: times with a zone, generations as text, for JSON's readers round what is over 2**53."""
    payload = WORDING.payload(make_notice("acme/a.wav", objects=3))
    assert payload["notice"] == "acme/2026-01-31"
    assert payload["objects"] == 3
    assert payload["classes"] == {"upload": 3}
    assert payload["first_not_before"] == "2026-02-07T02:00:00+00:00"
    assert payload["link"] == "https://app.example/acme/going/2026-01-31"
    assert payload["sample_is_all"] is False
    [sample] = payload["sample"]
    assert sample["name"] == "acme/a.wav"
    assert sample["generation"] == "1"
    assert sample["not_before"] == "2026-02-10T02:00:00+00:00"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1500, "1.5 kB"), (3 * 10**15, "3000.0 TB")]
)
def test_sizes(count: int, text: str) -> None:
    """In steps of a thousand."""
    assert size(count) == text


def test_ids_are_of_the_utc_day() -> None:
    """Whatever the zone of the moment is."""
    late = datetime.fromisoformat("2026-01-31T23:30:00-05:00")
    assert notice_id("acme", late) == "acme/2026-02-01"
    assert read_notice_id("acme/2026-02-01") == ("acme", date(2026, 2, 1))


@pytest.mark.parametrize("text", ["", "acme", "acme/", "/2026-01-31", "a/2026-1-31", "a/20260131", "a/b/2026-01-31x"])
def test_what_is_no_id_is_refused(text: str) -> None:
    """With what one looks like."""
    with pytest.raises(ConfigurationError, match="tenant/2026-01-31"):
        read_notice_id(text)


@pytest.mark.parametrize("address", ["", "a b@example.com", "a@example.com\nBcc: b@example.com", "a\r@b", "a\x00@b"])
def test_no_contact_holds_a_second_line(address: str) -> None:
    """Neither a mail address nor a webhook."""
    with pytest.raises(ValidationError):
        Contact(channel=Channel.EMAIL, address=address)


def test_a_secret_is_not_shown() -> None:
    """Not in a representation, not in JSON."""
    contact = Contact(channel=Channel.WEBHOOK, address="https://a.example", secret=SecretStr("whsec_abc"))
    assert "abc" not in repr(contact)
    assert "abc" not in contact.model_dump_json()

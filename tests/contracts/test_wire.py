"""The wire format: what one version writes every worker reads, and nothing else gets in."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import InputFault, InputRejected
from earmark.vocabulary import Lane
from earmark.wire import WIRE_VERSION, decode_job, encode_job
from tests.making import make_job

JOB = make_job("wire")
FIELDS = json.loads(encode_job(JOB))


def test_a_job_comes_back_equal() -> None:
    """Encoding and decoding change nothing, and the message is compact JSON with its version."""
    assert decode_job(encode_job(JOB)) == JOB
    assert decode_job(encode_job(JOB).decode()) == JOB
    assert FIELDS["v"] == WIRE_VERSION
    assert b": " not in encode_job(JOB)


@given(
    arm=st.text(st.characters(codec="utf-8"), max_size=20),
    lane=st.sampled_from(Lane),
    at=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30))])),
)
def test_any_job_comes_back_equal(arm: str, lane: Lane, at: datetime) -> None:
    """Text, words and times of every kind survive the way."""
    job = JOB.model_copy(update={"arm": arm, "lane": lane, "enqueued_at": at})
    assert decode_job(encode_job(job)) == job


def test_the_order_and_spacing_of_fields_mean_nothing() -> None:
    """A message that other code wrote is read too."""
    turned = dict(reversed(FIELDS.items()))
    assert decode_job(json.dumps(turned, indent=2).encode()) == JOB


def test_a_job_without_its_version_is_refused() -> None:
    """Nobody guesses what a message without a version means."""
    with pytest.raises(InputRejected, match="no job"):
        decode_job(json.dumps({name: value for name, value in FIELDS.items() if name != "v"}))


@pytest.mark.parametrize("version", [0, 2, "1", None, [], {}])
def test_another_version_is_refused(version: object) -> None:
    """A newer message is refused by name of its version, not half understood."""
    with pytest.raises(InputRejected, match="version") as caught:
        decode_job(json.dumps({**FIELDS, "v": version}))
    assert caught.value.fault is InputFault.MALFORMED_JOB


@pytest.mark.parametrize("field", [name for name in FIELDS if name not in {"v", "arm"}])
def test_a_missing_field_is_named(field: str) -> None:
    """The message about a job without a field names the field."""
    with pytest.raises(InputRejected, match=field):
        decode_job(json.dumps({name: value for name, value in FIELDS.items() if name != field}))


def test_an_unknown_field_is_refused() -> None:
    """A field nobody knows is a mistake, not something to drop."""
    with pytest.raises(InputRejected, match="surprise"):
        decode_job(json.dumps({**FIELDS, "surprise": 1}))


@given(st.binary(max_size=200) | st.text(max_size=50) | st.binary(max_size=50).map(lambda rest: b'{"v":1,' + rest))
def test_anything_else_is_refused(message: bytes | str) -> None:
    """No bytes and no text make decoding fail in any other way than ``malformed_job``."""
    with pytest.raises(InputRejected) as caught:
        decode_job(message)
    assert caught.value.fault is InputFault.MALFORMED_JOB


@given(place=st.integers(0, len(encode_job(JOB)) - 1), byte=st.integers(0, 255))
def test_a_flipped_byte_is_refused_or_still_a_job(place: int, byte: int) -> None:
    """A damaged message is either still a job or refused."""
    damaged = bytearray(encode_job(JOB))
    damaged[place] = byte
    try:
        decode_job(bytes(damaged))
    except InputRejected as error:
        assert error.fault is InputFault.MALFORMED_JOB  # noqa: PT017  # both ends are right

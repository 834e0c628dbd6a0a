"""The schema, its pickling, and the confidence of a record."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from earmark.domain import job_id
from earmark.errors import InputFault, InputRejected
from earmark.metadata import KEYS, REQUIRED, AudioMetadata, Rated, record_confidence
from earmark.vocabulary import Basis, ContentType, Genre, Instrument
from earmark.wire import decode_job, encode_job
from tests.making import make_job

MUSIC = AudioMetadata.model_validate(
    {
        "content_type": Rated(value=ContentType.MUSIC, confidence=0.9, basis=Basis.CALIBRATED),
        "genres": (Rated(value=Genre.JAZZ, score=0.4),),
        "instruments": (Rated(value=Instrument.PIANO, confidence=0.8, basis=Basis.CALIBRATED),),
        "key": Rated(value="Eb major", confidence=0.7, basis=Basis.CALIBRATED),
    }
)


def test_it_travels() -> None:
    """Metadata survives pickling between processes and JSON between machines."""
    assert pickle.loads(pickle.dumps(MUSIC)) == MUSIC  # noqa: S301  # our own bytes
    assert AudioMetadata.model_validate_json(MUSIC.model_dump_json()) == MUSIC


def test_the_weakest_required_field_counts() -> None:
    """The record's confidence is the least among required fields that have one."""
    assert record_confidence(MUSIC) == 0.7
    assert record_confidence(AudioMetadata()) is None
    assert set(REQUIRED) == set(ContentType)


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_trust_in_a_field_never_lowers_the_record(first: float, second: float) -> None:
    """Monotone in every field."""
    low, high = sorted((first, second))

    def with_key(confidence: float) -> float:
        rated = Rated(value="C major", confidence=confidence, basis=Basis.CALIBRATED)
        found = record_confidence(MUSIC.model_copy(update={"key": rated}))
        assert found is not None
        return found

    assert with_key(low) <= with_key(high)


def test_what_is_outside_the_schema_is_refused() -> None:
    """Unknown words, unknown fields and impossible probabilities do not get in."""
    for wrong in (
        {"genres": [{"value": "polka-core"}]},
        {"mood": "happy"},
        {"tempo_bpm": {"value": 100, "confidence": 1.5}},
    ):
        with pytest.raises(ValidationError):
            AudioMetadata.model_validate(wrong)


def test_there_are_24_keys_in_musicians_spelling() -> None:
    """Twelve major and twelve minor, none spelled as no musician would."""
    assert len(set(KEYS)) == 24
    assert not {"D# major", "G# major", "A# major", "Cb major", "Ab minor", "A# minor"} & set(KEYS)


def test_identity_depends_on_everything_and_nothing_runs_together() -> None:
    """Tenant, content and pipeline each matter, and their border too."""
    identities = {job_id("a", "b", "c"), job_id("ab", "", "c"), job_id("a", "bc", ""), job_id("a", "b", "d")}
    assert len(identities) == 4


def test_jobs_travel() -> None:
    """A job survives the wire."""
    job = make_job()
    assert decode_job(encode_job(job)) == job


@pytest.mark.parametrize(
    "message",
    [b"", b"{}", b"[]", b"null", b'{"v":1}', b'{"v":99}', b"\xff\xfe", b'{"v":1,"id":"../../etc"}', b"[" * 100],
)
def test_what_is_no_job_is_a_malformed_job(message: bytes) -> None:
    """Any other message is one kind of error, never another exception."""
    with pytest.raises(InputRejected) as caught:
        decode_job(message)
    assert caught.value.fault is InputFault.MALFORMED_JOB


@given(st.binary(max_size=200))
def test_no_bytes_break_the_wire(message: bytes) -> None:
    """Random bytes are refused like any other."""
    with pytest.raises(InputRejected):
        decode_job(message)

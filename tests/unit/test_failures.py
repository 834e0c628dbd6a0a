"""A failure as it is stored: safe to show, bounded, and alike for alike causes."""

import pytest

from earmark.domain import Failure
from earmark.errors import TimedOut, Unavailable
from tests.making import EPOCH, make_lease
from workers.failures import MAX_MESSAGE_CHARS, failure_of


def failure(error: Exception, model: str = "scripted") -> Failure:
    """An error of decoding as a failure."""
    return failure_of(
        error, lease=make_lease(), stage="decode", model=model, model_version="1", worker="here:1", at=EPOCH
    )


def test_no_secret_and_no_escape_is_stored() -> None:
    """A message goes to the record, the warehouse and the log, so it is masked before any of them."""
    message = failure(RuntimeError("token=hunter2 \x1b[31m")).message
    assert "hunter2" not in message
    assert message.isprintable()


def test_a_message_is_bounded() -> None:
    """However much a library has to say."""
    assert len(failure(RuntimeError("x" * 10_000)).message) == MAX_MESSAGE_CHARS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("No answer in 30 s", "No answer in 120 s"),
        ("cannot read /a/b.wav", "cannot read /c/d/e.wav"),
        ("song.mp3: it crashes the decoder", "speech.wav: it crashes the decoder"),
        ("job 0123456789abcdef is odd", "job fedcba9876543210 is odd"),
    ],
)
def test_what_varies_does_not_tell_causes_apart(one: str, other: str) -> None:
    """Numbers, paths, names and ids change from job to job; the cause does not."""
    assert failure(TimedOut(one)).fingerprint == failure(TimedOut(other)).fingerprint


def test_causes_are_told_apart() -> None:
    """Another class, another wording or another model is another cause."""
    found = [
        failure(TimedOut("it is slow")),
        failure(Unavailable("it is slow")),
        failure(TimedOut("it is late")),
        failure(TimedOut("it is slow"), model="other"),
    ]
    assert len({each.fingerprint for each in found}) == len(found)

"""Customers read about their audio, never about our machines or settings."""

import json

import pytest

from earmark.errors import InputFault, InputRejected
from runtime.endpoints.customer_words import for_customer, remedy_for
from runtime.endpoints.problem import of_rejection


@pytest.mark.parametrize("fault", InputFault)
def test_no_remedy_is_one_for_operators(fault: InputFault) -> None:
    """No setting, no command, no path, and there always is one."""
    rejection = InputRejected(fault, "file:///srv/data/objects/uploads/acme/a.wav and gs://bucket/acme/a.wav are bad")
    told = json.loads(bytes(of_rejection(rejection).response().body))
    assert told["remedy"] == remedy_for(fault, rejection.remedy) != ""
    for word in ("EARMARK_", "`earmark", "/srv", "gs://", "file:"):
        assert word not in json.dumps(told)


def test_other_words_stay() -> None:
    """Ratios and units are no paths."""
    assert for_customer("It has 12 kB/s and 3/4 of /srv/earmark/data/x") == "It has 12 kB/s and 3/4 of the audio"


def test_only_their_own_words_are_shown() -> None:
    """What they wrote comes back; another address in the same sentence does not."""
    message = "There is nothing at gs://theirs/1.wav: /srv/data/1.wav is gone, see file:///srv/x"
    told = for_customer(message, "gs://theirs/1.wav")
    assert told == "There is nothing at gs://theirs/1.wav: the audio is gone, see the audio"


def test_remedies_of_their_own_come_through() -> None:
    """Those that were written for the case; those for operators do not."""
    assert remedy_for(InputFault.TOO_LARGE, "Send it in several batches.") == "Send it in several batches."
    assert "tenant" not in remedy_for(InputFault.TOO_LONG, "Split it, or raise the tenant's max_duration_s.")
    assert "EARMARK_" not in remedy_for("elsewhere", "Raise EARMARK_X.")

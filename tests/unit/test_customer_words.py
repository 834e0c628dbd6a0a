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

"""What may help with a group of dead letters."""

import pytest

from router.dead_letters.remedies import OURS, remedy_of
from tests.making import make_failure


@pytest.mark.parametrize("kind", sorted(OURS))
def test_a_class_that_is_our_fault_has_a_remedy(kind: str) -> None:
    """Though the failure, which customers see, has none."""
    failure = make_failure(kind)
    assert failure.remedy == ""
    assert remedy_of(failure) == OURS[kind]


def test_what_the_error_says_comes_first() -> None:
    """It knows the case, and where nobody knows anything nothing is said."""
    told = make_failure("worker_lost").model_copy(update={"remedy": "Ask Ada."})
    assert [remedy_of(told), remedy_of(make_failure("rate_limited")), remedy_of(None)] == ["Ask Ada.", "", ""]

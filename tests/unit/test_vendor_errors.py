"""What Google's errors mean, beyond their classes."""

import pytest
from google.api_core import exceptions

from earmark.errors import ConfigurationError, Unavailable
from runtime.gcp.vendor_errors import translated


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("rateLimitExceeded", Unavailable), ("quotaExceeded", Unavailable), ("accessDenied", ConfigurationError)],
)
def test_forbidden_may_mean_not_so_fast(reason: str, expected: type[Exception]) -> None:
    """A quota is no missing role: waiting helps."""
    error = exceptions.Forbidden("no", errors=[{"reason": reason}])  # type: ignore[no-untyped-call]
    with pytest.raises(expected), translated("The table"):
        raise error


def test_another_regions_topic_names_its_setting() -> None:
    """Pub/Sub itself says which regions are allowed, and not how to reach one."""
    error = exceptions.FailedPrecondition("in transit")  # type: ignore[no-untyped-call]
    with pytest.raises(ConfigurationError, match="EARMARK_GCP_PUBSUB_ENDPOINT"), translated("The topic earmark-low"):
        raise error
    refused = exceptions.BadRequest("no such field")  # type: ignore[no-untyped-call]
    with pytest.raises(ConfigurationError, match="which field"), translated("The topic earmark-low"):
        raise refused

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

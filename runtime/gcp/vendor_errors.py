"""What the errors of Google's clients mean to us; nothing else of theirs leaves this package."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, TypeVar

import requests.exceptions
import urllib3.exceptions
from google import resumable_media
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud.storage import exceptions as storage_exceptions
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from earmark.errors import ConfigurationError, EarmarkError, Unavailable
from earmark.log import event

_log = logging.getLogger(__name__)
Result = TypeVar("Result")

TRANSIENT: Final[tuple[type[Exception], ...]] = (
    exceptions.ServerError,  # 5xx, with Unknown, DataLoss, DeadlineExceeded and ServiceUnavailable below it
    exceptions.TooManyRequests,  # with ResourceExhausted
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.RetryError,
    exceptions.Redirection,
    auth_exceptions.TransportError,
    auth_exceptions.RefreshError,
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.InvalidJSONError,  # an answer that is no JSON, as of a proxy
    resumable_media.DataCorruption,
    resumable_media.InvalidResponse,
    storage_exceptions.DataCorruption,
    storage_exceptions.InvalidResponse,
    urllib3.exceptions.HTTPError,  # while a streamed answer is read
    ConnectionError,
    TimeoutError,
)
"""May go away by themselves: ``Unavailable``."""

OURS: Final[dict[type[Exception], str]] = {
    exceptions.Unauthenticated: "Log in with `gcloud auth application-default login`, or run as a service account.",
    exceptions.Unauthorized: "Log in with `gcloud auth application-default login`, or run as a service account.",
    exceptions.Forbidden: "Grant the role that docs/google-cloud.md names for this.",
    exceptions.NotFound: "Create it with `earmark init`, or with Terraform.",
    exceptions.FailedPrecondition: "Topics that keep to their region refuse what arrives in another one: set "
    "EARMARK_GCP_PUBSUB_ENDPOINT to REGION-pubsub.googleapis.com:443.  Else the message says what is missing.",
    exceptions.BadRequest: "This is a fault of Earmark or of a setting; the message says which field.",
    exceptions.ClientError: "Google Cloud refused the request; see docs/google-cloud.md.",
    auth_exceptions.GoogleAuthError: "Log in with `gcloud auth application-default login`.",
    requests.exceptions.RequestException: "Check the address of the emulator, if one is set, and of the proxy.",
    storage_exceptions.InvalidPathError: "This is a fault of Earmark or of a setting; the message says which.",
}
"""Ours to mend: ``ConfigurationError`` with this remedy.  The first class that fits counts."""

QUOTA_REASONS: Final = frozenset({"rateLimitExceeded", "quotaExceeded", "userRateLimitExceeded"})
"""BigQuery and Cloud Storage say "forbidden" also where they mean "not so fast"."""
ATTEMPTS: Final = 6
LONGEST_S: Final = 20.0
"""An adapter gives up after so many attempts or seconds, whichever comes first; its caller waits and asks again."""
FIRST_PAUSE_S: Final = 0.1
"""The longest pause before the second attempt; the longest doubles with each attempt, up to five seconds."""


def is_transient(error: BaseException) -> bool:
    """Whether asking again may help."""
    if type(error) is exceptions.GoogleAPICallError:  # a status that has no class
        status = error.code or 0
        return status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, exceptions.Forbidden):
        return any(detail.get("reason") in QUOTA_REASONS for detail in error.errors if isinstance(detail, dict))
    return isinstance(error, TRANSIENT) and not isinstance(error, exceptions.MethodNotImplemented)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise our own errors instead of the vendor's.

    Args:
        what: is being reached, for the message: "The topic earmark-high".

    Raises:
        Unavailable: it cannot be reached now.
        ConfigurationError: it does not exist, or this process may not use it.
    """
    try:
        yield
    except EarmarkError:
        raise
    except Exception as error:
        if is_transient(error):
            message = f"{what} cannot be reached: {_told(error)}"
            raise Unavailable(message) from error
        for kind, remedy in OURS.items():
            if isinstance(error, kind):
                message = f"{what}: {_told(error)}.  {remedy}"
                raise ConfigurationError(message) from error
        if isinstance(error, exceptions.GoogleAPIError):
            message = f"{what} cannot be reached: {_told(error)}"
            raise Unavailable(message) from error
        raise


def calling(what: str, call: Callable[[], Result]) -> Result:
    """Call a vendor's client; transient errors are tried again, with jitter and within bounds.

    Raises:
        Unavailable: it cannot be reached, also after several attempts.
        ConfigurationError: it does not exist, or this process may not use it.
    """
    with translated(what):
        return _retrying(what)(call)


def _retrying(what: str) -> Retrying:
    def noted(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        event(_log, "call.repeated", level=logging.DEBUG, what=what, attempt=state.attempt_number, error=str(error))

    return Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(LONGEST_S),
        wait=wait_random_exponential(multiplier=FIRST_PAUSE_S, max=5),
        before_sleep=noted,
        reraise=True,
    )


def _told(error: Exception) -> str:
    text = str(getattr(error, "message", "") or error).strip().splitlines()
    return f"{type(error).__name__}: {text[0].rstrip('.')}" if text else type(error).__name__

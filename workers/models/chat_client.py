"""``ChatClient``: sends one question to a provider over HTTP, within its limits, and gives back what it said."""

import json
import logging
import os
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any, Final, Self

import httpx2
import openai
from pydantic import SecretStr

from earmark.errors import ConfigurationError, ModelUnavailable, RateLimited, Throttled, TimedOut, Unavailable
from earmark.log import event
from workers.models.bounded_stream import bounded
from workers.models.call_failed import CallFailed, Sendings
from workers.models.call_retry import RetryBudget, retrying
from workers.models.provider import Provider
from workers.models.provider_errors import call_failed, said_by
from workers.models.rate_limit import RateLimit

_log = logging.getLogger(__name__)

CONNECT_S: Final = 5.0
MOST_NAMED: Final = 20
"""Models named in a message."""
UNLISTED: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
"""Statuses of a server that answers questions and does not say which models it has."""


def provider_key(provider: Provider, environment: Mapping[str, str] | None = None) -> SecretStr:
    """The key from the environment variable the provider names.

    Raises:
        ConfigurationError: it is not set, or no HTTP header could carry it.
    """
    environment = os.environ if environment is None else environment
    key = environment.get(provider.key_variable, "").strip() if provider.key_variable else ""
    if provider.key_variable and (not key or not key.isascii() or not key.isprintable() or " " in key):
        what = "holds no key that can be sent" if key else "is not set"
        message = f"{provider.key_variable} {what}.  Put the key for {provider.name} into that environment variable."
        raise ConfigurationError(message)
    return SecretStr(key)


class ChatClient:
    """A connection to one provider.  Safe for several threads."""

    def __init__(
        self,
        provider: Provider,
        *,
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take the key from the environment; connects to nothing yet.

        Raises:
            ConfigurationError: there is no key.
        """
        self._provider = provider
        self._key = provider_key(provider, environment)
        self._sleep = sleep
        self._budget = RetryBudget()
        self.limit = RateLimit(provider.requests_per_minute, provider.tokens_per_minute, clock=clock, sleep=sleep)
        timeout = httpx2.Timeout(provider.timeout_s, connect=min(CONNECT_S, provider.timeout_s))
        secret = self._key.get_secret_value()
        self._sdk = openai.OpenAI(
            base_url=provider.url,
            api_key=secret or "none",
            max_retries=0,
            timeout=timeout,
            http_client=openai.DefaultHttpxClient(
                follow_redirects=False,  # a recording goes where the settings say and nowhere else
                timeout=timeout,
                verify=_trusted(),
                limits=httpx2.Limits(max_connections=provider.concurrency + 1),
                event_hooks={"request": [] if secret else [_without_key], "response": [bounded(provider.timeout_s)]},
            ),
            default_headers={"Accept-Encoding": "identity"},  # answers are short, and bounded as they come
        )
        # What the client reads from OPENAI_* variables is meant for OpenAI, and this may be somebody else's server.
        self._sdk.organization = self._sdk.project = self._sdk.admin_api_key = None

    def complete(self, body: Mapping[str, Any], *, tokens: float) -> tuple[dict[str, Any], Sendings]:
        """Send one question; what may pass is tried again within the budget.

        Args:
            body: of ``POST /chat/completions``.
            tokens: it will use, for the limit on tokens a minute.

        Returns:
            The answer, a JSON object of which nothing is sure, and how often it was asked for.

        Raises:
            CallFailed: there is none, or our own limit would let the question through too late.
        """
        self._budget.earn()
        again = retrying(self._provider.name, self._provider.retries, self._budget, self._sleep)
        sendings = Sendings()
        try:
            return again(self._send, body, tokens, sendings), sendings
        except CallFailed as failure:
            failure.sendings = sendings
            raise

    def models(self) -> list[str] | None:
        """Names of the models the provider has; None = it keeps no list of them.

        Raises:
            CallFailed: it cannot be asked, or answers with something else.
        """
        try:
            with self._sdk.models.with_streaming_response.list() as response:
                names = _listed(response.read())
        except Exception as error:  # noqa: BLE001  # as in `_send`
            if isinstance(error, openai.APIStatusError) and error.status_code in UNLISTED:
                return None
            failure = self._failed(error)
        else:
            if names is not None:
                secret = self._key.get_secret_value()
                return [name if name in self._provider.models else said_by(name, secret)[2:] for name in names]
            who, url = self._provider.name, self._provider.url
            message = (
                f"The server at {url} does not speak the protocol of chat completions: {url}/models is no list of "
                f"models.  Set `url` of {who} to the address of the API; most end with /v1."
            )
            failure = CallFailed(ModelUnavailable(message))
        raise failure

    def close(self) -> None:
        """Hang up."""
        self._sdk.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self.close()

    def _send(self, body: Mapping[str, Any], tokens: float, sendings: Sendings) -> dict[str, Any]:
        try:
            self.limit.admit(tokens)
        except (RateLimited, Throttled) as error:  # at another sending, the reason for it tells more
            raise CallFailed(sendings.error or error) from None
        sendings.all += 1
        try:
            text = self._received(body)
        except Exception as error:  # noqa: BLE001  # whatever the client raises ends here
            failure = self._failed(error)
        else:
            answer = _read(text)
            if answer is not None:
                return answer
            message = f"{self._provider.name} answers with something that is no JSON object"
            failure = CallFailed(Unavailable(message), charged=True)
        sendings.error = failure.error
        if failure.charged:
            sendings.in_vain += 1
        else:
            self.limit.settle(tokens, 0)
        if failure.retry_after_s is not None:
            self.limit.pause(failure.retry_after_s)
        raise failure

    def _received(self, body: Mapping[str, Any]) -> bytes:
        """The body of the answer as it came; what the client itself would make of it depends on its content type."""
        with self._sdk.chat.completions.with_streaming_response.create(**body) as response:
            text: bytes = response.read()
        return text

    def _failed(self, error: Exception) -> CallFailed:
        return call_failed(error, self._provider, self._key.get_secret_value(), datetime.now(UTC))


@cache
def _trusted() -> ssl.SSLContext:
    """The certificate authorities of this machine; reading them takes longer than most else here."""
    return httpx2.create_ssl_context()


def _without_key(request: httpx2.Request) -> None:
    """The client insists on a key, also where there is none."""
    request.headers.pop("Authorization", None)


def _read(text: bytes) -> dict[str, Any] | None:
    answer = _json(text)
    return answer if isinstance(answer, dict) else None


def _listed(text: bytes) -> list[str] | None:
    """The names in a list of models, which some servers send bare; None = it is none."""
    body = _json(text)
    data = body.get("data") if isinstance(body, dict) else body
    if not isinstance(data, list):
        return None
    return [str(model["id"]) for model in data if isinstance(model, dict) and "id" in model]


def _json(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def check_provider(client: ChatClient, provider: Provider) -> None:
    """Ask a provider whether it has the models that are set; one that keeps no list is believed, with a warning.

    Raises:
        ConfigurationError: it has not, refuses the key, or does not speak the protocol; names what to set.
        Unavailable: it cannot be asked now; it may be right all the same.
    """
    try:
        known = client.models()
    except CallFailed as failure:
        if isinstance(failure.error, ModelUnavailable):
            raise ConfigurationError(str(failure.error)) from None
        if isinstance(failure.error, TimedOut):
            raise Unavailable(str(failure.error)) from None
        raise failure.error from None
    if known is None:
        event(_log, "provider.models_unlisted", level=logging.WARNING, provider=provider.name, url=provider.url,
              reason="Nobody can tell whether it has the models that are set; the first question will.")  # fmt: skip
        return
    missing = [name for name in provider.models if name not in known]
    if missing:
        there = ", ".join(sorted(known)[:MOST_NAMED]) or "none"
        message = (
            f"{provider.name} has no model {' and no '.join(missing)}; it has {there}.  "
            f"Set `model` or `repair_model` of {provider.name} to one of its models."
        )
        raise ConfigurationError(message)

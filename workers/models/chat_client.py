"""``ChatClient``: sends one question to a provider over HTTP, within its limits, and gives back what it said."""

import json
import os
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Self

import httpx2
import openai
from pydantic import SecretStr

from earmark.errors import ConfigurationError, ModelUnavailable, Throttled, TimedOut, Unavailable
from workers.models.bounded_stream import bounded
from workers.models.call_failed import CallFailed, Sendings
from workers.models.call_retry import RetryBudget, retrying
from workers.models.provider import Provider
from workers.models.provider_errors import call_failed, said_by
from workers.models.rate_limit import RateLimit

CONNECT_S: Final = 5.0
MOST_NAMED: Final = 20
"""Models named in a message."""


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

    def models(self) -> list[str]:
        """Names of the models the provider has.

        Raises:
            CallFailed: it does not say.
        """
        try:
            secret = self._key.get_secret_value()
            return [
                model.id if model.id in self._provider.models else said_by(str(model.id), secret)[2:]
                for model in self._sdk.models.list().data or ()
            ]
        except Exception as error:  # noqa: BLE001  # as above; also a body that is no list of models
            failure = self._failed(error)
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
        except Throttled as error:
            raise CallFailed(error) from None
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
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def check_provider(client: ChatClient, provider: Provider) -> None:
    """Ask a provider whether it has the models that are set.

    Raises:
        ConfigurationError: it has not, refuses the key, or there is no such API; names what to set.
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
    missing = [name for name in provider.models if name not in known]
    if missing:
        there = ", ".join(sorted(known)[:MOST_NAMED]) or "none"
        message = (
            f"{provider.name} has no model {' and no '.join(missing)}; it has {there}.  "
            f"Set `model` or `repair_model` of {provider.name} to one of its models."
        )
        raise ConfigurationError(message)

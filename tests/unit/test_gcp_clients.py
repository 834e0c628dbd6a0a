"""Making a client of Google Cloud without credentials is a setting that is missing."""

import google.auth
import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError
from grpc import insecure_channel

import runtime.gcp.clients
from earmark.clock import utc_now
from earmark.errors import ConfigurationError
from earmark.settings import Settings
from runtime.gcp.backend import Cloud
from runtime.gcp.clients import BIGQUERY_EMULATOR, PUBSUB_EMULATOR, STORAGE_EMULATOR, Clients


@pytest.mark.parametrize("client", ["publisher", "subscriber", "storage", "bigquery"])
def test_without_credentials_the_remedy_is_said(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No vendor's exception leaves, whichever client is made first."""
    for name in (PUBSUB_EMULATOR, STORAGE_EMULATOR, BIGQUERY_EMULATOR):
        monkeypatch.delenv(name, raising=False)

    def refused(*_words: object, **_named: object) -> None:
        message = "none were found"
        raise DefaultCredentialsError(message)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", refused)
    with pytest.raises(ConfigurationError, match="gcloud auth application-default login"):
        getattr(Clients("project", "EU"), client)


@pytest.mark.parametrize(
    ("endpoint", "emulator", "asked"),
    [
        ("", "", "pubsub.googleapis.com:443"),
        ("europe-west4-pubsub.googleapis.com:443", "", "europe-west4-pubsub.googleapis.com:443"),
        ("europe-west4-pubsub.googleapis.com", "", "europe-west4-pubsub.googleapis.com:443"),
        ("europe-west4-pubsub.googleapis.com:443", "127.0.0.1:9", ""),
    ],
)
def test_pubsub_is_asked_where_the_settings_say(
    endpoint: str, emulator: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A region's own address, from whose topics others are refused; an emulator goes first.  Nothing is sent."""
    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    monkeypatch.setattr(google.auth, "default", lambda *_words, **_named: (credentials, "project"))
    monkeypatch.setenv(PUBSUB_EMULATOR, emulator)
    channels: list[str] = []
    monkeypatch.setattr(runtime.gcp.clients, "_channel", lambda host: channels.append(host) or insecure_channel(host))
    settings = Settings(backend="gcp", gcp_project="project", gcp_pubsub_endpoint=endpoint)
    clients = Cloud(settings, utc_now).clients
    for client in (clients.publisher, clients.subscriber):
        if asked:
            assert client.transport.host == asked
    assert channels == ([emulator] * 2 if emulator else [])

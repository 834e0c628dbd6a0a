"""Making a client of Google Cloud without credentials is a setting that is missing."""

import google.auth
import pytest
from google.auth.exceptions import DefaultCredentialsError

from earmark.errors import ConfigurationError
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

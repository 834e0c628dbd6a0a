"""Addresses that Cloud Storage takes files at, signed with a key and without one."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from earmark.errors import ConfigurationError, Unavailable

storage = pytest.importorskip("google.cloud.storage")
credentials = pytest.importorskip("google.auth.credentials")

from google.auth import exceptions  # noqa: E402  # only where the extra is installed
from google.cloud.storage import _signing  # noqa: E402

from runtime.gcp.signed_uploads import UploadSigner  # noqa: E402

NAME = "acme/direct/" + "0" * 32


class WithKey(credentials.Credentials, credentials.Signing):  # type: ignore[misc, name-defined]
    """Credentials of a key file."""

    signer_email = "robot@project.iam.gserviceaccount.com"
    signer = None

    def refresh(self, request: Any) -> None:
        """Never needed."""

    def sign_bytes(self, message: bytes) -> bytes:
        """What was signed is the signature."""
        return message


class WithToken(credentials.Credentials):  # type: ignore[misc, name-defined]
    """Credentials of a machine in the cloud, whose token comes late."""

    def __init__(self, email: str) -> None:
        """Take the account."""
        super().__init__()
        self.service_account_email = email
        self.refreshed = 0

    def refresh(self, request: Any) -> None:
        """Get a token."""
        del request
        self.refreshed += 1
        self.token = "token"  # noqa: S105  # of nobody
        self.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)


def signer(own: Any) -> UploadSigner:
    """A signer with these credentials."""
    client = storage.Client(project="project", credentials=own)
    return UploadSigner(lambda: client, "earmark-uploads", transport=object)


def test_a_key_file_signs_by_itself() -> None:
    """What is signed are method, object, type, size and that it must be new."""
    signed = signer(WithKey()).sign(NAME, "audio/wav", 1000, 8 * 86_400.0)
    assert signed is not None
    query = parse_qs(urlsplit(signed.url).query)
    assert query["X-Goog-Expires"] == ["604800"]
    told = bytes.fromhex(query["X-Goog-Signature"][0]).decode()
    assert told.startswith("GOOG4-RSA-SHA256\n")


def test_nobody_signs_for_an_emulator() -> None:
    """The API takes the file itself then."""
    assert signer(credentials.AnonymousCredentials()).sign(NAME, "audio/wav", 1000, 900.0) is None


def test_the_service_signs_where_there_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one token for several, asked for when it is needed."""
    asked: list[tuple[str, str, str]] = []

    def sign(message: str, token: str, email: str, _: str) -> str:
        asked.append((message, token, email))
        return base64.b64encode(b"signed").decode()

    monkeypatch.setattr(_signing, "_sign_message", sign)
    own = WithToken("robot@project.iam.gserviceaccount.com")
    maker = signer(own)
    for _ in range(2):
        signed = maker.sign(NAME, "audio/wav", 1000, 900.0)
    assert signed is not None
    parts = urlsplit(signed.url)
    query = parse_qs(parts.query)
    assert (parts.scheme, unquote(parts.path)) == ("https", f"/earmark-uploads/{NAME}")
    assert query["X-Goog-Expires"] == ["900"]
    assert query["X-Goog-Signature"] == [b"signed".hex()]
    assert query["X-Goog-SignedHeaders"] == ["content-type;host;x-goog-content-length-range;x-goog-if-generation-match"]
    assert signed.headers == {
        "Content-Type": "audio/wav",
        "x-goog-content-length-range": "1000,1000",
        "x-goog-if-generation-match": "0",
    }
    assert [(token, email) for _, token, email in asked] == [("token", own.service_account_email)] * 2
    assert own.refreshed == 1


def test_a_service_that_does_not_sign_is_away_or_ours_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """No error of Google's comes out; whoever is no service account cannot sign."""

    def away(*_: object) -> str:
        message = json.dumps("down")
        raise exceptions.TransportError(message)

    monkeypatch.setattr(_signing, "_sign_message", away)
    monkeypatch.setattr("runtime.gcp.vendor_errors.ATTEMPTS", 1)
    monkeypatch.setattr("runtime.gcp.vendor_errors.LONGEST_S", 0.0)
    with pytest.raises(Unavailable):
        signer(WithToken("robot@project.iam.gserviceaccount.com")).sign(NAME, "audio/wav", 1, 1.0)
    for email in ("", "default"):
        with pytest.raises(ConfigurationError, match="service account"):
            signer(WithToken(email)).sign(NAME, "audio/wav", 1, 1.0)

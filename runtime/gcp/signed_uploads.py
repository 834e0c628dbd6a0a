"""``UploadSigner``: addresses of Cloud Storage where a customer may put one file, signed as version 4 has it.

Signed are the method, the exact name of the object, its type, that it must not exist yet, and how many bytes it
must have.  Without a key file the IAM service signs for the account that this process runs as, which needs the role
``roles/iam.serviceAccountTokenCreator`` on itself.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import google.auth.credentials
import google.auth.transport.requests
from google.cloud import storage

from earmark.errors import ConfigurationError
from runtime.backend import SignedUpload
from runtime.gcp.vendor_errors import calling

_LONGEST_S: Final = 7 * 86_400
"""What Cloud Storage takes at most."""


class UploadSigner:
    """Signs for one bucket; safe to use from several threads."""

    def __init__(
        self,
        client: Callable[[], storage.Client],
        bucket: str,
        *,
        transport: Callable[[], Any] = google.auth.transport.requests.Request,
    ) -> None:
        """Take what gives the client, the full name of the bucket, and what asks for tokens."""
        self._client, self._bucket, self._transport = client, bucket, transport
        self._lock = threading.Lock()

    def sign(self, name: str, content_type: str, size_bytes: int, valid_s: float) -> SignedUpload | None:
        """An address for one PUT; ``None`` where there is nobody to sign, as with an emulator.

        Raises:
            ConfigurationError: this process may not sign, or runs as no service account.
            Unavailable: the service that signs cannot be reached.
        """
        client = self._client()
        credentials = client._credentials  # noqa: SLF001  # the one way to them
        if isinstance(credentials, google.auth.credentials.AnonymousCredentials):
            return None
        headers = {"x-goog-content-length-range": f"{size_bytes},{size_bytes}", "x-goog-if-generation-match": "0"}
        what = "The service that signs addresses of uploads"
        url: str = calling(
            what,
            lambda: (
                client.bucket(self._bucket)
                .blob(name)
                .generate_signed_url(
                    version="v4",
                    expiration=timedelta(seconds=min(round(valid_s), _LONGEST_S)),
                    method="PUT",
                    content_type=content_type,
                    headers=dict(headers),
                    **self._signing(credentials),
                )
            ),
        )
        return SignedUpload(url, {"Content-Type": content_type, **headers})

    def _signing(self, credentials: Any) -> dict[str, str]:
        """What has IAM sign, unless the credentials can by themselves."""
        if isinstance(credentials, google.auth.credentials.Signing):
            return {}
        with self._lock:
            if not credentials.valid:
                credentials.refresh(self._transport())
        email = getattr(credentials, "service_account_email", None)
        if not email or email == "default":
            message = (
                "Addresses for uploads must be signed by a service account, and this process runs as none.  "
                "Run it as one, or set GOOGLE_APPLICATION_CREDENTIALS to a key file."
            )
            raise ConfigurationError(message)
        return {"service_account_email": str(email), "access_token": str(credentials.token)}

"""Signatures of the Standard Webhooks specification, version 1: github.com/standard-webhooks/standard-webhooks.

A call bears ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``, the last one ``v1,`` and the Base64 of
HMAC-SHA256 over id, time stamp and body, joined by dots; while a secret gives way to another, one of each, divided by a
space.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pydantic import SecretStr

from earmark.errors import ConfigurationError

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = range(24, 65)
"""Length of a secret, by the specification."""
_MADE_BYTES: Final = 32


def make_secret() -> SecretStr:
    """A new secret of 256 random bits."""
    return SecretStr(PREFIX + base64.b64encode(secrets.token_bytes(_MADE_BYTES)).decode())


def read_secret(secret: SecretStr) -> bytes:
    """The key that a secret stands for.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        key = base64.b64decode(secret.get_secret_value().removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in SECRET_BYTES:
        message = "the secret of a webhook is whsec_ and the Base64 of 24 to 64 bytes"
        raise ConfigurationError(message)
    return key


def signed_headers(identity: str, at: datetime, body: bytes, signing: Sequence[SecretStr]) -> dict[str, str]:
    """Headers of a call.

    Args:
        identity: of the message; called again it is the same.
        at: when the call is made; receivers refuse one that is some minutes old.
        body: what is posted.
        signing: the secrets in force, the newest first.

    Raises:
        ConfigurationError: one of the secrets is none.
    """
    stamp = str(int(at.timestamp()))
    content = f"{identity}.{stamp}.".encode() + body
    digests = (hmac.new(read_secret(each), content, hashlib.sha256).digest() for each in signing)
    return {
        "Content-Type": "application/json",
        "User-Agent": "earmark",
        "webhook-id": identity,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in digests),
    }

"""``Webhook``: posts notices to a customer's server, signed as the Standard Webhooks specification says.

See github.com/standard-webhooks/standard-webhooks, version 1: ``webhook-id``, ``webhook-timestamp`` and
``webhook-signature``, the last one ``v1,`` and the Base64 of HMAC-SHA256 over id, time stamp and body, joined by dots.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTP_PORT, HTTPS_PORT, HTTPConnection, HTTPException
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from earmark.errors import ConfigurationError, Unavailable
from earmark.log import masked
from earmark.ports import Clock
from retention.notice import Bounced, Contact, Notice
from retention.wording import EVENT_TYPE, Wording
from runtime.cut_off import cut_off

TIMEOUT_S: Final = 10.0
"""For the connection and each part of the answer."""
WHOLE_S: Final = 30.0
"""For all of it; the specification advises 15 to 30 seconds."""
_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = range(24, 65)
"""Length of a secret, by the specification."""


class _Target(NamedTuple):
    secure: bool
    host: str
    port: int
    authority: str
    """Host and port as the address has them."""
    path: str


class Webhook:
    """A ``Send``: one call of one customer's webhook; called again, ``webhook-id`` and body are the same."""

    def __init__(
        self,
        wording: Wording,
        clock: Clock,
        *,
        context: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
        whole_s: float = WHOLE_S,
    ) -> None:
        """Take what is said and the time that signatures bear.

        Args:
            wording: puts notices in words.
            clock: gives the time; receivers refuse a signature some minutes old.
            context: whom to trust; ``None`` = what the system trusts.
            timeout_s: seconds for the connection and each part of the answer.
            whole_s: seconds for all of it.
        """
        self._wording, self._clock = wording, clock
        self._context = context or ssl.create_default_context()
        self._timeout_s, self._whole_s = timeout_s, whole_s

    def __call__(self, notice: Notice, contact: Contact) -> None:
        """Post a notice; an answer of 2xx accepts it.

        Raises:
            Unavailable: the server cannot be reached in time, or answers anything else; redirects are not followed.
            Bounced: it answers 410: the endpoint is gone for good.
            ConfigurationError: the address or the secret is none.
        """
        target = _read_address(contact.address)
        body = self.body(notice)
        headers = self.headers(notice, contact, body)
        try:
            status = self._post(target, body, headers)
        except (HTTPException, OSError, ValueError) as error:
            what = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
            message = f"{target.host} cannot be reached: {masked(what)[:200]}"
            raise Unavailable(message) from None
        _judge(target.host, status)

    def _post(self, target: _Target, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer; nothing else of it matters, so nothing else is read."""
        plain = socket.create_connection((target.host, target.port), self._timeout_s)
        held = plain
        if target.secure:  # with the socket in hand before the handshake, which a server could draw out as well
            held = self._context.wrap_socket(plain, server_hostname=target.host, do_handshake_on_connect=False)
        with held, cut_off(self._whole_s, held) as cut:
            if isinstance(held, ssl.SSLSocket):
                held.do_handshake()
            connection = HTTPConnection(target.host, target.port)
            connection.sock = held
            connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": target.authority, **headers, "Content-Length": str(len(body))}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            status = connection.getresponse().status
            if cut.is_set():  # a head without an end is taken for a whole one
                message = "its answer took too long"
                raise TimeoutError(message)
            return status

    def body(self, notice: Notice) -> bytes:
        """What is posted: type, time stamp and data of the event; always the same for a notice."""
        event = {"type": EVENT_TYPE, "timestamp": notice.made_at.isoformat(), "data": self._wording.payload(notice)}
        return json.dumps(event, separators=(",", ":"), sort_keys=True).encode()

    def headers(self, notice: Notice, contact: Contact, body: bytes) -> dict[str, str]:
        """Headers of a call made now, signed.

        Raises:
            ConfigurationError: the secret is none.
        """
        identity = f"msg_{hashlib.sha256(notice.id.encode()).hexdigest()[:32]}"
        stamp = str(int(self._clock().timestamp()))
        signed = f"{identity}.{stamp}.".encode() + body
        digest = hmac.new(_key(contact), signed, hashlib.sha256).digest()
        return {
            "Content-Type": "application/json",
            "User-Agent": "earmark",
            "webhook-id": identity,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }


def _key(contact: Contact) -> bytes:
    try:
        key = base64.b64decode(contact.secret.get_secret_value().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in _SECRET_BYTES:
        message = "the secret of a webhook is whsec_ and the Base64 of 24 to 64 bytes"
        raise ConfigurationError(message)
    return key


def _read_address(address: str) -> _Target:
    """Where to post to.

    Raises:
        ConfigurationError: it is no address that is called: HTTPS, or HTTP on this machine, without a login.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
        host.encode("ascii")
        address.encode("ascii")
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), "", None
    secure = parts.scheme == "https"
    if not host or parts.username is not None or not (secure or (parts.scheme == "http" and _is_here(host))):
        message = "a webhook is called by https://, or by http:// on this machine, with no login in its address"
        raise ConfigurationError(message)
    port = port or (HTTPS_PORT if secure else HTTP_PORT)
    return _Target(secure, host, port, parts.netloc, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _judge(host: str, status: int) -> None:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if status == HTTPStatus.GONE:
        message = f"{host} answers 410: the webhook is gone"
        raise Bounced(message, "Ask the customer for a webhook that works.")
    is_moved = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    message = f"{host} answers {status}{'; redirects are not followed' if is_moved else ''}"
    raise Unavailable(message)

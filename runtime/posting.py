"""``Posting``: one guarded POST to an address that a customer named; notices and webhooks are sent so.

The name is looked up once, every address it has must be one of the public net, and the connection goes to one of these
very addresses: whoever answers the look-up differently the next time is not asked a next time.  The certificate is
checked against the name.  Redirects are not followed, and nothing but the status of the answer is read.
"""

import ipaddress
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http.client import HTTP_PORT, HTTPS_PORT, HTTPConnection, HTTPException, RemoteDisconnected
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from earmark.errors import ConfigurationError, Unavailable
from earmark.log import event, masked
from runtime.cut_off import cut_off
from runtime.public_address import Address, leads_inside

_log = logging.getLogger(__name__)
TIMEOUT_S: Final = 10.0
"""For the connection and each part of the answer."""
WHOLE_S: Final = 30.0
"""For all of it; the Standard Webhooks specification advises 15 to 30 seconds."""
CHARS: Final = 2000
"""Longest address."""
_ADDRESSES: Final = 4
"""Of one name, that are tried."""
_OPEN_PORTS: Final = 1024
"""From here on nothing but HTTPS listens by convention."""
_SIGNS: Final = re.compile(r"[!-~]+")

Resolve = Callable[[str, int], Sequence[str]]
"""Gives the network addresses of a name; raises ``OSError`` where there are none."""


class Target(NamedTuple):
    """Where to post to, as the address says."""

    secure: bool
    host: str
    port: int
    authority: str
    """Host and port as the address has them."""
    path: str


def resolve(host: str, port: int) -> list[str]:
    """As the machine looks names up, each address once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Posting:
    """Posts to addresses that are allowed."""

    def __init__(
        self,
        *,
        private: bool = False,
        context: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
        whole_s: float = WHOLE_S,
        resolve: Resolve = resolve,
    ) -> None:
        """Take what is allowed and how long it may last.

        Args:
            private: whether addresses may lead to this machine or a private network, and there without TLS.
            context: whom to trust; ``None`` = what the system trusts.
            timeout_s: seconds for the connection and each part of the answer.
            whole_s: seconds for all of it; the look-up of the name, which has the system's own limit, is not cut short.
            resolve: looks names up.
        """
        self._private, self._context = private, context
        self._timeout_s, self._whole_s, self._resolve = timeout_s, whole_s, resolve

    def check(self, url: str) -> None:
        """Look an address up, as ``post`` would do now.

        Raises:
            ConfigurationError: it is none that is called.
            Unavailable: its name cannot be looked up.
        """
        self._addresses(self.read(url))

    def read(self, url: str) -> Target:
        """What an address says.

        Raises:
            ConfigurationError: it is none that is called, wherever it leads.
        """
        try:
            parts = urlsplit(url if _SIGNS.fullmatch(url) and len(url) <= CHARS else "")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            parts, host, port = SplitResult("", "", "", "", ""), "", None
        secure = parts.scheme == "https"
        plain = self._private and parts.scheme == "http"
        if not host or parts.username is not None or parts.password is not None or not (secure or plain):
            message = "a webhook is called by https://, without a login in its address and with no more than 2000 signs"
            raise ConfigurationError(message)
        port = (HTTPS_PORT if secure else HTTP_PORT) if port is None else port
        if not (port == HTTPS_PORT or port >= _OPEN_PORTS or (plain and port == HTTP_PORT)):
            message = f"a webhook is called on port {HTTPS_PORT}, or from {_OPEN_PORTS} on, not on {port}"
            raise ConfigurationError(message)
        query = f"?{parts.query}" if parts.query else ""
        return Target(secure, host, port, parts.netloc, (parts.path or "/") + query)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post, and give the status of the answer.

        Raises:
            Unavailable: nobody answers in time.
            ConfigurationError: the address is none that is called, or leads inside by now.
        """
        ends = time.monotonic() + self._whole_s
        target = self.read(url)
        addresses = self._addresses(target)
        try:
            return self._call(target, addresses, body, headers, ends)
        except (HTTPException, OSError, ValueError) as error:
            raise _unreachable(target, error) from None

    def _addresses(self, target: Target) -> list[str]:
        """Those of the target's name, all of them allowed."""
        try:
            texts = self._resolve(target.host, target.port)
            found: list[Address] = [ipaddress.ip_address(each) for each in texts]
        except (OSError, ValueError) as error:
            raise Unavailable(_nowhere(target, _what(error))) from None
        inside = [leads_inside(each) for each in found]
        if not found or (any(inside) and not self._private):
            raise ConfigurationError(_nowhere(target, "it leads inside" if found else "it has no address"))
        if not target.secure and not all(inside):
            message = f"{target.host} is called by https:// alone, for it is out on the net"
            raise ConfigurationError(message)
        return [str(each) for each in found[:_ADDRESSES]]

    def _call(
        self, target: Target, addresses: Sequence[str], body: bytes, headers: Mapping[str, str], ends: float
    ) -> int:
        plain = self._connected(target, addresses, ends)
        held = plain
        if target.secure:  # with the socket in hand before the handshake, which a server could draw out as well
            context = self._context or _trusted()
            held = context.wrap_socket(plain, server_hostname=target.host, do_handshake_on_connect=False)
        with held, cut_off(max(0.0, ends - time.monotonic()), held) as cut:
            if isinstance(held, ssl.SSLSocket):
                held.do_handshake()
            connection = HTTPConnection(target.host, target.port)
            connection.sock = held
            connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": target.authority, **headers, "Content-Length": str(len(body))}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            try:
                status = connection.getresponse().status
            except (HTTPException, OSError):
                if not cut.is_set():
                    raise
            if cut.is_set():  # a head without an end is taken for a whole one
                message = "its answer took too long"
                raise TimeoutError(message)
            return status

    def _connected(self, target: Target, addresses: Sequence[str], ends: float) -> socket.socket:
        """A connection to the first address that takes one."""
        failed: OSError = TimeoutError("it took too long")
        for address in addresses:
            left_s = min(self._timeout_s, ends - time.monotonic())
            if left_s <= 0:
                break
            try:
                return socket.create_connection((address, target.port), left_s)
            except OSError as error:
                failed = error
        raise failed


@cache
def _trusted() -> ssl.SSLContext:
    """What the system trusts; read once, for that takes a while."""
    return ssl.create_default_context()


def _unreachable(target: Target, error: Exception) -> Unavailable:
    return Unavailable(f"{target.host} cannot be reached: {_what(error)}")


def _what(error: Exception) -> str:
    """What went wrong, without a byte of what the other side sent."""
    if isinstance(error, RemoteDisconnected):
        return "it closed the connection without an answer"
    if isinstance(error, HTTPException) or not isinstance(error, OSError):  # both repeat what they could not read
        return "its answer is no HTTP"
    return masked(error.strerror or str(error) or type(error).__name__)[:200]


def _nowhere(target: Target, why: str) -> str:
    """The same words whether a name leads inside or is none: else whoever asks learns the names of our network."""
    event(_log, "posting.refused", host=target.host, reason=why)
    return f"{target.host} cannot be looked up, or leads to this machine or a private network, which no webhook may"

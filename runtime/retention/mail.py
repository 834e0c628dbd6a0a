"""``Mail``: sends notices by SMTP, over STARTTLS, TLS, or in the clear to this machine."""

import hashlib
import re
import smtplib
import socket
import ssl
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final, Literal

from pydantic import SecretStr

from earmark.errors import ConfigurationError, Unavailable
from earmark.log import masked
from retention.notice import Bounced, Contact, Notice
from retention.wording import Wording
from runtime.cut_off import cut_off

WHOLE_S: Final = 120.0
"""For one message from the connection to the goodbye."""
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
"""What a mail address is by the HTML standard (html.spec.whatwg.org, "valid e-mail address"), with SMTP's lengths."""
_PERMANENT: Final = range(500, 600)
_TOLD_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in."""

    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    """Name to log in with; empty = no login."""
    password: SecretStr = field(default_factory=lambda: SecretStr(""))
    timeout_s: float = 20.0
    """For the connection and each answer."""


class Mail:
    """A ``Send``: one message to one customer; sent again, it has the same ``Message-ID``."""

    def __init__(
        self,
        server: MailServer,
        sender: str,
        wording: Wording,
        *,
        context: ssl.SSLContext | None = None,
        whole_s: float = WHOLE_S,
    ) -> None:
        """Take the server and what is said.

        Args:
            server: where mail is handed in.
            sender: address that messages come from.
            wording: puts notices in words.
            context: whom to trust; ``None`` = what the system trusts.
            whole_s: seconds that one message may take.

        Raises:
            ConfigurationError: the sender is no mail address, or a password would go through the net in the clear.
        """
        if not _ADDRESS.fullmatch(sender):
            message = f"{sender!r} is no mail address to send from.  Set EARMARK_SMTP_FROM."
            raise ConfigurationError(message)
        if server.security == "none" and server.user:
            message = "A login without encryption would show the password.  Set EARMARK_SMTP_SECURITY."
            raise ConfigurationError(message)
        self._server, self._sender, self._wording = server, sender, wording
        self._context = context or ssl.create_default_context()
        self._whole_s = whole_s

    def __call__(self, notice: Notice, contact: Contact) -> None:
        """Send a notice.

        Raises:
            Unavailable: the server cannot be reached, or does not take it now (SMTP 4xx).
            Bounced: the server refuses the address or the message for good (SMTP 5xx).
            ConfigurationError: it refuses us: the login, the sender, or encryption; or the contact is no mail address.
        """
        message = self.message(notice, contact)
        with _Translated(f"{self._server.host}:{self._server.port}", contact.address), ExitStack() as stack:
            connection = self._open(stack)
            stack.callback(connection.close)
            self._hand_in(connection, message, contact.address)

    def message(self, notice: Notice, contact: Contact) -> EmailMessage:
        """What is sent.

        Raises:
            ConfigurationError: the contact is no mail address.
        """
        if not _ADDRESS.fullmatch(contact.address):
            text = f"the contact of {notice.tenant} is no mail address"
            raise ConfigurationError(text)
        identity = hashlib.sha256(f"{notice.id}\0{contact.address}".encode()).hexdigest()[:32]
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = contact.address
        message["Subject"] = self._wording.subject(notice)
        message["Date"] = format_datetime(notice.made_at)
        message["Message-ID"] = f"<{identity}@{self._sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers it
        message.set_content(self._wording.text(notice))
        return message

    def _open(self, stack: ExitStack) -> smtplib.SMTP:
        server, watch = self._server, _Watch(stack, self._whole_s)
        if server.security == "tls":
            return _WatchedTls(watch, server.host, server.port, timeout=server.timeout_s, context=self._context)
        return _Watched(watch, server.host, server.port, timeout=server.timeout_s)

    def _hand_in(self, connection: smtplib.SMTP, message: EmailMessage, address: str) -> None:
        if self._server.security == "starttls":
            connection.starttls(context=self._context)
        if self._server.user:
            connection.login(self._server.user, self._server.password.get_secret_value())
        connection.send_message(message, self._sender, [address])
        with suppress(smtplib.SMTPException, OSError):  # it is accepted; how the server says goodbye changes nothing
            connection.quit()


class _Watch:
    """Cuts a conversation off from its first answer on."""

    def __init__(self, stack: ExitStack, whole_s: float) -> None:
        self._stack, self._whole_s, self._begun = stack, whole_s, False

    def begin(self, connection: socket.socket | None) -> None:
        if connection is not None and not self._begun:
            self._begun = True
            self._stack.enter_context(cut_off(self._whole_s, connection))


class _Watched(smtplib.SMTP):
    """A server whose greeting is watched already, which ``smtplib`` reads while it makes the object."""

    def __init__(self, watch: _Watch, *arguments: Any, **rest: Any) -> None:
        self._watch = watch
        super().__init__(*arguments, **rest)

    def getreply(self) -> tuple[int, bytes]:
        self._watch.begin(self.sock)
        return super().getreply()


class _WatchedTls(_Watched, smtplib.SMTP_SSL):
    """The same over TLS from the first byte on."""


class _Translated:
    """What the errors of ``smtplib`` mean to us, without the customer's address."""

    def __init__(self, server: str, address: str) -> None:
        self._server, self._address = server, address

    def __enter__(self) -> None:
        """Nothing to begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise ours in place of theirs."""
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            code, text = next(iter(error.recipients.values()))
            raise self._refused(code, text) from None
        if isinstance(error, smtplib.SMTPDataError):
            raise self._refused(error.smtp_code, error.smtp_error) from None
        if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code in _PERMANENT:
            message = f"The mail server {self._server} refuses us: {self._told(error.smtp_code, error.smtp_error)}"
            raise ConfigurationError(message) from None
        if isinstance(error, smtplib.SMTPNotSupportedError):
            message = f"The mail server {self._server} cannot do what is asked of it: {masked(str(error))}"
            raise ConfigurationError(message) from None
        if isinstance(error, smtplib.SMTPResponseException):
            message = f"The mail server {self._server}: {self._told(error.smtp_code, error.smtp_error)}"
            raise Unavailable(message) from None
        if isinstance(error, smtplib.SMTPException | OSError | ValueError):
            what = (error.strerror if isinstance(error, OSError) else None) or str(error)
            message = f"The mail server {self._server} cannot be reached: {masked(what)[:_TOLD_MOST]}"
            raise Unavailable(message) from None

    def _refused(self, code: int, text: bytes | str) -> Bounced | Unavailable:
        told = self._told(code, text)
        if code in _PERMANENT:
            return Bounced(told, "Ask the customer for an address that works.")
        return Unavailable(f"The mail server {self._server} does not take it now: {told}")

    def _told(self, code: int, text: bytes | str) -> str:
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        words = re.sub(re.escape(self._address), "…", words, flags=re.IGNORECASE)
        return f"SMTP {code} {masked(words)[:_TOLD_MOST]}"

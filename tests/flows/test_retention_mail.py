"""Notices by mail, handed in to real SMTP servers on this machine."""

import email
import email.policy
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from earmark.errors import ConfigurationError, Unavailable
from retention.notice import Bounced, Channel, Contact
from runtime.retention.mail import Mail, MailServer
from tests.servers import free_port, missing
from tests.servers.certificate import make_certificate
from tests.unit.test_retention_notice import WORDING, make_notice

try:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP, AuthResult, Envelope
except ImportError:
    Controller = None

CONTACT = Contact(channel=Channel.EMAIL, address="archive@acme.example")
SENDER = "notices@earmark.example"


@pytest.fixture(autouse=True)
def _installed() -> None:
    if Controller is None:
        missing("aiosmtpd", "Install the extra `dev`.")


class Mailbox:
    """What a server does with mail."""

    def __init__(self) -> None:
        """Take everything."""
        self.envelopes: list[Any] = []
        self.recipient = self.content = self.sender = "250 OK"
        self.secured: list[bool] = []

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name
        self, server: "SMTP", session: Any, envelope: "Envelope", address: str, options: list[str]
    ) -> str:
        """Take or refuse the sender."""
        envelope.mail_from = address
        return self.sender

    async def handle_RCPT(  # noqa: N802  # same
        self, server: "SMTP", session: Any, envelope: "Envelope", address: str, options: list[str]
    ) -> str:
        """Take or refuse an address."""
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, server: "SMTP", session: Any, envelope: "Envelope") -> str:  # noqa: N802  # same
        """Take or refuse a message."""
        if self.content.startswith("250"):
            self.envelopes.append(envelope)
            self.secured.append(server.transport.get_extra_info("ssl_object") is not None)
        return self.content

    def message(self, index: int = -1) -> EmailMessage:
        """A message as it was handed in."""
        found = email.message_from_bytes(self.envelopes[index].content, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found


@contextmanager
def serving(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    """A real server; its port."""
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def mail_to(port: int, **settings: Any) -> Mail:
    """Hands mail in on that port, in the clear unless told otherwise."""
    context, whole_s = settings.pop("context", None), settings.pop("whole_s", 10.0)
    server = MailServer("127.0.0.1", port, **{"security": "none", "timeout_s": 5.0, **settings})
    return Mail(server, SENDER, WORDING, context=context, whole_s=whole_s)


def test_a_notice_arrives_as_it_was_worded() -> None:
    """To the customer alone, in plain text, with all of it, names in any script too."""
    mailbox, notice = Mailbox(), make_notice("acme/Übung, 音楽.wav", "acme/b.wav")
    with serving(mailbox) as port:
        mail_to(port)(notice, CONTACT)
    [envelope] = mailbox.envelopes
    assert envelope.mail_from == SENDER
    assert envelope.rcpt_tos == [CONTACT.address]
    message = mailbox.message()
    assert message["To"] == CONTACT.address
    assert message["From"] == SENDER
    assert message["Subject"] == WORDING.subject(notice)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert message.get_content().replace("\r\n", "\n") == WORDING.text(notice)
    assert max(map(len, envelope.content.split(b"\r\n"))) <= 998, "RFC 5322, 2.1.1"


def test_sent_again_it_has_the_same_id() -> None:
    """So that a mailbox can tell; another customer's or day's has another."""
    mailbox, notice = Mailbox(), make_notice()
    with serving(mailbox) as port:
        mail = mail_to(port)
        mail(notice, CONTACT)
        mail(notice, CONTACT)
        mail(make_notice(id="acme/2026-02-01"), CONTACT)
    ids = [mailbox.message(index)["Message-ID"] for index in range(3)]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].endswith("@earmark.example>")
    assert mailbox.envelopes[0].content == mailbox.envelopes[1].content


@pytest.mark.parametrize("code", [550, 551, 552, 553, 554])
def test_an_address_that_is_refused_for_good_bounces(code: int) -> None:
    """SMTP 5xx at RCPT: without the address in the message, which goes into logs."""
    mailbox = Mailbox()
    mailbox.recipient = f"{code} <archive@acme.example>: no such user, password=hunter2"
    with serving(mailbox) as port, pytest.raises(Bounced) as caught:
        mail_to(port)(make_notice(), CONTACT)
    assert str(code) in caught.value.message
    assert "archive@acme.example" not in caught.value.message
    assert "hunter2" not in caught.value.message
    assert mailbox.envelopes == []


def test_a_message_that_is_refused_for_good_bounces() -> None:
    """SMTP 5xx after DATA."""
    mailbox = Mailbox()
    mailbox.content = "554 not wanted"
    with serving(mailbox) as port, pytest.raises(Bounced, match="554"):
        mail_to(port)(make_notice(), CONTACT)


@pytest.mark.parametrize("field", ["recipient", "content", "sender"])
def test_what_a_server_does_not_take_now_is_tried_again(field: str) -> None:
    """SMTP 4xx at any step."""
    mailbox = Mailbox()
    setattr(mailbox, field, "451 greylisted, come back")
    with serving(mailbox) as port, pytest.raises(Unavailable, match="451"):
        mail_to(port)(make_notice(), CONTACT)
    assert mailbox.envelopes == []


def test_a_sender_that_is_refused_is_no_bounce() -> None:
    """It is our setting that is wrong, and no customer is to be suspended for it."""
    mailbox = Mailbox()
    mailbox.sender = "550 you may not send from there"
    with serving(mailbox) as port, pytest.raises(ConfigurationError, match="550"):
        mail_to(port)(make_notice(), CONTACT)


def test_nobody_there_is_tried_again() -> None:
    """A connection that is refused."""
    with pytest.raises(Unavailable, match="cannot be reached"):
        mail_to(free_port())(make_notice(), CONTACT)


@contextmanager
def scripted(say: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """A server that does as it likes; its port."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    say(connection, over)
                except OSError:
                    return  # the other side has left

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join(10)


def test_a_server_that_says_nothing_is_given_up() -> None:
    """After the time-out."""
    with scripted(lambda _, over: over.wait(10) and None) as port, pytest.raises(Unavailable):
        mail_to(port, timeout_s=0.2)(make_notice(), CONTACT)


@pytest.mark.parametrize("code", [b"220", b"250"], ids=["greeting", "answer"])
def test_a_server_that_never_stops_talking_is_cut_off(code: bytes) -> None:
    """However often it keeps the connection alive, the whole has a bound."""

    def chatter(connection: socket.socket, over: threading.Event) -> None:
        if code == b"250":
            connection.sendall(b"220 hello\r\n")
            connection.recv(1000)
        while not over.wait(0.02):
            connection.sendall(code + b"-and another thing\r\n")

    with scripted(chatter) as port, pytest.raises(Unavailable):
        mail_to(port, whole_s=0.5)(make_notice(), CONTACT)


def test_a_server_that_hangs_up_after_taking_it_has_taken_it() -> None:
    """How it says goodbye changes nothing; told otherwise, customers would get everything twice."""

    def take(connection: socket.socket, over: threading.Event) -> None:
        file = connection.makefile("rb")
        connection.sendall(b"220 hello\r\n")
        for answer in (b"250 hello", b"250 OK", b"250 OK", b"354 go on"):
            file.readline()
            connection.sendall(answer + b"\r\n")
        while file.readline() != b".\r\n":
            pass
        connection.sendall(b"250 taken\r\n")
        file.readline()

    with scripted(take) as port:
        mail_to(port)(make_notice(), CONTACT)


def test_starttls(tmp_path: Path) -> None:
    """Encrypted from the second command on, the server's name checked, and never without."""
    mailbox, certificate = Mailbox(), make_certificate(tmp_path)
    with serving(mailbox, tls_context=certificate.server) as port:
        mail_to(port, security="starttls", context=certificate.client)(make_notice(), CONTACT)
        with pytest.raises(Unavailable, match=r"(?i)certificate"):
            mail_to(port, security="starttls")(make_notice(), CONTACT)
    assert mailbox.secured == [True]
    with serving(mailbox) as port, pytest.raises(ConfigurationError, match="STARTTLS"):
        mail_to(port, security="starttls")(make_notice(), CONTACT)
    assert len(mailbox.envelopes) == 1, "nothing went through the net in the clear"


def test_tls(tmp_path: Path) -> None:
    """Encrypted from the first byte on."""
    mailbox, certificate = Mailbox(), make_certificate(tmp_path)
    with serving(mailbox, ssl_context=certificate.server) as port:
        mail_to(port, security="tls", context=certificate.client)(make_notice(), CONTACT)
        with pytest.raises(Unavailable, match=r"(?i)certificate"):
            mail_to(port, security="tls")(make_notice(), CONTACT)
    assert mailbox.secured == [True]


def test_a_login(tmp_path: Path) -> None:
    """Over TLS; a wrong password is ours to mend, and is not told."""
    certificate = make_certificate(tmp_path)

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> "AuthResult":
        return AuthResult(success=(data.login, data.password) == (b"earmark", b"right"), handled=False)

    mailbox = Mailbox()
    options = {"tls_context": certificate.server, "authenticator": check, "auth_required": True}
    with serving(mailbox, **options) as port:
        for password in ("right", "wrong"):
            settings = {"security": "starttls", "user": "earmark", "password": SecretStr(password)}
            mail = mail_to(port, context=certificate.client, **settings)
            if password == "right":  # noqa: S105  # a test's
                mail(make_notice(), CONTACT)
            else:
                with pytest.raises(ConfigurationError, match="535") as caught:
                    mail(make_notice(), CONTACT)
                assert "wrong" not in str(caught.value)
    assert len(mailbox.envelopes) == 1


def test_what_cannot_be_right_is_refused_at_the_start() -> None:
    """A sender that is no address; a password in the clear."""
    with pytest.raises(ConfigurationError, match="EARMARK_SMTP_FROM"):
        Mail(MailServer("127.0.0.1"), "nobody", WORDING)
    with pytest.raises(ConfigurationError, match="EARMARK_SMTP_SECURITY"):
        Mail(MailServer("127.0.0.1", security="none", user="me"), SENDER, WORDING)


@pytest.mark.parametrize(
    "address", ["nobody", "a@b@c", "a@", "@b", "<a@b.example>", "a@b.example,c@d.example", "ä@b.example"]
)
def test_a_contact_that_is_no_address_is_not_written_to(address: str) -> None:
    """Nothing is sent to where nobody meant it to go."""
    contact = Contact(channel=Channel.EMAIL, address=address)
    with pytest.raises(ConfigurationError, match="no mail address"):
        mail_to(1)(make_notice(), contact)


def test_a_password_is_not_shown() -> None:
    """In no representation."""
    assert "hunter2" not in repr(MailServer("mail.example", user="me", password=SecretStr("hunter2")))

"""Where webhooks may lead: out onto the public net, at each call, and nowhere else."""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import ConfigurationError, Unavailable
from runtime import posting as module
from runtime import public_address as addresses
from runtime.posting import Posting
from runtime.public_address import leads_inside
from tests.servers.certificate import make_certificate
from tests.servers.receiver import Receiver

PUBLIC = ("93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::808:808")
INSIDE = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.1.2.3", "169.254.169.254",  # noqa: S104  # nobody listens there
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1", "168.63.129.16",
)  # fmt: skip
"""Of the registries of special addresses: RFC 6890 and those after it; and addresses that stand for such."""


class Names:
    """Looks names up as it is told, and counts."""

    def __init__(self, *answers: Sequence[str]) -> None:
        """Take what is answered, one after the other; the last one stays."""
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        """The next answer."""
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_ones_are_called(address: str) -> None:
    """Of both kinds, and behind a translator."""
    assert not leads_inside(ipaddress.ip_address(address))
    Posting(resolve=Names([address])).check("https://acme.example/hooks")


@pytest.mark.parametrize("address", INSIDE)
def test_others_are_not(address: str) -> None:
    """When it is set, whatever the name; also where it is but one of several."""
    assert leads_inside(ipaddress.ip_address(address))
    for answer in ([address], [PUBLIC[0], address], [address, PUBLIC[0]]):
        with pytest.raises(ConfigurationError, match="private network"):
            Posting(resolve=Names(answer)).check("https://acme.example/hooks")


@given(number=st.integers(0, 2**32 - 1))
def test_no_form_of_an_address_hides_it(number: int) -> None:
    """An IPv4 address in one of IPv6 is judged as it is alone, or more strictly."""
    plain = ipaddress.IPv4Address(number)
    forms = (
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x0064_FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
    )
    for form in forms:
        assert leads_inside(form) >= leads_inside(plain)
    assert leads_inside(ipaddress.IPv6Address(number))


@given(number=st.integers(0, 2**32 - 1))
def test_whatever_python_calls_private_is_inside(number: int) -> None:
    """We are stricter than it, never less."""
    address = ipaddress.IPv4Address(number)
    assert leads_inside(address) or address.is_global


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.example/",
        "ftp://acme.example/",
        "file:///etc/passwd",
        "gopher://acme.example/",
        "https:///path",
        "https://user:secret@acme.example/",
        "https://:secret@acme.example/",
        "https://@acme.example/",
        "https://acme.example:port/",
        "https://acme.example:99999/",
        "https://[::1/",
        "https://ä.example/",
        "https://acme.example/\r\nX-Evil: 1",
        "https://acme.example/ x",
        "https://acme.example/\t",
        "//acme.example",
        "acme.example",
        "",
        "https://acme.example/" + "x" * 2000,
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_looked_up(url: str) -> None:
    """And its login is not repeated."""
    names = Names([PUBLIC[0]])
    with pytest.raises(ConfigurationError, match="https://") as caught:
        Posting(resolve=names).check(url)
    assert names.asked == 0
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("port", [0, 22, 25, 80, 389, 445, 1023])
def test_ports_of_other_services_are_refused(port: int) -> None:
    """443 alone of the low ones."""
    with pytest.raises(ConfigurationError, match="port"):
        Posting(resolve=Names([PUBLIC[0]])).check(f"https://acme.example:{port}/")
    for good in (443, 1024, 8443, 65535):
        Posting(resolve=Names([PUBLIC[0]])).check(f"https://acme.example:{good}/")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "[::1]", "[::ffff:7f00:1]"]
)
def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    """The machine's own look-up sees through all of them."""
    with pytest.raises(ConfigurationError, match="private network"):
        Posting().check(f"https://{host}/")


def test_a_name_that_changes_its_mind_is_refused_when_it_is_called() -> None:
    """Set with a public address, called when it leads to this machine: no connection is made."""
    with Receiver() as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        names = Names([PUBLIC[0]], ["127.0.0.1"])
        poster = Posting(resolve=names)
        poster.check(f"https://acme.example:{port}/")
        with pytest.raises(ConfigurationError, match="private network"):
            poster.post(f"https://acme.example:{port}/", b"{}", {})
    assert receiver.calls == []


def test_it_connects_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look-up a call, and the connection goes to its very answer."""
    connected: list[Any] = []

    def connect(address: Any, timeout: float) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(module.socket, "create_connection", connect)
    names = Names([PUBLIC[0], PUBLIC[2]], ["127.0.0.1"])
    with pytest.raises(Unavailable, match="cannot be reached: Connection refused"):
        Posting(resolve=names).post("https://acme.example/", b"{}", {})
    assert names.asked == 1
    assert connected == [(PUBLIC[0], 443), (PUBLIC[2], 443)]


def test_certificate_and_host_are_those_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinned to an address, the server is still asked for, and checked, by its name."""
    certificate, asked = make_certificate(tmp_path), list[str | None]()

    def remember(_: ssl.SSLSocket, name: str | None, __: ssl.SSLContext) -> None:
        asked.append(name)

    certificate.server.sni_callback = remember  # type: ignore[assignment]
    with Receiver() as receiver:
        receiver._server.socket = certificate.server.wrap_socket(receiver._server.socket, server_side=True)
        port = receiver.url.split(":")[2].partition("/")[0]
        poster = Posting(private=True, context=certificate.client, resolve=Names(["127.0.0.1"]))
        assert poster.post(f"https://localhost:{port}/x?y=1", b"{}", {"a": "b"}) == 204
        with pytest.raises(Unavailable, match=r"(?i)certificate"):
            poster.post(f"https://acme.example:{port}/", b"{}", {})
    assert asked == ["localhost", "acme.example"]
    [call] = receiver.calls
    assert (call.path, call.headers["host"]) == ("/x?y=1", f"localhost:{port}")


def test_where_it_is_allowed_this_machine_is_called_without_tls() -> None:
    """For development; out on the net HTTPS stays a must."""
    with Receiver() as receiver:
        assert Posting(private=True).post(receiver.url, b"{}", {}) == 204
    Posting(private=True, resolve=Names(["10.0.0.1"])).check("http://inside.example/")
    with pytest.raises(ConfigurationError, match="https:// alone"):
        Posting(private=True, resolve=Names([PUBLIC[0]])).check("http://acme.example/")


def test_a_name_that_nobody_knows_can_be_tried_again() -> None:
    """It is no fault of the address that a look-up fails."""

    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Unavailable, match="looked up"):
        Posting(resolve=unknown).check("https://acme.example/")
    with pytest.raises(ConfigurationError):
        Posting(resolve=Names([])).check("https://acme.example/")


def test_no_name_and_one_that_leads_inside_are_refused_in_the_same_words(caplog: pytest.LogCaptureFixture) -> None:
    """Else customers could list the names of our network; the log says which it was."""

    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    said = set()
    with caplog.at_level("INFO"):
        for names in (unknown, Names(["10.0.0.1"]), Names([])):
            with pytest.raises((Unavailable, ConfigurationError)) as caught:
                Posting(resolve=names).post("https://acme.example/", b"{}", {})
            said.add(str(caught.value))
    assert len(said) == 1
    assert "Name or service not known" in str([record.__dict__ for record in caplog.records])


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_public_addresses_of_this_machine_are_inside(monkeypatch: pytest.MonkeyPatch, family: int) -> None:
    """Whatever a socket can be bound to, in each form; unless this machine binds to anything."""
    mine = {socket.AF_INET: PUBLIC[1], socket.AF_INET6: PUBLIC[2]}[socket.AddressFamily(family)]
    bindable = {mine}
    monkeypatch.setattr(addresses, "_binds", lambda address, _: address in bindable)
    assert leads_inside(ipaddress.ip_address(mine))
    assert not leads_inside(ipaddress.ip_address(PUBLIC[0]))
    if family == socket.AF_INET:
        assert leads_inside(ipaddress.ip_address(PUBLIC[3]))
        assert leads_inside(ipaddress.ip_address(f"::ffff:{mine}"))
    bindable |= {"192.0.2.1", "2001:db8::1"}
    assert not leads_inside(ipaddress.ip_address(mine))


def test_what_this_machine_has_is_found_without_a_word_sent() -> None:
    """By binding, and where that says nothing by whom a datagram would come from."""
    loopback, other = ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("192.0.2.77")
    assert addresses._binds("127.0.0.1", 4)
    assert not addresses._binds("192.0.2.77", 4)
    assert addresses._is_of_this_machine(loopback)
    assert not addresses._is_of_this_machine(other)


@pytest.mark.parametrize("sent", [b"SSH-2.0-inside_secret\r\n", b"HTTP/1.1 secret inside\r\n\r\n", b""])
def test_what_speaks_no_http_is_not_repeated(sent: bytes) -> None:
    """It may be anything on a port that is open to us alone."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                heard = b""
                while not heard.endswith(b"{}"):  # closed with something unread, it would be reset
                    heard += connection.recv(4096)
                connection.sendall(sent)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unavailable) as caught:
            Posting(private=True).post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})
        thread.join()
    assert "secret" not in str(caught.value)
    assert str(caught.value).endswith("no HTTP" if sent else "without an answer")


def test_one_that_takes_the_call_and_says_nothing_took_too_long() -> None:
    """It is we who hang up, and so it is said."""
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Unavailable, match="took too long"):
        Posting(private=True, whole_s=0.1).post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})


def test_a_slow_look_up_is_part_of_the_whole() -> None:
    """What it used up is missing afterwards."""

    def slow(host: str, port: int) -> Sequence[str]:
        threading.Event().wait(0.05)
        return ["127.0.0.1"]

    with pytest.raises(Unavailable, match="too long"):
        Posting(private=True, resolve=slow, whole_s=0.02).post("http://acme.example:8999/", b"{}", {})

"""``leads_inside``: which addresses of the network are nobody's but ours, and are not called for customers."""

import ipaddress
import socket
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""What IPv6 has given out for the whole net: RFC 4291, section 2.4, and IANA's registry."""
_NEVER: Final[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]] = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # protocol assignments, RFC 6890
    ipaddress.IPv4Network("192.88.99.0/24"),  # relays of 6to4, RFC 7526
    ipaddress.IPv4Network("100.64.0.0/10"),  # shared by carriers, RFC 6598
    ipaddress.IPv4Network("198.18.0.0/15"),  # benchmarks, RFC 2544
    ipaddress.IPv4Network("168.63.129.16/32"),  # the host beneath a machine of Azure, as its documentation says
    ipaddress.IPv6Network("2001::/23"),  # protocol assignments, Teredo among them, RFC 2928
    ipaddress.IPv6Network("2001:db8::/32"),  # documentation, RFC 3849
    ipaddress.IPv6Network("3fff::/20"),  # documentation, RFC 9637
)
"""Beside what Python's ``is_global`` says, which differs between its versions."""
_TRANSLATED: Final = (ipaddress.IPv6Network("64:ff9b::/96"),)
"""IPv4 behind a translator, RFC 6052: how a network without IPv4 calls the rest of the net."""
_NOBODYS: Final = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Of documentation, by version: a machine that can bind to these can bind to anything."""
_LOW_32: Final = 0xFFFF_FFFF


def leads_inside(address: Address) -> bool:
    """Whether an address is none of the public net.

    Such are those of this machine, its public ones among them, of a private or a carrier's network, of a link, of many
    machines at once, of documentation, and of IPv6 all that stand for an IPv4 address of that kind.
    """
    within = _embedded(address)
    if within is not None:
        return leads_inside(within)
    if isinstance(address, ipaddress.IPv6Address) and (address not in _UNICAST or address.scope_id is not None):
        return True
    reserved = address.is_multicast or address.is_reserved or address.is_unspecified or not address.is_global
    never = any(address.version == net.version and address in net for net in _NEVER)
    return reserved or never or _is_of_this_machine(address)


def _is_of_this_machine(address: Address) -> bool:
    """Whether what is sent there arrives here: nothing is sent to find out."""
    if _binds(str(address), address.version) and not _binds(_NOBODYS[address.version], address.version):
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004  # the version of IP
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))  # of a datagram: chooses the sender's address and sends nothing
            return bool(probe.getsockname()[0] == str(address))
    except OSError:
        return False


def _binds(address: str, version: int) -> bool:
    family = socket.AF_INET if version == 4 else socket.AF_INET6  # noqa: PLR2004  # the version of IP
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that one of IPv6 stands for; one of Teredo (RFC 4380) is refused as a whole."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if any(address in net for net in _TRANSLATED):
        return ipaddress.IPv4Address(int(address) & _LOW_32)
    return address.ipv4_mapped or address.sixtofour

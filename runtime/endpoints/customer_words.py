"""Faults in words for customers: without addresses and paths of ours, and with remedies that are theirs to take."""

import re
from typing import Final

from earmark.errors import REMEDIES, InputFault
from earmark.log import masked

_REMEDIES: Final[dict[str, str]] = {
    InputFault.TOO_LARGE: "Split it, or send it in a smaller format.",
    InputFault.TOO_LONG: "Split it, or ask for a higher limit.",
    InputFault.ERASED: "It was erased on request; ask for it to be taken again.",
    InputFault.NOT_FOUND: "Send it again.",
    InputFault.UNREADABLE: "Send it again.",
    InputFault.REGION: "Ask for a model in your region.",
}
"""What a customer can do, where the usual remedy is one for whoever runs the service."""
_USUAL: Final[dict[str, str]] = {str(fault): remedy for fault, remedy in REMEDIES.items()}
_AGAIN: Final = "Send it again later; when it fails again, tell whoever runs the service."
_INSIDE: Final = re.compile(r"(?:file|gs):/\S*|(?<![\w/])/(?:[^\s/]+/)+\S*")
"""Addresses and paths."""
_AROUND: Final = ".,:;)\"'…"
"""What stands behind an address in a sentence."""
_FOR_OPERATORS: Final = ("EARMARK_", "`earmark", "the tenant's")
"""What remedies have that are for whoever runs the service."""


def for_customer(message: str, own: str = "") -> str:
    """A message without addresses and paths of ours; those that are in what the customer wrote its ``own`` stay."""
    written = masked(own)

    def hidden(found: re.Match[str]) -> str:
        return found.group() if found.group().rstrip(_AROUND) in written else "the audio"

    return _INSIDE.sub(hidden, masked(message))


def remedy_for(kind: str, remedy: str) -> str:
    """What a customer can do about a fault of a kind, whose ``remedy`` may be the usual one for operators."""
    if remedy and remedy != _USUAL.get(kind) and not any(word in remedy for word in _FOR_OPERATORS):
        return remedy
    usual = _USUAL.get(kind, "")
    return _REMEDIES.get(kind) or (_AGAIN if not usual or any(word in usual for word in _FOR_OPERATORS) else usual)

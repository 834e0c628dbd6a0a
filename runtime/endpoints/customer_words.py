"""Faults in words for customers: without addresses and paths of ours, and with remedies that are theirs to take."""

import re
from typing import Final

from earmark.errors import InputFault
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
_AGAIN: Final = "Send it again later; when it fails again, tell whoever runs the service."
_INSIDE: Final = re.compile(r"(?:file|gs):/\S*|(?<![\w/])/(?:[^\s/]+/)+\S*")
"""Addresses and paths."""


def for_customer(message: str) -> str:
    """A message without addresses and paths of ours."""
    return _INSIDE.sub("the audio", masked(message))


def remedy_for(kind: str, remedy: str) -> str:
    """What a customer can do about a kind of fault; ``remedy`` is the usual one."""
    inside = "EARMARK_" in remedy or "`earmark" in remedy
    return _REMEDIES.get(kind) or (_AGAIN if inside or not remedy else remedy)

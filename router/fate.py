"""``Fate``: what became of an upload that was routed."""

from enum import StrEnum


class Fate(StrEnum):
    """What became of it."""

    QUEUED = "queued"
    WAITING_ALREADY = "waiting_already"
    """The same content of the same tenant was in a queue."""
    KNOWN = "known"
    """There is an analysis of it."""

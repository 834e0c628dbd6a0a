"""``Filters``: which letters a command of ``earmark dlq`` is about."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Filters:
    """Which letters, in plain words."""

    ids: tuple[str, ...] = ()
    everything: bool = False
    group: str = ""
    tenant: str = ""
    kind: str = ""
    model: str = ""
    since: datetime | None = None
    until: datetime | None = None
    states: frozenset[str] | None = None
    """``None`` = those that the command is about."""

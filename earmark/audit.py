"""``AuditTrail``: who did what, to what and why, as links of a chain in which nothing can be changed unseen.

A link is an object ``links/000000000042.json`` of the audit bucket, written only where there is none of that number,
and holds entries, the hash of the link before it and its own.  The same entries are rows of the table ``audit``.
"""

from collections.abc import Sequence
from typing import Protocol

from pydantic import AwareDatetime

from earmark.metadata import Frozen


class AuditEntry(Frozen):
    """One thing that somebody did.  It holds ids and reasons, no content, no secret and no file's name."""

    at: AwareDatetime
    actor: str
    """A person or a part of the system, as ``retention``."""
    action: str
    """``noun.verb``, as ``retention.hold``."""
    target: str
    """Id of what it was done to."""
    tenant: str = ""
    """Whose it was; empty = nobody's in particular."""
    before: str = ""
    after: str = ""
    reason: str = ""
    policy_version: int | None = None
    """Of the retention policy in force; ``None`` = it has nothing to do with it."""
    detail: str = ""


class Auditing(Protocol):
    """Takes entries; what a part that changes something is given."""

    def __call__(self, entries: Sequence[AuditEntry]) -> None:
        """Write them down durably, all in one link, before anything else happens.

        Raises:
            Unavailable: they could not be written; what was to be done must not be done.
        """
        ...

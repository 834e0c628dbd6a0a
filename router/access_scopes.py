"""``AccessScope``: what a key may be used for."""

from enum import StrEnum


class AccessScope(StrEnum):
    """One thing that a key may be used for."""

    READ = "read"
    """See analyses, batches and exports."""
    WRITE = "write"
    """Send audio, and make, cancel batches."""
    DELETE = "delete"
    """Have analyses erased."""
    WEBHOOKS = "webhooks"
    """Say who is called when jobs are done."""

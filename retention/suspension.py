"""``Suspension``: no more notices to a customer whom one did not reach, until a person has looked into it."""

from pydantic import AwareDatetime

from earmark.domain import TenantName
from earmark.metadata import Frozen


class Suspension(Frozen):
    """It stands while ``cleared_at`` is ``None``; what was cleared stays on record until the next one."""

    tenant: TenantName
    notices: tuple[str, ...]
    """Ids of those that bounced: they allow no deletion, whatever their status says."""
    since: AwareDatetime
    reason: str
    actor: str
    """Who found out: a person, or the part of the system that sent the notice."""
    cleared_at: AwareDatetime | None = None
    cleared_by: str = ""
    clear_reason: str = ""

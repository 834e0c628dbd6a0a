"""``order``: writes down that somebody had a command do something, before it does it."""

from earmark.actor import actor_name
from earmark.audit import AuditEntry, AuditTrail
from earmark.clock import utc_now
from earmark.ports import Clock
from earmark.settings import Settings
from runtime.backend import Backend
from runtime.worker_name import own_name


def order(
    settings: Settings, backend: Backend, action: str, *, tenant: str = "", detail: str = "", clock: Clock = utc_now
) -> None:
    """Write one entry for a whole command; its target is the process, whose name is in what the command leaves.

    Args:
        settings: name the actor.
        backend: where the audit trail is.
        action: ``noun.verb``.
        tenant: whose it is; empty = several, or nobody's.
        detail: counts, no names.
        clock: the present.

    Raises:
        Unavailable: it could not be written; the command must not go on.
    """
    entry = AuditEntry(
        at=clock(),
        actor=actor_name(settings.actor),
        action=action,
        target=own_name(),
        tenant=tenant,
        detail=detail,
    )
    AuditTrail(backend.audit, backend.warehouse, clock, hints=backend.state)([entry])

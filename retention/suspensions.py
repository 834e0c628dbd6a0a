"""``Suspensions``: who gets no notices because one bounced, below ``retention/suspensions/`` of the state store."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from earmark.audit import AuditEntry, Auditing
from earmark.errors import ConfigurationError, PreconditionFailed, Unavailable
from earmark.log import event
from earmark.ports import Clock, ObjectStore
from earmark.rows import Row
from retention.folder import Folder
from retention.notice import read_notice_id
from retention.notices import CHANGES_MAX, Notices, Status, notice_row
from retention.suspension import Suspension

_log = logging.getLogger(__name__)

FOLDER: Final = "retention/suspensions/"
ACTION_BOUNCE: Final = "retention.bounce"
ACTION_CLEAR: Final = "retention.clear"


class Suspensions:
    """All suspensions; safe to use from several threads and processes.

    All methods raise ``Unavailable`` when a store cannot be reached, and ``ConfigurationError`` where what is stored
    is no suspension.
    """

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        notices: Notices,
        *,
        audit: Auditing,
        append: Callable[[Sequence[Row]], None],
    ) -> None:
        """Take the state store, the time, the ledger, who writes changes down, and the warehouse's ``append``."""
        self._folder = Folder(store, FOLDER, Suspension, "suspension")
        self._clock, self._notices, self._audit, self._append = clock, notices, audit, append

    def standing(self) -> dict[str, Suspension]:
        """Those that stand, by customer, looked at now."""
        return {each.tenant: each for each in self._folder.all() if each.cleared_at is None}

    def bounce(self, notice_id: str, reason: str, actor: str) -> Suspension:
        """Say that a notice did not reach its customer: it is void, and no other is sent until ``clear``.

        One write makes it void and suspends the customer, so that no crash leaves one without the other.

        Raises:
            ConfigurationError: there is no such notice, or no reason or actor was given.
        """
        _demand(reason, actor)
        tenant = read_notice_id(notice_id).tenant
        if self._notices.find(notice_id) is None:
            message = f"There is no notice {notice_id!r}.  `earmark retention notices` shows all there are."
            raise ConfigurationError(message)
        now = self._clock()
        self._tell(ACTION_BOUNCE, notice_id, tenant, actor, reason, after="bounced")

        def rule(before: Suspension | None) -> Suspension:
            if before is None or before.cleared_at is not None:
                return Suspension(tenant=tenant, notices=(notice_id,), since=now, reason=reason, actor=actor)
            if notice_id in before.notices:
                return before
            return before.model_copy(update={"notices": (*before.notices, notice_id)})

        suspension = self._change(tenant, rule)
        self._void(notice_id, reason)
        event(_log, "notice.bounced", level=logging.ERROR, tenant=tenant, notice=notice_id, reason=reason)
        return suspension

    def clear(self, tenant: str, reason: str, actor: str) -> Suspension:
        """Let a customer get notices again; what bounced stays void, and its objects get fresh notices.

        Raises:
            ConfigurationError: nothing was suspended, or no reason or actor was given.
        """
        _demand(reason, actor)
        suspension = self.standing().get(tenant)
        if suspension is None:
            message = f"No notices to {tenant!r} are suspended.  `earmark retention notices` shows which are."
            raise ConfigurationError(message)
        self._tell(ACTION_CLEAR, ",".join(suspension.notices), tenant, actor, reason, before="suspended")
        for notice_id in suspension.notices:  # one whose status was not written, as its writer died
            self._void(notice_id, suspension.reason)
        change = {"cleared_at": self._clock(), "cleared_by": actor, "clear_reason": reason}

        def rule(before: Suspension | None) -> Suspension:
            if before is None or before.notices != suspension.notices:
                message = f"Another notice to {tenant} bounced just now; look at it first"
                raise ConfigurationError(message)
            return before if before.cleared_at is not None else before.model_copy(update=change)

        return self._change(tenant, rule)

    def _void(self, notice_id: str, reason: str) -> None:
        now = self._clock()

        def rule(status: Status) -> Status:
            if status.state == "bounced":
                return status
            return status.model_copy(update={"state": "bounced", "bounced_at": now, "detail": reason})

        self._append([notice_row(self._notices.change(notice_id, rule), now)])

    def _change(self, tenant: str, rule: Callable[[Suspension | None], Suspension]) -> Suspension:
        for _ in range(CHANGES_MAX):
            found = self._folder.find(tenant)
            before, generation = (None, 0) if found is None else found
            after = rule(before)
            if after == before:
                return after
            try:
                self._folder.write(tenant, after, if_generation=generation)
            except PreconditionFailed:
                continue
            return after
        message = f"The suspension of {tenant} keeps changing"
        raise Unavailable(message)

    def _tell(
        self, action: str, target: str, tenant: str, actor: str, reason: str, *, before: str = "", after: str = ""
    ) -> None:
        self._audit(
            [
                AuditEntry(
                    at=self._clock(),
                    actor=actor,
                    action=action,
                    target=target,
                    tenant=tenant,
                    before=before,
                    after=after,
                    reason=reason,
                )
            ]
        )


def _demand(reason: str, actor: str) -> None:
    if not reason.strip() or not actor.strip():
        message = "A notice bounces, and its customer is cleared, by somebody and for a reason: give both"
        raise ConfigurationError(message)

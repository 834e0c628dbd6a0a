"""``Notifying``: tells customers what will be deleted, a digest for each and day, and writes down who was told.

A digest is composed, sent over every channel, confirmed when all took it, and then marked in the catalogue.  Killed
between any two of these, the next run goes on there: what accepted a digest does not get it again.  One that nobody
confirmed on its day is not sent later; its objects are in the digest of the day after.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from functools import partial
from itertools import chain, groupby, islice
from typing import Final

from pydantic import NonNegativeInt

from earmark.audit import AuditEntry, Auditing
from earmark.errors import ConfigurationError, Unavailable
from earmark.log import event
from earmark.metadata import Frozen
from earmark.ports import Clock
from earmark.rows import CatalogueRow, Row
from earmark.vocabulary import ObjectState, Tier
from retention.candidates import Candidate
from retention.catalogue import Catalogue, object_id
from retention.notice import TOPIC, Bounced, Channel, Contact, Notice, NoticedObject, Publish, Send, notice_id
from retention.notices import Notices, Status, notice_row, promised
from retention.outcomes import later
from retention.outlook import Outlook
from retention.suspensions import Suspensions

_log = logging.getLogger(__name__)

ACTION: Final = "retention.notify"
AT_ONCE: Final = 32
"""Customers whose digests are composed, written down in one link of the audit trail, and then sent."""
ROWS_AT_ONCE: Final = 500
BEAT_S: Final = 5.0
"""Between signs of life while digests are sent."""
BACK: Final = timedelta(days=31)
"""Of a notice older than this everything was marked, or its objects were told of anew."""


class Notified(Frozen):
    """What came of it, in customers unless said otherwise."""

    sent: NonNegativeInt = 0
    """Digests confirmed now."""
    objects: NonNegativeInt = 0
    """Of these digests."""
    failed: NonNegativeInt = 0
    """Digests that somebody did not take; the next run tries again."""
    bounced: NonNegativeInt = 0
    suspended: NonNegativeInt = 0
    """Customers who are due for one and get none, as an earlier one bounced."""
    waiting: NonNegativeInt = 0
    """Objects due since today's digest was composed: they are in the next one, tomorrow."""
    stopped: bool = False

    def plus(self, **counts: int) -> "Notified":
        """With so many more."""
        return self.model_copy(update={name: getattr(self, name) + count for name, count in counts.items()})


class Notifying:
    """Sends the notices of a plan; run it as often as you like."""

    def __init__(
        self,
        *,
        notices: Notices,
        suspensions: Suspensions,
        catalogue: Catalogue,
        append: Callable[[Sequence[Row]], None],
        publish: Publish,
        senders: Mapping[Channel, Send],
        contacts_of: Callable[[str], Sequence[Contact]],
        outlook: Callable[[], Outlook],
        audit: Auditing,
        clock: Clock,
        threads: int = 8,
    ) -> None:
        """Take the parts.

        Args:
            notices: the ledger.
            suspensions: of customers whom a notice did not reach.
            catalogue: where objects are marked as noticed.
            append: adds rows to the warehouse.
            publish: to the notices topic.
            senders: for each channel; a contact over any other channel counts as out of reach.
            contacts_of: gives where a customer wants notices, one contact a channel at most.
            outlook: gives all that decides about objects, looked at anew.
            audit: writes down what is going to be done.
            clock: gives the time.
            threads: digests sent at the same time.
        """
        self._notices, self._suspensions, self._catalogue, self._append = notices, suspensions, catalogue, append
        self._publish, self._senders, self._contacts_of = publish, senders, contacts_of
        self._outlook, self._audit, self._clock, self._threads = outlook, audit, clock, threads

    def notify(
        self,
        candidates: Iterator[Candidate],
        *,
        plan: str,
        actor: str,
        stop: Callable[[], bool] = lambda: False,
        beat: Callable[[], None] = lambda: None,
    ) -> Notified:
        """Send what is due.

        Args:
            candidates: of notices, in order of customers.
            plan: that they are of.
            actor: who sends.
            stop: asked before every few customers; True ends it there.
            beat: called now and then meanwhile.

        Raises:
            Unavailable: a store, the catalogue or the audit trail cannot be reached; run it again.
        """
        groups = groupby(candidates, key=lambda each: each.line.tenant)
        total, more = Notified(), True
        with ThreadPoolExecutor(self._threads, thread_name_prefix="notices") as pool:
            while more:
                if stop():
                    return total.model_copy(update={"stopped": True})
                outlook, ready, more = self._outlook(), list[Status](), False
                for tenant, group in islice(groups, AT_ONCE):
                    more = True
                    if outlook.suspended(tenant):
                        total = total.plus(suspended=1)
                        continue
                    status, waiting = self._prepare(tenant, _beating(group, beat), outlook)
                    total = total.plus(waiting=waiting)
                    if status is not None:
                        ready.append(status)
                if ready:
                    self._audit([self._entry(each, plan, actor) for each in ready])
                under_way = [pool.submit(self._deliver, each) for each in ready]
                while wait(under_way, timeout=BEAT_S).not_done:
                    beat()
                for future in under_way:
                    status = future.result()
                    total = total.plus(**{status.state: 1})
                    if status.state == "sent":
                        total = total.plus(objects=status.digest.objects)
        return total

    def _prepare(self, tenant: str, group: Iterator[Candidate], outlook: Outlook) -> tuple[Status | None, int]:
        """Today's digest where it is still to be sent, and how many objects came too late for it.

        First what an earlier run confirmed and could not mark is marked.
        """
        now = self._clock()
        today: Status | None = None
        unmarked: list[Status] = []
        for status in self._notices.latest(tenant, (now - BACK).date()):
            if status.digest.id == notice_id(tenant, now):
                today = status
            if status.marked:
                break
            if status.state == "sent":
                unmarked.append(status)
        due, waiting = self._due(group, unmarked, outlook), 0
        if today is None:
            first = next(due, None)
            if first is not None:
                today = self._notices.compose(
                    tenant,
                    chain([first], due),
                    tier=Tier(outlook.timeline.tier_of(tenant, first.row.tier)),
                    term=outlook.timeline.policy.notice,
                    policy_version=outlook.timeline.version,
                )
        else:
            told = self._notices.told(today)
            waiting = sum(told.expires_at(each.id) is None for each in due)
        for status in unmarked:
            self._notices.change(status.digest.id, _marked)
        return today if today is not None and today.state in {"made", "failed"} else None, waiting

    def _due(self, group: Iterator[Candidate], unmarked: Sequence[Status], outlook: Outlook) -> Iterator[NoticedObject]:
        """What is to be told of now; what was told of already is marked on the way."""
        repaired: list[CatalogueRow] = []
        for candidate in group:
            row = candidate.row
            if row is None:
                continue
            for status in unmarked:
                expires_at = self._notices.told(status).expires_at(object_id(row.bucket, row.name, row.generation))
                if expires_at is not None:
                    row = self._noticed(NoticedObject(expires_at=expires_at, row=row), status)
                    repaired.append(row)
                    break
            if len(repaired) >= ROWS_AT_ONCE:
                self._catalogue.record(repaired)
                repaired = []
            standing = outlook.of(row)
            if standing.notice_due:
                yield NoticedObject(expires_at=standing.expires_at, row=row)
        if repaired:
            self._catalogue.record(repaired)

    def _deliver(self, status: Status) -> Status:
        """Send a digest to whoever has not accepted it, and confirm it where all have."""
        identity, faults = status.digest.id, list[str]()
        notice = self._notices.notice(status)
        for name, send in self._ways(notice):
            if name in status.accepted:
                continue
            try:
                send()
            except Bounced as error:
                self._suspensions.bounce(identity, f"{name}: {error.message}", "retention")
                return status.model_copy(update={"state": "bounced"})
            except (Unavailable, ConfigurationError) as error:
                faults.append(f"{name}: {error}")
            else:
                status = self._notices.change(identity, partial(_accepted, name=name))
        ending = partial(_ended, detail="; ".join(faults), confirmed_at=None if faults else self._clock())
        status = self._notices.change(identity, ending)
        self._append([notice_row(status, self._clock())])
        if faults:
            detail = status.detail
            event(_log, "notice.failed", level=logging.WARNING, tenant=notice.tenant, notice=identity, error=detail)
        elif status.state == "sent":
            self._mark(status)
            event(_log, "notice.sent", tenant=notice.tenant, notice=identity, objects=notice.objects)
        return status

    def _ways(self, notice: Notice) -> Iterator[tuple[str, Callable[[], None]]]:
        yield TOPIC, partial(self._publish, notice)
        for contact in self._contacts_of(notice.tenant):
            send = self._senders.get(contact.channel, _nobody)
            yield contact.channel.value, partial(send, notice, contact)

    def _mark(self, status: Status) -> None:
        """Tell the catalogue which objects a confirmed notice told of."""
        objects = self._notices.objects(status)
        while some := list(islice(objects, ROWS_AT_ONCE)):
            self._catalogue.record([self._noticed(each, status) for each in some])
        self._notices.change(status.digest.id, _marked)

    def _noticed(self, each: NoticedObject, status: Status) -> CatalogueRow:
        return each.row.model_copy(
            update={
                "at": later(each.row, self._clock()),
                "state": ObjectState.NOTICED.value,
                "expires_at": each.expires_at,
                "policy_version": status.digest.policy_version,
                "notice": status.digest.id,
                "delete_after": promised(status, each.expires_at),
            }
        )

    def _entry(self, status: Status, plan: str, actor: str) -> AuditEntry:
        digest = status.digest
        return AuditEntry(
            at=self._clock(),
            actor=actor,
            action=ACTION,
            target=digest.id,
            tenant=digest.tenant,
            before=status.state,
            reason=f"plan {plan}",
            policy_version=digest.policy_version,
            detail=f"{digest.objects} objects, {digest.size_bytes} bytes",
        )


def _beating(candidates: Iterator[Candidate], beat: Callable[[], None]) -> Iterator[Candidate]:
    for candidate in candidates:
        beat()
        yield candidate


def _nobody(_: Notice, contact: Contact) -> None:
    message = f"a customer wants notices by {contact.channel}, and nothing is set up to send any"
    raise ConfigurationError(message)


def _marked(status: Status) -> Status:
    return status.model_copy(update={"marked": True})


def _accepted(status: Status, *, name: str) -> Status:
    return status if name in status.accepted else status.model_copy(update={"accepted": (*status.accepted, name)})


def _ended(status: Status, *, detail: str, confirmed_at: object) -> Status:
    """The status after a round of sending; what bounced meanwhile stays bounced, what is confirmed keeps its time."""
    if status.state in {"bounced", "sent"}:
        return status
    state = "failed" if detail else "sent"
    change = {"state": state, "confirmed_at": confirmed_at, "tries": status.tries + 1, "detail": detail}
    return status.model_copy(update=change)

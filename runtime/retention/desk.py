"""``Desk``: the parts that the commands of ``earmark retention`` work with, and a program that rehearses a year."""

import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from earmark.actor import actor_name
from earmark.audit import AuditTrail
from earmark.clock import utc_now
from earmark.errors import ConfigurationError
from earmark.ports import Clock
from earmark.rows import CatalogueRow
from earmark.settings import Settings
from earmark.vocabulary import ObjectClass
from retention import erasing
from retention.applying import Applying
from retention.backstop import not_needed_after
from retention.extensions import Extensions
from retention.folder import Folder
from retention.holds import Holds
from retention.kill_switch import KillSwitch
from retention.notice import Channel, Contact, Notice, Send
from retention.notices import Notices
from retention.notifying import Notifying
from retention.outlook import Outlook
from retention.plan import Plan
from retention.planning import make_plan
from retention.plans import Plans
from retention.policies import Policies
from retention.policy import NOTICED
from retention.receipt import Receipt
from retention.run_ledger import RunLedger
from retention.suspensions import Suspensions
from retention.tiers import Tiers, TiersSeen
from retention.timeline import TierOf, Timeline
from retention.wording import EVENT_TYPE, Wording
from router.tenants import Tenants
from runtime.backend import ARCHIVE, RESULTS, TEMPORARY, UPLOADS, Backend
from runtime.posting import Posting
from runtime.retention.mail import Mail, MailServer
from runtime.retention.webhook import Webhook
from runtime.tenants.tenancy import open_tenants
from runtime.worker_name import is_dead, own_name

USUAL_DAYS: Final = 7
"""Days whose median is the usual day."""


@dataclass(frozen=True)
class Desk:
    """The parts; everything in it takes the time from ``clock``."""

    settings: Settings
    backend: Backend
    clock: Clock
    actor: str
    senders: Mapping[Channel, Send]
    """What reaches customers beside the topic."""

    @cached_property
    def audit(self) -> AuditTrail:
        """Where everything that is done is written down first."""
        return AuditTrail(self.backend.audit, self.backend.warehouse, self.clock, hints=self.backend.state)

    @cached_property
    def policies(self) -> Policies:
        """The versions of the policy."""
        return Policies(self.backend.state, self.clock, self.audit)

    @cached_property
    def holds(self) -> Holds:
        """Legal holds."""
        return Holds(self.backend.state, self.clock, self.audit)

    @property
    def extensions(self) -> Extensions:
        """What enterprise customers keep for longer."""
        return Extensions(
            self.backend.state,
            self.clock,
            self.audit,
            tier_of=self.tier_of(),
            policy=lambda: self.policies.in_force(self.clock()).policy,
        )

    @cached_property
    def notices(self) -> Notices:
        """What customers were told."""
        return Notices(self.backend.state, self.clock)

    @cached_property
    def suspensions(self) -> Suspensions:
        """Who gets no notices."""
        return Suspensions(
            self.backend.state,
            self.clock,
            self.notices,
            audit=self.audit,
            append=self.backend.warehouse.append,
        )

    @cached_property
    def switch(self) -> KillSwitch:
        """What stops all deletions."""
        return KillSwitch(self.backend.state, self.clock, self.audit)

    @cached_property
    def runs(self) -> RunLedger:
        """How far plans were carried out."""
        return RunLedger(self.backend.state, self.clock, own_name=own_name(), is_dead=is_dead)

    @cached_property
    def wording(self) -> Wording:
        """What notices say beside their figures."""
        return wording_of(self.settings)

    @property
    def tenants(self) -> Tenants:
        """The customers of the file, read now, and of the register."""
        return open_tenants(self.settings, self.backend, self.clock)

    def contacts_of(self, tenant: str) -> list[Contact]:
        """Where a customer wants notices."""
        try:
            found = self.tenants.find(tenant)
        except ConfigurationError:  # a customer who left: the topic still tells whoever listens
            return []
        contacts = []
        if found.notice_webhook is not None and found.notice_secret is not None:
            contacts.append(Contact(channel=Channel.WEBHOOK, address=found.notice_webhook, secret=found.notice_secret))
        if found.notice_email is not None:
            contacts.append(Contact(channel=Channel.EMAIL, address=found.notice_email))
        return contacts

    @cached_property
    def applying(self) -> Applying:
        """What carries plans out."""
        notifying = Notifying(
            notices=self.notices,
            suspensions=self.suspensions,
            catalogue=self.backend.catalogue,
            append=self.backend.warehouse.append,
            publish=lambda notice: self.backend.publish_notice(notice_event(notice, self.wording, self.place)),
            senders=self.senders,
            contacts_of=self.contacts_of,
            outlook=self.outlook,
            audit=self.audit,
            clock=self.clock,
        )
        return Applying(
            backend=self.place,
            store_of=self.backend.bucket,
            catalogue=self.backend.catalogue,
            warehouse=self.backend.warehouse,
            plans=self.plans,
            runs=self.runs,
            switch=self.switch,
            outlook=self.outlook,
            notify=notifying.notify,
            audit=self.audit,
            clock=self.clock,
            rate_per_s=self.settings.retention_rate_per_s,
            threads=self.settings.retention_threads,
            batch=self.settings.retention_batch,
        )

    @cached_property
    def plans(self) -> Plans:
        """The plans that were made."""
        return Plans(self.backend.state)

    @property
    def plans_folder(self) -> Path:
        """Where plans are written unless somebody says otherwise."""
        return Path(self.settings.data) / "plans"

    def tier_of(self) -> TierOf:
        """What tells a customer's tier: as it is now, in the file or the register, else as it was when last seen."""
        return self.tiers().tier_of

    def tiers(self) -> TiersSeen:
        """The tiers that customers have now, remembered with their changes."""
        return Tiers(self.backend.state, self.clock).observe(self.tenants.tiers)

    def outlook(self, at: datetime | None = None) -> Outlook:
        """All that decides, as it is now, seen from now or from another moment."""
        view, tiers = self.notices.view(self.suspensions.standing()), self.tiers()
        return Outlook(
            timeline=Timeline(self.policies.versions(), at or self.clock(), tiers.tier_of, tiers.changed),
            holds=self.holds.view(),
            extensions=self.extensions.view(),
            notice_of=view.state_of,
            suspended=view.suspended,
        )

    def make_plan(
        self,
        out: Path | None = None,
        as_of: datetime | None = None,
        classes: Collection[ObjectClass] = frozenset(ObjectClass),
    ) -> Plan:
        """Write a plan and remember that it was made."""
        folder = self.plans_folder
        if out is None:
            folder.mkdir(parents=True, exist_ok=True)
        plan = make_plan(
            self.backend.catalogue,
            self.outlook(as_of),
            out=out or folder,
            backend=self.place,
            made_at=self.clock(),
            usual=self.usual,
            classes=classes,
        )
        self.plans.register(plan)
        return plan

    @property
    def place(self) -> str:
        """Where the objects are, so that a plan for one place is not applied in another."""
        if self.settings.backend == "local":
            return f"local {Path(self.settings.data).absolute()}"
        return f"{self.settings.backend} {self.backend.upload_bucket}"

    @property
    def kept_buckets(self) -> tuple[str, ...]:
        """Buckets that retention looks after."""
        return (UPLOADS, RESULTS, TEMPORARY, ARCHIVE)

    def date(self, bucket: str, row: CatalogueRow, outlook: Outlook) -> None:
        """Tell a bucket when nobody can need an object any more."""
        moment = not_needed_after(outlook.of(row))
        self.backend.bucket(bucket).protect(row.name, if_generation=row.generation, not_needed_after=moment)

    def unfinished_erasures(self) -> list[str]:
        """Ids of erasures that left something, or never came to an end, and that nobody brought to one since."""
        receipts = Folder(self.backend.state, erasing.FOLDER, Receipt, "receipt").all()
        ended = [each for each in receipts if each.state == "complete"]
        return [
            each.erasure
            for each in receipts
            if each.state in {"begun", "incomplete"}
            and not any(
                later.tenant == each.tenant
                and later.requested_at > each.requested_at
                and (later.kind == "tenant" or each.kind == "content")
                for later in ended
            )
        ]

    def usual(self) -> int:
        """Objects deleted on the usual day: the median of the last seven."""
        now = self.clock()
        since = now - timedelta(days=USUAL_DAYS)
        found: dict[str, int] = {}
        for row in self.backend.warehouse.query("deletions_by_day", {"since": since, "until": now}):
            if row["outcome"] == "deleted" and row["object_class"] in NOTICED:
                found[str(row["day"])] = found.get(str(row["day"]), 0) + _whole(row, "objects")
        days = sorted(found.values(), reverse=True)[:USUAL_DAYS]
        return int(statistics.median([*days, *[0] * (USUAL_DAYS - len(days))]))


def open_desk(
    settings: Settings,
    backend: Backend,
    clock: Clock = utc_now,
    *,
    senders: Mapping[Channel, Send] | None = None,
) -> Desk:
    """The parts for a backend; without ``senders`` those that the settings say."""
    ways = make_senders(settings, wording_of(settings), clock) if senders is None else senders
    return Desk(settings, backend, clock, actor_name(settings.actor), ways)


def make_senders(settings: Settings, wording: Wording, clock: Clock) -> dict[Channel, Send]:
    """What calls webhooks and, where a server is set, sends mail."""
    senders: dict[Channel, Send] = {Channel.WEBHOOK: Webhook(wording, clock, Posting(private=settings.webhook_private))}
    if settings.smtp_host:
        server = MailServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=settings.smtp_security,
            user=settings.smtp_user,
            password=settings.smtp_password,
        )
        senders[Channel.EMAIL] = Mail(server, settings.smtp_from, wording)
    return senders


def wording_of(settings: Settings) -> Wording:
    """What notices say beside their figures."""
    return Wording(
        service=settings.retention_service,
        link=settings.retention_page,
        upgrade=settings.retention_upgrade_page,
        contact=settings.retention_contact,
    )


def notice_event(notice: Notice, wording: Wording, source: str) -> dict[str, Any]:
    """A notice as CloudEvents 1.0 says; told again it has the same id."""
    return {
        "specversion": "1.0",
        "id": notice.id,
        "source": f"//earmark/{quote(source)}",
        "type": EVENT_TYPE,
        "subject": notice.tenant,
        "time": notice.made_at.isoformat(),
        "datacontenttype": "application/json",
        "data": wording.payload(notice),
    }


def _whole(row: Mapping[str, object], name: str) -> int:
    value = row[name]
    return value if isinstance(value, int) else 0

"""Everything that retention works with, over stores of one folder, with a clock that is told the time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from earmark.errors import Unavailable
from earmark.ports import Clock, ObjectStore
from earmark.rows import CatalogueRow
from earmark.vocabulary import Tier
from retention.applying import Applied, Applying
from retention.catalogue import object_id
from retention.extensions import Extensions
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
from retention.run_ledger import RunLedger
from retention.suspensions import Suspensions
from retention.timeline import Timeline
from runtime.local.catalogue import LocalCatalogue
from runtime.local.object_store import LocalObjectStore
from runtime.local.warehouse import LocalWarehouse
from tests.retention_rows import Entries, make_row, tier_as_it_came

DAY = timedelta(days=1)
BUCKETS = ("uploads", "results", "temporary", "state")


@dataclass
class Postman:
    """Takes notices; fails or refuses where told to."""

    sent: list[tuple[str, str, str]] = field(default_factory=list)
    """Notice, channel and what it said, in order."""
    notices: list[Notice] = field(default_factory=list)
    faults: dict[str, list[Exception]] = field(default_factory=dict)
    """What the next calls of a channel raise."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def publish(self, notice: Notice) -> None:
        """To the topic."""
        self._take(notice, "topic")

    def send(self, notice: Notice, contact: Contact) -> None:
        """To a contact."""
        self._take(notice, contact.channel.value)

    def _take(self, notice: Notice, channel: str) -> None:
        with self.lock:
            if self.faults.get(channel):
                raise self.faults[channel].pop(0)
            self.sent.append((notice.id, channel, notice.model_dump_json()))
            self.notices.append(notice)

    def got(self, channel: str) -> list[str]:
        """Ids of notices that came over a channel."""
        return [notice for notice, name, _ in self.sent if name == channel]


class Office:
    """The parts, as the commands put them together."""

    def __init__(self, folder: Path, clock: Clock, *, own_name: str = "me", postman: Postman | None = None) -> None:
        """Open the folder."""
        self.folder, self.clock = folder, clock
        self.buckets: dict[str, ObjectStore] = {
            name: LocalObjectStore(folder / "objects", name, clock=clock) for name in BUCKETS
        }
        self.warehouse = LocalWarehouse(folder / "warehouse.sqlite", synchronous="NORMAL")
        self.catalogue = LocalCatalogue(self.warehouse)
        self.audit = Entries()
        self.postman = postman or Postman()
        self.contacts: dict[str, list[Contact]] = {}
        self.senders: dict[Channel, Send] = {Channel.EMAIL: self.postman.send, Channel.WEBHOOK: self.postman.send}
        self.dead: set[str] = set()
        state = self.buckets["state"]
        self.policies = Policies(state, clock, self.audit)
        self.holds = Holds(state, clock, self.audit)
        self.extensions = Extensions(
            state,
            clock,
            self.audit,
            tier_of=lambda *_: Tier.ENTERPRISE,
            policy=lambda: self.policies.in_force(clock()).policy,
        )
        self.notices = Notices(state, clock)
        self.suspensions = Suspensions(state, clock, self.notices, audit=self.audit, append=self.warehouse.append)
        self.switch = KillSwitch(state, clock, self.audit)
        self.plans = Plans(state)
        self.runs = RunLedger(state, clock, own_name=own_name, is_dead=lambda name: name in self.dead)
        self.naps_s: list[float] = []

    def outlook(self) -> Outlook:
        """All that decides, as it is now."""
        view = self.notices.view(self.suspensions.standing())
        return Outlook(
            Timeline(self.policies.versions(), self.clock(), tier_as_it_came),
            self.holds.view(),
            self.extensions.view(),
            view.state_of,
            view.suspended,
        )

    def notifying(self) -> Notifying:
        """What sends notices."""
        return Notifying(
            notices=self.notices,
            suspensions=self.suspensions,
            catalogue=self.catalogue,
            append=self.warehouse.append,
            publish=self.postman.publish,
            senders=self.senders,
            contacts_of=lambda tenant: self.contacts.get(tenant, []),
            outlook=self.outlook,
            audit=self.audit,
            clock=self.clock,
            threads=2,
        )

    def applying(self, *, batch: int = 100, rate_per_s: float = 1e9) -> Applying:
        """What carries plans out."""
        return Applying(
            backend="here",
            store_of=self.buckets.__getitem__,
            catalogue=self.catalogue,
            warehouse=self.warehouse,
            plans=self.plans,
            runs=self.runs,
            switch=self.switch,
            outlook=self.outlook,
            notify=self.notifying().notify,
            audit=self.audit,
            clock=self.clock,
            rate_per_s=rate_per_s,
            threads=2,
            batch=batch,
            pause=self.naps_s.append,
        )

    def upload(self, *names: str, bucket: str = "uploads", content: bytes = b"RIFF", **fields: object) -> None:
        """Put objects into a bucket and tell the catalogue."""
        rows = []
        for name in names:
            info = self.buckets[bucket].write(name, content, content_type="audio/wav")
            replaced = [row for row in self.catalogue.find(bucket, name) if row.state in {"active", "noticed"}]
            rows += [row.model_copy(update={"state": "replaced", "at": self.clock()}) for row in replaced]
            rows.append(
                make_row(
                    name,
                    bucket=bucket,
                    generation=info.generation,
                    size_bytes=len(content),
                    at=self.clock(),
                    created_at=info.created_at,
                    **fields,
                )
            )
        self.catalogue.record(rows)

    def row(self, name: str, bucket: str = "uploads") -> CatalogueRow:
        """The latest generation of an object, as the catalogue knows it."""
        return self.catalogue.find(bucket, name)[0]

    def id_of(self, name: str, bucket: str = "uploads") -> str:
        """Id of the latest generation."""
        return object_id(bucket, name, self.row(name, bucket).generation)

    def plan(self, *, usual: int = 1_000_000) -> Plan:
        """Make a plan and register it."""
        (self.folder / "plans").mkdir(exist_ok=True)
        plan = make_plan(
            self.catalogue,
            self.outlook(),
            out=self.folder / "plans",
            backend="here",
            made_at=self.clock(),
            usual=lambda: usual,
        )
        self.plans.register(plan)
        return plan

    def apply(
        self,
        plan: Plan | None = None,
        *,
        execute: bool = True,
        approve: bool = True,
        batch: int = 100,
        progress: Callable[[object], object] = lambda _: None,
    ) -> Applied:
        """Carry a plan out, a new one unless one is given."""
        return self.applying(batch=batch).apply(
            (plan or self.plan()).path,
            execute=execute,
            approve=approve,
            reason="daily",
            actor="ada",
            progress=progress,
        )

    def names(self, bucket: str = "uploads") -> list[str]:
        """What is in a bucket."""
        return [info.name for info in self.buckets[bucket].scan()]

    def outcomes(self) -> dict[str, list[str]]:
        """Outcomes by object id, from the table of the warehouse; several of one object are several plans'."""
        found: dict[str, list[str]] = {}
        for row in self.rows("deletions"):
            found.setdefault(str(row["object_id"]), []).append(str(row["outcome"]))
        return found

    def rows(self, table: str) -> list[dict[str, object]]:
        """All rows of a table."""
        database = self.warehouse.database

        def work(connection: object) -> list[dict[str, object]]:
            cursor = connection.execute(f'SELECT * FROM "{table}"')  # type: ignore[attr-defined]  # noqa: S608
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

        return database.read(work)


def email(tenant: str) -> Contact:
    """A mail address of a customer."""
    return Contact(channel=Channel.EMAIL, address=f"archive@{tenant}.example")


def webhook(tenant: str) -> Contact:
    """A webhook of a customer."""
    return Contact(channel=Channel.WEBHOOK, address=f"https://{tenant}.example/hook")


def down(what: str = "down") -> Unavailable:
    """Something that may go away by itself."""
    return Unavailable(what)

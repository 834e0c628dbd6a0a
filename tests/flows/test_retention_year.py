"""A year and a half of uploads, day by day, beside a model that knows nothing of ``retention``.

Month ends, a leap day, tiers that change, extensions, holds, policies, mails that fail and bounce, files uploaded
again: after every day the buckets hold what the model says, nothing less and nothing more.
"""

import os
import random
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from earmark.errors import Unavailable
from earmark.rows import CatalogueRow
from earmark.settings import Settings
from earmark.vocabulary import Tier
from retention.catalogue import object_id
from retention.notice import Channel, Contact, Notice
from retention.policy import Keep, load_policy
from retention.scope import Scope
from retention.term import Term
from runtime.retention.desk import Desk, open_desk
from runtime.wiring import connect
from tests.clock import ManualClock
from tests.retention_model import Keeping, World

TENANTS = ("alder", "birch", "cedar", "dogwood")
DAYS = 540
SEEDS = [int(each) for each in os.environ.get("RETENTION_SEEDS", "1").split(",")]
SHIPPED = {"free": "30 days", "pro": "6 months", "enterprise": "1 year"}


class Year:
    """The system and the model, fed with the same."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.clock = ManualClock()
        self.clock.time = datetime(2027, 8, 29, 1, tzinfo=UTC)
        self.tenants = folder / "tenants.toml"
        self.world = World(
            tiers=dict(zip(TENANTS, ("free", "pro", "enterprise", "enterprise"), strict=True)),
            policies=[(datetime(1970, 1, 1, tzinfo=UTC), SHIPPED)],
        )
        self.write_tenants()
        settings = Settings(data=folder / "data", tenants=self.tenants, synchronous="NORMAL")
        self.broken: set[str] = set()
        self.refused: set[str] = set()
        self.desk: Desk = open_desk(
            settings, connect(settings, self.clock), self.clock, senders={Channel.EMAIL: self.send}
        )
        self.uploads = self.desk.backend.bucket("uploads")
        self.held: list[tuple[str, Keeping]] = []
        self.extended: list[tuple[str, Keeping]] = []
        self.confirmed: dict[str, datetime] = {}

    def send(self, notice: Notice, contact: Contact) -> None:
        """Deliver a mail, or fail for a while, or for good."""
        assert contact.address == f"mail@{notice.tenant}.example"
        if notice.tenant in self.broken:
            message = "451 try again"
            raise Unavailable(message)
        self.confirmed[notice.id] = self.clock()

    def write_tenants(self) -> None:
        """The file of tenants as it is now."""
        text = "".join(
            f'[{name}]\ntier = "{tier}"\nnotice_email = "mail@{name}.example"\n'
            for name, tier in self.world.tiers.items()
        )
        self.tenants.write_text(text)

    def upload(self, name: str, tenant: str) -> None:
        """Put a file into the upload bucket, as a customer does, and tell the catalogue, as the router does."""
        info = self.uploads.write(name, self.dice.randbytes(20), content_type="audio/wav")
        rows = [
            row.model_copy(update={"state": "replaced", "at": self.clock()})
            for row in self.desk.backend.catalogue.find("uploads", name)
            if row.state in {"active", "noticed"}
        ]
        row = CatalogueRow(
            row_id=object_id("uploads", name, info.generation), tenant=tenant, at=self.clock(), bucket="uploads",
            name=name, generation=info.generation, object_class="upload", tier=self.world.tiers[tenant], region=None,
            size_bytes=20, content_type="audio/wav", content_sha256=None, job_id=None, created_at=info.created_at,
            state="active", expires_at=None, policy_version=None, notice=None, delete_after=None,
        )  # fmt: skip
        self.desk.backend.catalogue.record([*rows, row])
        self.world.arrive(name, tenant, info.generation, info.created_at)

    def happen(self) -> None:  # noqa: C901  # a list of what may happen
        """What people do on a day."""
        dice, now = self.dice, self.clock()
        tenant = dice.choice(TENANTS)
        living = [each for each in self.world.living() if each.tenant == tenant]
        match dice.randrange(24):
            case 0:
                self.world.tiers[tenant] = dice.choice(["free", "pro", "enterprise"])
                self.write_tenants()
            case 1 | 2 if living:
                name = dice.choice(living).name
                prefix = dice.choice([name, name[: name.index("/") + 2]])
                kind = "object" if prefix == name else "prefix"
                hold = self.desk.holds.place(Scope(kind=kind, bucket="uploads", name=prefix), "a case", "judge")
                self.held.append((hold.id, Keeping(prefix, "", now)))
                self.world.holds.append(self.held[-1][1])
            case 3 | 4 if self.held:
                hold_id, keeping = self.held.pop(dice.randrange(len(self.held)))
                self.desk.holds.release(hold_id, "closed", "judge")
                keeping.ended_at = now
            case 5 | 6 if self.world.tiers[tenant] == "enterprise":
                until = now + timedelta(days=dice.randrange(1, 200), hours=dice.randrange(24))
                scope = Scope(kind="tenant", tenant=tenant)
                extension = self.desk.extensions.grant(scope, until, "wanted", "agent", "chief")
                self.extended.append((extension.id, Keeping("", tenant, now, until)))
                self.world.extensions.append(self.extended[-1][1])
            case 7 if self.extended:
                extension_id, keeping = self.extended.pop(dice.randrange(len(self.extended)))
                if keeping.until is not None and keeping.until > now:
                    self.desk.extensions.withdraw(extension_id, "not wanted", "agent")
                    keeping.ended_at = now
            case 8 if dice.random() < 0.3:
                self.legislate(now + timedelta(days=dice.choice([0, 0, 3, 20, 60])))
            case 9:
                self.broken ^= {tenant}
            case 10 if self.confirmed:
                notice = dice.choice(list(self.confirmed)[-6:])
                owner, day = notice.split("/")
                self.desk.suspensions.bounce(notice, "mailbox full", "mail")
                self.world.bounce(owner, day)
            case 11 | 12 if self.world.suspended:
                owner = min(self.world.suspended)
                self.desk.suspensions.clear(owner, "new address", "agent")
                self.world.suspended.discard(owner)

    def legislate(self, start: datetime) -> None:
        """Register another policy."""
        free, pro, enterprise = (
            self.dice.choice(terms)
            for terms in (["10 days", "30 days", "45 days"], ["3 months", "6 months"], ["5 months", "1 year"])
        )
        terms = {"free": free, "pro": pro, "enterprise": enterprise}
        year = Term.parse("1 year")
        keep = {Tier(tier): Keep(upload=Term.parse(term), result=year) for tier, term in terms.items()}
        policy = load_policy().model_copy(update={"keep": keep})
        self.desk.policies.register(policy, start, "chief", "new prices")
        self.world.policies.append((start, terms))

    def work(self) -> None:
        """One run of retention, and of the model."""
        plan = self.desk.make_plan()
        applied = self.desk.applying.apply(plan.path, execute=True, approve=True, reason="daily", actor="retention")
        assert not applied.stopped
        plan.path.unlink()
        self.world.run(self.clock(), lambda tenant: tenant not in self.broken)
        there = [(info.name, info.generation) for info in self.uploads.scan()]
        expected = sorted((thing.name, thing.generation) for thing in self.world.living())
        assert there == expected, f"on {self.clock()}: {set(there) ^ set(expected)}"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_year_and_a_half(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing early, nothing late, a notice before each."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power cut is played here, and it takes most of the time
    year = Year(tmp_path, seed)
    for day in range(DAYS):
        for _ in range(year.dice.randrange(3)):
            year.clock.move(year.dice.randrange(20_000))
            tenant = year.dice.choice(TENANTS)
            name = f"{tenant}/{year.dice.choice('ab')}{year.dice.randrange(60)}.wav"
            year.upload(name, tenant)
        for _ in range(2):
            year.happen()
        now = year.clock()
        year.clock.time = max(now, now.replace(hour=2 + day % 3, minute=0, second=0, microsecond=0))
        if year.clock().hour < 2:
            year.clock.time += timedelta(hours=2)
        year.work()
        year.clock.time = (year.clock() + timedelta(days=1)).replace(hour=0, minute=30)
    with sqlite3.connect(tmp_path / "data" / "warehouse.sqlite") as database:
        told = database.execute("SELECT at, notice_confirmed_at, expires_at FROM deletions WHERE outcome = 'deleted'")
        for at, confirmed_at, expires_at in told:
            assert datetime.fromisoformat(at) >= datetime.fromisoformat(confirmed_at) + timedelta(days=7)
            assert at >= expires_at
    ends = [thing.gone for thing in year.world.things]
    assert min(ends.count(""), ends.count("deleted"), ends.count("replaced")) > 20

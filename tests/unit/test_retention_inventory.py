"""The comparison of the catalogue with what is there: what is found, what is put right, and what is left alone."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from earmark.ports import ObjectInfo
from earmark.rows import CatalogueRow, InventoryRow
from earmark.vocabulary import ObjectState
from retention.backstop import GRACE
from retention.catalogue import LIVE, object_id
from retention.holds import Hold, HoldsNow
from retention.inventory import Inventory, Owner
from retention.outlook import Outlook
from retention.scope import read_scope
from retention.standing import NoticeState
from retention.timeline import Timeline
from runtime.local.catalogue import LocalCatalogue
from runtime.local.object_store import LocalObjectStore
from runtime.local.warehouse import LocalWarehouse
from tests.clock import ManualClock
from tests.flaky import FlakyStore
from tests.retention_rows import EPOCH, NO_EXTENSIONS, make_policy, make_row, make_versions, tier_as_it_came

DAY = timedelta(days=1)
VERSIONS = make_versions(make_policy(free="30 days", pro="6 months"))


class Shelf:
    """A bucket and a catalogue."""

    def __init__(self, folder: Path, bucket: str = "uploads") -> None:
        """Make both, empty."""
        self.clock = ManualClock()
        self.bucket = bucket
        self.local = LocalObjectStore(folder / "objects", bucket, clock=self.clock)
        self.store = FlakyStore(self.local)
        self.catalogue = LocalCatalogue(LocalWarehouse(folder / "warehouse.sqlite", synchronous="NORMAL"), page_rows=7)
        self.holds: list[Hold] = []
        self.notices: dict[str, NoticeState] = {}
        self.dated: dict[str, datetime | None] = {}
        self.store.protect = self._protect  # type: ignore[method-assign]  # a local store forgets what it was told

    def put(self, name: str, content: bytes = b"sound") -> ObjectInfo:
        """Put an object there."""
        return self.local.write(name, content, content_type="audio/wav")

    def known(self, info: ObjectInfo, **fields: object) -> CatalogueRow:
        """Let the catalogue know of an object."""
        row = make_row(
            info.name, bucket=self.bucket, generation=info.generation, created_at=info.created_at,
            at=info.created_at, size_bytes=info.size_bytes, **fields,
        )  # fmt: skip
        self.catalogue.record([row])
        return row

    def compare(
        self,
        objects: Iterator[ObjectInfo] | None = None,
        *,
        strangers: Sequence[str] = (),
        taken_at: datetime | None = None,
        execute: bool = True,
    ) -> InventoryRow:
        """Compare."""
        outlook = Outlook(
            timeline=Timeline(VERSIONS, self.clock(), tier_as_it_came),
            holds=HoldsNow(self.holds),
            extensions=NO_EXTENSIONS,
            notice_of=lambda row: self.notices.get(row.name),
            suspended=lambda _: False,
        )
        inventory = Inventory(catalogue=self.catalogue, outlook=outlook, owner_of=owner_of)
        return inventory.compare(
            self.bucket, self.store, objects, strangers=strangers, taken_at=taken_at, execute=execute
        )

    def row(self, name: str) -> CatalogueRow:
        """The latest row of a name."""
        return self.catalogue.find(self.bucket, name)[0]

    def _protect(
        self, name: str, *, if_generation: int, held: bool | None = None, not_needed_after: datetime | None = None
    ) -> bool:
        assert held is None
        self.dated[f"{name}#{if_generation}"] = not_needed_after
        return self.local.protect(name, if_generation=if_generation, not_needed_after=not_needed_after)


def owner_of(name: str) -> Owner | None:
    """Everybody but one is a customer."""
    return None if name == "nobody" else Owner(name, "pro", "eu")


def found(row: InventoryRow) -> tuple[int, int, int, int]:
    """The four counts."""
    return (row.objects, row.orphans, row.ghosts, row.overdue)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty one."""
    return Shelf(tmp_path)


def test_what_agrees_is_counted(shelf: Shelf) -> None:
    """Objects and bytes; nothing is found and, the second time, nothing written."""
    for name in ("acme/a.wav", "acme/ä.wav", "b/c/d.wav"):
        shelf.known(shelf.put(name))
    shelf.clock.move(7200)
    row = shelf.compare()
    assert found(row) == (3, 0, 0, 0)
    assert (row.bucket, row.size_bytes, row.tenant, row.at, row.overdue_s) == ("uploads", 15, "", shelf.clock(), 0.0)
    assert len(shelf.dated) == 3
    shelf.dated.clear()
    before = [each.at for each in shelf.catalogue.scan("uploads")]
    shelf.clock.move(86_400)
    assert found(shelf.compare()) == (3, 0, 0, 0)
    assert [each.at for each in shelf.catalogue.scan("uploads")] == before
    assert shelf.dated == {}


def test_an_orphan_gets_a_row(shelf: Shelf) -> None:
    """Its owner is in its name, its time began when the store says it came; what is nobody's is only counted."""
    info = shelf.put("acme/a.wav")
    for name in ("nobody/a.wav", "loose.wav"):
        shelf.put(name)
    shelf.clock.move(3600)
    assert found(shelf.compare()) == (3, 3, 0, 0)
    row = shelf.row("acme/a.wav")
    assert row.row_id == object_id("uploads", "acme/a.wav", info.generation)
    assert (row.tenant, row.tier, row.region, row.object_class) == ("acme", "pro", "eu", "upload")
    assert (row.created_at, row.state) == (info.created_at, "active")
    assert row.expires_at is not None
    assert shelf.dated == {f"acme/a.wav#{info.generation}": row.expires_at + GRACE}
    assert found(shelf.compare()) == (3, 2, 0, 0)


def test_what_is_nobodys_is_counted(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    """Each time anew, with files that are no objects, and their names are logged; what gets a row is somebody's."""
    for name in ("acme/a.wav", "nobody/a.wav", "loose.wav"):
        shelf.put(name)
    shelf.clock.move(3600)
    first, second = shelf.compare(), shelf.compare(strangers=["uploads/acme/a\\tb.wav"])
    assert [(row.orphans, row.nobodys) for row in (first, second)] == [(3, 2), (3, 3)]
    logged = [vars(record)["fields"] for record in caplog.records if record.levelname == "WARNING"]
    assert {str(fields.get("object") or fields.get("file")) for fields in logged if "overdue_s" not in fields} == {
        "nobody/a.wav", "loose.wav", "uploads/acme/a\\tb.wav",
    }  # fmt: skip
    old = {name: value for name, value in first.model_dump().items() if name != "nobodys"}
    assert InventoryRow.model_validate(old).nobodys == 0


@pytest.mark.parametrize(
    ("bucket", "name", "tenant", "object_class", "job_id"),
    [
        ("results", "analyses/acme/1234.json", "acme", "result", "1234"),
        ("results", "analyses/acme/odd", "acme", "result", None),
        ("results", "acme/1234.json", None, "", None),
        ("temporary", "acme/a", "acme", "temporary", None),
        ("archive", "acme/a", "acme", "upload", None),
    ],
)
def test_orphans_of_each_bucket(
    tmp_path: Path, bucket: str, name: str, tenant: str | None, object_class: str, job_id: str | None
) -> None:
    """What an object is and whose follows from where it lies."""
    shelf = Shelf(tmp_path, bucket)
    shelf.put(name)
    shelf.clock.move(3600)
    assert found(shelf.compare()) == (1, 1, 0, 0)
    rows = shelf.catalogue.find(bucket, name)
    told = [(row.tenant, row.object_class, row.job_id) for row in rows]
    assert told == ([] if tenant is None else [(tenant, object_class, job_id)])


def test_a_ghost_is_told_of(shelf: Shelf) -> None:
    """A row whose object is gone says so; one whose object was replaced says that, and the new one gets a row."""
    gone, old = shelf.put("acme/gone.wav"), shelf.put("acme/replaced.wav")
    for info in (gone, old):
        shelf.known(info)
    shelf.local.delete("acme/gone.wav", if_generation=gone.generation)
    shelf.clock.move(60)
    shelf.put("acme/replaced.wav", b"newer")
    shelf.clock.move(7200)
    assert found(shelf.compare()) == (1, 1, 2, 0)
    assert shelf.row("acme/gone.wav").state == "missing"
    assert [row.state for row in shelf.catalogue.find("uploads", "acme/replaced.wav")] == ["active", "replaced"]
    assert found(shelf.compare()) == (1, 0, 0, 0)


def test_what_is_on_its_way_is_left_alone(shelf: Shelf) -> None:
    """An object that came less than an hour ago may get its row yet, and a row its object."""
    shelf.put("acme/new.wav")
    shelf.catalogue.record([make_row("acme/ghost.wav", at=EPOCH, created_at=EPOCH)])
    shelf.clock.move(3599)
    assert found(shelf.compare()) == (1, 0, 0, 0)
    shelf.clock.move(1)
    assert found(shelf.compare()) == (1, 1, 1, 0)


def test_a_look_changes_nothing(shelf: Shelf) -> None:
    """Without ``execute`` everything is found and nothing written or told to the store."""
    shelf.put("acme/orphan.wav")
    shelf.known(shelf.put("acme/fine.wav"))
    shelf.catalogue.record([make_row("acme/ghost.wav")])
    shelf.clock.move(7200)
    before = list(shelf.catalogue.scan("uploads"))
    assert found(shelf.compare(execute=False)) == (2, 1, 1, 0)
    assert list(shelf.catalogue.scan("uploads")) == before
    assert shelf.dated == {}


def test_what_changes_meanwhile_stands(shelf: Shelf) -> None:
    """What is found bears the time at which the look began: a deletion written down since is not taken back."""
    info = shelf.put("acme/a.wav")
    row = shelf.known(info)
    shelf.clock.move(7200)
    began_at = shelf.clock()
    listing = iter([info])
    shelf.local.delete("acme/a.wav", if_generation=info.generation)
    shelf.catalogue.record(
        [row.model_copy(update={"state": ObjectState.DELETED, "at": began_at + timedelta(seconds=5)})]
    )
    shelf.clock.move(60)
    assert found(shelf.compare(listing, taken_at=began_at)) == (1, 0, 0, 0)
    assert shelf.row("acme/a.wav").state == "deleted"


def test_an_old_report_makes_no_ghosts(shelf: Shelf) -> None:
    """What came after a report was made is no ghost for lack of it; the store is asked before a row is written off."""
    early = shelf.put("acme/early.wav")
    shelf.known(early)
    shelf.clock.move(7200)
    taken_at = shelf.clock()
    shelf.clock.move(7200)
    shelf.known(shelf.put("acme/late.wav"))
    shelf.clock.move(7200)
    assert found(shelf.compare(iter([early]), taken_at=taken_at)) == (1, 0, 0, 0)
    assert found(shelf.compare(iter([]), taken_at=taken_at)) == (0, 0, 0, 0)
    assert [row.state for row in shelf.catalogue.scan("uploads")] == ["active", "active"]


def told(confirmed_days: float, promised_days: float) -> NoticeState:
    """A good notice."""
    return NoticeState(EPOCH + confirmed_days * DAY, bounced=False, delete_after=EPOCH + promised_days * DAY)


def test_what_should_be_gone_is_overdue(shelf: Shelf) -> None:
    """More than 25 hours after the moment it was to go, and for how long; not while a rule keeps it."""
    row = shelf.known(shelf.put("acme/a.wav"))
    shelf.notices["acme/a.wav"] = told(23, 30)
    shelf.known(shelf.put("acme/untold.wav"))
    shelf.clock.move(31 * 86_400 + 3600 - 1)
    assert found(shelf.compare()) == (2, 0, 0, 0)
    shelf.clock.move(1)
    late = shelf.compare()
    assert (found(late), late.overdue_s) == ((2, 0, 0, 1), 25 * 3600.0)
    placed = Hold(id="h", scope=read_scope(tenant="acme"), reason="r", actor="ada", placed_at=EPOCH)
    shelf.holds = [placed]
    assert shelf.compare().overdue == 0
    shelf.holds = [placed.model_copy(update={"released_at": shelf.clock()})]
    assert shelf.compare().overdue == 0, "a run has a day to come to it"
    shelf.notices["acme/a.wav"] = told(40, 47)
    shelf.clock.move(20 * 86_400)
    assert shelf.compare().overdue == 2, "that its customer was never told is no excuse"
    assert shelf.row("acme/a.wav").row_id == row.row_id


def test_what_nobody_was_told_of(shelf: Shelf) -> None:
    """Late once its notice, the week behind it and a day for a run are over; where notices bounce that is the alarm."""
    shelf.known(shelf.put("acme/a.wav"))
    shelf.clock.move((30 + 1 + 7 + 1) * 86_400 + 3600 - 1)
    assert shelf.compare().overdue == 0
    shelf.clock.move(1)
    assert shelf.compare().overdue == 1
    shelf.notices["acme/a.wav"] = NoticeState(EPOCH + 23 * DAY, bounced=True, delete_after=EPOCH + 30 * DAY)
    assert shelf.compare().overdue == 0


def test_the_store_hears_when_the_end_moves_later(shelf: Shelf) -> None:
    """A longer term reaches the store before the old one would let it delete, and the row says so."""
    info = shelf.put("acme/a.wav")
    shelf.known(info, expires_at=info.created_at + 10 * DAY, policy_version=1)
    shelf.clock.move(7200)
    shelf.compare()
    assert shelf.dated == {f"acme/a.wav#{info.generation}": info.created_at + 30 * DAY + GRACE}
    assert shelf.row("acme/a.wav").expires_at == info.created_at + 30 * DAY


def test_an_object_that_goes_while_the_store_is_told(shelf: Shelf) -> None:
    """Replaced or deleted at that very moment, it is left to the next look."""
    info = shelf.put("acme/a.wav")
    shelf.known(info)
    shelf.clock.move(7200)
    listing = iter([info])
    shelf.put("acme/a.wav", b"newer")
    assert found(shelf.compare(listing)) == (1, 0, 0, 0)
    assert shelf.row("acme/a.wav").expires_at is None


@pytest.mark.parametrize("seed", range(12))
def test_the_catalogue_is_right_afterwards(tmp_path: Path, seed: int) -> None:
    """Whatever is there and whatever is known, one look makes the catalogue say what is there, and finds no more."""
    shelf, choice = Shelf(tmp_path), Random(seed)
    names = [f"{tenant}/{name}" for tenant in ("a", "a-b", "b") for name in ("1", "2/x", "é", "~")]
    orphans = ghosts = 0
    for name in names:
        for _ in range(choice.randrange(3)):
            info = shelf.put(name, choice.randbytes(4))
            shelf.clock.move(10)
            if choice.random() < 0.6:
                shelf.known(info, state=choice.choice(list(ObjectState)))
        present = shelf.local.stat(name)
        if present is not None and choice.random() < 0.3:
            shelf.local.delete(name, if_generation=present.generation)
            present = None
        live = [row for row in shelf.catalogue.find("uploads", name) if row.state in LIVE]
        orphans += present is not None and present.generation not in [row.generation for row in live]
        ghosts += sum(present is None or row.generation != present.generation for row in live)
    shelf.clock.move(7200)
    there = {(info.name, info.generation) for info in shelf.local.scan()}
    assert found(shelf.compare())[:3] == (len(there), orphans, ghosts)
    assert {(row.name, row.generation) for row in shelf.catalogue.scan("uploads")} == there
    assert found(shelf.compare())[:3] == (len(there), 0, 0)

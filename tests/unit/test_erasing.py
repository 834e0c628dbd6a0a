"""Erasure: holds forbid it, tombstones stay, every store is gone through until nothing is left, and a receipt tells."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.audit import pseudonym
from earmark.errors import ConfigurationError, InputFault, InputRejected, Unavailable
from earmark.ports import ObjectStore
from retention.erasing import FOLDER, PASSES, Eraser, covers
from retention.folder import Folder
from retention.holds import Hold
from retention.receipt import Receipt, receipt_text
from retention.scope import Scope
from retention.stores import Erased, ErasureRequest, ExemptStore, ObjectsStore, Place, below, named, segments
from retention.tombstones import FOLDER as TOMBSTONES
from retention.tombstones import FRESH_S, Tombstone, Tombstones, content_name, place_hash, tenant_name
from runtime.local.object_store import LocalObjectStore
from runtime.retention.desk import Desk
from tests.clock import ManualClock
from tests.flaky import FlakyStore
from tests.making import EPOCH, make_job, make_upload
from tests.retention_rows import Entries

SHA = hashlib.sha256(b"sound").hexdigest()


class Shelf:
    """A store of plain items."""

    holds, remains, remains_for = "items", "", None

    def __init__(self, name: str, items: int, *, stays: int = 0, held: int = 0, seen: tuple[str, ...] = ()) -> None:
        """Take how many items there are, and for how many looks the last one stays."""
        self.name, self.items, self.stays, self.holding, self.seen = name, items, stays, held, seen
        self.looks = 0

    def erase(self, request: ErasureRequest) -> Erased:
        """All but what stays."""
        self.looks += 1
        kept = min(self.items, 1) if self.stays > 0 else 0
        self.stays -= 1
        removed, self.items = self.items - kept, kept
        return Erased(removed, 10 * removed, "one is in use" if kept else "")

    def left(self, request: ErasureRequest) -> int:
        """What there is."""
        return self.items

    def held(self, request: ErasureRequest) -> int:
        """What is held."""
        return self.holding

    def tenants(self) -> Iterator[str]:
        """Whose it is."""
        return iter(self.seen)


class Office:
    """An eraser with all its parts."""

    def __init__(self, state: ObjectStore, *shelves: Any, passes: int = PASSES) -> None:
        """Take the state store and the stores."""
        self.state, self.shelves = state, shelves
        self.clock = ManualClock()
        self.audit = Entries()
        self.holds: list[Hold] = []
        self.pauses: list[float] = []
        self.tombstones = Tombstones(state, self.clock, fresh_s=0)
        self.eraser = Eraser(
            stores=shelves,
            tombstones=self.tombstones,
            holds=lambda: self.holds,
            audit=self.audit,
            state=state,
            clock=self.clock,
            pause=self.pauses.append,
            passes=passes,
        )

    def erase(self, asked: ErasureRequest | None = None) -> Receipt:
        """Erase for a reason."""
        return self.eraser.erase(asked or request(), reason="acme asked", actor="ada")

    @property
    def actions(self) -> list[str]:
        """What was written down."""
        return [entry.action for entry in self.audit]


def request(kind: str = "tenant", **fields: Any) -> ErasureRequest:
    """A request about a customer."""
    return ErasureRequest.model_validate({"id": "e-1", "at": EPOCH, "kind": kind, "tenant": "acme", **fields})


def hold(scope: Scope, **fields: Any) -> Hold:
    """A hold that stands."""
    given: dict[str, Any] = {"id": "h-1", "scope": scope, "reason": "case 7", "actor": "bob", "placed_at": EPOCH}
    return Hold(**{**given, **fields})


@pytest.fixture
def state(tmp_path: Path) -> LocalObjectStore:
    """A bucket."""
    return LocalObjectStore(tmp_path / "objects", "state")


def test_everything_is_erased_and_looked_at_again(state: LocalObjectStore) -> None:
    """Store by store, with counts, after the tombstone and its moment."""
    office = Office(state, Shelf("uploads", 3), Shelf("rows", 2), ExemptStore("policies", "terms", "they are kept"))
    receipt = office.erase()
    assert receipt.state == "complete"
    assert [(each.name, each.found, each.removed, each.left) for each in receipt.stores] == [
        ("uploads", 3, 3, 0),
        ("rows", 2, 2, 0),
        ("policies", 0, 0, 0),
    ]
    assert receipt.stores[0].size_bytes == 30
    assert (receipt.passes, office.pauses) == (1, [FRESH_S + 1])
    assert office.tombstones.tenant("acme") is not None
    assert office.actions == ["retention.erase", "retention.erased"]


def test_what_is_in_use_is_waited_for(state: LocalObjectStore) -> None:
    """A job that a worker has goes with a later look."""
    office = Office(state, Shelf("uploads", 3), Shelf("queues", 2, stays=3))
    receipt = office.erase()
    assert (receipt.state, receipt.passes) == ("complete", 4)
    assert receipt.stores[1].note == "one is in use"


def test_what_does_not_end_is_told(state: LocalObjectStore) -> None:
    """The receipt says so, and running it again does the rest."""
    office = Office(state, Shelf("queues", 2, stays=3), passes=2)
    receipt = office.erase()
    assert (receipt.state, receipt.left) == ("incomplete", 1)
    assert "NOT YET erased" in receipt_text(receipt)
    assert office.audit[-1].after == "incomplete"
    assert [office.erase().state for _ in range(2)] == ["complete", "complete"]


def test_a_look_changes_nothing(state: LocalObjectStore) -> None:
    """It counts, and leaves neither tombstone nor entry."""
    office = Office(state, Shelf("uploads", 3))
    receipt = office.eraser.look(request(), reason="why", actor="ada")
    assert (receipt.state, receipt.found, receipt.left, receipt.tombstone) == ("looked", 3, 3, False)
    assert office.audit == []
    assert list(state.scan()) == []
    assert "nothing was removed" in receipt_text(receipt)


@pytest.mark.parametrize(
    ("scope", "asked", "wanted"),
    [
        (Scope(kind="tenant", tenant="acme"), request(), True),
        (Scope(kind="tenant", tenant="beta"), request(), False),
        (Scope(kind="tenant", tenant="acme"), request("content"), True),
        (Scope(kind="object", bucket="uploads", name="acme/a.wav"), request(), True),
        (Scope(kind="object", bucket="archive", name="acme/a.wav"), request(), True),
        (Scope(kind="object", bucket="uploads", name="acme2/a.wav"), request(), False),
        (Scope(kind="prefix", bucket="uploads", name=""), request(), True),
        (Scope(kind="prefix", bucket="uploads", name="ac"), request(), True),
        (Scope(kind="prefix", bucket="uploads", name="acme/2026"), request(), True),
        (Scope(kind="prefix", bucket="uploads", name="beta/"), request(), False),
        (Scope(kind="prefix", bucket="results", name="analyses/acme/"), request(), True),
        (Scope(kind="prefix", bucket="results", name="analyses/beta/"), request(), False),
        (Scope(kind="object", bucket="uploads", name="a"), request("content", places=[("uploads", "a")]), True),
        (Scope(kind="object", bucket="uploads", name="a"), request("content", places=[("archive", "a")]), True),
        (Scope(kind="object", bucket="uploads", name="a"), request("content", places=[("uploads", "b")]), False),
        (Scope(kind="prefix", bucket="uploads", name="a"), request("content", places=[("uploads", "ab")]), True),
        (Scope(kind="prefix", bucket="results", name="analyses/acme/"), request("content", jobs=["1" * 32]), True),
    ],
)
def test_which_holds_forbid_it(scope: Scope, asked: ErasureRequest, wanted: bool) -> None:  # noqa: FBT001
    """Those that cover anything that would go."""
    assert covers(scope, asked) is wanted


def test_a_hold_refuses_with_its_reason(state: LocalObjectStore) -> None:
    """Nothing is erased, no tombstone is left, the refusal is written down; a released one forbids nothing."""
    office = Office(state, Shelf("uploads", 3))
    office.holds = [hold(Scope(kind="tenant", tenant="acme"))]
    with pytest.raises(ConfigurationError, match="case 7"):
        office.erase()
    with pytest.raises(ConfigurationError, match="case 7"):
        office.eraser.look(request(), reason="why", actor="ada")
    assert office.shelves[0].items == 3
    assert office.tombstones.tenant("acme") is None
    assert office.actions == ["retention.erase_refused"]
    assert "case 7" in office.audit[0].detail
    office.holds = [hold(Scope(kind="tenant", tenant="acme"), released_at=EPOCH)]
    assert office.erase().state == "complete"


def test_a_hold_of_the_store_itself_refuses_too(state: LocalObjectStore) -> None:
    """Whoever set it, with whatever tool."""
    office = Office(state, Shelf("uploads", 3, held=1))
    with pytest.raises(ConfigurationError, match="1 objects in uploads are held"):
        office.erase()
    assert office.shelves[0].items == 3


def test_a_hold_that_comes_in_between_stops_it(state: LocalObjectStore) -> None:
    """The next store is not touched."""
    first, second = Shelf("uploads", 3), Shelf("results", 3)
    office = Office(state, first, second)
    erase = first.erase

    def then_hold(asked: ErasureRequest) -> Erased:
        office.holds = [hold(Scope(kind="tenant", tenant="acme"))]
        return erase(asked)

    first.erase = then_hold  # type: ignore[method-assign]
    with pytest.raises(ConfigurationError, match="case 7"):
        office.erase()
    assert (first.items, second.items) == (0, 3)
    assert office.actions == ["retention.erase", "retention.erase_refused"]


def test_no_entry_and_no_stored_receipt_names_the_customer(state: LocalObjectStore) -> None:
    """A pseudonym stands in its place; the receipt that is handed out has the name."""
    office = Office(state, Shelf("uploads", 1))
    receipt = office.erase()
    assert receipt.tenant == "acme"
    assert "customer acme" in receipt_text(receipt)
    assert {entry.tenant for entry in office.audit} == {pseudonym("acme")}
    assert not any("acme" in entry.model_dump_json() for entry in office.audit)
    stored = [b"".join(state.read(info.name)) + info.name.encode() for info in state.scan()]
    assert len(stored) == 2
    assert not any(b"acme" in each for each in stored)
    assert any(info.name.startswith(FOLDER) for info in state.scan())


def test_a_kill_anywhere_and_the_same_again(state: LocalObjectStore) -> None:
    """Whatever store fails, a second run does the rest."""
    for failing in range(3):
        shelves = [Shelf(f"{failing}-{number}", 2) for number in range(3)]
        office = Office(state, *shelves)
        broken = shelves[failing]
        erase = broken.erase

        def fail(_: ErasureRequest) -> Erased:
            message = "down"
            raise Unavailable(message)

        broken.erase = fail  # type: ignore[method-assign]
        with pytest.raises(Unavailable):
            office.erase()
        assert office.tombstones.tenant("acme") is not None, "what is erased cannot come back meanwhile"
        broken.erase = erase  # type: ignore[method-assign]
        assert office.erase().state == "complete"
        assert [shelf.items for shelf in shelves] == [0, 0, 0]


def test_a_killed_erasure_is_told_of(state: LocalObjectStore) -> None:
    """From the tombstones on its receipt says that it has begun; a later one of all of the customer ends it."""

    class Killed(BaseException):
        """Nothing catches it."""

    def unfinished() -> list[str]:
        desk = SimpleNamespace(backend=SimpleNamespace(state=state))
        return Desk.unfinished_erasures(cast("Desk", desk))

    office = Office(state, Shelf("uploads", 2))
    for method in ("left", "erase"):
        working = getattr(office.shelves[0], method)

        def die(_: ErasureRequest) -> int:
            raise Killed

        setattr(office.shelves[0], method, die)
        with pytest.raises(Killed):
            office.erase()
        setattr(office.shelves[0], method, working)
        assert unfinished() == ["e-1"]
    [begun] = Folder(state, FOLDER, Receipt, "receipt").all()
    assert (begun.state, begun.tenant) == ("begun", pseudonym("acme"))
    assert "was killed" in receipt_text(begun)
    later = {"at": EPOCH + timedelta(minutes=1)}
    office.erase(request("content", id="e-2", contents=[SHA], **later))
    assert unfinished() == ["e-1"], "one content is not all of the customer"
    office.erase(request(id="e-3", **later))
    assert unfinished() == []
    assert office.erase().state == "complete"


def test_notes_of_several_looks_add_up(state: LocalObjectStore) -> None:
    """To what the line says was removed."""
    shelf = Shelf("rows", 5, stays=2)
    erase = shelf.erase

    def counted(asked: ErasureRequest) -> Erased:
        erased = erase(asked)
        return erased._replace(counts={"jobs": erased.items})

    shelf.erase = counted  # type: ignore[method-assign]
    [told] = Office(state, shelf).erase().stores
    assert (told.removed, told.note) == (5, "jobs 5; one is in use")


def test_who_came_back_is_found(state: LocalObjectStore) -> None:
    """Customers with something in a store although their tombstone stands."""
    office = Office(state, Shelf("uploads", 0, seen=("acme", "beta")), Shelf("rows", 0, seen=("acme",)))
    assert office.eraser.tenants() == []
    office.erase()
    assert office.eraser.tenants() == ["acme"]
    assert office.eraser.readmit("acme", reason="they returned", actor="ada") == 1
    assert office.eraser.tenants() == []
    assert office.actions[-1] == "retention.readmit"
    assert office.eraser.readmit("acme", reason="again", actor="ada") == 0


def test_a_place_is_readmitted(state: LocalObjectStore) -> None:
    """All contents that lay there, whichever they were."""
    office = Office(state)
    office.erase(request("content", contents=[SHA, "f" * 64], places=[("uploads", "acme/a.wav")]))
    assert office.eraser.readmit(Place("uploads", "acme/b.wav"), reason="r", actor="ada") == 0
    assert office.tombstones.erased("acme", SHA, EPOCH)
    office.clock.move(60)
    assert office.eraser.readmit(Place("uploads", "acme/a.wav"), reason="r", actor="ada") == 2
    later = office.clock.time + timedelta(seconds=1)
    assert not office.tombstones.erased("acme", SHA, later)
    assert office.tombstones.erased("acme", SHA, EPOCH), "what came before stays erased"


def test_what_a_tombstone_covers() -> None:
    """Everything while it stands; once lifted, what was received before."""
    stands = Tombstone(kind="tenant", erasure="e", at=EPOCH, tenant="x")
    assert stands.covers(EPOCH - timedelta(days=9))
    assert stands.covers(EPOCH + timedelta(days=9))
    lifted = stands.model_copy(update={"lifted_at": EPOCH})
    assert lifted.covers(EPOCH)
    assert not lifted.covers(EPOCH + timedelta.resolution)


def test_a_tombstone_refuses_and_drops(state: LocalObjectStore) -> None:
    """An upload at the router, a job at a worker; of a customer, or of one content."""
    tombstones = Tombstones(state, ManualClock(), fresh_s=0)
    tombstones.refuse(make_upload())
    assert not tombstones.dropped(make_job())
    tombstones.lay("e-1", "acme", [SHA])
    with pytest.raises(InputRejected) as caught:
        tombstones.refuse(make_upload())
    assert caught.value.fault is InputFault.ERASED
    assert "readmit" in caught.value.remedy
    assert "acme" not in str(caught.value)
    assert tombstones.dropped(make_job())
    assert not tombstones.dropped(make_job("other"))
    tombstones.refuse(make_upload(tenant="beta"))
    tombstones.lay("e-2", "acme")
    assert tombstones.dropped(make_job("other"))


def test_tombstones_are_joined(state: LocalObjectStore) -> None:
    """A second erasure of the same content knows what the first one knew, and one after a return stands again."""
    tombstones = Tombstones(state, ManualClock(), fresh_s=0)
    tombstones.lay("e-1", "acme", [SHA], jobs=["1"], places=[place_hash("uploads", "a")], objects=["x"])
    tombstones.lift(content_name("acme", SHA))
    tombstones.lay("e-2", "acme", [SHA], jobs=["2"])
    found = tombstones.content("acme", SHA)
    assert found is not None
    assert (found.erasure, found.jobs, found.objects, found.lifted_at) == ("e-2", ("1", "2"), ("x",), None)
    assert found.places == (place_hash("uploads", "a"),)
    assert [name for name, _ in tombstones.standing()] == [content_name("acme", SHA)]


def test_a_view_is_two_seconds_old_and_one_listing(state: LocalObjectStore) -> None:
    """However many jobs ask; an outage leaves the last view standing, and the first one is needed."""
    seconds = 0.0
    store = FlakyStore(state)
    tombstones = Tombstones(store, ManualClock(), monotonic=lambda: seconds)
    store.faults.down = True
    with pytest.raises(Unavailable):
        tombstones.dropped(make_job())
    store.faults.down = False
    store.faults.calls.clear()
    assert not any(tombstones.dropped(make_job(str(number))) for number in range(100))
    assert store.faults.calls == ["scan"]
    Tombstones(state, ManualClock()).lay("e-1", "acme")
    assert not tombstones.dropped(make_job()), "not seen yet"
    seconds += FRESH_S
    assert tombstones.dropped(make_job())
    store.faults.down, seconds = True, seconds + FRESH_S
    assert tombstones.dropped(make_job("another"))


def test_many_tombstones_are_asked_for_one_by_one(state: LocalObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a listing gives at once: the answer is the same."""
    monkeypatch.setattr("retention.tombstones.LISTED", 3)
    tombstones = Tombstones(state, ManualClock(), fresh_s=0)
    tombstones.lay("e-1", "acme", [hashlib.sha256(str(number).encode()).hexdigest() for number in range(6)])
    assert all(tombstones.dropped(make_job(str(number))) for number in range(6))
    assert not tombstones.dropped(make_job("6"))


def test_a_tombstone_that_is_spoilt_stops_everything(state: LocalObjectStore) -> None:
    """Nobody can tell what it was about."""
    state.write(tenant_name("acme"), b"{", content_type="application/json")
    tombstones = Tombstones(state, ManualClock())
    with pytest.raises(ConfigurationError, match="no tombstone"):
        tombstones.dropped(make_job())
    assert next(iter(state.scan(TOMBSTONES))).name == tenant_name("acme")


@given(names=st.sets(st.from_regex(r"[ab./]{1,3}(/[ab]{1,2}){0,2}", fullmatch=True), max_size=12))
def test_first_segments_of_names(names: set[str]) -> None:
    """Each once, in order, without those that have nothing below them."""

    class Names:
        def scan(self, prefix: str = "", *, start_after: str = "") -> Iterator[Any]:
            for name in sorted(names, key=str.encode):
                if name.startswith(prefix) and name.encode() > start_after.encode():
                    yield type("Info", (), {"name": name})()

    wanted = sorted({name.partition("/")[0] for name in names if "/" in name})
    assert sorted(segments(Names())) == wanted  # type: ignore[arg-type]


def test_objects_go_by_prefix_or_name(tmp_path: Path) -> None:
    """A customer's all; of single contents those that are named; held ones stay and are told."""
    store = LocalObjectStore(tmp_path / "objects", "uploads")
    for name in ("acme/a", "acme/b", "acme2/a"):
        store.write(name, b"12345", content_type="audio/wav")
    shelf = ObjectsStore(
        "uploads",
        "audio",
        store,
        named(store, lambda asked: asked.names_in("uploads"), below(store, lambda tenant: f"{tenant}/")),
        tenants=lambda: segments(store),
    )
    assert list(shelf.tenants()) == ["acme", "acme2"]
    one = request("content", places=[("uploads", "acme/a"), ("uploads", "acme/gone"), ("archive", "acme/b")])
    assert (shelf.left(one), shelf.left(request())) == (1, 2)
    info = store.stat("acme/b")
    assert info is not None
    store.protect("acme/b", if_generation=info.generation, held=True)
    assert shelf.held(request()) == 1
    assert shelf.erase(request()) == Erased(1, 5, "1 are held in the store")
    assert [info.name for info in store.scan()] == ["acme/b", "acme2/a"]


def test_an_object_that_is_replaced_meanwhile_goes_too(tmp_path: Path) -> None:
    """Whatever has come in its place is the customer's."""
    store = LocalObjectStore(tmp_path / "objects", "uploads")
    store.write("acme/a", b"1", content_type="audio/wav")
    stale = list(store.scan())
    store.write("acme/a", b"2", content_type="audio/wav")
    shelf = ObjectsStore("uploads", "audio", store, lambda _: iter(stale))
    assert shelf.erase(request()).items == 1
    assert list(store.scan()) == []

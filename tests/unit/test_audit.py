"""The audit trail: whatever is changed, taken out, swapped or cut off is found."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earmark.audit import (
    BEGINNING,
    FOLDER,
    HINT,
    HINT_EVERY,
    AuditEntry,
    AuditTrail,
    canonical,
    name_of,
    number_of,
    pseudonym,
    pseudonymous,
    read_link,
    seal_of,
    sealed,
)
from earmark.audit_check import Anchor, Checked, Flaw, check, read_anchor
from earmark.errors import ConfigurationError, ObjectMissing, PreconditionFailed, Unavailable
from earmark.ports import ObjectInfo
from earmark.rows import AuditRow
from runtime.local.object_store import LocalObjectStore
from runtime.local.warehouse import LocalWarehouse
from tests.clock import ManualClock
from tests.flaky import FlakyStore, FlakyWarehouse
from tests.making import EPOCH


class Memory:
    """A bucket of bytes in memory, as much of a store as a chain needs, quick enough for hundreds of them."""

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        """Take what is there."""
        self.objects = dict(objects or {})

    def read(self, name: str, *, generation: int | None = None) -> Iterator[bytes]:
        """The bytes."""
        if name not in self.objects:
            raise ObjectMissing(name)
        return iter([self.objects[name]])

    def write(self, name: str, content: Any, *, content_type: str, if_generation: int | None = None) -> ObjectInfo:
        """Keep bytes."""
        if if_generation == 0 and name in self.objects:
            raise PreconditionFailed(name)
        self.objects[name] = content
        return ObjectInfo(name, 1, len(content), EPOCH, content_type)

    def stat(self, name: str) -> ObjectInfo | None:
        """Whether it is there."""
        return ObjectInfo(name, 1, 0, EPOCH, "") if name in self.objects else None

    def scan(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """Names in order."""
        for name in sorted(self.objects):
            if name.startswith(prefix) and name > start_after:
                yield ObjectInfo(name, 1, len(self.objects[name]), EPOCH, "")

    def delete(self, name: str, *, if_generation: int) -> bool:
        """Take out."""
        return self.objects.pop(name, None) is not None

    def protect(self, name: str, **_: Any) -> bool:
        """Nothing."""
        return name in self.objects


class Rows:
    """A warehouse that has the table ``audit`` and two queries."""

    def __init__(self, rows: dict[str, AuditRow] | None = None) -> None:
        """Take what is there."""
        self.rows = dict(rows or {})

    def append(self, rows: Any) -> None:
        """Keep rows."""
        self.rows.update((row.row_id, row) for row in rows)

    def query(self, name: str, parameters: Any = None) -> list[dict[str, object]]:
        """The rows of some links, or those of none."""
        if name == "audit_unlinked":
            return []
        first, last = parameters["first"], parameters.get("last", 2**62)
        found = [row for _, row in sorted(self.rows.items()) if row.link is not None and first <= row.link <= last]
        return [{**row.model_dump(), "at_second": row.at.strftime("%Y-%m-%dT%H:%M:%S")} for row in found]

    def purge(self, table: str, **_: Any) -> int:
        """Nothing."""
        return 0


def entry(number: int = 1, **fields: Any) -> AuditEntry:
    """Something that somebody did."""
    known: dict[str, Any] = {
        "at": EPOCH + timedelta(seconds=number),
        "actor": "ada",
        "action": "retention.hold",
        "target": f"hold-{number}",
        "tenant": "acme" if number % 2 else "",
        "reason": f"case {number}",
    }
    return AuditEntry(**{**known, **fields})


def chained(count: int) -> tuple[Memory, Rows]:
    """A chain of so many links, two entries in every third."""
    store, rows = Memory(), Rows()
    trail = AuditTrail(store, rows, ManualClock())
    for number in range(1, count + 1):
        trail([entry(number), *([entry(number, action="retention.release")] if number % 3 == 0 else [])])
    return store, rows


STORE, ROWS = chained(12)


def flaws(store: Memory, rows: Rows | None, anchor: Anchor | None = None) -> set[Flaw]:
    """What is wrong."""
    return {fault.flaw for fault in check(store, rows, anchor=anchor).faults}


def test_a_chain_that_nobody_touched_is_whole() -> None:
    """Every link and row is looked at, and the head is the last link."""
    checked = check(STORE, ROWS)
    assert checked.whole
    assert (checked.links, checked.entries) == (12, 16)
    last = read_link(STORE.objects[name_of(12)])
    assert last is not None
    assert checked.head == Anchor(12, last.hash)
    assert check(Memory(), Rows()) == Checked()
    first = read_link(STORE.objects[name_of(1)])
    assert first is not None
    assert first.previous == BEGINNING


@given(number=st.integers(1, 12), place=st.integers(0, 10_000), change=st.integers(1, 255))
def test_any_changed_byte_is_found(number: int, place: int, change: int) -> None:
    """Wherever it is, in whichever link, without a look at the rows; what cannot be seen so is the end alone."""
    store = Memory(STORE.objects)
    content = bytearray(store.objects[name_of(number)])
    content[place % len(content)] ^= change
    store.objects[name_of(number)] = bytes(content)
    assert flaws(store, None)
    assert any(fault.number in {number, number + 1} for fault in check(store, None).faults)


@given(number=st.integers(1, 12), inserted=st.sampled_from([b" ", b"\n", b'"x":1,']))
def test_any_insertion_is_found(number: int, inserted: bytes) -> None:
    """Spaces too, which mean nothing to a reader of JSON."""
    for place in (0, 1, len(STORE.objects[name_of(number)])):
        store = Memory(STORE.objects)
        content = store.objects[name_of(number)]
        store.objects[name_of(number)] = content[:place] + inserted + content[place:]
        assert flaws(store, None)


@given(removed=st.sets(st.integers(1, 12), min_size=1))
def test_any_removal_is_found(removed: set[int]) -> None:
    """In the middle by the chain, at the end by the rows and by the hint; of all links too."""
    store = Memory({name: each for name, each in STORE.objects.items() if number_of(name) not in removed})
    gone = {fault.number for fault in check(store, ROWS).faults if fault.flaw in {Flaw.MISSING, Flaw.TRUNCATED}}
    assert min(removed) in gone
    store.objects.pop(HINT)
    assert flaws(store, ROWS) & {Flaw.MISSING, Flaw.TRUNCATED}
    tail = max(set(range(13)) - removed)
    if removed != set(range(tail + 1, 13)):  # a clean cut leaves a chain that is whole in itself
        assert Flaw.MISSING in flaws(store, None)
    head = check(STORE, None).head
    assert flaws(store, None, head) >= ({Flaw.ANCHOR} if 12 in removed else set())


@given(pair=st.lists(st.integers(1, 12), min_size=2, max_size=2, unique=True))
def test_any_swap_is_found(pair: list[int]) -> None:
    """Two links in each other's place, as they are or with their numbers changed and sealed anew."""
    one, other = pair
    store = Memory(STORE.objects)
    swapped = {name_of(one): store.objects[name_of(other)], name_of(other): store.objects[name_of(one)]}
    store.objects.update(swapped)
    assert Flaw.REORDERED in flaws(store, None)
    for number in pair:
        fields = {**json.loads(store.objects[name_of(number)]), "number": number}
        store.objects[name_of(number)] = canonical({**fields, "hash": seal_of(fields)})
    assert Flaw.BROKEN in flaws(store, None)


@given(number=st.integers(1, 12), reason=st.text(max_size=20).filter(lambda text: "case" not in text))
def test_a_forger_who_seals_anew_is_found(number: int, reason: str) -> None:
    """One link by the next one; every link from there on by the rows and by an anchor."""
    store = Memory(STORE.objects)
    head = check(STORE, None).head
    previous = None
    for each in range(number, 13):
        link = read_link(store.objects[name_of(each)])
        assert link is not None
        entries = link.entries
        if each == number:
            entries = (entries[0].model_copy(update={"reason": reason}), *entries[1:])
        forged = sealed(each, previous or link.previous, link.at, entries)
        store.objects[name_of(each)] = canonical(forged.model_dump(mode="json"))
        if each == number and number < 12:
            assert flaws(store, None) == {Flaw.BROKEN}
        previous = forged.hash
    assert flaws(store, None) == set()
    assert flaws(store, ROWS) >= {Flaw.ROW_EDITED}
    assert flaws(store, None, head) == {Flaw.ANCHOR}


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda rows: rows.pop(sorted(rows)[3]), Flaw.ROW_MISSING),
        (lambda rows: rows.update(_with(rows, reason="another")), Flaw.ROW_EDITED),
        (lambda rows: rows.update(_with(rows, tenant="beta")), Flaw.ROW_EDITED),
        (lambda rows: rows.update(_with(rows, at=EPOCH)), Flaw.ROW_EDITED),
        (lambda rows: rows.update(_with(rows, link_hash="0" * 64)), Flaw.ROW_EDITED),
        (lambda rows: rows.update(_with(rows, row_id="000000000003-00009")), Flaw.STRANGE),
        (lambda rows: rows.update(_with(rows, link=99)), Flaw.TRUNCATED),
    ],
)
def test_rows_are_held_to_the_links(change: Callable[[dict[str, AuditRow]], object], wanted: Flaw) -> None:
    """A row that is lost, changed or made up."""
    rows = Rows(ROWS.rows)
    change(rows.rows)
    assert wanted in flaws(STORE, rows)


def _with(rows: dict[str, AuditRow], **fields: Any) -> dict[str, AuditRow]:
    row = rows[sorted(rows)[4]].model_copy(update=fields)
    return {row.row_id: row}


def test_a_strange_object_is_told() -> None:
    """Among the links, under a name that is none."""
    assert flaws(Memory({**STORE.objects, f"{FOLDER}x.json": b"{}"}), ROWS) == {Flaw.STRANGE}


def test_lost_rows_are_restored() -> None:
    """From links that are whole, and never over rows that say something else."""
    rows = Rows({row_id: row for row_id, row in ROWS.rows.items() if row.link != 5})
    checked = check(STORE, rows, repair=True)
    assert (checked.whole, checked.restored) == (True, 1)
    assert rows.rows["000000000005-00000"].tenant == pseudonym("acme"), "the link knows no more"
    assert check(STORE, rows).whole


def test_anchors_are_read() -> None:
    """As they are printed; anything else is refused."""
    head = check(STORE, None).head
    assert read_anchor(f"{head.number}:{head.hash}") == head
    assert check(STORE, ROWS, anchor=head).whole
    for text in ("", "12", "12:abc", f"x:{head.hash}"):
        with pytest.raises(ConfigurationError, match="anchor"):
            read_anchor(text)


def test_a_customer_is_named_in_rows_and_not_in_links() -> None:
    """Wherever an entry names it as a word; its name in another word stays."""
    made = entry(target="acme/2026-01-31", reason="acme asked, not acmeville", detail="for (acme)", before="acme-2")
    stands_for = pseudonym("acme")
    masked = pseudonymous(made)
    assert masked.tenant == stands_for
    assert masked.target == f"{stands_for}/2026-01-31"
    assert (masked.reason, masked.before) == (f"{stands_for} asked, not acmeville", "acme-2")
    assert pseudonymous(masked) == masked
    assert pseudonym(stands_for) == stands_for
    store, rows = Memory(), Rows()
    AuditTrail(store, rows, ManualClock())([made])
    assert not any(b"acme " in content for content in store.objects.values())
    [row] = rows.rows.values()
    assert (row.tenant, row.subject) == ("acme", "acme/2026-01-31")
    assert check(store, rows).whole
    rows.rows[row.row_id] = row.model_copy(update={"tenant": stands_for, "subject": masked.target})
    assert flaws(store, rows) == {Flaw.ROW_EDITED}, "the reason still names it"


def test_intents_have_no_rows() -> None:
    """They are links like others, and their rows are somebody else's."""
    store, rows = Memory(), Rows()
    trail = AuditTrail(store, rows, ManualClock())
    trail.intent([entry(1)])
    trail([entry(2)])
    assert [row.link for row in rows.rows.values()] == [2]
    assert check(store, rows).entries == 2
    assert check(store, rows).whole


def test_nothing_is_no_link() -> None:
    """No entries, nothing written."""
    store = Memory()
    AuditTrail(store, Rows(), ManualClock())([])
    assert store.objects == {}


@pytest.fixture
def bucket(tmp_path: Path) -> LocalObjectStore:
    """A real bucket."""
    return LocalObjectStore(tmp_path / "objects", "audit")


@pytest.fixture
def warehouse(tmp_path: Path) -> LocalWarehouse:
    """A real warehouse."""
    return LocalWarehouse(tmp_path / "warehouse.sqlite", synchronous="NORMAL")


def test_many_writers_make_one_chain(bucket: LocalObjectStore, warehouse: LocalWarehouse) -> None:
    """Threads with a trail each, as processes have: every entry is there once."""

    def write(writer: int) -> None:
        trail = AuditTrail(bucket, warehouse, ManualClock(), sleep=lambda _: None)
        for number in range(5):
            trail([entry(10 * writer + number)])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    checked = check(bucket, warehouse)
    assert (checked.faults, checked.links, checked.entries) == ([], 20, 20)
    listed = warehouse.query("audit_entries")
    assert len({row["subject"] for row in listed}) == 20


def test_a_process_that_comes_later_goes_on(bucket: LocalObjectStore, warehouse: LocalWarehouse) -> None:
    """With the hint, with an old one, with one that was spoilt and without."""
    AuditTrail(bucket, warehouse, ManualClock())([entry(1)])
    hints = [b"".join(bucket.read(HINT)), b"{", b"[]", None]
    for number, hint in enumerate(hints, start=2):
        info = bucket.stat(HINT)
        if hint is None and info is not None:
            bucket.delete(HINT, if_generation=info.generation)
        elif hint is not None:
            bucket.write(HINT, hint, content_type="application/json")
        AuditTrail(bucket, warehouse, ManualClock())([entry(number)])
    assert check(bucket, warehouse).links == 5
    assert check(bucket, warehouse).whole


def test_the_hint_is_seldom_written(bucket: LocalObjectStore, warehouse: LocalWarehouse) -> None:
    """Once in so many links; whoever comes later has few steps to take."""
    store = FlakyStore(bucket)
    trail = AuditTrail(store, warehouse, ManualClock())
    for number in range(2 * HINT_EVERY + 1):
        trail([entry(number)])
    hint = json.loads(b"".join(bucket.read(HINT)))
    assert hint["number"] == 2 * HINT_EVERY + 1
    assert store.faults.calls.count("write") == 2 * HINT_EVERY + 1 + 3


def test_a_cut_off_end_is_not_grown_over(bucket: LocalObjectStore, warehouse: LocalWarehouse) -> None:
    """Who goes on after it leaves the gap, for the hint remembers."""
    trail = AuditTrail(bucket, warehouse, ManualClock())
    for number in range(HINT_EVERY + 1):
        trail([entry(number)])
    gone = HINT_EVERY + 1
    info = bucket.stat(name_of(gone))
    assert info is not None
    bucket.delete(name_of(gone), if_generation=info.generation)
    AuditTrail(bucket, warehouse, ManualClock())([entry(99)])
    assert [(fault.flaw, fault.number) for fault in check(bucket, warehouse).faults] == [(Flaw.MISSING, gone)]


def test_an_answer_that_was_lost_writes_no_second_link(bucket: LocalObjectStore, warehouse: LocalWarehouse) -> None:
    """A store that kept the link and seemed to fail, and was asked again by its own client."""

    class Twice(FlakyStore):
        def write(self, name: str, *arguments: Any, **named: Any) -> ObjectInfo:
            if name.startswith(FOLDER):
                super().write(name, *arguments, **named)
            return super().write(name, *arguments, **named)

    AuditTrail(Twice(bucket), warehouse, ManualClock(), sleep=lambda _: None)([entry(1)])
    assert check(bucket, warehouse).links == 1


def test_nothing_is_done_without_a_link(bucket: LocalObjectStore, warehouse: LocalWarehouse) -> None:
    """A store that is down, and others that are first all the time."""
    store = FlakyStore(bucket)
    store.faults.down = True
    with pytest.raises(Unavailable):
        AuditTrail(store, warehouse, ManualClock())([entry(1)])

    class Late(Memory):
        def write(self, name: str, content: Any, **named: Any) -> ObjectInfo:
            raise PreconditionFailed(name)

    with pytest.raises(Unavailable, match="others all the time"):
        AuditTrail(Late(), warehouse, ManualClock(), sleep=lambda _: None)([entry(1)])


def test_rows_follow_when_the_warehouse_is_back(bucket: LocalObjectStore, warehouse: LocalWarehouse) -> None:
    """Its outage stops nobody; the next link brings the rows along, and until then they are told as missing."""
    flaky = FlakyWarehouse(warehouse)
    trail = AuditTrail(bucket, flaky, ManualClock())
    flaky.faults.down = True
    trail([entry(1)])
    assert {fault.flaw for fault in check(bucket, warehouse).faults} == {Flaw.ROW_MISSING}
    flaky.faults.down = False
    trail([entry(2)])
    assert check(bucket, warehouse).whole


@pytest.mark.parametrize(
    ("fields", "own"),
    [
        ({"row_id": "x", "link": 0}, False),
        ({"row_id": "", "link": -7}, False),
        ({"row_id": "0000000000-1", "link": None}, False),
        ({"row_id": "ab:dlq.discard:2026-01-02", "link": None}, False),
        ({"row_id": f"ab:dlq.discard:{EPOCH.isoformat()}", "action": "dlq.discard", "subject": "ab"}, True),
        ({"row_id": f"ab:dlq.discard:{EPOCH.isoformat()}", "action": "dlq.discard", "subject": "cd"}, False),
        ({"row_id": "experiment:e-1:4", "action": "experiment.start", "subject": "e-1:2"}, True),
        ({"row_id": "experiment:e-1:x", "action": "experiment.start", "subject": "e-1:2"}, False),
    ],
)
def test_rows_of_no_link(
    bucket: LocalObjectStore,
    warehouse: LocalWarehouse,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, Any],
    own: bool,  # noqa: FBT001
) -> None:
    """Only parts that tell the table themselves write such; all are looked at, some at a time."""
    monkeypatch.setattr("earmark.audit_check.ROWS_AT_ONCE", 2)
    AuditTrail(bucket, warehouse, ManualClock())([entry(1)])
    known = {"tenant": "", "at": EPOCH, "actor": "eve", "action": "x.y", "subject": "z", "reason": "", "detail": ""}
    true = {**known, "row_id": f"00:dlq.expire:{EPOCH.isoformat()}", "action": "dlq.expire", "subject": "00"}
    warehouse.append([AuditRow.model_validate(true), AuditRow.model_validate({**known, **fields})])
    wanted = [] if own else [(Flaw.STRANGE, fields.get("link") or 0)]
    assert [(fault.flaw, fault.number) for fault in check(bucket, warehouse).faults] == wanted


def test_entries_are_listed(bucket: LocalObjectStore, warehouse: LocalWarehouse) -> None:
    """The latest first, by time, customer before and after its erasure, action and actor."""
    trail = AuditTrail(bucket, warehouse, ManualClock())
    trail([entry(1), entry(2, action="dlq.discard"), entry(3, actor="bob", tenant=pseudonym("acme"))])

    def subjects(**asked: object) -> list[object]:
        return [row["subject"] for row in warehouse.query("audit_entries", asked)]

    assert subjects() == ["hold-3", "hold-2", "hold-1"]
    assert subjects(tenant="acme", pseudonym=pseudonym("acme")) == ["hold-3", "hold-1"]
    assert subjects(action="dlq.") == ["hold-2"]
    assert subjects(actor="bob") == ["hold-3"]
    since: datetime = EPOCH + timedelta(seconds=2)
    assert subjects(since=since) == ["hold-3", "hold-2"]
    assert subjects(most=1) == ["hold-3"]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(st.text(max_size=30), min_size=5, max_size=5))
def test_any_text_is_kept_and_checked(texts: list[str]) -> None:
    """Whatever people write as a reason."""
    store, rows = Memory(), Rows()
    fields = dict(zip(("target", "before", "after", "reason", "detail"), texts, strict=True))
    AuditTrail(store, rows, ManualClock())([entry(1, **fields)])
    assert check(store, rows).whole

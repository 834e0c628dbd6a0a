"""What ``earmark.ports.ObjectStore`` promises, over every adapter; each test quotes the sentence it holds."""

import contextlib
import io
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earmark.clock import utc_now
from earmark.errors import InvalidName, ObjectHeld, ObjectMissing, PreconditionFailed, Unavailable
from earmark.ports import ObjectInfo, ObjectStore
from tests.contracts.conftest import StoreCase

TYPE = "application/json"


def content_of(store: ObjectStore, name: str, generation: int | None = None) -> bytes:
    """All bytes of an object."""
    return b"".join(store.read(name, generation=generation))


def put(store: ObjectStore, name: str, content: bytes = b"content") -> ObjectInfo:
    """Write whatever is there."""
    return store.write(name, content, content_type=TYPE)


def test_a_bucket_holds_named_bytes(stores: StoreCase) -> None:
    """Held: "Named bytes in one bucket": what was written is read, by another connection too."""
    put(stores.open(), "analyses/acme/1.json", b"one")
    put(stores.open(), "analyses/acme/2.json", b"two")
    assert content_of(stores.open(), "analyses/acme/1.json") == b"one"
    assert content_of(stores.open(), "analyses/acme/2.json") == b"two"


GOOD_NAMES = [
    "a",
    "a/b/c",
    "Ä ö/♪.json",
    "x" * 255,
    "/".join(["y" * 127] * 8),
    "...",
    "a/..b",
    "~",
    "a\\b",
    "%2F",
    "a:b*?",
]


@pytest.mark.parametrize("name", GOOD_NAMES, ids=range(len(GOOD_NAMES)))
def test_good_names(stores: StoreCase, name: str) -> None:
    """Held: "A name is 1 to 1024 bytes of UTF-8 in segments divided by ``/``": any such name works in every method."""
    store = stores.open()
    info = put(store, name)
    assert store.stat(name) == info
    assert [found.name for found in store.scan()] == [name]
    assert content_of(store, name) == b"content"
    assert store.delete(name, if_generation=info.generation)


BAD_NAMES = [
    "", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "a/../b", "../a", "a\n", "a\x00b", "\x7f", "a/\x85",
    "é" * 513, "\ud800", "a\t/b",
]  # fmt: skip

NAME_CALLS: dict[str, Callable[[ObjectStore, str], object]] = {
    "read": lambda store, name: store.read(name),
    "write": put,
    "stat": lambda store, name: store.stat(name),
    "delete": lambda store, name: store.delete(name, if_generation=1),
    "protect": lambda store, name: store.protect(name, if_generation=1, held=True),
}


@pytest.mark.parametrize("call", NAME_CALLS.values(), ids=NAME_CALLS)
@pytest.mark.parametrize("name", BAD_NAMES, ids=range(len(BAD_NAMES)))
def test_bad_names(stores: StoreCase, name: str, call: Callable[[ObjectStore, str], object]) -> None:
    """Held: "none is empty, ``.`` or ``..``, and none holds a control character": "others raise ``InvalidName``"."""
    store = stores.open()
    with pytest.raises(InvalidName):
        call(store, name)
    assert list(store.scan()) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=12) | st.text("./a\0", max_size=6))
def test_any_name_is_stored_or_refused(stores: StoreCase, name: str) -> None:
    """A name either works, under exactly that name, or raises ``InvalidName``; nothing lands anywhere else."""
    store = stores.open()
    try:
        info = put(store, name)
    except InvalidName:
        assert list(store.scan()) == []
        return
    assert [found.name for found in store.scan()] == [name]
    store.delete(name, if_generation=info.generation)


def test_long_segments(stores: StoreCase) -> None:
    """A segment of more than 255 bytes is stored where the adapter says so, else refused by every method."""
    store, name = stores.open(), "a/" + "x" * 256
    if stores.long_segments:
        put(store, name)
        return
    for call in NAME_CALLS.values():
        with pytest.raises(InvalidName):
            call(store, name)
    assert list(store.scan()) == []


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b/c", "a/b"), ("a/b", "a/b/c/d")])
def test_names_below_names(stores: StoreCase, first: str, second: str) -> None:
    """A name may be the folder of another where the adapter says so, else the second one is refused."""
    store = stores.open()
    info = put(store, first)
    if stores.nests:
        put(store, second)
        return
    with pytest.raises(InvalidName):
        put(store, second)
    assert store.stat(second) is None
    assert not store.delete(second, if_generation=1)
    with pytest.raises(ObjectMissing):
        store.read(second)
    assert list(store.scan()) == [info]
    store.delete(first, if_generation=info.generation)
    put(store, second)


CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "read": lambda store: store.read("a"),
    "write": lambda store: put(store, "b"),
    "stat": lambda store: store.stat("a"),
    "scan": lambda store: list(store.scan()),
    "delete": lambda store: store.delete("a", if_generation=1),
    "protect": lambda store: store.protect("a", if_generation=1, held=True),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_unreachable_store(stores: StoreCase, call: Callable[[ObjectStore], object]) -> None:
    """Held: "All methods raise ``Unavailable`` when the store cannot be reached": no object looks missing."""
    store = stores.open()
    put(store, "a")
    stores.break_it()
    with pytest.raises(Unavailable):
        call(store)


def test_a_reader_keeps_its_generation(stores: StoreCase) -> None:
    """Held: "The bytes in chunks, all of one generation even while it is overwritten": or deleted."""
    store = stores.open()
    first, second = (bytes([number]) * 5_000_000 for number in (1, 2))
    put(store, "a", first)
    chunks = store.read("a")
    begun = next(chunks)
    assert len(begun) < len(first)
    info = put(store, "a", second)
    later = store.read("a")
    store.delete("a", if_generation=info.generation)
    assert begun + b"".join(chunks) == first
    assert b"".join(later) == second
    assert list(chunks) == []


def test_read_of_a_missing_object(stores: StoreCase) -> None:
    """Held: "Raises ``ObjectMissing`` at once where there is no such object or it has another generation"."""
    store = stores.open()
    old = put(store, "a/b", b"old")
    new = put(store, "a/b", b"new")
    for name in ("b", "a", "a/b/c"):
        with pytest.raises(ObjectMissing):
            store.read(name)
    with pytest.raises(ObjectMissing):
        store.read("a/b", generation=old.generation)
    assert content_of(store, "a/b", new.generation) == b"new"


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_write_takes_bytes_and_files(stores: StoreCase, size: int) -> None:
    """Held: "Store bytes durably, all or none": every size, from memory and from a file."""
    store, content = stores.open(), bytes(range(251)) * (size // 251 + 1)
    for name, given_content in (("memory", content[:size]), ("file", io.BytesIO(content[:size]))):
        info = store.write(name, given_content, content_type=TYPE)
        assert content_of(store, name) == content[:size]
        assert info.size_bytes == size


class Torn(io.RawIOBase):
    """A source that breaks off."""

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Give one chunk, then fail."""
        if self.tell_once():
            return b"x" * 100
        message = "the source broke off"
        raise ValueError(message)

    def tell_once(self) -> bool:
        """True the first time."""
        first, self._begun = not getattr(self, "_begun", False), True
        return first


def test_a_torn_source_changes_nothing(stores: StoreCase) -> None:
    """Held: "all or none": a source that breaks off leaves what was there, and no trace of itself."""
    store = stores.open()
    info = put(store, "a", b"whole")
    for name in ("a", "b"):
        with pytest.raises(ValueError, match="broke off"):
            store.write(name, Torn(), content_type=TYPE)  # type: ignore[arg-type]
    assert list(store.scan()) == [info]
    assert content_of(store, "a") == b"whole"


def test_readers_see_old_or_new(stores: StoreCase) -> None:
    """Held: "a reader sees the old or the new, never a mixture": while another thread keeps writing."""
    store = stores.open()
    put(store, "a", b"0" * 300_000)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            put(store, "a", str(number % 10).encode() * (300_000 + number % 7))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(40):
            content = content_of(store, "a")
            assert len(content) >= 300_000
            assert len(set(content)) == 1
            assert store.stat("a") is not None
    finally:
        stop.set()
        writer.join()


def test_write_only_if_there_is_none(stores: StoreCase) -> None:
    """Held: "``if_generation`` 0 demands that no such object exists": before the first write and after a delete."""
    store = stores.open()
    info = store.write("a", b"first", content_type=TYPE, if_generation=0)
    with pytest.raises(PreconditionFailed):
        store.write("a", b"second", content_type=TYPE, if_generation=0)
    assert content_of(store, "a") == b"first"
    store.delete("a", if_generation=info.generation)
    store.write("a", b"third", content_type=TYPE, if_generation=0)


def test_write_only_over_a_generation(stores: StoreCase) -> None:
    """``if_generation`` 0 demands none, "another number that this is its present generation", else nothing changes.

    The whole: "``if_generation`` 0 demands that no such object exists, another number that this is its present
    generation"; "otherwise raises ``PreconditionFailed`` and changes nothing".
    """
    store = stores.open()
    old = put(store, "a", b"old")
    new = store.write("a", b"new", content_type=TYPE, if_generation=old.generation)
    for name in ("a", "missing"):
        with pytest.raises(PreconditionFailed):
            store.write(name, b"late", content_type=TYPE, if_generation=old.generation)
    assert list(store.scan()) == [new]
    assert content_of(store, "a") == b"new"


@pytest.mark.parametrize("exists", [False, True])
def test_one_of_several_writers_wins(stores: StoreCase, exists: bool) -> None:  # noqa: FBT001
    """Held: "Of several writers with the same precondition at most one succeeds": here exactly one of six."""
    generation = put(stores.open(), "a").generation if exists else 0
    ready = threading.Barrier(6)
    won: list[ObjectInfo] = []

    def write(number: int) -> None:
        store = stores.open()
        ready.wait()
        with contextlib.suppress(PreconditionFailed):
            won.append(store.write("a", b"%d" % number, content_type=TYPE, if_generation=generation))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [stores.open().stat("a")] == won


def test_stat_tells_what_is_known(stores: StoreCase) -> None:
    """Held: "What is known about an object, or None where there is none": the same as the write returned."""
    store = stores.open()
    assert store.stat("a/b") is None
    for content_type in ("audio/flac", "application/octet-stream", TYPE, "text/html; charset=utf-8"):
        stores.clock.move(1.5)
        begun_at = utc_now()
        info = store.write("a/b", b"12345", content_type=content_type)
        assert stores.open().stat("a/b") == info
        assert list(store.scan()) == [info]
        assert (info.name, info.size_bytes, info.content_type) == ("a/b", 5, content_type)
        if stores.dates_by_clock:
            assert info.created_at == stores.clock()
        else:
            assert begun_at <= info.created_at <= utc_now()
        assert info.created_at.utcoffset() == timedelta(0)
    assert store.stat("a") is None
    assert store.stat("a/b/c") is None


def test_generations_never_come_back(stores: StoreCase) -> None:
    """A generation changes with every write and never comes back: not by a clock that stands, nor after a delete."""
    store, seen = stores.open(), set()
    for step in range(12):
        info = put(store, "a", b"same")
        assert info.generation not in seen
        assert info.generation > 0
        seen.add(info.generation)
        if step % 3 == 0:
            stores.open().delete("a", if_generation=info.generation)
        if step % 4 == 0:
            stores.clock.move(-0.5)


def test_scan_in_order(stores: StoreCase) -> None:
    """Held: "Objects whose name starts with ``prefix`` and sorts after ``start_after``", in every combination."""
    store = stores.open()
    names = [
        "a",
        "a.b",
        "a-/x",
        "b/a",
        "b/a.json",
        "b/c/d",
        "b/é",
        "b/\U0001f3b5",
        "b0",
        "b/\uff5e",
        "c/1",
        "c/10",
        "c/2",
    ]
    for name in names:
        put(store, name)
    names.sort(key=str.encode)
    for prefix in ("", "a", "b", "b/", "b/c", "b/c/", "b/c/d", "c/1", "x", "b//", "../", "b/\ud800"):
        for after in ("", "a", "a.b", "b", "b/", "b/a", "b/c/zz", "b/é", "c/1", "zz", "\ud800"):
            found = [info.name for info in store.scan(prefix, start_after=after)]
            after_bytes = after.encode("utf-8", "surrogatepass")
            assert found == [n for n in names if n.startswith(prefix) and n.encode() > after_bytes]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(st.text("ab./-é", min_size=1, max_size=5), max_size=8), after=st.text("ab./-é", max_size=3))
def test_scan_gives_every_object_once(stores: StoreCase, names: set[str], after: str) -> None:
    """Held: "in order of their UTF-8 bytes": whatever the names, each comes once, and a scan resumes anywhere."""
    store = stores.open()
    stored: list[str] = []
    for name in names:
        try:
            put(store, name)
        except InvalidName:
            continue
        stored.append(name)
    stored.sort(key=str.encode)
    assert [info.name for info in store.scan()] == stored
    assert [info.name for info in store.scan(start_after=after)] == [n for n in stored if n.encode() > after.encode()]
    for info in list(store.scan()):
        store.delete(info.name, if_generation=info.generation)
    assert list(store.scan()) == []


def test_delete_removes_one_generation(stores: StoreCase) -> None:
    """Held: "Remove that generation": "False where there is no such object", as before the first write."""
    store = stores.open()
    assert not store.delete("a/b/c", if_generation=1)
    info = put(store, "a/b/c")
    assert store.delete("a/b/c", if_generation=info.generation)
    assert not store.delete("a/b/c", if_generation=info.generation)
    assert store.stat("a/b/c") is None
    put(store, "a")


def test_delete_that_lost_a_race(stores: StoreCase) -> None:
    """Held: "Raises ``PreconditionFailed`` when the object has another generation, and leaves it"."""
    store = stores.open()
    old, new = put(store, "a", b"old"), put(store, "a", b"new")
    with pytest.raises(PreconditionFailed):
        store.delete("a", if_generation=old.generation)
    assert store.stat("a") == new
    assert content_of(store, "a") == b"new"


def test_protect_changes_nothing_else(stores: StoreCase) -> None:
    """Held: "Change what becomes of that generation without changing it".

    And "``not_needed_after`` tells a store that cleans up by itself when nobody can need the object any more", of which
    "it only ever moves later" is refused nowhere; "``None`` leaves either as it is".
    """
    store = stores.open()
    info = put(store, "a/b", b"kept")
    assert store.protect("a/b", if_generation=info.generation, not_needed_after=datetime(2030, 1, 1, tzinfo=UTC))
    assert store.protect("a/b", if_generation=info.generation, not_needed_after=datetime(2029, 1, 1, tzinfo=UTC))
    assert store.protect("a/b", if_generation=info.generation)
    assert store.stat("a/b") == info
    assert content_of(store, "a/b") == b"kept"
    assert store.delete("a/b", if_generation=info.generation)


def test_protect_of_what_is_not_there(stores: StoreCase) -> None:
    """Held: "False where there is no such object".

    And "Raises ``PreconditionFailed`` when the object has another generation".
    """
    store = stores.open()
    assert not store.protect("a", if_generation=1, held=True)
    old, new = put(store, "a", b"old"), put(store, "a", b"new")
    with pytest.raises(PreconditionFailed):
        store.protect("a", if_generation=old.generation, held=True)
    assert store.stat("a") == new
    store.delete("a", if_generation=new.generation)
    assert not store.protect("a", if_generation=new.generation, held=True)


def test_a_held_object_stays(stores: StoreCase) -> None:
    """Held: "While ``held``, a delete or an overwrite raises ``ObjectHeld`` and changes nothing", for everybody."""
    info = put(stores.open(), "a/b", b"held")
    other = put(stores.open(), "a/c")
    assert stores.open().protect("a/b", if_generation=info.generation, held=True)
    if not stores.holds:
        assert stores.open().stat("a/b") == info
        return
    store = stores.open()
    held = ObjectInfo(info.name, info.generation, info.size_bytes, info.created_at, info.content_type, held=True)
    for _ in range(2):
        with pytest.raises(ObjectHeld):
            store.delete("a/b", if_generation=info.generation)
        for generation in (None, info.generation):
            with pytest.raises(ObjectHeld):
                store.write("a/b", b"other", content_type=TYPE, if_generation=generation)
        with pytest.raises(PreconditionFailed):
            store.write("a/b", b"other", content_type=TYPE, if_generation=0)
        with pytest.raises(PreconditionFailed):
            store.delete("a/b", if_generation=info.generation + 1)
        assert list(store.scan()) == [held, other]
        assert store.stat("a/b") == held
        assert content_of(store, "a/b") == b"held"
        store.protect("a/b", if_generation=info.generation, not_needed_after=datetime(2030, 1, 1, tzinfo=UTC))
        store.protect("a/b", if_generation=info.generation, held=True)


def test_a_released_object_goes(stores: StoreCase) -> None:
    """Held: "While ``held``": released it is as it was, and what is written in its place is not held."""
    store = stores.open()
    info = put(store, "a")
    store.protect("a", if_generation=info.generation, held=True)
    assert stores.open().protect("a", if_generation=info.generation, held=False)
    assert stores.open().protect("a", if_generation=info.generation, held=False)
    assert store.stat("a") == info
    replaced = put(store, "a", b"new")
    assert not replaced.held
    assert store.stat("a") == replaced
    assert store.delete("a", if_generation=replaced.generation)


def test_folders_come_and_go_safely(stores: StoreCase) -> None:
    """Threads that write and delete beside each other never trip over folders that vanish or appear."""

    def work(number: int, failures: list[Exception]) -> None:
        store = stores.open()
        try:
            for _ in range(25):
                info = put(store, f"a/b/c/{number}")
                assert store.delete(info.name, if_generation=info.generation)
        except Exception as error:  # noqa: BLE001  # a thread's failure must reach the test
            failures.append(error)

    failures: list[Exception] = []
    threads = [threading.Thread(target=work, args=(number, failures)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(stores.open().scan()) == []

"""What ``LocalObjectStore`` adds to the contract: files for people, and nothing left behind."""

import contextlib
import fcntl
import os
import socket
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError, ObjectMissing, Unavailable
from runtime.local.object_files import Temporary
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock

TYPE = "application/json"


@pytest.fixture
def store(tmp_path: Path) -> LocalObjectStore:
    """An empty bucket."""
    return LocalObjectStore(tmp_path, "results", clock=ManualClock())


def files_of(root: Path) -> list[str]:
    """Every file below a folder but the locks."""
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.parent.name != "locks"
    )


def test_a_person_finds_the_file(store: LocalObjectStore, tmp_path: Path) -> None:
    """An object is a file of its name with its bytes, and there is nothing else."""
    info = store.write("analyses/acme/1.json", b"{}", content_type=TYPE)
    assert (tmp_path / "results" / "analyses" / "acme" / "1.json").read_bytes() == b"{}"
    assert files_of(tmp_path) == ["results/analyses/acme/1.json"]
    store.delete(info.name, if_generation=info.generation)
    assert list((tmp_path / "results").iterdir()) == []


def test_an_odd_content_type_is_cleaned_up(store: LocalObjectStore, tmp_path: Path) -> None:
    """The note beside an object whose type does not follow from its name goes with it."""
    for number in range(3):
        info = store.write("1.json", b"{}", content_type=f"x/{number}")
        assert len(files_of(tmp_path)) == 2
    store.delete("1.json", if_generation=info.generation)
    assert files_of(tmp_path) == []


def test_a_bucket_that_is_gone_is_never_made_again(store: LocalObjectStore, tmp_path: Path) -> None:
    """An empty one in the place of a disk that is away would say that there is no object, and lose jobs about them."""
    store.write("1.json", b"{}", content_type=TYPE)
    (tmp_path / "results").rename(tmp_path / "away")
    later = LocalObjectStore(tmp_path, "results", clock=ManualClock())
    for each in (store, later):
        with pytest.raises(Unavailable, match="is gone"):
            each.stat("1.json")
        with pytest.raises(Unavailable, match="is gone"):
            each.write("2.json", b"{}", content_type=TYPE)
    assert not (tmp_path / "results").exists()
    (tmp_path / "away").rename(tmp_path / "results")
    assert b"".join(later.read("1.json")) == b"{}"


def test_what_a_dead_writer_left_is_removed(store: LocalObjectStore, tmp_path: Path) -> None:
    """Half-written files are never objects, and the next start removes them, but not one being written."""
    fresh = tmp_path / ".earmark" / "results" / "new"
    (fresh / "left behind").write_bytes(b"half")
    with Temporary(os.fsencode(fresh)) as temporary:
        os.write(temporary.descriptor, b"being written")
        assert list(store.scan()) == []
        LocalObjectStore(tmp_path, "results")
        assert [path.name for path in fresh.iterdir()] == [os.path.basename(temporary.path).decode()]  # noqa: PTH119
        temporary.move(os.fsencode(tmp_path / "results" / "a"), os.fsencode(tmp_path / "results"))
    assert [info.name for info in store.scan()] == ["a"]
    assert list(fresh.iterdir()) == []


def test_an_empty_folder_is_in_nobodys_way(store: LocalObjectStore, tmp_path: Path) -> None:
    """Folders that a dead process made and never filled neither are objects nor keep their name from one."""
    (tmp_path / "results" / "a" / "b" / "c").mkdir(parents=True)
    assert list(store.scan()) == []
    assert store.stat("a") is None
    store.write("a", b"1", content_type=TYPE)
    assert [info.name for info in store.scan()] == ["a"]


def test_things_that_are_no_objects(store: LocalObjectStore, tmp_path: Path) -> None:
    """Links, pipes, sockets and names no object can have are passed over, and nothing waits for them."""
    bucket = tmp_path / "results"
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (bucket / "link").symlink_to(secret)
    (bucket / "loop").symlink_to("loop")
    os.mkfifo(bucket / "pipe")
    (bucket / "new\nline").touch()
    Path(os.fsdecode(os.fsencode(bucket) + b"/\xff\xfe")).touch()
    with socket.socket(socket.AF_UNIX) as server:
        with contextlib.chdir(bucket):  # the path of a socket has a hundred characters at most
            server.bind("sock")
        for name in ("link", "loop", "pipe", "sock"):
            assert store.stat(name) is None
            with pytest.raises(ObjectMissing):
                store.read(name)
        assert list(store.scan()) == []
    store.write("link", b"own", content_type=TYPE)
    assert secret.read_bytes() == b"secret"


def test_a_file_a_person_edits_is_another_generation(store: LocalObjectStore, tmp_path: Path) -> None:
    """A change by hand is seen as one, so that nobody overwrites it unawares."""
    info = store.write("a.json", b"{}", content_type=TYPE)
    (tmp_path / "results" / "a.json").write_bytes(b"{ }")
    changed = store.stat("a.json")
    assert changed is not None
    assert changed.generation != info.generation
    assert store.write("a.json", b"{}", content_type=TYPE).generation > changed.generation


def test_a_generation_set_by_hand_never_comes_back(store: LocalObjectStore, tmp_path: Path) -> None:
    """A file time far ahead, gone with its object, is not given again to the next one."""
    store.write("a", b"1", content_type=TYPE)
    ahead_ns = 4_000_000_000_000_000_000
    os.utime(tmp_path / "results" / "a", ns=(ahead_ns, ahead_ns))
    assert store.delete("a", if_generation=ahead_ns)
    assert store.write("a", b"1", content_type=TYPE).generation > ahead_ns


def test_a_sweeper_that_comes_too_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file that somebody sweeps away before it is locked is made again."""
    store = LocalObjectStore(tmp_path, "results")
    flock = fcntl.flock
    swept: list[Path] = []

    def late(descriptor: int, operation: int) -> None:
        if not swept:
            swept.extend((tmp_path / ".earmark" / "results" / "new").iterdir())
            swept[0].unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    info = store.write("a", b"1", content_type=TYPE)
    assert len(swept) == 1
    assert store.stat("a") == info


@pytest.mark.parametrize("step_ns", [100, 1_000, 1_000_000, 1_000_000_000, 2_000_000_000])
def test_coarse_file_times(store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch, step_ns: int) -> None:
    """On a file system that keeps times coarsely generations still grow."""
    utime = os.utime

    def coarse(descriptor: int, *, ns: tuple[int, int]) -> None:
        utime(descriptor, ns=(ns[0], ns[1] // step_ns * step_ns))

    monkeypatch.setattr(os, "utime", coarse)
    generations = [store.write("a", b"1", content_type=TYPE).generation for _ in range(5)]
    assert generations == sorted(set(generations))


def test_file_times_that_cannot_be_set(store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without times there are no generations, so nothing is written."""
    monkeypatch.setattr(os, "utime", lambda *_, **__: None)
    with pytest.raises(Unavailable, match="does not keep the times"):
        store.write("a", b"1", content_type=TYPE)
    assert list(store.scan()) == []


def test_an_abandoned_read_holds_no_file(store: LocalObjectStore) -> None:
    """Whoever stops reading, or never begins, leaves no descriptor open."""
    store.write("a", b"1" * 3_000_000, content_type=TYPE)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        store.read("a")
        next(store.read("a"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("bucket", ["", "a", ".earmark", "..", "a/b", "UPPER", "a" * 64, "-ab", "ab\n"])
def test_bucket_names(tmp_path: Path, bucket: str) -> None:
    """A bucket's name is what every store allows, and never one of our own folders."""
    with pytest.raises(ConfigurationError):
        LocalObjectStore(tmp_path, bucket)


def test_a_disk_that_fails(store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that fails fails the write, and what was there stays."""
    store.write("a", b"old", content_type=TYPE)

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(Unavailable, match="Input/output"):
        store.write("a", b"new", content_type=TYPE)
    assert b"".join(store.read("a")) == b"old"


def test_a_write_is_on_the_disk_when_it_returns(
    store: LocalObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are synced before the rename, and the folder that holds the name after it."""
    synced: list[tuple[str, bool]] = []
    target = tmp_path / "results" / "a" / "b.json"
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), target.exists()))
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", note)
    store.write("a/b.json", b"{}", content_type=TYPE)
    new = str(tmp_path / ".earmark" / "results" / "new")
    assert [there for path, there in synced if path.startswith(new)] == [False]
    assert (str(target.parent), True) in synced
    assert (str(tmp_path / "results"), False) in synced, "the folder is new too"


def test_a_hold_survives_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """A hold is a file beside the bucket, as durable as the object; released, nothing of it is left."""
    store = LocalObjectStore(tmp_path, "results")
    info = store.write("a/b", b"x", content_type="audio/wav")
    store.protect("a/b", if_generation=info.generation, held=True)
    holds = tmp_path / ".earmark" / "results" / "holds"
    assert len(list(holds.iterdir())) == 1
    found = LocalObjectStore(tmp_path, "results").stat("a/b")
    assert found is not None
    assert (found.held, found.content_type) == (True, "audio/wav")
    LocalObjectStore(tmp_path, "results").protect("a/b", if_generation=info.generation, held=False)
    assert list(holds.iterdir()) == []


def test_files_that_no_name_can_reach(store: LocalObjectStore, tmp_path: Path) -> None:
    """A listing passes them over; they are told apart from objects, by prefix too, and can be removed."""
    store.write("acme/sound.wav", b"sound", content_type="audio/wav")
    folder = tmp_path / "results" / "acme"
    odd = [folder / "a\tb.wav", folder / os.fsdecode(b"\xff.wav"), folder / "new\nline" / "plain.wav"]
    for path in odd:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"sound")
    link = folder / "linked.wav"
    link.symlink_to(folder / "sound.wav")
    assert [info.name for info in store.scan()] == ["acme/sound.wav"]
    assert sorted(store.strangers()) == sorted([*odd, link])
    assert list(store.strangers("acme/lin")) == [link]
    assert list(store.strangers("other/")) == []
    assert [store.remove_stranger(path) for path in [*odd, link, link]] == [True] * 4 + [False]
    assert [path.name for path in folder.iterdir()] == ["sound.wav"]

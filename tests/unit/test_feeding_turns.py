"""What feeding costs others: an object is read once however often it is named, and a step has an end."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from router.batches.contents import Content, ContentHashes
from router.batches.feeding import STEP_S
from tests.batch_world import TENANT, BatchWorld

LARGE = b"x" * 1024**2


class Counted:
    """A store that counts what is read of it."""

    def __init__(self, store: Any) -> None:
        """Take the store."""
        self._store = store
        self.reads: list[str] = []

    def __getattr__(self, name: str) -> Any:
        """What it is not asked to count."""
        return getattr(self._store, name)

    def read(self, name: str, *, generation: int | None = None) -> Iterator[bytes]:
        """See ``ObjectStore``."""
        self.reads.append(name)
        return self._store.read(name, generation=generation)  # type: ignore[no-any-return]


@pytest.fixture
def world(tmp_path: Path) -> BatchWorld:
    """Empty stores."""
    return BatchWorld(tmp_path)


def test_an_object_is_read_once(world: BatchWorld) -> None:
    """However many lines name it; a new generation is read anew."""
    [one] = world.put("1.wav")
    store = Counted(world.backend.bucket("uploads"))
    feeding = world.feeding(bucket=lambda _: store)
    first = world.make([one] * 50)
    assert feeding.run_once()
    assert list(world.ways(first).values()) == ["queued"] + ["duplicate"] * 49
    store.write("acme/1.wav", b"2.wav", content_type="audio/wav")
    second = world.make([one, one])
    assert feeding.run_once()
    assert list(world.ways(second).values()) == ["queued", "duplicate"]
    assert store.reads == ["acme/1.wav"] * 2
    feeding.close()


def test_large_objects_of_the_catalogue_are_not_read(world: BatchWorld) -> None:
    """A feeder that begins anew takes the hash from there, of the same generation alone."""
    store = Counted(world.backend.bucket("uploads"))
    store.write("acme/1.wav", LARGE, content_type="audio/wav")
    for _ in range(2):
        feeding = world.feeding(bucket=lambda _: store)
        world.make(["uploads/acme/1.wav"])
        assert feeding.run_once()
        feeding.close()
    assert store.reads == ["acme/1.wav"]
    store.write("acme/1.wav", LARGE + b"y", content_type="audio/wav")
    world.make(["uploads/acme/1.wav"])
    feeding = world.feeding(bucket=lambda _: store)
    assert feeding.run_once()
    feeding.close()
    assert len(store.reads) == 2
    assert len(world.waiting()) == 2


def test_large_files_end_a_step(world: BatchWorld) -> None:
    """After so many bytes it is another customer's turn; no line is lost."""
    large = world.make(world.put(*(f"{number}.wav" for number in range(40))))
    feeding = world.feeding()
    feeding._step_bytes = 5
    assert feeding.run_once()
    assert 1 <= world.now(large).entries <= 10
    other = world.make(world.put("1.wav", tenant="zeta"), tenant="zeta")
    assert feeding.run_once()
    assert world.now(other).entries == 1
    while feeding.run_once():
        pass
    assert list(world.ways(large)) == list(range(1, 41))
    feeding.close()


def test_slow_entries_end_a_step(world: BatchWorld) -> None:
    """Time is looked at after each of them."""
    slow = world.make([f"uploads/{TENANT}/none-{number}" for number in range(60)])
    feeding = world.feeding()
    seconds = count()
    feeding._monotonic = lambda: float(next(seconds))
    assert feeding.run_once()
    assert 1 <= world.now(slow).entries <= STEP_S + 1
    feeding.close()


def test_few_hashes_are_remembered() -> None:
    """The oldest go; a failure is none."""
    hashes = ContentHashes(kept=2)
    contents = [Content("b", str(number), 1, 1) for number in range(3)]
    with pytest.raises(ZeroDivisionError):
        hashes.of(contents[0], lambda: str(1 // 0))
    for each in contents:
        assert hashes.of(each, lambda each=each: each.name) == each.name  # type: ignore[misc]
    assert hashes.of(contents[2], lambda: "again") == "2"
    assert hashes.of(contents[0], lambda: "again") == "again"

"""Feeding: every line becomes a row and at most one job, whoever dies when."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from earmark.domain import Upload
from earmark.errors import InputFault, InputRejected, Unavailable
from earmark.rows import Row
from earmark.vocabulary import Lane, Origin, Tier
from router.batches.batch import BatchState
from router.batches.feeding import HELD, Feeding
from router.tenant import Tenant
from router.tenant_register import TenantRegister
from tests.batch_world import TENANT, BatchWorld
from tests.flaky import FlakyQueue, FlakyStore


class Killed(BaseException):
    """Stands for ``kill -9``: nothing catches it."""


class Doomed:
    """Dies at one of the calls that change something, before or after it took effect."""

    def __init__(self, at: int, *, after: bool) -> None:
        """Say at which call."""
        self.left, self.after = at, after

    def wrap(self, part: Any, method: str) -> Any:
        """A part whose method may be the last thing this process does."""
        return _Wrapped(part, method, self)


class _Wrapped:
    def __init__(self, part: Any, method: str, doom: Doomed) -> None:
        self._part, self._method, self._doom = part, method, doom

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return self._dying(found) if name == self._method else found

    def _dying(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            self._doom.left -= 1
            if self._doom.left == 0 and not self._doom.after:
                raise Killed
            result = call(*given, **named)
            if self._doom.left == 0:
                raise Killed
            return result

        return wrapped


@pytest.fixture
def world(tmp_path: Path) -> BatchWorld:
    """Empty stores."""
    return BatchWorld(tmp_path)


def drain(feeding: Feeding) -> None:
    """Feed until nothing is left."""
    while feeding.run_once():
        pass


def test_each_line_becomes_what_it_says(world: BatchWorld) -> None:
    """Jobs, duplicates, what is known, and lines that are wrong; the batch counts them."""
    one, two, three = world.put("1.wav", "2.wav", "3.wav")
    world.feed()
    first = world.make([{"uri": one}])
    world.feed()
    [known] = world.settle()
    batch = world.make([{"uri": two, "id": "B"}, one, three, two, "uploads/other/1.wav", "uploads/acme/none.wav", 7])
    world.feed()
    assert world.ways(batch) == {
        1: "queued", 2: "known", 3: "queued", 4: "duplicate", 5: "rejected", 6: "rejected", 7: "rejected",
    }  # fmt: skip
    rows = world.rows(batch)
    assert (rows[0]["reference"], rows[0]["source"], rows[1]["job_id"]) == ("B", two, known)
    assert rows[3]["job_id"] == rows[0]["job_id"]
    assert [row["error_kind"] for row in rows[4:]] == ["not_found", "not_found", "malformed_line"]
    now = world.now(batch)
    assert (now.queued, now.known, now.duplicate, now.rejected, now.state) == (2, 1, 1, 3, BatchState.FED)
    jobs = world.waiting()
    assert {(job.upload.batch, job.upload.origin, job.lane) for job in jobs} == {(batch.id, Origin.BATCH, Lane.LOW)}
    assert world.now(first).state is BatchState.FED


def test_objects_that_were_copied_into_the_bucket_are_catalogued(world: BatchWorld) -> None:
    """Once, with their job; a second batch leaves the row as it is."""
    [one] = world.put("1.wav")
    world.make([one])
    world.feed()
    [row] = world.backend.catalogue.find("uploads", "acme/1.wav")
    assert row.job_id == world.waiting()[0].id
    world.clock.move(3600)
    world.make([one])
    world.feed()
    assert list(world.backend.catalogue.find("uploads", "acme/1.wav")) == [row]


def test_a_prefix_is_every_object_under_it(world: BatchWorld) -> None:
    """Listed once, then fed like a manifest; names with odd signs among them."""
    world.put("a/1.wav", "a/50% #2.wav", "b/3.wav")
    world.put("a/1.wav", tenant="acme-2")
    batch = world.batches.make_of_prefix(TENANT, "uploads/acme/a/", made_by="test")
    assert batch.state is BatchState.ACCEPTING
    world.feed()
    assert [row["source"] for row in world.rows(batch)] == ["uploads/acme/a/1.wav", "uploads/acme/a/50% #2.wav"]
    assert world.ways(batch) == {1: "queued", 2: "queued"}


@pytest.mark.parametrize(
    ("prefix", "word"), [("uploads/acme/none/", "nothing under"), ("uploads/acme/", "more than 2")]
)
def test_prefixes_that_cannot_be_fed(tmp_path: Path, prefix: str, word: str) -> None:
    """The batch says why, and is over."""
    world = BatchWorld(tmp_path, batch_max_entries=2)
    world.put("1.wav", "2.wav", "3.wav")
    batch = world.batches.make_of_prefix(TENANT, prefix, made_by="test")
    world.feed()
    now = world.now(batch)
    assert now.state is BatchState.FAILED
    assert word in (now.error or "")
    assert list(world.batches.open()) == []


def test_a_batch_without_its_manifest_fails(world: BatchWorld) -> None:
    """It does not stop the others."""
    [one] = world.put("1.wav")
    lost, other = world.make([one]), world.make([one])
    info = world.backend.state.stat(f"batches/acme/{lost.id}/manifest")
    assert info is not None
    world.backend.state.delete(info.name, if_generation=info.generation)
    world.feed()
    assert (world.now(lost).state, world.now(other).state) == (BatchState.FAILED, BatchState.FED)


@pytest.mark.parametrize("after", [False, True])
def test_killed_anywhere_it_goes_on(tmp_path: Path, *, after: bool) -> None:
    """At each call that changes something: no line is lost, none has two rows, no job is there twice."""
    for at in range(1, 100):
        world = BatchWorld(tmp_path / str(at))
        one, two, three = world.put("1.wav", "2.wav", "3.wav")
        batch = world.make([one, two, "bad", one, three])
        doom = Doomed(at, after=after)
        feeding = world.feeding(
            state=doom.wrap(world.backend.state, "write"),
            warehouse=doom.wrap(world.backend.warehouse, "append"),
            lanes={**world.backend.lanes, Lane.LOW: doom.wrap(world.backend.lanes[Lane.LOW], "put")},
        )
        feeding._step_entries = 3
        with suppress(Killed):
            drain(feeding)
        feeding._routing.close()
        world.clock.move(HELD.total_seconds() + 1)
        world.feed()
        assert world.ways(batch) == {1: "queued", 2: "queued", 3: "rejected", 4: "duplicate", 5: "queued"}, at
        now = world.now(batch)
        assert (now.queued, now.duplicate, now.rejected, now.state) == (3, 1, 1, BatchState.FED), at
        assert len(world.waiting()) == 3, at
        if doom.left > 0:
            assert at > 6
            return
    pytest.fail("it never came to its end")


def test_a_dead_feeder_is_replaced_and_a_live_one_is_not(world: BatchWorld) -> None:
    """For two minutes a batch is its feeder's, unless that is known to be dead."""
    addresses = world.put("1.wav", "2.wav")
    batch = world.make(addresses)
    first, second = world.feeding(), world.feeding()
    first._step_entries = 1
    assert first.run_once()
    assert not second.run_once()
    second._is_dead = lambda name: name == first._name
    assert second.run_once()
    assert world.now(batch).state is BatchState.FED
    assert first.run_once(), "it finds that the batch is another's"
    assert not first.run_once()
    assert world.now(batch).queued == 2
    first.close()
    second.close()


def test_who_ends_gives_batches_up(world: BatchWorld) -> None:
    """Another feeder goes on at once, and knows which contents there were."""
    one, two = world.put("1.wav", "2.wav")
    batch = world.make([one, two, one])
    first = world.feeding()
    first._step_entries = 2
    first.run_once()
    first.close()
    world.feed()
    assert world.ways(batch) == {1: "queued", 2: "queued", 3: "duplicate"}


def test_customers_are_served_in_turn(world: BatchWorld) -> None:
    """One with a large batch does not keep another waiting; of one customer the oldest batch goes first."""
    old = world.make(world.put("1.wav", "2.wav", "3.wav"))
    world.clock.move(1)
    young = world.make(world.put("4.wav"))
    other = world.make(world.put("1.wav", tenant="zeta"), tenant="zeta")
    feeding = world.feeding()
    feeding._step_entries = 1
    entries = []
    for _ in range(3):
        feeding.run_once()
        entries.append([world.now(each).entries for each in (old, young, other)])
    assert entries[1] == [1, 0, 1]
    assert entries[2][0] == 2
    feeding.close()


@pytest.mark.parametrize("part", ["queue", "bucket"])
def test_what_is_away_postpones_one_batch(world: BatchWorld, part: str) -> None:
    """It rests, says so, and goes on where it was; nothing is written meanwhile."""
    batch = world.make(world.put("1.wav", "2.wav"))
    queue, bucket = FlakyQueue(world.backend.lanes[Lane.LOW]), FlakyStore(world.backend.bucket("uploads"))
    (queue if part == "queue" else bucket).faults.down = True
    feeding = world.feeding(lanes={**world.backend.lanes, Lane.LOW: queue}, bucket=lambda _: bucket)
    now = [0.0]
    feeding._monotonic = lambda: now[0]
    assert not feeding.run_once()
    assert world.rows(batch) == []
    queue.faults.down = bucket.faults.down = False
    assert not feeding.run_once(), "it rests"
    now[0] = 2.0
    assert feeding.run_once()
    assert world.ways(batch) == {1: "queued", 2: "queued"}
    feeding.close()


def test_an_unavailable_register_is_told(world: BatchWorld) -> None:
    """The loop around it waits."""
    world.make(world.put("1.wav"))
    state = FlakyStore(world.backend.state)
    state.faults.down = True
    with pytest.raises(Unavailable):
        world.feeding(state=state).run_once()


def test_cancelled_while_it_is_fed(world: BatchWorld) -> None:
    """The step under way writes nothing once it was cancelled, and no other follows."""
    batch = world.make(world.put("1.wav", "2.wav"))
    feeding = world.feeding()
    feeding._step_entries = 1
    feeding.run_once()

    def cancel(_: Upload) -> None:
        world.batches.cancel(TENANT, batch.id)

    feeding._routing.audio._refuse = cancel
    assert feeding.run_once()
    assert not feeding.run_once()
    assert list(world.ways(batch)) == [1]
    assert world.now(batch).state is BatchState.CANCELLED
    assert feeding._readings == {}
    feeding.close()


def test_limits_and_erasure_hold_for_entries(world: BatchWorld) -> None:
    """Too large for the customer, erased, and a file that only a command may name: each says so, without its name."""
    TenantRegister(world.backend.state).add(Tenant(name=TENANT, tier=Tier.PRO, max_input_bytes=5))
    world.backend.bucket("uploads").write("acme/l", b"too large", content_type="audio/wav")
    world.backend.bucket("uploads").write("acme/e", b"erase", content_type="audio/wav")
    batch = world.make(["uploads/acme/l", "uploads/acme/e", {"path": "/etc/passwd"}])
    feeding = world.feeding()

    def refuse(upload: Upload) -> None:
        raise InputRejected(InputFault.ERASED, "It was erased")

    feeding._routing.audio._refuse = refuse
    drain(feeding)
    feeding.close()
    rows = world.rows(batch)
    assert [row["error_kind"] for row in rows] == ["too_large", "erased", "not_found"]
    assert [row["source"] for row in rows] == ["uploads/acme/l", "(erased)", "/etc/passwd"]
    assert world.waiting() == []


def test_many_entries_take_little_memory(world: BatchWorld) -> None:
    """Contents that were seen lie on disk; the thousandth step holds no more than the first."""
    import tracemalloc  # noqa: PLC0415  # slows down what else is in this process

    batch = world.make(b"".join(b'"uploads/acme/none-%d"\n' % number for number in range(6000)))
    world.backend = _without_rows(world)
    feeding = world.feeding()
    feeding.run_once()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    drain(feeding)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    feeding.close()
    assert world.now(batch).rejected == 6000
    assert grown < 1 << 20


def _without_rows(world: BatchWorld) -> Any:
    """A backend whose warehouse forgets what it is told."""
    from dataclasses import replace  # noqa: PLC0415

    class Forgetful:
        def append(self, rows: list[Row]) -> None:
            """Forget."""

        def query(self, name: str, parameters: object = None) -> list[dict[str, object]]:
            """Know nothing."""
            return []

    return replace(world.backend, warehouse=Forgetful())

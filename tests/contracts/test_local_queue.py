"""What ``LocalQueue`` adds to the contract: depth, its limit, and rows that hold no job."""

import logging
import sqlite3
from pathlib import Path

import pytest

from earmark.domain import Lease
from earmark.errors import Unavailable
from earmark.vocabulary import Lane
from runtime.local.queue import MALFORMED, LocalQueue, QueueDepth
from tests.clock import ManualClock
from tests.making import make_exposure, make_failure, make_job

JOBS = [make_job(f"local {number}") for number in range(10)]
BODIES = [
    b"", b"{", b"null", b"[]", b'"x"', b"{}", b'{"v":1,', b'{"v":1}', b'{"v":2,"id":"x"}', b"\xff\xfe", b"{" * 100_000,
    b'{"v":1,"id":"zz"}', b'{"v":{}}', b"NaN", b'{"v":1,"id":1e999}',
]  # fmt: skip


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def queue(tmp_path: Path, clock: ManualClock) -> LocalQueue:
    """An empty queue."""
    return LocalQueue(tmp_path / "q.sqlite", "low", clock=clock, worker="w", synchronous="NORMAL")


def insert(path: Path, body: bytes, history: str = "[]") -> None:
    """Put a row there that ``put`` would not write."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            "INSERT INTO jobs (queue, id, due_us, history, body) VALUES ('low', ?, 0, ?, ?)",
            (f"odd {hash(body)} {history}", history, body),
        )
    connection.close()


def test_depth_tells_what_there_is(queue: LocalQueue, clock: ManualClock) -> None:
    """Waiting, delayed and leased jobs are told apart, and an expired lease waits again."""
    assert queue.depth() == QueueDepth(waiting=0, delayed=0, leased=0, oldest_age_s=0.0)
    queue.put(JOBS[:6])
    first, second, _ = queue.lease(3, 10.0)
    queue.release(first, after_s=30.0, failure=make_failure())
    queue.ack([second])
    clock.move(4.0)
    assert queue.depth() == QueueDepth(waiting=3, delayed=1, leased=1, oldest_age_s=4.0)
    clock.move(6.0)
    assert queue.depth() == QueueDepth(waiting=4, delayed=1, leased=0, oldest_age_s=10.0)


def test_depth_is_of_one_queue(queue: LocalQueue, tmp_path: Path, clock: ManualClock) -> None:
    """A queue counts its own jobs only."""
    queue.put(JOBS[:2])
    other = LocalQueue(tmp_path / "q.sqlite", "high", clock=clock)
    assert other.depth().waiting == 0
    assert queue.depth().waiting == 2


def test_a_full_queue_refuses(tmp_path: Path, clock: ManualClock) -> None:
    """A batch that does not fit is refused whole; jobs that are there need no room, other queues have theirs."""
    path = tmp_path / "q.sqlite"
    queue = LocalQueue(path, "low", clock=clock, max_depth=4)
    queue.put(JOBS[:3])
    with pytest.raises(Unavailable, match="full"):
        queue.put(JOBS[:5])
    assert queue.put(JOBS[:4]) == 1
    assert queue.put(JOBS[:4]) == 0
    assert LocalQueue(path, "high", clock=clock, max_depth=4).put(JOBS[5:9]) == 4
    assert LocalQueue(path, "low", clock=clock, max_depth=4).depth().waiting == 4
    queue.ack(queue.lease(1, 60.0))
    assert queue.put([JOBS[9]]) == 1


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_row_that_is_no_job_stops_nobody(
    queue: LocalQueue, tmp_path: Path, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is set aside with its bytes and logged, and the jobs behind it are given in the same call."""
    insert(tmp_path / "q.sqlite", body)
    queue.put(JOBS[:3])
    with caplog.at_level(logging.ERROR):
        assert [lease.job for lease in queue.lease(2, 60.0)] == JOBS[:2]
    assert [record.message for record in caplog.records] == ["job.malformed"]
    connection = sqlite3.connect(tmp_path / "q.sqlite")
    assert connection.execute("SELECT body FROM jobs WHERE queue = ?", (MALFORMED,)).fetchall() == [(body,)]
    connection.close()


def test_many_rows_that_are_no_jobs(queue: LocalQueue, tmp_path: Path) -> None:
    """A queue of nothing else is emptied at one look, and the next job is served."""
    for number in range(20):
        insert(tmp_path / "q.sqlite", b"%d" % number)
    assert queue.lease(3, 60.0) == []
    assert queue.depth().waiting == 0
    queue.put(JOBS[:1])
    assert len(queue.lease(3, 60.0)) == 1


def test_a_malformed_history_costs_no_job(queue: LocalQueue, tmp_path: Path, clock: ManualClock) -> None:
    """The job is still served, and failures can be added to it."""
    queue.put(JOBS[:1])
    connection = sqlite3.connect(tmp_path / "q.sqlite")
    with connection:
        connection.execute("UPDATE jobs SET history = '[{}]'")
    connection.close()
    (lease,) = queue.lease(1, 60.0)
    assert lease.history == ()
    clock.move(60.0)
    (again,) = queue.lease(1, 60.0)
    assert [failure.kind for failure in again.history] == ["worker_lost"]


@pytest.mark.parametrize("token", ["", "0" * 32, "' OR 1=1 --", "%"])
def test_a_made_up_token_is_lost(queue: LocalQueue, token: str) -> None:
    """Nobody gets a job by guessing."""
    queue.put(JOBS[:1])
    (held,) = queue.lease(1, 60.0)
    forged = Lease(held.job, token, 1, held.expires_at)
    assert queue.ack([forged]) == queue.extend([forged], 1.0) == [forged]
    assert not queue.release(forged)
    assert not queue.bury(forged, make_failure())
    assert queue.ack([held]) == []


def test_a_token_is_worth_nothing_in_another_queue(queue: LocalQueue, tmp_path: Path, clock: ManualClock) -> None:
    """A lease of the low queue means nothing to the high one."""
    high = LocalQueue(tmp_path / "q.sqlite", "high", clock=clock)
    queue.put(JOBS[:1])
    leases = queue.lease(1, 60.0)
    assert high.ack(leases) == leases
    assert queue.ack(leases) == []


def test_an_idle_look_writes_nothing(queue: LocalQueue, tmp_path: Path) -> None:
    """A worker that polls an empty queue waits for no writer and costs the disk nothing."""
    hog = sqlite3.connect(tmp_path / "q.sqlite", isolation_level=None)
    hog.execute("BEGIN IMMEDIATE")
    assert queue.lease(5, 60.0) == []
    assert queue.depth().waiting == 0
    hog.close()


def test_a_job_is_in_one_lane_only_and_moves_up(tmp_path: Path) -> None:
    """Put in the other lane a job is not added; waiting in low and put in high it moves up; leased it stays."""
    path, clock = tmp_path / "q.sqlite", ManualClock()
    high, low = (LocalQueue(path, name, clock=clock) for name in ("high", "low"))
    assert low.put(JOBS[:2]) == 2
    [leased] = low.lease(1, 60)
    assert high.put(JOBS[:2]) == 0
    assert [lease.job.id for lease in high.lease(9, 60)] == [JOBS[1].id]
    assert low.put(JOBS[:2]) == 0
    assert low.lease(9, 60) == []
    assert low.ack([leased]) == []
    assert high.put(JOBS[:1]) == 1


@pytest.mark.parametrize(("before", "after"), [(None, "b"), ("a", None), ("a", "b")])
def test_a_job_that_moves_up_stays_in_its_arm(tmp_path: Path, before: str | None, after: str | None) -> None:
    """It was stamped once, or not at all; what has been started or ended since does not count."""
    path, clock = tmp_path / "q.sqlite", ManualClock()
    high, low = (LocalQueue(path, name, clock=clock) for name in ("high", "low"))
    first, again = (
        make_job(lane=lane, arm=arm or "primary", exposure=arm and make_exposure(arm))
        for lane, arm in ((Lane.LOW, before), (Lane.HIGH, after))
    )
    low.put([first])
    assert high.put([again]) == 0
    [lease] = high.lease(1, 60)
    assert (lease.job.lane, lease.job.arm, lease.job.exposure) == (Lane.HIGH, first.arm, first.exposure)


def test_a_dead_workers_jobs_need_not_wait(tmp_path: Path) -> None:
    """Nothing else being due, the leases of a worker known to be dead run out at once, as a try; others do not."""
    path, clock = tmp_path / "q.sqlite", ManualClock()
    gone, alive = (LocalQueue(path, "low", clock=clock, worker=name) for name in ("gone", "alive"))
    heir = LocalQueue(path, "low", clock=clock, worker="heir", is_dead=lambda name: name == "gone")
    gone.put(JOBS[:2])
    [lost] = gone.lease(1, 60)
    [kept] = alive.lease(1, 60)
    [lease] = heir.lease(9, 60)
    assert (lease.job.id, lease.try_number, lease.history[0].worker) == (lost.job.id, 2, "gone")
    assert heir.lease(9, 60) == []
    assert alive.ack([kept]) == []


def test_a_job_that_moves_up_keeps_its_place(tmp_path: Path, clock: ManualClock) -> None:
    """What waited in low is, put in high, ahead of what was put there since."""
    low, high = (LocalQueue(tmp_path / "q.sqlite", name, clock=clock) for name in ("low", "high"))
    old, new = make_job("old"), make_job("new")
    low.put([old])
    clock.move(10)
    high.put([new])
    clock.move(10)
    high.put([old])
    assert [lease.job.id for lease in high.lease(9, 60)] == [old.id, new.id]

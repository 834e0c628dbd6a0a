"""What ``earmark.ports.Queue`` promises, over every adapter; each test quotes the sentence it holds."""

import threading
from collections.abc import Callable

import pytest

from earmark.domain import Job, Lease
from earmark.errors import Unavailable
from earmark.ports import Queue
from tests.contracts.conftest import QueueCase
from tests.making import make_failure, make_job

LEASE_S = 60.0
JOBS = [make_job(f"sound {number}") for number in range(10)]
JOB = JOBS[0]


def ids(jobs: list[Job]) -> list[str]:
    """Their ids in order."""
    return [job.id for job in jobs]


def drained(queue: Queue) -> list[Job]:
    """Take and acknowledge everything there is now."""
    jobs: list[Job] = []
    while leases := queue.lease(4, LEASE_S):
        assert queue.ack(leases) == []
        jobs += [lease.job for lease in leases]
    return jobs


def test_jobs_wait(queues: QueueCase) -> None:
    """Held: "Jobs waiting for a worker": what is put comes out equal, field by field."""
    queue = queues.open("low")
    queue.put([JOB])
    (lease,) = queue.lease(1, LEASE_S)
    assert lease.job == JOB


def test_names_are_queues_of_their_own(queues: QueueCase) -> None:
    """Held: "High, low and dead are three queues": a job in one is not in another, and each has its own."""
    high, low, dead = (queues.open(name) for name in ("high", "low", "dead"))
    assert high.put([JOB]) == 1
    assert low.lease(9, LEASE_S) == dead.lease(9, LEASE_S) == []
    assert low.put(JOBS[1:2]) == 1
    assert ids(drained(high)) == [JOB.id]
    assert ids(drained(low)) == [JOBS[1].id]


def test_another_connection_finds_what_was_put(queues: QueueCase) -> None:
    """Held: "Nothing put is lost when any process dies": the queue outlives whoever put and leased."""
    queues.open("low").put(JOBS)
    queues.open("low").lease(3, LEASE_S)
    queues.clock.move(LEASE_S)
    assert sorted(ids(drained(queues.open("low")))) == sorted(ids(JOBS))


CALLS: dict[str, Callable[[Queue, list[Lease]], object]] = {
    "put": lambda queue, _: queue.put([JOBS[5]]),
    "lease": lambda queue, _: queue.lease(1, LEASE_S),
    "extend": lambda queue, leases: queue.extend(leases, LEASE_S),
    "ack": lambda queue, leases: queue.ack(leases),
    "release": lambda queue, leases: queue.release(leases[0]),
    "bury": lambda queue, leases: queue.bury(leases[0], make_failure()),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_unreachable_queue(queues: QueueCase, call: Callable[[Queue, list[Lease]], object]) -> None:
    """Held: "All methods raise ``Unavailable`` when the queue cannot be reached", and nothing else."""
    queue = queues.open("low")
    queue.put(JOBS[:2])
    leases = queue.lease(1, LEASE_S)
    queues.break_it()
    with pytest.raises(Unavailable):
        call(queue, leases)


def test_threads_share_a_queue(queues: QueueCase) -> None:
    """Held: "and are safe to call from several threads and processes": each job goes to exactly one of four threads."""
    queue = queues.open("low")
    jobs = [make_job(f"thread {number}") for number in range(60)]
    taken: list[str] = []

    def work(part: int) -> None:
        queue.put(jobs[part::4])
        taken.extend(ids(drained(queue)))

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken.extend(ids(drained(queue)))
    assert sorted(taken) == sorted(ids(jobs))


def test_put_is_all_or_none(queues: QueueCase) -> None:
    """Held: "Add jobs durably, all or none": a batch with one thing that is no job adds nothing."""
    queue = queues.open("low")
    with pytest.raises(AttributeError):
        queue.put([JOB, None])  # type: ignore[list-item]
    assert queue.lease(9, LEASE_S) == []


@pytest.mark.parametrize("leased", [False, True])
def test_a_job_that_is_here_is_not_added_again(queues: QueueCase, leased: bool) -> None:  # noqa: FBT001
    """Held: "a job whose id is waiting or leased here already is not added again", but once it is gone it is."""
    if not queues.coalesces:
        pytest.skip("declared: this adapter does not coalesce")
    queue = queues.open("low")
    queue.put([JOB])
    leases = queue.lease(1, LEASE_S) if leased else []
    assert queue.put([JOB, JOB]) == 0
    queue.ack(leases or queue.lease(1, LEASE_S))
    assert queue.lease(1, LEASE_S) == []
    assert queue.put([JOB, JOB]) == 1


def test_put_tells_how_many_it_added(queues: QueueCase) -> None:
    """Held: "Returns how many were added": the new ones only, and 0 for no jobs."""
    queue = queues.open("low")
    assert queue.put(JOBS[:3]) == 3
    assert queue.put([]) == 0
    if queues.coalesces:
        assert queue.put(JOBS[:5]) == 2


def test_lease_takes_up_to_the_limit(queues: QueueCase) -> None:
    """Held: "Take up to ``limit`` jobs for ``lease_s`` seconds": no more, and fewer where there are fewer."""
    queue = queues.open("low")
    queue.put(JOBS[:5])
    assert queue.lease(0, LEASE_S) == []
    leases = queue.lease(3, LEASE_S)
    assert len(leases) == 3
    assert {(lease.expires_at - queues.clock()).total_seconds() for lease in leases} == {LEASE_S}
    assert len(queue.lease(3, LEASE_S)) == 2


def test_longest_due_comes_first(queues: QueueCase) -> None:
    """Held: "longest due first": by the time a job was put, its delay ended or its lease ran out."""
    if not queues.in_order:
        pytest.skip("declared: this adapter promises no order")
    queue = queues.open("low")
    expired, delayed, *fresh = JOBS[:5]
    queue.put([expired])
    queue.lease(1, 20.0)
    queue.put([delayed])
    queue.release(queue.lease(1, LEASE_S)[0], after_s=10.0)
    queues.clock.move(5.0)
    queue.put(fresh)
    queues.clock.move(30.0)
    assert ids([lease.job for lease in queue.lease(9, LEASE_S)]) == ids([*fresh, delayed, expired])


def test_an_empty_queue_answers_at_once(queues: QueueCase) -> None:
    """Held: "never waits": an empty queue gives an empty list, and no time passes."""
    before = queues.clock()
    assert queues.open("low").lease(5, LEASE_S) == []
    assert queues.clock() == before


def test_a_leased_job_is_given_to_nobody_else(queues: QueueCase) -> None:
    """Held: "A leased job is given to nobody else until its lease expires": not a moment earlier."""
    queue, other = queues.open("low"), queues.open("low", "other")
    queue.put([JOB])
    queue.lease(1, LEASE_S)
    queues.clock.move(LEASE_S - 0.001)
    assert queue.lease(1, LEASE_S) == other.lease(1, LEASE_S) == []
    queues.clock.move(0.001)
    assert len(other.lease(1, LEASE_S)) == 1


def test_each_lease_counts_one_try(queues: QueueCase) -> None:
    """Held: "Each lease counts one try": from 1, whether the one before failed or its worker died."""
    queue = queues.open("low")
    queue.put([JOB])
    (first,) = queue.lease(1, LEASE_S)
    queue.release(first, failure=make_failure())
    (second,) = queue.lease(1, LEASE_S)
    queues.clock.move(LEASE_S)
    (third,) = queue.lease(1, LEASE_S)
    assert [lease.try_number for lease in (first, second, third)] == [1, 2, 3]
    assert len({lease.token for lease in (first, second, third)}) == 3


def test_an_expired_lease_costs_a_try(queues: QueueCase) -> None:
    """Held: "A job whose lease expired comes back with the next try number": whoever takes it."""
    queues.open("low", "first").put([JOB])
    for number in range(1, 5):
        (lease,) = queues.open("low", f"worker {number}").lease(1, LEASE_S)
        assert (lease.job, lease.try_number) == (JOB, number)
        queues.clock.move(LEASE_S)


def test_an_expired_lease_leaves_a_failure(queues: QueueCase) -> None:
    """Held: "and a ``worker_lost`` failure in its history": one for each worker that was lost, oldest first."""
    queues.open("low", "first").put([JOB])
    queues.open("low", "first").lease(1, LEASE_S)
    queues.clock.move(LEASE_S)
    queues.open("low", "second").lease(1, LEASE_S)
    queues.clock.move(LEASE_S)
    (lease,) = queues.open("low", "third").lease(1, LEASE_S)
    assert lease.try_number == 3
    assert [(f.try_number, f.stage, f.kind, f.worker) for f in lease.history] == [
        (1, "lease", "worker_lost", "first"),
        (2, "lease", "worker_lost", "second"),
    ]
    assert lease.history[1].at == queues.clock()
    assert lease.history[0].fingerprint == lease.history[1].fingerprint


def test_a_delayed_job_waits(queues: QueueCase) -> None:
    """Held: "A job that is delayed is not given before its time": nor held back after it."""
    queue = queues.open("low")
    queue.put([JOB])
    assert queue.release(queue.lease(1, LEASE_S)[0], after_s=8.0, failure=make_failure())
    queues.clock.move(7.999)
    assert queue.lease(1, LEASE_S) == []
    queues.clock.move(0.001)
    assert len(queue.lease(1, LEASE_S)) == 1


def test_extend_moves_the_expiry(queues: QueueCase) -> None:
    """Held: "Let leases expire ``lease_s`` seconds from now": counted from the call, longer or shorter."""
    queue = queues.open("low")
    queue.put(JOBS[:2])
    longer, shorter = queue.lease(2, LEASE_S)
    queues.clock.move(50.0)
    assert queue.extend([longer], LEASE_S) == []
    assert queue.extend([shorter], 1.0) == []
    queues.clock.move(1.0)
    assert ids([lease.job for lease in queue.lease(9, LEASE_S)]) == [shorter.job.id]
    queues.clock.move(LEASE_S - 1.001)
    assert queue.lease(9, LEASE_S) == []
    queues.clock.move(0.001)
    assert longer.job.id in ids([lease.job for lease in queue.lease(9, LEASE_S)])


def test_extend_tells_the_lost_leases(queues: QueueCase) -> None:
    """Held: "returns the lost ones, which are not extended": the others of the same call are."""
    queue = queues.open("low")
    queue.put(JOBS[:3])
    taken, gone, kept = queue.lease(3, LEASE_S)
    queue.ack([gone])
    queue.extend([kept], 2 * LEASE_S)
    queues.clock.move(LEASE_S)
    (again,) = queue.lease(9, LEASE_S)
    assert again.job.id == taken.job.id
    assert queue.extend([taken, gone, kept], 10 * LEASE_S) == [taken, gone]
    assert queue.extend([], LEASE_S) == []
    queues.clock.move(2 * LEASE_S)
    assert ids([lease.job for lease in queue.lease(9, LEASE_S)]) == [taken.job.id]


def test_ack_removes_a_job(queues: QueueCase) -> None:
    """Held: "Remove finished jobs durably": they never come again, to nobody."""
    queue = queues.open("low")
    queue.put(JOBS[:3])
    assert queue.ack(queue.lease(2, LEASE_S)) == []
    assert queue.ack([]) == []
    queues.clock.move(10 * LEASE_S)
    assert ids(drained(queues.open("low"))) == ids(JOBS[2:3])


def test_ack_tells_the_lost_leases(queues: QueueCase) -> None:
    """Held: "returns the lost leases, whose jobs stay": with the one who has them now."""
    queue = queues.open("low")
    queue.put(JOBS[:2])
    late, done = queue.lease(2, LEASE_S)
    queue.extend([done], 2 * LEASE_S)
    queues.clock.move(LEASE_S)
    (current,) = queue.lease(9, LEASE_S)
    assert queue.ack([late, done]) == [late]
    assert queue.ack([done]) == [done]
    assert queue.ack([current]) == []


def test_a_late_holder_may_still_finish(queues: QueueCase) -> None:
    """An expired lease whose job nobody else was given may be acknowledged: the work is not done twice."""
    if not queues.late_holder_may_finish:
        pytest.skip("declared: an expired lease is lost")
    queue = queues.open("low")
    queue.put([JOB])
    leases = queue.lease(1, LEASE_S)
    queues.clock.move(LEASE_S)
    assert queue.extend(leases, LEASE_S) == []
    queues.clock.move(2 * LEASE_S)
    assert queue.ack(leases) == []


def test_release_gives_a_job_back(queues: QueueCase) -> None:
    """Held: "Give a job back, to be leased again after ``after_s`` seconds": at once by default, by anybody."""
    queue = queues.open("low")
    queue.put([JOB])
    assert queue.release(queue.lease(1, LEASE_S)[0])
    assert len(queues.open("low", "other").lease(1, LEASE_S)) == 1


def test_release_of_a_lost_lease(queues: QueueCase) -> None:
    """Held: "False when the lease was lost": and the one who has the job now keeps it, its history unchanged."""
    queue = queues.open("low")
    queue.put([JOB])
    (late,) = queue.lease(1, LEASE_S)
    queues.clock.move(LEASE_S)
    (current,) = queue.lease(1, LEASE_S)
    assert not queue.release(late)
    assert not queue.release(late, failure=make_failure())
    assert queue.lease(1, LEASE_S) == []
    assert queue.release(current)
    assert not queue.release(current)
    assert [failure.kind for failure in queue.lease(1, LEASE_S)[0].history] == ["worker_lost"]


def test_release_with_a_failure_spends_the_try(queues: QueueCase) -> None:
    """Held: "With a failure the try stays spent and the failure joins the history", oldest first."""
    queue = queues.open("low")
    queue.put([JOB])
    failures = [make_failure(kind, number) for number, kind in enumerate(("timed_out", "model_crashed"), 1)]
    for failure in failures:
        queue.release(queue.lease(1, LEASE_S)[0], failure=failure)
    (lease,) = queue.lease(1, LEASE_S)
    assert lease.try_number == 3
    assert lease.history == tuple(failures)


def test_release_without_a_failure_gives_the_try_back(queues: QueueCase) -> None:
    """Held: "without one (a drain) the try is given back", and leaves nothing in the history."""
    queue = queues.open("low")
    queue.put([JOB])
    queue.release(queue.lease(1, LEASE_S)[0], failure=make_failure())
    for _ in range(5):
        (lease,) = queue.lease(1, LEASE_S)
        queue.release(lease)
        assert lease.try_number == 2
    assert lease.history == (make_failure(),)


def test_bury_moves_a_job_with_its_history(queues: QueueCase) -> None:
    """Held: "Move a job with its whole history to the dead queue": the last failure ends it."""
    queue, dead = queues.open("high"), queues.open("dead")
    first, last = make_failure("timed_out", 1), make_failure("model_crashed", 2)
    queue.put([JOB])
    queue.release(queue.lease(1, LEASE_S)[0], failure=first)
    assert queue.bury(queue.lease(1, LEASE_S)[0], last)
    (letter,) = dead.lease(9, LEASE_S)
    assert (letter.job, letter.history) == (JOB, (first, last))
    queues.clock.move(10 * LEASE_S)
    assert queue.lease(9, LEASE_S) == []


def test_bury_happens_at_once_and_once(queues: QueueCase) -> None:
    """Held: "at once and once": it is dead when the call returns, and asking again adds nothing."""
    queue, dead = queues.open("low"), queues.open("dead")
    queue.put([JOB])
    (lease,) = queue.lease(1, LEASE_S)
    assert queue.bury(lease, make_failure())
    assert not queue.bury(lease, make_failure())
    (letter,) = dead.lease(9, LEASE_S)
    assert letter.history == (make_failure(),)


def test_a_spent_job_is_buried_with_its_history_as_it_is(queues: QueueCase) -> None:
    """Moved "with its whole history": a last failure that the history ends with already is not told twice."""
    queue, dead = queues.open("low"), queues.open("dead")
    queue.put([JOB])
    failure = make_failure("timed_out", 1)
    queue.release(queue.lease(1, LEASE_S)[0], failure=failure)
    assert queue.bury(queue.lease(1, LEASE_S)[0], failure)
    (letter,) = dead.lease(9, LEASE_S)
    assert letter.history == (failure,)


def test_bury_of_a_lost_lease(queues: QueueCase) -> None:
    """Bury says "False when the lease was lost": the job lives on with whoever has it."""
    queue, dead = queues.open("low"), queues.open("dead")
    queue.put([JOB])
    (late,) = queue.lease(1, LEASE_S)
    queues.clock.move(LEASE_S)
    (current,) = queue.lease(1, LEASE_S)
    assert not queue.bury(late, make_failure())
    assert dead.lease(9, LEASE_S) == []
    assert queue.ack([current]) == []


def test_a_dead_job_is_a_job(queues: QueueCase) -> None:
    """Held: "On the dead queue a job waits with its history and can be leased and acknowledged like any other"."""
    queue, dead = queues.open("low"), queues.open("dead")
    queue.put(JOBS[:2])
    for lease in queue.lease(2, LEASE_S):
        queue.bury(lease, make_failure())
    one, other = dead.lease(9, LEASE_S)
    assert one.try_number == 1
    assert dead.lease(9, LEASE_S) == []
    assert dead.release(other)
    assert dead.ack([one]) == []
    (again,) = dead.lease(9, LEASE_S)
    assert (again.job, again.history, again.try_number) == (other.job, (make_failure(),), 1)
    queues.clock.move(LEASE_S)
    assert [f.kind for f in dead.lease(9, LEASE_S)[0].history] == ["model_crashed", "worker_lost"]


def test_a_job_that_died_twice_is_dead_once(queues: QueueCase) -> None:
    """A job put and buried again takes the place of its earlier burial: one letter, with the later history."""
    if not queues.coalesces:
        pytest.skip("declared: this adapter does not coalesce; `earmark dlq` does")
    queue, dead = queues.open("low"), queues.open("dead")
    for kind in ("timed_out", "model_crashed"):
        queue.put([JOB])
        queue.bury(queue.lease(1, LEASE_S)[0], make_failure(kind))
    (letter,) = dead.lease(9, LEASE_S)
    assert [failure.kind for failure in letter.history] == ["model_crashed"]

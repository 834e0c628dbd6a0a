"""The pool of threads nobody has to wait for."""

import subprocess
import sys
import threading
from concurrent.futures import wait

import pytest

from workers.daemon_threads import DaemonThreads


def test_every_call_ends_and_no_more_run_at_once_than_may() -> None:
    """Results and errors reach whoever waits, in as many threads as are needed and no more."""
    pool = DaemonThreads(3, "test")
    most, now, lock = 0, 0, threading.Lock()
    barrier = threading.Barrier(3)

    def call(number: int) -> int:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        if number < 3:
            barrier.wait(10)
        with lock:
            now -= 1
        if number == 7:
            message = "seven"
            raise ValueError(message)
        return number * number

    futures = [pool.submit(call, number) for number in range(20)]
    wait(futures, 10)
    assert [future.result() for number, future in enumerate(futures) if number != 7] == [
        number * number for number in range(20) if number != 7
    ]
    with pytest.raises(ValueError, match="seven"):
        futures[7].result()
    assert most == 3
    pool.close(wait_s=10)
    assert not any(thread.is_alive() for thread in pool._threads)


def test_one_call_after_another_needs_one_thread() -> None:
    """An idle thread is used again."""
    pool = DaemonThreads(8, "test")
    for number in range(5):
        assert pool.submit(abs, -number).result(10) == number
    assert len(pool._threads) <= 2
    pool.close(wait_s=10)


def test_a_close_cancels_what_waits_and_refuses_more() -> None:
    """What is under way may end; nothing else begins."""
    pool = DaemonThreads(1, "test")
    gate, begun = threading.Event(), threading.Event()

    def held() -> bool:
        begun.set()
        return gate.wait(10)

    first = pool.submit(held)
    begun.wait(10)
    second = pool.submit(abs, 1)
    pool.close(wait_s=0)
    assert second.cancelled()
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(abs, 1)
    gate.set()
    assert first.result(10)


def test_a_process_ends_though_a_call_hangs() -> None:
    """A worker that was told to hurry does not wait for a provider."""
    program = (
        "import threading; from workers.daemon_threads import DaemonThreads; "
        "pool = DaemonThreads(1, 'test'); pool.submit(threading.Event().wait); pool.close(wait_s=0.1); print('over')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "over\n"

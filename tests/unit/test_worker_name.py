"""Telling whether a worker is alive from its name."""

import multiprocessing
import os

from runtime.worker_name import _started, is_alive, is_dead, own_name


def test_we_are_alive() -> None:
    """A process never calls itself dead."""
    assert not is_dead(own_name())
    assert is_alive(own_name())


def test_a_process_that_ended_is_dead_and_so_is_one_whose_number_went_to_another() -> None:
    """The process id alone does not tell: the time of its start does."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        name = pool.apply(own_name)
        assert not is_dead(name)
        pool.terminate()
        pool.join()
    assert is_dead(name)
    host, namespace, number, started = own_name().split(":")
    assert is_dead(f"{host}:{namespace}:{number}:{int(started) - 1}")


def test_what_cannot_be_known_is_not_dead() -> None:
    """Another host, another container, another form of name: the lease has to run out."""
    _, namespace, _, _ = own_name().split(":")
    assert not is_dead(f"elsewhere:{namespace}:999999:1")
    assert not is_dead(own_name().replace(namespace, "1"))
    for odd in ("", "worker-1", "a:b", ":::"):
        assert not is_dead(odd)
        assert is_alive(odd) is None


def test_a_number_of_another_container_says_nothing() -> None:
    """Its processes have numbers of their own, so that none of ours being there does not make one dead."""
    host, namespace, _, _ = own_name().split(":")
    assert is_dead(f"{host}:{namespace}:999999999:1")
    assert not is_dead(f"{host}:{int(namespace) + 1}:999999999:1")


def test_a_process_nobody_waited_for_is_dead() -> None:
    """A killed worker stays in the process table until its parent asks for its end; it works no more all the same."""
    child = multiprocessing.get_context("spawn").Process(target=own_name)
    child.start()
    host, namespace, _, _ = own_name().split(":")
    name = f"{host}:{namespace}:{child.pid}:{_started(child.pid or 0)}"
    assert not is_dead(name)
    os.waitid(os.P_PID, child.pid or 0, os.WEXITED | os.WNOWAIT)
    assert is_dead(name)
    child.join()

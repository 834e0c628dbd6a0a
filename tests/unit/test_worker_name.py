"""Telling whether a worker is alive from its name."""

import multiprocessing

from runtime.local.worker_name import is_dead, own_name


def test_we_are_alive() -> None:
    """A process never calls itself dead."""
    assert not is_dead(own_name())


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

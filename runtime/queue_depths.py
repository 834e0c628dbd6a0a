"""``told_depth``: how full a queue is, from the queue itself and from whoever watches it where it cannot tell."""

from dataclasses import replace
from typing import Final

from runtime.backend import Backend, QueueDepth

DEAD: Final = "dead"
"""The queue of buried jobs, which go on to the store of dead letters."""


def told_depth(backend: Backend, queue: str) -> QueueDepth:
    """What the queue tells; how many wait, where it does not know, whoever watches it says, some minutes late.

    Raises:
        Unavailable: either cannot be reached.
        ConfigurationError: this process may not ask.
    """
    depth = backend.depths[queue]()
    if depth.waiting is not None or queue not in backend.watched:
        return depth
    watched = backend.watched[queue]()  # counts what is leased too
    waiting = None if watched.waiting is None else max(0, watched.waiting - depth.leased)
    return QueueDepth(waiting, None, depth.leased, watched.oldest_age_s)


def with_letters(dead: QueueDepth, letters: int, oldest_s: float) -> QueueDepth:
    """The queue of buried jobs with the letters that they become: for people, both wait.

    Args:
        dead: how full the queue itself is.
        letters: how many wait for a person.
        oldest_s: for how many seconds the oldest of them has.
    """
    return replace(dead, waiting=(dead.waiting or 0) + letters, oldest_age_s=max(dead.oldest_age_s or 0.0, oldest_s))

"""``told_depth``: how full a queue is, from the queue itself and from whoever watches it where it cannot tell."""

from runtime.backend import Backend, QueueDepth


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

"""``ContentHashes``: the hashes of objects that were read before, so that what is named often is read once."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, NamedTuple

KEPT: Final = 4096
"""Hashes that are remembered; each takes some hundred bytes."""


class Content(NamedTuple):
    """One generation of an object."""

    bucket: str
    name: str
    generation: int
    size_bytes: int


class ContentHashes:
    """SHA-256 by content, the latest used ones; safe to use from several threads."""

    def __init__(self, *, kept: int = KEPT) -> None:
        """Say how many are remembered."""
        self._kept = kept
        self._lock = threading.Lock()
        self._known: OrderedDict[Content, str] = OrderedDict()
        self._under_way: dict[Content, Future[str]] = {}

    def of(self, content: Content, find: Callable[[], str]) -> str:
        """The hash, in hex; ``find`` is called where it is not known, by one thread while others wait for it.

        Raises:
            Exception: what ``find`` raises, for all that wait; the next one finds it anew.
        """
        with self._lock:
            known = self._known.get(content)
            if known is not None:
                self._known.move_to_end(content)
                return known
            other = self._under_way.get(content)
            mine = self._under_way.setdefault(content, Future())
        return self._found(content, find, mine) if other is None else other.result()

    def _found(self, content: Content, find: Callable[[], str], told: Future[str]) -> str:
        try:
            sha256 = find()
        except BaseException as error:
            with self._lock:
                del self._under_way[content]
            told.set_exception(error)
            raise
        with self._lock:
            self._known[content] = sha256
            while len(self._known) > self._kept:
                self._known.popitem(last=False)
            del self._under_way[content]
        told.set_result(sha256)
        return sha256

"""``Deleter``: deletes objects by their generation, several at a time, no more than so many a second."""

import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, Protocol

from earmark.errors import ConfigurationError, EarmarkError, InvalidName, ObjectHeld, PreconditionFailed, Unavailable
from earmark.ports import ObjectStore
from retention.candidates import Candidate
from retention.outcomes import Outcome
from retention.pace import Pace

ATTEMPTS: Final = 4
FIRST_DELAY_S: Final = 0.5
"""Before the second attempt; doubles each time, with jitter."""
BEAT_S: Final = 5.0
"""Between signs of life while a batch is under way."""

StoreOf = Callable[[str], ObjectStore]
"""Gives the store of a bucket by its short name."""


class Ending(Protocol):
    """What brings one object to its end, or looks what that would be."""

    def __call__(self, candidate: Candidate, *, perhaps_gone: bool) -> Outcome:
        """Do it; ``perhaps_gone`` = an earlier attempt may have deleted it.  Raises ``Unavailable``."""
        ...


class Deleter:
    """Deletes for good."""

    def __init__(self, store_of: StoreOf, *, pace: Pace, pause: Callable[[float], None]) -> None:
        """Take the stores, the rate, and what sleeps."""
        self._store_of, self._pace, self._pause = store_of, pace, pause

    def __call__(self, candidate: Candidate, *, perhaps_gone: bool) -> Outcome:
        """Delete that very generation.

        Raises:
            Unavailable: the store could not be reached in ``ATTEMPTS`` attempts; the object may be there or not.
        """
        line = candidate.line
        store, attempt = self._store_of(line.bucket), 1
        while True:
            self._pace.take()
            try:
                there = store.delete(line.name, if_generation=line.generation)
            except ObjectHeld:
                return Outcome.HOLD
            except PreconditionFailed:
                return Outcome.CHANGED
            except InvalidName:
                return Outcome.ERROR
            except Unavailable:
                if attempt == ATTEMPTS:
                    raise
                self._pause(FIRST_DELAY_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
                attempt, perhaps_gone = attempt + 1, True
            else:
                return Outcome.DELETED if there or perhaps_gone else Outcome.MISSING


class Looker:
    """Looks what would become of objects, and leaves them."""

    def __init__(self, store_of: StoreOf, *, pace: Pace) -> None:
        """Take the stores and the rate."""
        self._store_of, self._pace = store_of, pace

    def __call__(self, candidate: Candidate, *, perhaps_gone: bool) -> Outcome:
        """What a deletion would come to; raises ``Unavailable``."""
        found = self.hindrance(candidate) or Outcome.DELETED
        return Outcome.DELETED if found is Outcome.MISSING and perhaps_gone else found

    def hindrance(self, candidate: Candidate) -> Outcome | None:
        """Why that very generation cannot be deleted; ``None`` = it can.  Raises ``Unavailable``."""
        line = candidate.line
        self._pace.take()
        try:
            info = self._store_of(line.bucket).stat(line.name)
        except InvalidName:
            return Outcome.ERROR
        if info is None:
            return Outcome.MISSING
        if info.generation != line.generation:
            return Outcome.CHANGED
        return Outcome.HOLD if info.held else None


def end_all(
    candidates: Sequence[Candidate],
    ending: Ending,
    pool: ThreadPoolExecutor,
    *,
    perhaps_gone: Callable[[Candidate], bool],
    beat: Callable[[], None],
) -> Mapping[str, Outcome]:
    """Bring objects to their ends, by object id.

    Those that their store failed for are ``ERROR``, unless they are all: then nothing more is to be tried.

    Args:
        candidates: the objects.
        ending: what is done with each.
        pool: whose threads do it.
        perhaps_gone: whether an earlier attempt may have deleted an object.
        beat: called now and then meanwhile.

    Raises:
        Unavailable: the store could be reached for none of them.
        ConfigurationError: the store refused all of them.
    """
    futures: dict[Future[Outcome], Candidate] = {
        pool.submit(ending, each, perhaps_gone=perhaps_gone(each)): each for each in candidates
    }
    pending = set(futures)
    try:
        while pending:
            _, pending = wait(pending, timeout=BEAT_S)
            beat()
    finally:
        for future in pending:
            future.cancel()
        wait(pending)
    found: dict[str, Outcome] = {}
    fault: EarmarkError | None = None
    for future, candidate in futures.items():
        try:
            found[candidate.line.id] = future.result()
        except (Unavailable, ConfigurationError) as error:
            found[candidate.line.id], fault = Outcome.ERROR, error
    if fault is not None and set(found.values()) == {Outcome.ERROR}:
        raise fault
    return found

"""``Letters``: the durable store of dead letters, one object each, changed only by comparing generations."""

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final, NamedTuple, Self, TypeVar

from pydantic import ValidationError

from earmark.errors import ObjectMissing, PreconditionFailed, Unavailable
from earmark.latest import read_latest
from earmark.log import event
from earmark.ports import ObjectStore
from router.dead_letters.letter import DeadLetter

_log = logging.getLogger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")

FOLDER: Final = "letters/"
UNREADABLE: Final = "unreadable-letters/"
"""Where the bytes of an object go that is no letter, before one takes its place."""
CHANGES_MAX: Final = 8
"""Attempts to change a letter that others change at the same time."""
THREADS: Final = 16
"""Letters read or written at once: a bucket far away takes long for each and minds none."""
WINDOW: Final = 512
"""Letters that a scan holds in memory."""
_JSON: Final = "application/json"


class Change(NamedTuple):
    """What came of a change."""

    letter: DeadLetter | None
    """As it is now; None where there is none."""
    changed: bool
    """Whether that was this change's doing."""


class Letters:
    """All dead letters; safe to use from several threads and processes."""

    def __init__(self, store: ObjectStore) -> None:
        """Take the bucket they are kept in; ``close`` ends the threads."""
        self._store = store
        self._threads = ThreadPoolExecutor(THREADS, "letters")

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def read(self, job_id: str) -> DeadLetter | None:
        """A letter, or None where there is none that can be read."""
        return self._load(name_of(job_id))[0]

    def change(self, job_id: str, rule: Callable[[DeadLetter | None], DeadLetter | None]) -> Change:
        """Replace a letter by what the rule makes of it; None or the same letter leaves it.

        Of several changes at once each sees what the one before it left, so the rule may be asked again.

        Raises:
            Unavailable: the store cannot be reached, or others keep changing the letter; nothing was changed.
        """
        name = name_of(job_id)
        for _ in range(CHANGES_MAX):
            before, generation = self._load(name, keep_unreadable=True)
            after = rule(before)
            if after is None or after == before:
                return Change(before, changed=False)
            try:
                self._store.write(name, after.model_dump_json().encode(), content_type=_JSON, if_generation=generation)
            except PreconditionFailed:
                continue
            return Change(after, changed=True)
        message = f"The dead letter {job_id} keeps changing"
        raise Unavailable(message)

    def remove(self, job_id: str, rule: Callable[[DeadLetter], bool]) -> DeadLetter | None:
        """Delete a letter if the rule says so and nobody changes it meanwhile; gives what was deleted."""
        name = name_of(job_id)
        letter, generation = self._load(name)
        if letter is None or not rule(letter):
            return None
        try:
            return letter if self._store.delete(name, if_generation=generation) else None
        except PreconditionFailed:
            return None

    def ids(self, prefix: str = "", *, start_after: str = "") -> Iterator[str]:
        """Ids that start with a prefix and sort after another id, in order."""
        after = name_of(start_after) if start_after else ""
        for info in self._store.scan(FOLDER + prefix, start_after=after):
            yield id_of(info.name)

    def each(self) -> Iterator[DeadLetter]:
        """Every letter in order of ids, read side by side, some hundreds in memory at once."""
        for letter in self.side_by_side(self.read, self.ids()):
            if letter is not None:
                yield letter

    def side_by_side(self, work: Callable[[Item], Result], items: Iterator[Item]) -> Iterator[Result]:
        """Results in order, from several threads, no more than a window ahead; the first error is raised."""
        while window := list(islice(items, WINDOW)):
            yield from self._threads.map(work, window)

    def heads(self) -> Iterator[tuple[str, str]]:
        """State and last burial of every letter as stored, read quickly; for counting."""
        return (head for head in self.side_by_side(self._head, self.ids()) if head is not None)

    def _head(self, job_id: str) -> tuple[str, str] | None:
        try:
            fields = json.loads(b"".join(self._store.read(name_of(job_id))))
            return str(fields["state"]), str(fields["last_buried_at"])
        except (ObjectMissing, ValueError, KeyError, TypeError):
            return None

    def _load(self, name: str, *, keep_unreadable: bool = False) -> tuple[DeadLetter | None, int]:
        """A letter and its generation; 0 = there is no such object."""
        found = read_latest(self._store, name)
        if found is None:
            return None, 0
        content, generation = found
        try:
            return DeadLetter.model_validate_json(content), generation
        except ValidationError as error:
            event(_log, "letter.unreadable", level=logging.ERROR, name=name, error=str(error))
        if keep_unreadable:
            aside = f"{UNREADABLE}{id_of(name)}-{generation}.json"
            self._store.write(aside, content, content_type=_JSON)
        return None, generation


def name_of(job_id: str) -> str:
    """Name of the letter of a job."""
    return f"{FOLDER}{job_id}.json"


def id_of(name: str) -> str:
    """The job whose letter the object of that name is."""
    return name.rpartition("/")[2].removesuffix(".json")

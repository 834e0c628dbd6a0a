"""``WaitingLetters``: the dead letters that wait for a person, each read once and again when it changed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from earmark.errors import ObjectMissing
from earmark.ports import ObjectInfo, ObjectStore
from router.dead_letters.letter import WAITING, DeadLetter
from router.dead_letters.letters import FOLDER

THREADS: Final = 8
"""Letters read at once."""


@dataclass(frozen=True, slots=True)
class WaitingLetter:
    """What is counted of a letter."""

    kind: str
    """Class of its last failure; empty where that is not known."""
    buried_at: datetime


class WaitingLetters:
    """Remembers what it read by generation, so that a look costs one listing; used by one thread."""

    def __init__(self, state: ObjectStore) -> None:
        """Take the bucket they are kept in; ``close`` ends the threads."""
        self._state = state
        self._threads = ThreadPoolExecutor(THREADS, "waiting-letters")
        self._known: dict[str, tuple[int, WaitingLetter | None]] = {}

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def look(self) -> list[WaitingLetter]:
        """Those that wait now.

        Raises:
            Unavailable: the bucket cannot be reached.
        """
        known: dict[str, tuple[int, WaitingLetter | None]] = {}
        changed: list[ObjectInfo] = []
        for info in self._state.scan(FOLDER):
            before = self._known.get(info.name)
            if before is not None and before[0] == info.generation:
                known[info.name] = before
            else:
                changed.append(info)
        for info, letter in zip(changed, self._threads.map(self._read, changed), strict=True):
            known[info.name] = info.generation, letter
        self._known = known
        return [letter for _, letter in known.values() if letter is not None]

    def _read(self, info: ObjectInfo) -> WaitingLetter | None:
        try:
            letter = DeadLetter.model_validate_json(b"".join(self._state.read(info.name, generation=info.generation)))
        except ObjectMissing:
            return None  # gone or changed meanwhile; the next look has it
        except ValueError:
            return WaitingLetter("", info.created_at)  # somebody has to look at that one too
        return WaitingLetter(letter.kind, letter.last_buried_at) if letter.state in WAITING else None

"""``Selection``: which letters are meant, and ``Group``: letters of the same cause."""

from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from router.dead_letters.letter import UNSETTLED, DeadLetter, State
from router.dead_letters.remedies import remedy_of

SAMPLES: Final = 3
"""Ids that a group names."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Filters; empty ones let everything pass."""

    states: AbstractSet[State] = UNSETTLED
    group: str = ""
    """Beginning of a fingerprint."""
    tenant: str = ""
    kind: str = ""
    model: str = ""
    """Of the last failure."""
    since: datetime | None = None
    """Last burial at this time or later."""
    until: datetime | None = None
    """Last burial before this time."""

    def matches(self, letter: DeadLetter) -> bool:
        """Whether the letter is meant."""
        return (
            letter.state in self.states
            and letter.fingerprint.startswith(self.group)
            and self.tenant in {"", letter.tenant}
            and self.kind in {"", letter.kind}
            and self.model in {"", letter.model}
            and (self.since is None or letter.last_buried_at >= self.since)
            and (self.until is None or letter.last_buried_at < self.until)
        )

    def of(self, letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
        """The letters that are meant."""
        return filter(self.matches, letters)


@dataclass(slots=True)
class Group:
    """Letters whose last failures have one fingerprint."""

    fingerprint: str
    stage: str
    model: str
    message: str
    """Of the first letter met."""
    remedy: str
    first_at: datetime
    last_at: datetime
    count: int = 0
    states: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    tenants: Counter[str] = field(default_factory=Counter)
    sample: list[str] = field(default_factory=list)
    """A few ids."""

    def add(self, letter: DeadLetter) -> None:
        """Count a letter in."""
        self.count += 1
        self.states[letter.state.value] += 1
        self.kinds[letter.kind] += 1
        self.tenants[letter.tenant] += 1
        self.first_at = min(self.first_at, letter.first_buried_at)
        self.last_at = max(self.last_at, letter.last_buried_at)
        if len(self.sample) < SAMPLES:
            self.sample.append(letter.id)


def grouped(letters: Iterable[DeadLetter]) -> list[Group]:
    """Groups, the largest first; holds one letter at a time."""
    groups: dict[str, Group] = {}
    for letter in letters:
        group = groups.get(letter.fingerprint)
        if group is None:
            failure = letter.failure
            group = groups[letter.fingerprint] = Group(
                fingerprint=letter.fingerprint,
                stage=failure.stage if failure else "",
                model=letter.model,
                message=failure.message if failure else "",
                remedy=remedy_of(failure),
                first_at=letter.first_buried_at,
                last_at=letter.last_buried_at,
            )
        group.add(letter)
    return sorted(groups.values(), key=lambda group: (-group.count, group.fingerprint))

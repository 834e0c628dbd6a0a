"""``ScalingMemory``: how many workers were asked for last, so that a new controller goes on where the last one stopped.

Without it a restart would take a fleet away that is busy, only to ask for it again.  It also tells whoever looks
(``earmark controller --once``) what the controller that runs reckons with.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from earmark.latest import read_latest
from earmark.ports import Clock, ObjectStore
from earmark.vocabulary import Lane
from scaling.desired import Desired

NAME: Final = "scaling/desired.json"
FRESH: Final = timedelta(minutes=15)
"""What is older says nothing of the workers there are."""
AGAIN: Final = FRESH / 5
"""After so long it is written again, though nothing has changed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a controller said lately."""

    at: datetime
    workers: Mapping[Lane, int]
    arrivals_per_s: Mapping[Lane, float] = field(default_factory=dict)
    """Of lanes of which it knew any, at that moment."""
    service_s: Mapping[Lane, float] = field(default_factory=dict)
    """The same."""


class ScalingMemory:
    """One small object of the state store.  All methods raise ``Unavailable`` when that cannot be reached."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        """Take the state store and the present."""
        self._store, self._clock = store, clock
        self._kept: tuple[datetime, dict[Lane, int]] | None = None

    def keep(self, desired: Mapping[Lane, Desired]) -> None:
        """Note what each lane should have; written when the number of workers changes, and now and then."""
        now, workers = self._clock(), {lane: each.workers for lane, each in desired.items()}
        if self._kept is not None and self._kept[1] == workers and now - self._kept[0] < AGAIN:
            return
        content = {
            "at": now.isoformat(),
            "workers": dict(sorted(workers.items())),
            "arrivals_per_s": {lane: each.arrivals_per_s for lane, each in sorted(desired.items())},
            "service_s": {lane: each.service_s for lane, each in sorted(desired.items())},
        }
        self._store.write(NAME, json.dumps(content).encode(), content_type="application/json")
        self._kept = now, workers

    def recall(self) -> dict[Lane, int]:
        """How many each lane should have had lately; a lane that nothing is known of is left out."""
        kept = self.latest()
        return {} if kept is None else dict(kept.workers)

    def latest(self) -> Kept | None:
        """What was said last; ``None`` = nothing lately, or nobody can read it."""
        found = read_latest(self._store, NAME)
        try:
            kept = json.loads(found[0]) if found else {}
            if not kept or abs(self._clock() - (at := datetime.fromisoformat(kept["at"]).astimezone(UTC))) > FRESH:
                return None
            workers = {Lane(lane): max(0, int(count)) for lane, count in kept["workers"].items()}
            return Kept(at, workers, _numbers(kept, "arrivals_per_s"), _numbers(kept, "service_s"))
        except (ValueError, KeyError, TypeError, AttributeError):  # whatever it is, it is no memory
            return None


def _numbers(kept: Mapping[str, Any], name: str) -> dict[Lane, float]:
    return {Lane(lane): float(value) for lane, value in kept.get(name, {}).items() if value is not None}

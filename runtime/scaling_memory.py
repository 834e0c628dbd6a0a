"""``ScalingMemory``: how many workers were asked for last, so that a new controller goes on where the last one stopped.

Without it a restart would take a fleet away that is busy, only to ask for it again.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from earmark.latest import read_latest
from earmark.ports import Clock, ObjectStore
from earmark.vocabulary import Lane

NAME: Final = "scaling/desired.json"
FRESH: Final = timedelta(minutes=15)
"""What is older says nothing of the workers there are."""
AGAIN: Final = FRESH / 5
"""After so long it is written again, though nothing has changed."""


class ScalingMemory:
    """One small object of the state store.  All methods raise ``Unavailable`` when that cannot be reached."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        """Take the state store and the present."""
        self._store, self._clock = store, clock
        self._kept: tuple[datetime, dict[Lane, int]] | None = None

    def keep(self, workers: Mapping[Lane, int]) -> None:
        """Note how many workers each lane should have; written when that changes, and now and then."""
        now = self._clock()
        if self._kept is not None and self._kept[1] == workers and now - self._kept[0] < AGAIN:
            return
        content = {"at": now.isoformat(), "workers": dict(sorted(workers.items()))}
        self._store.write(NAME, json.dumps(content).encode(), content_type="application/json")
        self._kept = now, dict(workers)

    def recall(self) -> dict[Lane, int]:
        """How many each lane should have had lately; a lane that nothing is known of is left out."""
        found = read_latest(self._store, NAME)
        try:
            kept = json.loads(found[0]) if found else {}
            if not kept or abs(self._clock() - datetime.fromisoformat(kept["at"]).astimezone(UTC)) > FRESH:
                return {}
            return {Lane(lane): max(0, int(count)) for lane, count in kept["workers"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):  # whatever it is, it is no memory
            return {}

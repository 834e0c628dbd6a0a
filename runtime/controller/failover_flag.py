"""``FailoverFlag``: in which lanes the fallback is to help out, told by the controller and followed by all workers.

It is one small object of the state store that says until when it holds, so that it comes down by itself where the
controller is no more.
"""

import json
import logging
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from earmark.latest import read_latest
from earmark.log import event
from earmark.ports import Clock, ObjectStore
from earmark.vocabulary import Lane

NAME: Final = "scaling/failover.json"
HOLDS: Final = timedelta(seconds=90)
"""For so long what was told stands, which is several looks of the controller."""

_log = logging.getLogger(__name__)


class FailoverFlag:
    """Both ends of it.  All methods raise ``Unavailable`` when the store cannot be reached."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        """Take the state store and the present."""
        self._store, self._clock = store, clock
        self._told: frozenset[Lane] = frozenset()
        self._told_at: datetime | None = None

    def tell(self, lanes: Collection[Lane]) -> None:
        """Say in which lanes; written when that changes, and again before it runs out."""
        now, wanted = self._clock(), frozenset(lanes)
        stands = self._told_at is not None and now - self._told_at < HOLDS / 3
        if wanted == self._told and (stands or not wanted):
            return
        content = {"lanes": sorted(wanted), "until": (now + HOLDS).isoformat()}
        self._store.write(NAME, json.dumps(content).encode(), content_type="application/json")
        if wanted != self._told:
            event(_log, "failover.changed", level=logging.WARNING, lanes=", ".join(sorted(wanted)) or "none")
        self._told, self._told_at = wanted, now

    def lanes(self) -> frozenset[Lane]:
        """In which lanes it helps out now; what cannot be read or has run out says none."""
        found = read_latest(self._store, NAME)
        if found is None:
            return frozenset()
        try:
            told = json.loads(found[0])
            until = datetime.fromisoformat(told["until"]).astimezone(UTC)
            lanes = frozenset(Lane(each) for each in told["lanes"])
        except (ValueError, KeyError, TypeError) as error:
            event(_log, "failover.malformed", level=logging.WARNING, error=type(error).__name__)
            return frozenset()
        return lanes if self._clock() < until else frozenset()

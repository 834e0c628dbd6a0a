"""``Outbox``: calls that wait to be made, in the state store, so that no crash loses one.

``outbox/TENANT.ENDPOINT/DUE-EVENT.json``: the names say when each is due, so a look at the first one of a folder tells
whether there is anything to do, and an endpoint that does not answer holds up nobody else.  Whoever makes a call claims
it first by writing it anew, with the time at which it will be due again; killed after that, somebody else goes on when
the claim ends.
"""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from pydantic import AwareDatetime, NonNegativeInt, ValidationError

from earmark.errors import ObjectMissing, PreconditionFailed
from earmark.metadata import Frozen
from earmark.ports import ObjectStore
from runtime.webhooks.endpoint import EndpointId
from runtime.webhooks.webhook_event import WebhookEvent

FOLDER: Final = "outbox"
CLAIM: Final = timedelta(seconds=90)
"""For which a call is its claimant's; longer than any call takes."""
WRITERS: Final = 16
"""Calls written at the same time."""
LAST: Final = "\U0010ffff"
"""Sorts after every other character."""
_DUE: Final = "%Y%m%dT%H%M%S.%fZ"
_NAME: Final = re.compile(rf"{FOLDER}/([^/.]+)\.([^/]+)/(\d{{8}}T\d{{6}}\.\d{{6}}Z)-(evt_[0-9a-f]{{32}})\.json")


class Box(NamedTuple):
    """Whose calls: all about one endpoint."""

    tenant: str
    endpoint: str

    @property
    def folder(self) -> str:
        """Where they are, with a slash."""
        return f"{FOLDER}/{self.tenant}.{self.endpoint}/"


class Waiting(Frozen):
    """An event on its way to one endpoint."""

    event: WebhookEvent
    endpoint: EndpointId
    due_at: AwareDatetime
    since: AwareDatetime
    """When it was first due, or its replay was asked for."""
    tries: NonNegativeInt = 0
    """Calls that failed since then."""
    earlier: NonNegativeInt = 0
    """Calls before a replay."""
    claimed_until: AwareDatetime | None = None
    again_at: AwareDatetime | None = None
    """When it is due again unless the claimant's call succeeds; ``None`` = then it is given up."""

    @property
    def box(self) -> Box:
        """Where it waits."""
        return Box(self.event.tenant, self.endpoint)

    @property
    def name(self) -> str:
        """Its name in the store."""
        return f"{self.box.folder}{self.due_at.astimezone(UTC):{_DUE}}-{self.event.id}.json"

    @property
    def attempt(self) -> int:
        """Number of the next call about this event, from 1."""
        return self.earlier + self.tries + 1

    def again(self) -> "Waiting | None":
        """As it waits after the claimant's call failed; ``None`` = no more."""
        if self.again_at is None:
            return None
        update = {"due_at": self.again_at, "tries": self.tries + 1, "claimed_until": None, "again_at": None}
        return self.model_copy(update=update)


class Held(NamedTuple):
    """A call as it lies in the store."""

    waiting: Waiting
    generation: int


class Outbox:
    """The calls that wait; safe to use from several threads and processes.  Its methods raise ``Unavailable``."""

    def __init__(self, state: ObjectStore) -> None:
        """Take the store."""
        self._state = state

    def put(self, calls: Sequence[Waiting]) -> int:
        """Have calls made; one that waits there already is not added again.  Returns how many were added."""
        if len(calls) < 2:  # noqa: PLR2004  # one needs no thread
            return sum(map(self._added, calls))
        with ThreadPoolExecutor(min(len(calls), WRITERS), "outbox") as writers:  # a store far away minds none
            return sum(writers.map(self._added, calls))

    def boxes(self, until: datetime) -> Iterator[Box]:
        """The endpoints for which calls are due by then, each after one look at its first."""
        after = ""
        while (info := next(iter(self._state.scan(f"{FOLDER}/", start_after=after)), None)) is not None:
            box = info.name.removeprefix(f"{FOLDER}/").partition("/")[0]
            after = f"{FOLDER}/{box}/{LAST}"
            found = _NAME.fullmatch(info.name)
            if found is not None and due_of(info.name) <= until:
                yield Box(found[1], found[2])

    def due(self, box: Box, until: datetime) -> Iterator[str]:
        """Names of the calls of an endpoint that are due by then, the longest due first."""
        for info in self._state.scan(box.folder):
            if _NAME.fullmatch(info.name) is None:
                continue
            if due_of(info.name) > until:
                return
            yield info.name

    def oldest_due(self, until: datetime) -> datetime | None:
        """When the call became due that is longest so, of those due by then; ``None`` = none is."""
        firsts = (next(self.due(box, until), None) for box in self.boxes(until))
        return min((due_of(name) for name in firsts if name is not None), default=None)

    def read(self, name: str) -> Held | None:
        """A call by its name; ``None`` = it is made, or cannot be read."""
        info = self._state.stat(name)
        if info is None:
            return None
        try:
            content = b"".join(self._state.read(name, generation=info.generation))
            return Held(Waiting.model_validate_json(content), info.generation)
        except (ObjectMissing, ValidationError):
            return None

    def claim(self, held: Held, now: datetime, again_at: datetime | None) -> Held | None:
        """Make a call one's own for a while; ``None`` = it is somebody else's, or was made."""
        if held.waiting.claimed_until is not None and self._went_on(held):
            return None
        claimed = held.waiting.model_copy(update={"claimed_until": now + CLAIM, "again_at": again_at})
        try:
            return Held(claimed, self._write(claimed, held.generation))
        except PreconditionFailed:
            return None

    def made(self, held: Held) -> None:
        """Forget a call."""
        with suppress(PreconditionFailed):  # the claim ended, and somebody else makes it again
            self._state.delete(held.waiting.name, if_generation=held.generation)

    def failed(self, held: Held) -> Waiting | None:
        """Have a claimed call made again when it is due; ``None`` = it was given up."""
        again = held.waiting.again()
        if again is not None:
            self.put([again])
        self.made(held)
        return again

    def clear(self, box: Box) -> int:
        """Forget all calls of an endpoint; returns how many."""
        gone = 0
        for info in list(self._state.scan(box.folder)):
            with suppress(PreconditionFailed):
                gone += self._state.delete(info.name, if_generation=info.generation)
        return gone

    def _went_on(self, held: Held) -> bool:
        """Whether a claimant was killed between writing when a call is due again and forgetting the call."""
        again = held.waiting.again()
        if again is None or self._state.stat(again.name) is None:
            return False
        self.made(held)
        return True

    def _added(self, each: Waiting) -> bool:
        try:
            self._write(each, 0)
        except PreconditionFailed:
            return False
        return True

    def _write(self, each: Waiting, if_generation: int) -> int:
        content = each.model_dump_json().encode()
        info = self._state.write(each.name, content, content_type="application/json", if_generation=if_generation)
        return info.generation


def due_of(name: str) -> datetime:
    """When a call is due, as its name says."""
    return datetime.strptime(name.rpartition("/")[2].partition("-")[0], _DUE).replace(tzinfo=UTC)

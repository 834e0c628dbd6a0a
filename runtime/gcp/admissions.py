"""``Admissions``: which worker took which message, written down before any work on it begins.

Pub/Sub counts deliveries, not tries, and its count is approximate.  So a worker writes one small object for each pull:
the messages it admitted and until when its lease lasts.  A worker that dies leaves its objects behind, and whoever is
given one of those messages next knows that a try was spent.  A worker that finishes or gives back a message takes it
off again; an object without messages is deleted.

The name of an object begins with the moment its leases end unless they are extended.  A message cannot come again
before that moment, so of all objects only the few overdue ones are ever read by others.
"""

import contextlib
import json
import logging
import threading
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from earmark.errors import EarmarkError, ObjectMissing, PreconditionFailed, Unavailable
from earmark.log import event
from earmark.ports import Clock, ObjectStore

_log = logging.getLogger(__name__)

VIEW_S = 5.0
"""How old the view of other workers' objects may be."""
SKEW_S = 5.0
"""How far the clocks of two workers may disagree."""
DELETERS = 2
DELETES_MAX = 64
"""Objects that may wait to be deleted; whoever empties another one deletes it himself."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Admission:
    """One try that a worker began."""

    message_id: str
    token: str
    """Of the lease; no two tries share one."""
    worker: str


@dataclass(slots=True)
class _Own:
    """An object of this process."""

    name: str
    generation: int
    expires_at: datetime
    messages: dict[str, str] = field(default_factory=dict)
    """Message id by token, of those that are not finished."""


class Admissions:
    """The admissions of one queue; safe to use from several threads."""

    def __init__(self, store: ObjectStore, queue: str, *, worker: str, clock: Clock) -> None:
        """Take the bucket they are kept in, and who admits."""
        self._store = store
        self._prefix = f"admissions/{queue}/"
        self._worker = worker
        self._clock = clock
        self._lock = threading.Lock()
        self._own: dict[str, _Own] = {}
        """By token."""
        self._seen: dict[str, tuple[Admission, ...]] = {}
        """Overdue objects by name."""
        self._seen_at = _EPOCH
        self._noted: set[str] = set()
        """Tokens of lost tries whose objects have others that are not noted."""
        self._doubtful: set[str] = set()
        """Objects that were perhaps written, by a request that was never answered; nothing stands behind them."""
        self._deleters = ThreadPoolExecutor(DELETERS, "admissions")
        self._deleting = threading.BoundedSemaphore(DELETES_MAX)

    def admit(self, messages: Mapping[str, str], expires_at: datetime) -> None:
        """Write down that tries begin: message ids by token.  Raises ``Unavailable``, and then none may begin."""
        own = self._write(dict(messages), expires_at)
        with self._lock:
            self._own.update(dict.fromkeys(messages, own))

    def finish(self, tokens: Collection[str]) -> None:
        """Take tries off whose end is stored elsewhere; what cannot be deleted does no harm, so nobody waits for it."""
        empty = []
        with self._lock:
            for token in tokens:
                own = self._own.pop(token, None)
                if own is not None:
                    own.messages.pop(token, None)
                    if not own.messages:
                        empty.append(own)
        for own in empty:
            if self._deleting.acquire(blocking=False):
                self._deleters.submit(self._delete_later, own)
            else:
                self._delete(own)

    def withdraw(self, token: str) -> None:
        """Undo an admission, as if the try had never begun; raises ``Unavailable``, and then it stands."""
        with self._lock:
            own = self._own.get(token)
            if own is None:
                return
            # Only what this object still stands for: an attempt that failed may have moved the others already.
            rest = {
                other: message
                for other, message in own.messages.items()
                if other != token and self._own.get(other) is own
            }
        # A new object rather than a new version: Cloud Storage takes one write a second to the same name.
        if rest:
            replacement = self._write(rest, own.expires_at)
            with self._lock:
                self._own.update({other: replacement for other in rest if other in self._own})
                replacement.messages = {other: message for other, message in rest.items() if other in self._own}
        self._store.delete(own.name, if_generation=own.generation)
        with self._lock:
            self._own.pop(token, None)

    def noted(self, lost: Collection[Admission]) -> None:
        """Remember which lost tries are stored elsewhere; an object of which all are is deleted, as far as can be.

        Those of one object may be noted by several workers, so what is left is for the bucket's lifecycle rule.
        """
        with self._lock:
            self._noted.update(admission.token for admission in lost)
            done = [
                name
                for name, admissions in self._seen.items()
                if admissions and all(admission.token in self._noted for admission in admissions)
            ]
            for name in done:
                for admission in self._seen.pop(name):
                    self._noted.discard(admission.token)
        for name in done:
            with contextlib.suppress(EarmarkError):
                info = self._store.stat(name)
                if info is not None:
                    self._store.delete(name, if_generation=info.generation)

    def count(self) -> int:
        """How many tries have begun and not ended, anybody's; those of lost workers count until they are noted."""
        found = 0
        for info in self._store.scan(self._prefix):
            with contextlib.suppress(ObjectMissing):  # it ended since the listing
                found += len(_read(self._store, info.name))
        return found

    def earlier(self, message_ids: Collection[str], *, valid: Collection[str] = ()) -> list[Admission]:
        """The tries of these messages that other leases began, ``valid`` ones aside, and that nobody ended.

        Raises:
            Unavailable: the store cannot be reached.
        """
        now = self._clock()
        if (now - self._seen_at).total_seconds() >= VIEW_S or now < self._seen_at:
            self._look(now)
        while True:
            found = {name: self._matching(name, message_ids, valid) for name in list(self._seen)}
            gone = [name for name, admissions in found.items() if admissions and self._store.stat(name) is None]
            if not gone:
                return [admission for admissions in found.values() for admission in admissions]
            self._look(now)

    def _matching(self, name: str, message_ids: Collection[str], valid: Collection[str]) -> list[Admission]:
        return [each for each in self._seen.get(name, ()) if each.message_id in message_ids and each.token not in valid]

    def _look(self, now: datetime) -> None:
        """Read the objects that are overdue or will be before the next look, those that are new."""
        self._tidy()
        until = now + timedelta(seconds=VIEW_S + SKEW_S)
        seen: dict[str, tuple[Admission, ...]] = {}
        for name in self._overdue(until):
            known = self._seen.get(name)
            if known is None:
                try:
                    known = _read(self._store, name)
                except ObjectMissing:
                    continue
            seen[name] = known
        with self._lock:
            self._seen, self._seen_at = seen, now
            self._noted &= {admission.token for admissions in seen.values() for admission in admissions}

    def _overdue(self, until: datetime) -> Iterator[str]:
        last = self._prefix + _moment(until)
        for info in self._store.scan(self._prefix):
            if info.name > last:
                return
            yield info.name

    def _tidy(self) -> None:
        """Delete what requests without an answer may have written, or it would count as tries of a lost worker."""
        for name in list(self._doubtful):
            info = self._store.stat(name)
            if info is not None:
                self._store.delete(name, if_generation=info.generation)
            self._doubtful.discard(name)

    def _write(self, messages: dict[str, str], expires_at: datetime) -> _Own:
        self._tidy()
        name = f"{self._prefix}{_moment(expires_at)}-{uuid.uuid4().hex}.json"
        content = json.dumps({"worker": self._worker, "messages": messages}).encode()
        try:
            info = self._store.write(name, content, content_type="application/json", if_generation=0)
        except Unavailable:
            self._doubtful.add(name)
            raise
        return _Own(name, info.generation, expires_at, messages)

    def _delete_later(self, own: _Own) -> None:
        try:
            self._delete(own)
        finally:
            self._deleting.release()

    def _delete(self, own: _Own) -> None:
        try:
            self._store.delete(own.name, if_generation=own.generation)
        except (EarmarkError, PreconditionFailed) as error:
            event(_log, "admission.left_behind", level=logging.DEBUG, name=own.name, error=str(error))


def _moment(at: datetime) -> str:
    """A time as text that sorts as times do."""
    return f"{(at - _EPOCH) // _MICROSECOND:020d}"


def _read(store: ObjectStore, name: str) -> tuple[Admission, ...]:
    try:
        content = json.loads(b"".join(store.read(name)))
        worker, by_message = str(content["worker"]), defaultdict(list)
        for token, message_id in content["messages"].items():
            by_message[str(message_id)].append(str(token))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        event(_log, "admission.malformed", level=logging.ERROR, name=name, error=str(error))
        return ()
    return tuple(Admission(message_id, token, worker) for message_id, tokens in by_message.items() for token in tokens)

"""``Tries``: how the tries of a message ended so far, kept outside of Pub/Sub, which cannot count to three.

Most messages are done on their first try and have no object here.  One with a failure has
``tries/<queue>/<message id>.json``; a message lives from put to acknowledgement, so its failures end with it.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pydantic import TypeAdapter, ValidationError

from earmark.domain import Failure
from earmark.errors import EarmarkError, PreconditionFailed, Unavailable
from earmark.latest import read_latest
from earmark.log import event
from earmark.metadata import Frozen
from earmark.ports import ObjectStore

_log = logging.getLogger(__name__)

CHANGES_MAX: Final = 8
"""Attempts to change an object that others change at the same time."""
READERS: Final = 8


class _Ended(Frozen):
    token: str
    """Of the lease, so that an end that is told twice counts once."""
    failure: Failure


_ENDED: Final[TypeAdapter[tuple[_Ended, ...]]] = TypeAdapter(tuple[_Ended, ...])


class Tries:
    """The failed tries of one queue's messages; safe to use from several threads."""

    def __init__(self, store: ObjectStore, queue: str) -> None:
        """Take the bucket they are kept in."""
        self._store = store
        self._prefix = f"tries/{queue}/"
        self._readers = ThreadPoolExecutor(READERS, "tries")

    def read(self, message_ids: list[str]) -> dict[str, tuple[Failure, ...]]:
        """The failures of each message, oldest first.  Raises ``Unavailable``."""
        found = self._readers.map(lambda message_id: self._read(message_id)[0], message_ids)
        return {
            message_id: tuple(each.failure for each in ended)
            for message_id, ended in zip(message_ids, found, strict=True)
        }

    def add(self, message_id: str, token: str, failure: Failure) -> tuple[Failure, ...]:
        """Note how a try ended, once however often it is told; gives all failures, numbered in order.

        Raises:
            Unavailable: the store cannot be reached; nothing is noted, or it is and telling it again is safe.
        """
        for _ in range(CHANGES_MAX):
            ended, generation = self._read(message_id)
            if all(each.token != token for each in ended):
                numbered = failure.model_copy(update={"try_number": max(failure.try_number, len(ended) + 1)})
                ended = (*ended, _Ended(token=token, failure=numbered))
                try:
                    self._store.write(
                        self._name(message_id),
                        _ENDED.dump_json(ended),
                        content_type="application/json",
                        if_generation=generation,
                    )
                except PreconditionFailed:
                    continue
            return tuple(each.failure for each in ended)
        message = f"The tries of message {message_id} keep changing"
        raise Unavailable(message)

    def forget(self, message_id: str) -> None:
        """Remove what is known of a message that is gone; what cannot be removed now does no harm."""
        try:
            info = self._store.stat(self._name(message_id))
            if info is not None:
                self._store.delete(info.name, if_generation=info.generation)
        except EarmarkError:
            return

    def _read(self, message_id: str) -> tuple[tuple[_Ended, ...], int]:
        """What is stored, and its generation; 0 = nothing."""
        name = self._name(message_id)
        found = read_latest(self._store, name)
        if found is None:
            return (), 0
        try:
            return _ENDED.validate_json(found[0]), found[1]
        except ValidationError as error:
            event(_log, "tries.malformed", level=logging.ERROR, name=name, error=str(error)[:200])
            return (), found[1]

    def _name(self, message_id: str) -> str:
        return f"{self._prefix}{message_id}.json"

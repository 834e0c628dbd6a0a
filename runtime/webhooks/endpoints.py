"""``Endpoints``: the register of whom customers want called: objects ``webhooks/TENANT/ID.json`` of the state store."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from pydantic import TypeAdapter, ValidationError

from earmark.errors import ConfigurationError, ObjectMissing, PreconditionFailed, Unavailable
from earmark.log import event
from earmark.ports import ObjectInfo, ObjectStore
from runtime.webhooks.endpoint import EndpointId, WebhookEndpoint

_log = logging.getLogger(__name__)
FOLDER: Final = "webhooks"
MOST: Final = 10
"""Endpoints of one customer."""
ATTEMPTS: Final = 10
KEPT: Final = 10_000
"""Most customers remembered."""
_ID: TypeAdapter[str] = TypeAdapter(EndpointId)


class Endpoints:
    """The register; safe to use from several threads and processes."""

    def __init__(self, state: ObjectStore, *, fresh_s: float = 0.0, now: Callable[[], float] = time.monotonic) -> None:
        """Take the store.

        Args:
            state: where they are.
            fresh_s: seconds for which ``called`` may answer from memory; 0 = it always looks.
            now: seconds on a clock that never goes back.
        """
        self._state, self._fresh_s, self._now = state, fresh_s, now
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, tuple[WebhookEndpoint, ...]]] = {}

    def add(self, endpoint: WebhookEndpoint) -> None:
        """Write a new one down.

        Raises:
            Unavailable: the store cannot be reached.
        """
        name = _name(endpoint.tenant, endpoint.id)
        self._state.write(name, _content(endpoint), content_type="application/json", if_generation=0)
        self._forget(endpoint.tenant)

    def check_room(self, tenant: str) -> None:
        """Raise ``ConfigurationError`` where a customer has as many as there may be."""
        if len(self.all(tenant)) >= MOST:
            message = f"{tenant} has {MOST} webhooks, which is the most.  Remove one first."
            raise ConfigurationError(message)

    def all(self, tenant: str) -> list[WebhookEndpoint]:
        """Those of a customer, the oldest first.

        Raises:
            Unavailable: the store cannot be reached.
        """
        names = [info.name for info in self._state.scan(f"{FOLDER}/{tenant}/")]
        found = [each for name in names if (each := self._read(name)) is not None]
        return sorted(found, key=lambda each: (each.made_at, each.id))

    def everybodys(self) -> Iterator[WebhookEndpoint]:
        """Those of all customers.

        Raises:
            Unavailable: the store cannot be reached.
        """
        for name in [info.name for info in self._state.scan(f"{FOLDER}/")]:
            found = self._read(name)
            if found is not None:
                yield found

    def called(self, tenant: str) -> tuple[WebhookEndpoint, ...]:
        """Those of a customer that are called, as they were no longer than ``fresh_s`` ago.

        Raises:
            Unavailable: the store cannot be reached.
        """
        known = self._seen.get(tenant)
        if known is not None and self._now() - known[0] < self._fresh_s:
            return known[1]
        found = tuple(each for each in self.all(tenant) if each.enabled)
        if self._fresh_s:
            with self._lock:
                if len(self._seen) >= KEPT:
                    self._seen.clear()
                self._seen[tenant] = (self._now(), found)
        return found

    def find(self, tenant: str, identity: str) -> WebhookEndpoint | None:
        """One of a customer's by its id; ``None`` = there is none, or it is somebody else's.

        Raises:
            Unavailable: the store cannot be reached.
        """
        return self._read(_name(tenant, identity)) if is_id(identity) else None

    def change(
        self, tenant: str, identity: str, change: Callable[[WebhookEndpoint], WebhookEndpoint]
    ) -> WebhookEndpoint | None:
        """Change one, whoever else does at the same time; gives it as it is then, ``None`` = there is none.

        Raises:
            Unavailable: the store cannot be reached, or it keeps changing.
        """
        name = _name(tenant, identity)
        for _ in range(ATTEMPTS):
            info = self._state.stat(name) if is_id(identity) else None
            found = self._read(name, info) if info is not None else None
            if info is None or found is None:
                return None
            changed = change(found)
            with suppress(PreconditionFailed):
                content = _content(changed)
                self._state.write(name, content, content_type="application/json", if_generation=info.generation)
                self._forget(tenant)
                return changed
        message = f"{name} keeps changing under {ATTEMPTS} attempts to change it"
        raise Unavailable(message)

    def remove(self, tenant: str, identity: str) -> bool:
        """Forget one; whether there was any.

        Raises:
            Unavailable: the store cannot be reached, or it keeps changing.
        """
        name = _name(tenant, identity)
        for _ in range(ATTEMPTS):
            info = self._state.stat(name) if is_id(identity) else None
            if info is None:
                return False
            with suppress(PreconditionFailed):
                gone = self._state.delete(name, if_generation=info.generation)
                self._forget(tenant)
                return gone
        message = f"{name} keeps changing under {ATTEMPTS} attempts to remove it"
        raise Unavailable(message)

    def _read(self, name: str, info: ObjectInfo | None = None) -> WebhookEndpoint | None:
        try:
            content = b"".join(self._state.read(name, generation=info.generation if info else None))
            return WebhookEndpoint.model_validate_json(content)
        except ObjectMissing:
            return None
        except ValidationError:  # told without its content, for a secret is in it
            event(_log, "webhook.unreadable", level=logging.ERROR, name=name)
            return None

    def _forget(self, tenant: str) -> None:
        with self._lock:
            self._seen.pop(tenant, None)


def is_id(text: str) -> bool:
    """Whether a text can be the id of an endpoint."""
    try:
        _ID.validate_python(text)
    except ValidationError:
        return False
    return True


def _name(tenant: str, identity: str) -> str:
    return f"{FOLDER}/{tenant}/{identity}.json"


def _content(endpoint: WebhookEndpoint) -> bytes:
    return endpoint.model_dump_json().encode()

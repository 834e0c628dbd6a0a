"""A backend that lets one component of Google Cloud do what Terraform grants its account, and notes what it refuses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from earmark.domain import Record
from earmark.errors import ConfigurationError
from runtime.backend import Backend, QueueDepth
from tests.granted import may

VIEW: Final = frozenset({"read", "stat", "scan", "strangers"})
ON_OBJECTS: Final[Mapping[str, frozenset[str]]] = {
    "storage.objectViewer": VIEW,
    "storage.objectCreator": frozenset({"write"}),
    "earmarkObjectDater": VIEW | {"write", "protect"},
    "storage.objectUser": VIEW | {"write", "protect", "delete"},
}
ON_QUEUES: Final[Mapping[str, frozenset[str]]] = {
    "pubsub.publisher": frozenset({"put"}),
    "pubsub.subscriber": frozenset({"lease", "extend", "ack", "release", "bury"}),
    "pubsub.viewer": frozenset({"depth"}),
}
ON_ROWS: Final[Mapping[str, frozenset[str]]] = {
    "earmarkRowWriter": frozenset({"query", "append", "purge"}),
    "bigquery.dataViewer": frozenset({"query"}),
}


class Account:
    """What one component may do."""

    def __init__(self, component: str) -> None:
        """Nothing is refused yet."""
        self.component = component
        self.refused: list[str] = []

    def allow(self, kinds: Mapping[str, frozenset[str]], on: str, step: str) -> None:
        """Pass, or note it and raise what the adapters raise."""
        known = frozenset().union(*kinds.values())
        if step in known and not any(
            step in steps and on in may(self.component, role) for role, steps in kinds.items()
        ):
            self.refused.append(f"{step} on {on or 'the dataset'}")
            message = f"{self.component} may not {step} on {on}"
            raise ConfigurationError(message)

    def of(self, backend: Backend) -> Backend:
        """The backend as this account has it."""

        def bucket(name: str) -> Any:
            if name == "notices":  # on Google Cloud a topic stands for it
                return backend.bucket(name)
            return _Guarded(backend.bucket(name), lambda step: self.allow(ON_OBJECTS, name, step))

        def queue(name: str, made: Any) -> Any:
            return _Guarded(made, lambda step: self.allow(ON_QUEUES, name, step))

        def depth(name: str, look: Callable[[], QueueDepth]) -> Callable[[], QueueDepth]:
            def ask() -> QueueDepth:
                self.allow(ON_QUEUES, name, "depth")
                return look()

            return ask

        def notice(told: Mapping[str, Any]) -> None:
            self.allow(ON_QUEUES, "notices", "put")
            backend.publish_notice(told)

        def announce(records: Sequence[Record]) -> None:
            self.allow(ON_QUEUES, "results", "put")
            backend.announce(records)

        return replace(
            backend,
            lanes={lane: queue(lane.value, made) for lane, made in backend.lanes.items()},
            dead=queue("dead", backend.dead),
            depths={name: depth(name, look) for name, look in backend.depths.items()},
            warehouse=_Guarded(backend.warehouse, lambda step: self.allow(ON_ROWS, "", step)),
            bucket=bucket,
            publish_notice=notice,
            announce=announce,
            **{name: bucket(name) for name in ("results", "state", "temporary", "archive", "audit")},
        )


class _Guarded:
    """Asks before each call."""

    def __init__(self, made: Any, ask: Callable[[str], None]) -> None:
        self._made, self._ask = made, ask

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._made, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._ask(name)
            return found(*arguments, **named)

        return call

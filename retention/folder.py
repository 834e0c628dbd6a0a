"""``Folder``: frozen values kept as JSON objects below one prefix of the state store."""

import re
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from earmark.errors import ConfigurationError, ObjectMissing, Unavailable
from earmark.ports import ObjectInfo, ObjectStore

Value = TypeVar("Value", bound=BaseModel)

READS_MAX: Final = 8
"""Attempts to read what others change at the same time."""
OBJECT_BYTES_MAX: Final = 16 * 1024 * 1024
_JSON: Final = "application/json"
_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")


class Folder(Generic[Value]):
    """Values by id, each an object; one is read again only when its generation has changed.

    All methods raise ``Unavailable`` when the store cannot be reached, and ``ConfigurationError`` for an object that
    holds something else: what protects a customer's files and cannot be read must stop what deletes them.
    """

    def __init__(self, store: ObjectStore, prefix: str, kind: type[Value], what: str) -> None:
        """Take the state store.

        Args:
            store: where the objects lie.
            prefix: of their names, with a slash at its end.
            kind: of the values.
            what: one is, for messages, as ``hold``.
        """
        self._store, self._prefix, self._kind, self._what = store, prefix, kind, what
        self._seen: dict[str, tuple[int, Value]] = {}

    def all(self) -> list[Value]:
        """Every value, in order of ids, looked at now."""
        seen: dict[str, tuple[int, Value]] = {}
        for info in self._store.scan(self._prefix):
            if not info.name.endswith(".json"):
                continue
            known = self._seen.get(info.name)
            found = known if known and known[0] == info.generation else self._read(info)
            if found is not None:
                seen[info.name] = found
        self._seen = seen
        return [value for _, value in seen.values()]

    def find(self, value_id: str) -> tuple[Value, int] | None:
        """A value and its generation; ``None`` where there is none of that id."""
        info = self._store.stat(self._name(value_id)) if _ID.fullmatch(value_id) else None
        return self._flipped(None if info is None else self._read(info))

    def write(self, value_id: str, value: Value, *, if_generation: int) -> None:
        """Store a value in place of that generation, 0 = of none.

        Raises:
            PreconditionFailed: somebody else was first.
        """
        content = value.model_dump_json(indent=1).encode()
        self._store.write(self._name(value_id), content, content_type=_JSON, if_generation=if_generation)

    def _name(self, value_id: str) -> str:
        return f"{self._prefix}{value_id}.json"

    def _read(self, info: ObjectInfo) -> tuple[int, Value] | None:
        present: ObjectInfo | None = info
        for _ in range(READS_MAX):
            if present is None:
                return None
            if present.size_bytes > OBJECT_BYTES_MAX:
                raise ConfigurationError(self._malformed(info.name, f"it has {present.size_bytes} bytes"))
            try:
                content = b"".join(self._store.read(info.name, generation=present.generation))
                return present.generation, self._kind.model_validate_json(content)
            except ObjectMissing:
                present = self._store.stat(info.name)
            except ValidationError as error:
                faults = error.errors(include_url=False, include_input=False, include_context=False)
                told = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults[:5])
                raise ConfigurationError(self._malformed(info.name, told)) from error
        message = f"The object {info.name} keeps changing"
        raise Unavailable(message)

    @staticmethod
    def _flipped(found: tuple[int, Value] | None) -> tuple[Value, int] | None:
        return None if found is None else (found[1], found[0])

    def _malformed(self, name: str, fault: str) -> str:
        return (
            f"The object {name} in the state store is no {self._what}: {fault}.  Nothing is deleted while it is "
            "there.  Put right what it holds; on one machine it is a file in objects/state of the data folder."
        )

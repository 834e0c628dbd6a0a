"""``ScopeIndex``: which of many scopes cover an object, found without asking each of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from earmark.rows import CatalogueRow
from retention.scope import Scope, origin_of

Value = TypeVar("Value")


class ScopeIndex(Generic[Value]):
    """Values by scope.  A question costs one look for each length of prefix that the bucket has, not for each scope."""

    def __init__(self, values: Iterable[tuple[Scope, Value]]) -> None:
        """Take scopes and what they stand for."""
        self._tenants: dict[str, list[Value]] = defaultdict(list)
        self._objects: dict[tuple[str, str], list[Value]] = defaultdict(list)
        self._prefixes: dict[str, dict[int, dict[str, list[Value]]]] = {}
        for scope, value in values:
            match scope.kind:
                case "tenant":
                    self._tenants[scope.tenant or ""].append(value)
                case "object":
                    self._objects[scope.bucket, scope.name].append(value)
                case "prefix":
                    lengths = self._prefixes.setdefault(scope.bucket, {})
                    lengths.setdefault(len(scope.name), {}).setdefault(scope.name, []).append(value)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._tenants or self._objects or self._prefixes)

    def covering(self, row: CatalogueRow) -> Iterator[Value]:
        """The values whose scope covers an object, as ``Scope.covers`` says."""
        yield from self._tenants.get(row.tenant, ())
        bucket = origin_of(row.bucket)
        yield from self._objects.get((bucket, row.name), ())
        for length, prefixes in self._prefixes.get(bucket, {}).items():
            yield from prefixes.get(row.name[:length], ())

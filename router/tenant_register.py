"""``TenantRegister``: the customers that were added by command, objects ``tenants/NAME.json`` of the state store."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pydantic import ValidationError

from earmark.errors import ConfigurationError, ObjectMissing, PreconditionFailed, Unavailable
from earmark.ports import ObjectStore
from router.tenant import Tenant

FOLDER: Final = "tenants/"
ATTEMPTS: Final = 8
"""Changes of one customer at the same moment before it is given up."""
READERS: Final = 16
_JSON: Final = "application/json"


class TenantRegister:
    """Customers by name; safe to use from several threads and processes.

    All methods raise ``Unavailable`` when the store cannot be reached, and ``ConfigurationError`` for an object that is
    no customer.
    """

    def __init__(self, store: ObjectStore) -> None:
        """Take the state store."""
        self._store = store

    def find(self, name: str) -> Tenant | None:
        """A customer; ``name`` must be a tenant's name by its pattern."""
        try:
            return _read(name, b"".join(self._store.read(object_name(name))))
        except ObjectMissing:
            return None

    def names(self) -> Iterator[str]:
        """The names of all, in order."""
        for info in self._store.scan(FOLDER):
            yield info.name.removeprefix(FOLDER).removesuffix(".json")

    def all(self) -> list[Tenant]:
        """All, in order of their names."""
        names = list(self.names())
        if not names:
            return []
        with ThreadPoolExecutor(min(READERS, len(names)), "tenants") as threads:
            return [found for found in threads.map(self.find, names) if found is not None]

    def add(self, tenant: Tenant) -> bool:
        """Add a customer; False where it is there already, exactly so.

        Raises:
            ConfigurationError: there is one of that name with something else.
        """
        try:
            self._store.write(object_name(tenant.name), _bytes(tenant), content_type=_JSON, if_generation=0)
        except PreconditionFailed:
            if self.find(tenant.name) == tenant:
                return False
            message = (
                f"There is a customer {tenant.name} already, and it has something else.  "
                f"`earmark tenant set {tenant.name} …` changes it."
            )
            raise ConfigurationError(message) from None
        return True

    def change(self, name: str, change: Callable[[Tenant], Tenant]) -> Tenant:
        """Put what ``change`` makes of a customer in its place, and give it.

        Raises:
            ConfigurationError: there is none of that name.
        """
        for _ in range(ATTEMPTS):
            info = self._store.stat(object_name(name))
            found = None if info is None else self.find(name)
            if info is None or found is None:
                message = (
                    f"There is no customer {name} in the register.  `earmark tenant add {name} --tier …` adds one."
                )
                raise ConfigurationError(message)
            changed = change(found)
            try:
                self._store.write(object_name(name), _bytes(changed), content_type=_JSON, if_generation=info.generation)
            except PreconditionFailed:
                continue
            return changed
        message = f"The customer {name} is changed by others all the time"
        raise Unavailable(message)


def object_name(name: str) -> str:
    """Name of the object of a customer."""
    return f"{FOLDER}{name}.json"


def _bytes(tenant: Tenant) -> bytes:
    return tenant.model_dump_json(indent=1, exclude_none=True, exclude={"notice_secret"}).encode()


def _read(name: str, content: bytes) -> Tenant:
    try:
        found = Tenant.model_validate_json(content)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
        message = f"The object {object_name(name)} in the state store is no customer: {faults}.  Put it right."
        raise ConfigurationError(message) from None
    if found.name != name:
        message = f"The object {object_name(name)} in the state store is about {found.name}.  Put it right."
        raise ConfigurationError(message)
    return found

"""Tenants: who uploads, what tier they pay for, what limits hold and where their data must stay."""

import threading
import tomllib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from earmark.clock import utc_now
from earmark.domain import TenantName
from earmark.errors import ConfigurationError, Unavailable
from earmark.ports import Clock, ObjectStore
from router.tenant import Tenant
from router.tenant_register import TenantRegister

__all__ = ["Tenant", "Tenants"]

_NAME: TypeAdapter[str] = TypeAdapter(TenantName)
REMEMBERED: Final = timedelta(seconds=10)
"""For which a look at the register counts, also one that found nobody."""
KEPT: Final = 10_000
"""Most names remembered."""


class Tenants:
    """The tenants of a TOML file, a table each, and those that were registered by command (``router.tenant_register``).

    The file goes before the register.  Without a file everybody else is free and without limits of its own.

    ::

        [acme]
        tier = "enterprise"
        region = "europe-west1"
        max_input_bytes = 500_000_000
        notice_email = "archive@acme.example"
    """

    def __init__(self, path: Path | None = None, store: ObjectStore | None = None, clock: Clock = utc_now) -> None:
        """Read the file; raises ``ConfigurationError`` naming the tenant that is wrong.

        Args:
            path: the file; ``None`` = there is none.
            store: the state store, which has the register; ``None`` = nobody is registered.
            clock: the present.
        """
        self._path = path
        self._known: Mapping[str, Tenant] = {} if path is None else _read(path)
        self._register = None if store is None else TenantRegister(store)
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, tuple[Tenant | None, float]] = OrderedDict()

    @property
    def tiers(self) -> dict[str, str]:
        """The tier of each tenant of the file and of the register, looked at now.

        Raises:
            Unavailable: the register cannot be reached.
            ConfigurationError: something in it is no customer.
        """
        registered = [] if self._register is None else self._register.all()
        found = {each.name: each for each in registered} | dict(self._known)
        return {name: tenant.tier.value for name, tenant in found.items()}

    def in_file(self, name: str) -> bool:
        """Whether the file has a tenant of that name."""
        return name in self._known

    def knows(self, name: str) -> bool:
        """Whether the file or the register has a tenant of that name, which is well-formed; see ``find``.

        Raises:
            Unavailable: the register cannot be reached, and was never asked about this name.
        """
        return name in self._known or self._registered(name) is not None

    def find(self, name: str) -> Tenant:
        """A tenant by name; one of the register as it was some seconds ago, or longer while it cannot be reached.

        Raises:
            ConfigurationError: the name is malformed, or there is a file of tenants and nobody of that name in it, nor
                registered.
            Unavailable: the register cannot be reached, and was never asked about this name.
        """
        try:
            _NAME.validate_python(name)
        except ValidationError:
            message = (
                f"{name!r} is no tenant name: use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or a digit."
            )
            raise ConfigurationError(message) from None
        found = self._known.get(name) or self._registered(name)
        if found is not None:
            return found
        if self._path is None:
            return Tenant(name=name)
        message = (
            f"Tenant {name} is not in {self._path}; add a table [{name}] there, or register it: "
            f"`earmark tenant add {name} --tier …`."
        )
        raise ConfigurationError(message)

    def _registered(self, name: str) -> Tenant | None:
        if self._register is None:
            return None
        now = self._clock().timestamp()
        with self._lock:
            seen = self._seen.get(name)
        if seen is not None and 0 <= now - seen[1] < REMEMBERED.total_seconds():
            return seen[0]
        try:
            found = self._register.find(name)
        except Unavailable:
            if seen is None:
                raise
            return seen[0]
        with self._lock:
            self._seen[name] = found, now
            self._seen.move_to_end(name)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        return found


def _read(path: Path) -> dict[str, Tenant]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"Cannot read the tenants in {path}: {error}"
        raise ConfigurationError(message) from error
    tenants = {}
    for name, table in tables.items():
        try:
            tenants[name] = Tenant.model_validate({"name": name, **table})
        except TypeError:
            message = f"{name} in {path} is no tenant: write a table [{name}]"
            raise ConfigurationError(message) from None
        except ValidationError as error:
            # Told without the values: a secret may be among them.
            faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            message = f"Tenant {name} in {path} is wrong: {faults.removeprefix(': Value error, ')}"
            raise ConfigurationError(message) from None
    return tenants

"""Tenants: who uploads, what tier they pay for, what limits hold and where their data must stay."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, TypeAdapter, ValidationError, model_validator

from earmark.domain import TenantName
from earmark.errors import ConfigurationError
from earmark.metadata import Frozen
from earmark.vocabulary import Tier

_NAME: TypeAdapter[str] = TypeAdapter(TenantName)


class Tenant(Frozen):
    """One customer."""

    name: TenantName
    tier: Tier = Tier.FREE
    region: str | None = None
    """Where the data must stay; ``None`` = anywhere."""
    max_input_bytes: Annotated[int, Field(gt=0)] | None = None
    """Largest file taken; ``None`` = the system's limit."""
    max_duration_s: Annotated[float, Field(gt=0)] | None = None
    """Longest recording taken; ``None`` = the system's limit."""
    fallback_daily_usd: Annotated[float, Field(ge=0)] | None = None
    """Dollars the fallback may cost a day for this tenant; ``None`` = what is set for all."""
    notice_email: Annotated[str, Field(max_length=320, pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")] | None = None
    """Where to write before something is deleted; ``None`` = no mail."""
    notice_webhook: Annotated[str, Field(max_length=2000, pattern=r"^https?://\S+$")] | None = None
    """Address that is called before something is deleted; ``None`` = none is."""
    notice_secret: SecretStr | None = None
    """What calls of the webhook are signed with, as ``whsec_…`` of the Standard Webhooks; it must be there with it."""

    @model_validator(mode="after")
    def _signed(self) -> "Tenant":
        if (self.notice_webhook is None) != (self.notice_secret is None):
            message = "notice_webhook and notice_secret belong together: set both or none"
            raise ValueError(message)
        return self


class Tenants:
    """The tenants of a TOML file, a table each; without a file every tenant is free and without limits of its own.

    ::

        [acme]
        tier = "enterprise"
        region = "europe-west1"
        max_input_bytes = 500_000_000
        notice_email = "archive@acme.example"
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read the file; raises ``ConfigurationError`` naming the tenant that is wrong."""
        self._path = path
        self._known: Mapping[str, Tenant] = {} if path is None else _read(path)

    @property
    def tiers(self) -> dict[str, str]:
        """The tier of each tenant of the file."""
        return {name: tenant.tier.value for name, tenant in self._known.items()}

    def find(self, name: str) -> Tenant:
        """A tenant by name.

        Raises:
            ConfigurationError: the name is malformed, or there is a file of tenants and it is not in it.
        """
        try:
            _NAME.validate_python(name)
        except ValidationError:
            message = (
                f"{name!r} is no tenant name: use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or a digit."
            )
            raise ConfigurationError(message) from None
        if self._path is None:
            return Tenant(name=name)
        if name not in self._known:
            message = f"Tenant {name} is not in {self._path}; add a table [{name}] there."
            raise ConfigurationError(message)
        return self._known[name]


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

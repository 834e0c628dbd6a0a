"""``Scope``: what a hold, an extension or an erasure is about: an object, all below a prefix, or a customer."""

from typing import Final, Literal

from pydantic import TypeAdapter, ValidationError, field_validator, model_validator

from earmark.domain import TenantName
from earmark.errors import ConfigurationError
from earmark.metadata import Frozen
from earmark.rows import CatalogueRow

ADDRESS = "gs://"
SHOWN: Final = 63
"""Characters of a wrong name that a message repeats."""
_NAME: Final[TypeAdapter[str]] = TypeAdapter(TenantName)
_ORIGINS = {"archive": "uploads"}
"""What lies in the archive is still the upload it was: what is said of that holds for it."""


def origin_of(bucket: str) -> str:
    """The bucket that an object of this one came to first."""
    return _ORIGINS.get(bucket, bucket)


class Scope(Frozen):
    """Exactly one of the three."""

    kind: Literal["object", "prefix", "tenant"]
    bucket: str = ""
    name: str = ""
    """Of the object, or what names begin with."""
    tenant: TenantName | None = None

    @field_validator("bucket")
    @classmethod
    def _origin(cls, bucket: str) -> str:
        return origin_of(bucket)

    @model_validator(mode="after")
    def _one(self) -> "Scope":
        if (self.kind == "tenant") != (self.tenant is not None) or (self.kind != "tenant") != bool(self.bucket):
            message = "a scope is a tenant, or a bucket and a name"
            raise ValueError(message)
        if self.kind == "object" and not self.name:
            message = "an object has a name"
            raise ValueError(message)
        return self

    def covers(self, row: CatalogueRow) -> bool:
        """Whether an object is meant, in whatever generation, in the archive too."""
        match self.kind:
            case "tenant":
                return row.tenant == self.tenant
            case "prefix":
                return origin_of(row.bucket) == self.bucket and row.name.startswith(self.name)
        return (origin_of(row.bucket), row.name) == (self.bucket, self.name)

    def __str__(self) -> str:
        """For a person: ``tenant acme``, ``uploads/acme/song.wav``, ``uploads/acme/*``."""
        if self.kind == "tenant":
            return f"tenant {self.tenant}"
        return f"{self.bucket}/{self.name}{'*' if self.kind == 'prefix' else ''}"


def checked_tenant(text: str) -> str:
    """A customer's name as it was written; raises ``ConfigurationError`` where nobody can have it."""
    try:
        return _NAME.validate_python(text)
    except ValidationError:
        shown = repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
        message = f"{shown} is no tenant name: use 1 to 63 of a-z, 0-9, - and _, beginning with a letter or a digit."
        raise ConfigurationError(message) from None


def read_scope(*, target: str | None = None, prefix: str | None = None, tenant: str | None = None) -> Scope:
    """A scope from what was written: ``uploads/acme/song.wav``, with or without ``gs://``.

    Raises:
        ValueError: none or several were given, or one is malformed.
    """
    given = [each for each in (target, prefix, tenant) if each]
    if len(given) != 1:
        message = "name one of an object, a prefix and a tenant"
        raise ValueError(message)
    if tenant:
        return Scope(kind="tenant", tenant=tenant)
    address = given[0].removeprefix(ADDRESS).partition("#")[0]
    bucket, slash, name = address.partition("/")
    if not bucket or not slash or (target and not name):
        message = f"{given[0]!r} is no address of the form BUCKET/NAME"
        raise ValueError(message)
    return Scope(kind="object" if target else "prefix", bucket=bucket, name=name)

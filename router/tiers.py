"""``TierLimits``: how much a customer of each tier may ask of the API, unless its own limits say otherwise."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from earmark.errors import ConfigurationError
from earmark.metadata import Frozen
from earmark.vocabulary import Tier
from router.tenant import Tenant

SHIPPED: Final = "tiers.toml"


class TierLimits(Frozen):
    """The limits of a tier."""

    requests_per_minute: Annotated[int, Field(gt=0)]
    """Requests a minute (UTC), of any kind."""
    audio_s_per_day: Annotated[float, Field(gt=0)] | None = None
    """Seconds of audio analysed a day (UTC); ``None`` = any number."""
    concurrent_jobs: Annotated[int, Field(gt=0)]
    """Jobs, asked for one by one, that may wait or run at the same time."""

    def of(self, tenant: Tenant) -> "TierLimits":
        """With the customer's own limits in place of the tier's, where it has any."""
        own = {name: getattr(tenant, name) for name in type(self).model_fields}
        return self.model_copy(update={name: value for name, value in own.items() if value is not None})


_TABLES: TypeAdapter[dict[Tier, TierLimits]] = TypeAdapter(dict[Tier, TierLimits])


def load_tiers(path: Path | None = None) -> Mapping[Tier, TierLimits]:
    """The limits of every tier: those of a TOML file, a table each, else those that ship.

    Raises:
        ConfigurationError: the file cannot be read, a tier is missing in it, or something in it is no limit.
    """
    source = files("router").joinpath(SHIPPED) if path is None else path
    try:
        found = _TABLES.validate_python(tomllib.loads(source.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"Cannot read the limits of tiers in {source}: {error}"
        raise ConfigurationError(message) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
        message = f"The limits of tiers in {source} are wrong: {faults}"
        raise ConfigurationError(message) from None
    if missing := [tier.value for tier in Tier if tier not in found]:
        message = f"The limits of tiers in {source} lack: {', '.join(missing)}.  Add a table for each."
        raise ConfigurationError(message)
    return found

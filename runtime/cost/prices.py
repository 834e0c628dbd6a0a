"""``Prices``: what machines and Google Cloud cost, each price with its date; ``prices.toml`` beside this file ships."""

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from earmark.errors import ConfigurationError
from earmark.metadata import Frozen
from workers.models.provider import FRESH_DAYS

SHIPPED: Final = Path(__file__).with_name("prices.toml")
CPU: Final = "cpu"
"""The machine that stands for processors, whatever their names."""
ACCELERATORS: Final = frozenset({"NVIDIA", "Tesla", "Instinct", "Radeon"})
"""Words by which hardware is known that is no processor."""

Usd = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False, strict=True)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class Price(Frozen):
    """One price; the key that holds it has its unit, as ``usd_per_hour``."""

    usd: Usd
    as_of: date
    """Day on which somebody looked it up."""
    source: str = Field(min_length=1, max_length=400)
    """Where, for a person."""


class MachinePrices(Frozen):
    """A machine on which the primary can run, whole: with processors, memory and disks that come with it."""

    type: str = Field(min_length=1, max_length=100)
    """As whoever rents it out calls it."""
    hardware: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Words by which it is known in the name a worker gives its hardware, all of them, as ``L4`` in ``NVIDIA L4``."""
    usd_per_hour: Price
    spot_usd_per_hour: Price | None = None
    """While it may be taken away at any moment; ``None`` = not known."""


class StoragePrices(Frozen):
    """A class of storage; a gigabyte is 2^30 bytes, as Google counts."""

    usd_per_gb_month: Price


class QueuePrices(Frozen):
    """Pub/Sub; a tebibyte is 2^40 bytes."""

    usd_per_tib: Price


class WarehousePrices(Frozen):
    """BigQuery."""

    usd_per_gb_month: Price
    usd_per_tib_read: Price


class PriceList(Frozen):
    """All prices."""

    machines: Mapping[Key, MachinePrices]
    storage: Mapping[Key, StoragePrices]
    queue: QueuePrices
    warehouse: WarehousePrices

    def machine(self, name: str) -> MachinePrices:
        """The prices of a machine.

        Raises:
            ConfigurationError: there is none of that name.
        """
        if name not in self.machines:
            message = (
                f"There is no price of a machine {name!r}.  There are: {', '.join(self.machines)}.  Add a table "
                f"[machines.{name}] to the file that EARMARK_PRICES names."
            )
            raise ConfigurationError(message)
        return self.machines[name]

    def machine_of(self, hardware: str) -> str | None:
        """The machine that goes by a worker's name of its hardware; ``None`` = the name is empty, or there is none.

        Where several do, it is the one that is known by most words: one with 80 GB is more than just an A100.
        """
        words = set(hardware.replace("-", " ").split())
        known = {
            name: len(machine.hardware)
            for name, machine in self.machines.items()
            if machine.hardware and words.issuperset(machine.hardware)
        }
        if known:
            return max(known, key=lambda name: known[name])
        return CPU if words and CPU in self.machines and words.isdisjoint(ACCELERATORS) else None


def load_prices(path: Path | None = None) -> PriceList:
    """The shipped prices, with those of a file beside and above them; a price is replaced whole, with its date.

    Raises:
        ConfigurationError: a file cannot be read, or a price cannot be; names file and key.
    """
    found = _read(SHIPPED)
    if path is not None:
        found = _over(found, _read(path))
    try:
        return PriceList.model_validate(found)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        where = path or SHIPPED
        message = f"The prices in {where} cannot be used: {faults}.  Each is a table with usd, as_of and source."
        raise ConfigurationError(message) from None


def doubts(prices: Mapping[str, tuple[date | None, float]], today: date) -> list[str]:
    """What is to be said about the age of prices, for a person.

    Args:
        prices: what each is the price of, its date, and the dollars; what is free needs no date.
        today: the day it is now.
    """
    said = []
    for name, (as_of, usd) in prices.items():
        if as_of is None:
            if usd > 0:
                said.append(f"The price of {name} has no date: look it up, and give it one.")
        elif (today - as_of).days > FRESH_DAYS:
            said.append(f"The price of {name} is of {as_of}, more than a year ago: look it up again.")
        elif as_of > today:
            said.append(f"The price of {name} is of {as_of}, which is not yet.")
    return said


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged key by key, but a price, which is one thing with its date."""
    merged = dict(below)
    for key, value in above.items():
        old = below.get(key)
        tables = isinstance(value, dict) and isinstance(old, dict) and "usd" not in old
        merged[key] = _over(old or {}, value) if tables else value
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"Cannot read the prices in {path}: {error}.  Mend the file, or name another."
        raise ConfigurationError(message) from None

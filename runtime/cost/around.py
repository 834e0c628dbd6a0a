"""What a job costs besides, whoever listens: its audio kept for a month, its way through the queue, its rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime.cost.prices import PriceList

MESSAGE_BYTES: Final = 2000
"""Of a job on its way through the queue, about, with its attributes; it is paid for when put and when given."""
ROWS_BYTES: Final = 3000
"""Of a job's rows, about: its own and those of its labels."""
GIB: Final = 2**30
TIB: Final = 2**40


@dataclass(frozen=True, slots=True)
class Around:
    """Dollars for a thousand jobs, a month after they came; free tiers left out."""

    storage_usd: Mapping[str, float]
    """A month of their audio, by class of storage; reading it again from a colder class costs more."""
    queue_usd: float
    rows_usd: float
    """A month of their rows."""
    read_usd: float
    """One query that reads all of these."""


def around(prices: PriceList, size_bytes_per_job: float) -> Around:
    """What a thousand jobs of so many bytes of audio cost besides."""
    gib = 1000 * size_bytes_per_job / GIB
    return Around(
        {name: gib * each.usd_per_gb_month.usd for name, each in prices.storage.items()},
        queue_usd=1000 * 2 * MESSAGE_BYTES / TIB * prices.queue.usd_per_tib.usd,
        rows_usd=1000 * ROWS_BYTES / GIB * prices.warehouse.usd_per_gb_month.usd,
        read_usd=1000 * ROWS_BYTES / TIB * prices.warehouse.usd_per_tib_read.usd,
    )

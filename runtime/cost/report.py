"""``CostReport``: what jobs cost, from their rows, divided as somebody asks."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from earmark.ports import Warehouse

NOISE: Final = 1e-9
"""A remainder of a sum of dollars that is so much smaller than the sum is one of rounding."""
HOUR_S: Final = 3600.0


class By(StrEnum):
    """What a report can be divided by."""

    DAY = "day"
    TENANT = "tenant"
    TIER = "tier"
    LANE = "lane"
    ARM = "arm"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class CostLine:
    """What some jobs cost."""

    keys: Mapping[str, str]
    """What they have in common, as ``{"lane": "high"}``; empty in the sum of all."""
    jobs: int
    """That ended, however they did."""
    done: int
    """Of these with an answer."""
    audio_s: float
    predict_s: float
    cost_usd: float
    machine_usd: float
    """The primary's time."""
    fallback_usd: float
    asked: int
    """About how many the fallback was asked, among those with an answer."""

    @property
    def other_usd(self) -> float:
        """The rest: what a provider bills that is the primary."""
        rest = self.cost_usd - self.machine_usd - self.fallback_usd
        return rest if rest > NOISE * self.cost_usd else 0.0

    @property
    def usd_per_1000_jobs(self) -> float | None:
        """Dollars; ``None`` = there were no jobs."""
        return 1000 * self.cost_usd / self.jobs if self.jobs else None

    @property
    def usd_per_audio_h(self) -> float | None:
        """Dollars for an hour of audio; ``None`` = there was none."""
        return HOUR_S * self.cost_usd / self.audio_s if self.audio_s > 0 else None

    @property
    def fallback_share(self) -> float | None:
        """Share of the answers about which the fallback was asked; ``None`` = there are none."""
        return self.asked / self.done if self.done else None


@dataclass(frozen=True, slots=True)
class CostReport:
    """Lines, the dearest first within each day, and their sum."""

    lines: Sequence[CostLine]

    @property
    def total(self) -> CostLine:
        """All of it."""

        def count(of: Callable[[CostLine], int]) -> int:
            return sum(map(of, self.lines))

        def amount(of: Callable[[CostLine], float]) -> float:
            return math.fsum(map(of, self.lines))

        return CostLine(
            {},
            jobs=count(lambda line: line.jobs),
            done=count(lambda line: line.done),
            audio_s=amount(lambda line: line.audio_s),
            predict_s=amount(lambda line: line.predict_s),
            cost_usd=amount(lambda line: line.cost_usd),
            machine_usd=amount(lambda line: line.machine_usd),
            fallback_usd=amount(lambda line: line.fallback_usd),
            asked=count(lambda line: line.asked),
        )


def read_costs(
    warehouse: Warehouse,
    by: Collection[By] = (),
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    tenant: str = "",
) -> CostReport:
    """What jobs that ended in a window cost.

    Args:
        warehouse: that is asked.
        by: what the report is divided by; nothing = one line.
        since: start of the window, included; ``None`` = the beginning.
        until: end of the window, not included; ``None`` = now.
        tenant: one tenant; empty = all.

    Raises:
        Unavailable: the warehouse cannot be reached.
    """
    given: dict[str, object] = {"tenant": tenant, **{f"by_{each}": int(each in by) for each in By}}
    given |= {name: at for name, at in (("since", since), ("until", until)) if at is not None}
    return CostReport([_line(row, by) for row in warehouse.query("cost_report", given)])


def _line(row: Mapping[str, Any], by: Collection[By]) -> CostLine:
    return CostLine(
        {each.value: str(row[each]) for each in By if each in by},
        jobs=int(row["jobs"]),
        done=int(row["done"]),
        audio_s=float(row["audio_s"]),
        predict_s=float(row["predict_s"]),
        cost_usd=float(row["cost_usd"]),
        machine_usd=float(row["machine_usd"]),
        fallback_usd=float(row["fallback_usd"]),
        asked=int(row["asked"]),
    )

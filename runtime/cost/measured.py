"""``Measured``: what one's own rows say that a comparison of machines with a provider needs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from earmark.errors import ConfigurationError
from earmark.ports import Warehouse
from runtime.cost.prices import PriceList
from workers.models.windows import WINDOW_S

LEAST_JOBS: Final = 100
"""From fewer rows no figure is made."""
LEAST_SPAN: Final = timedelta(hours=1)
"""From a shorter time nobody can tell how many jobs a day there are."""
PROVIDED: Final = "openai_compatible"
"""The model that runs elsewhere: a worker's hardware says nothing about it."""
_DAY_S: Final = 86_400.0


class TooFewRows(ConfigurationError):
    """What is asked about has to be measured, and cannot be."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the primary did on one kind of hardware, warm jobs alone."""

    hardware: str
    """As workers name it; empty = the rows do not say."""
    machine: str | None
    """The machine of the price list that it is; ``None`` = none that can be told."""
    jobs: int
    audio_s: float
    predict_s: float

    @property
    def predict_s_per_audio_s(self) -> float:
        """Seconds of inference for a second of audio."""
        return self.predict_s / self.audio_s


@dataclass(frozen=True, slots=True)
class Measured:
    """What a window of rows came to."""

    heard: Sequence[Heard]
    answers: int
    audio_s: float
    provider_audio_s: float
    """Of it what the provider would hear, which is sent a bounded number of pieces of a recording."""
    requests: float
    """Pieces it would be sent."""
    size_bytes: float
    asked: int
    fallback_usd: float
    span: timedelta
    """From the first of the answers to the last."""
    tenant: str = ""
    """Whose rows alone were looked into; empty = all."""

    def predict_s_per_audio_s(self, machine: str) -> float:
        """Seconds of inference for a second of audio on a machine.

        Raises:
            TooFewRows: too few jobs were heard there to say.
        """
        found = [each for each in self.heard if each.machine == machine]
        jobs, audio_s = sum(each.jobs for each in found), sum(each.audio_s for each in found)
        if jobs < LEAST_JOBS or audio_s <= 0:
            message = (
                f"Too few rows: {jobs} jobs{self._whose} were heard on the machine {machine}, and a figure needs "
                f"{LEAST_JOBS}.  {self._there(machine)}"
            )
            raise TooFewRows(message)
        return sum(each.predict_s for each in found) / audio_s

    def machines_heard(self) -> list[str]:
        """Machines on which enough was heard.

        Raises:
            TooFewRows: there are none.
        """
        jobs: dict[str, int] = {}
        for each in self.heard:
            if each.machine is not None:
                jobs[each.machine] = jobs.get(each.machine, 0) + each.jobs
        found = [machine for machine, count in jobs.items() if count >= LEAST_JOBS]
        if not found:
            message = (
                f"Too few rows: a figure needs {LEAST_JOBS} jobs{self._whose} heard on one machine.  "
                f"{self._there('MACHINE')}"
            )
            raise TooFewRows(message)
        return found

    @property
    def _whose(self) -> str:
        return f" of tenant {self.tenant!r}" if self.tenant else ""

    def _there(self, machine: str) -> str:
        """What there is, and what to do about it."""
        there = "; ".join(
            f"{each.jobs} on {each.hardware or 'hardware that their rows do not name'}, "
            f"{each.predict_s_per_audio_s:.3g} s for a second of audio"
            for each in self.heard
        )
        return (
            f"There are: {there or 'none'}.  Run jobs there, widen --since, or give "
            f"--predict-s-per-audio-s {machine}=SECONDS."
        )

    @property
    def jobs_per_day(self) -> float | None:
        """Answers a day over the window; ``None`` = it is too short to say."""
        if self.answers < LEAST_JOBS or self.span < LEAST_SPAN:
            return None
        return self.answers / self.span.total_seconds() * _DAY_S

    def check_answers(self, what: str, option: str) -> None:
        """Raise ``TooFewRows`` where there are too few answers to say what a job is like."""
        if self.answers < LEAST_JOBS:
            message = (
                f"Too few rows: {self.answers} jobs{self._whose} have an answer, and {what} needs {LEAST_JOBS} of "
                f"them.  Run more jobs, widen --since, or give {option}."
            )
            raise TooFewRows(message)


def measure(
    warehouse: Warehouse | None,
    prices: PriceList,
    *,
    model: str,
    windows: int,
    since: datetime,
    until: datetime,
    tenant: str = "",
) -> Measured:
    """Look into the rows of a window.

    Args:
        warehouse: that is asked; ``None`` = there are no rows.
        prices: which know machines by their hardware.
        model: the primary.
        windows: pieces of a recording that the provider is sent at most.
        since: start of the window, included.
        until: end of the window, not included.
        tenant: one tenant; empty = all.

    Raises:
        Unavailable: the warehouse cannot be reached.
    """
    asked: dict[str, object] = {"since": since, "until": until, "tenant": tenant, "model": model}
    asked |= {"most_s": windows * WINDOW_S, "window_s": WINDOW_S}
    rows: list[dict[str, Any]] = [] if warehouse is None else warehouse.query("cost_basis", asked)

    def total(column: str) -> float:
        return math.fsum(float(row[column]) for row in rows)

    first = min((_moment(row["first_at"]) for row in rows), default=since)
    last = max((_moment(row["last_at"]) for row in rows), default=since)
    return Measured(
        heard=[_heard(row, prices, model) for row in rows if int(row["heard_jobs"]) > 0],
        answers=int(total("answers")),
        audio_s=total("audio_s"),
        provider_audio_s=total("provider_audio_s"),
        requests=total("requests"),
        size_bytes=total("size_bytes"),
        asked=int(total("asked")),
        fallback_usd=total("fallback_usd"),
        span=last - first,
        tenant=tenant,
    )


def _heard(row: Mapping[str, Any], prices: PriceList, model: str) -> Heard:
    hardware = "" if model == PROVIDED else str(row["hardware"])
    return Heard(
        hardware,
        prices.machine_of(hardware),
        jobs=int(row["heard_jobs"]),
        audio_s=float(row["heard_audio_s"]),
        predict_s=float(row["predict_s"]),
    )


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text)).astimezone(UTC)

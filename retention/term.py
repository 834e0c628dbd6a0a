"""``Term``: how long something is kept, as ``30 days`` or ``6 months``; months are those of the calendar."""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

_TEXT: Final = re.compile(r"([0-9]{1,5}) (hour|day|month|year)s?")
_MONTHS: Final = {"month": 1, "year": 12}
_MONTHS_IN_YEAR: Final = 12
_LONGEST_MONTHS: Final = 1200
"""A century: a longer term is a slip of the pen."""
_SPREAD: Final = timedelta(days=4)
"""Days 28 to 31 of a month can all come to the 28th of another; see ``Term.bounds``."""


class Bounds(NamedTuple):
    """Which ages a term has ended for at some moment."""

    surely: datetime
    """What came then or earlier has reached its end."""
    possibly: datetime
    """What came later than this has not."""


@dataclass(frozen=True, slots=True)
class Term:
    """A length of time: so many calendar months, or else a fixed number of hours."""

    months: int = 0
    hours: int = 0

    @classmethod
    def parse(cls, text: str) -> "Term":
        """Read ``24 hours``, ``30 days``, ``6 months`` or ``2 years``; raises ``ValueError`` for anything else."""
        match = _TEXT.fullmatch(text)
        count = int(match[1]) if match else 0
        if not match or not count:
            message = f"{text!r} is no term: write as `30 days`, `6 months`, `2 years` or `24 hours`"
            raise ValueError(message)
        months = count * _MONTHS.get(match[2], 0)
        hours = 0 if months else count * (24 if match[2] == "day" else 1)
        if months > _LONGEST_MONTHS or hours > _LONGEST_MONTHS * 30 * 24:
            message = f"{text!r} is more than a century"
            raise ValueError(message)
        return cls(months, hours)

    def after(self, start: datetime) -> datetime:
        """The end of a term that begins at ``start``, in UTC.

        Months end on the same day of a later month at the same time, or on its last day where it has no such day:
        six months from 31 August end on 28 or 29 February.
        """
        start = start.astimezone(UTC)
        return _shifted(start, self.months) if self.months else start + timedelta(hours=self.hours)

    def bounds(self, at: datetime) -> Bounds:
        """For which starts the term has ended at ``at``.

        Between the two bounds, four days apart for months and none for hours, only ``after`` can tell: a recording of
        the 31st, noon, may have to go before one of the 29th, one o'clock.
        """
        at = at.astimezone(UTC)
        if not self.months:
            start = at - timedelta(hours=self.hours)
            return Bounds(start, start)
        start = _shifted(at, -self.months)
        return Bounds(start, start + _SPREAD)

    def __str__(self) -> str:
        """As it is written: ``6 months``."""
        count, unit = (self.months, "month") if self.months else (self.hours, "hour")
        if unit == "hour" and count % 24 == 0 and count > 24:  # noqa: PLR2004  # hours of a day
            count, unit = count // 24, "day"
        return f"{count} {unit}{'' if count == 1 else 's'}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Read from text, written as text."""
        from_text = core_schema.no_info_after_validator_function(cls.parse, core_schema.str_schema())
        return core_schema.json_or_python_schema(
            json_schema=from_text,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), from_text]),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )


def _shifted(at: datetime, months: int) -> datetime:
    """The same day and time so many months later, or the last day of that month."""
    count = at.year * _MONTHS_IN_YEAR + at.month - 1 + months
    year, month = divmod(count, _MONTHS_IN_YEAR)
    day = min(at.day, calendar.monthrange(year, month + 1)[1])
    return at.replace(year=year, month=month + 1, day=day)

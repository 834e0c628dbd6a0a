"""``time_of``: a moment as a person writes it on the command line."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from earmark.clock import utc_now
from earmark.errors import ConfigurationError

_AGO: Final = re.compile(r"(?P<count>\d+)(?P<unit>[smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def time_of(option: str, text: str) -> datetime | None:
    """A time that was written as one or as so long ago; None for an empty text.

    Raises:
        ConfigurationError: it is neither.
    """
    if not text:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            return utc_now() - timedelta(**{_UNITS[ago["unit"]]: int(ago["count"])})
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{option} {text!r} is no time.  Write 2026-01-31, 2026-01-31T12:00 (UTC), or 30m, 2h, 7d ago."
        raise ConfigurationError(message) from None

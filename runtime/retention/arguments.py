"""What the commands of ``earmark retention`` have in common: their options, moments, and settings."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from earmark import log
from earmark.errors import ConfigurationError
from earmark.settings import Settings, load

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Execute = Annotated[bool, typer.Option("--execute", help="Do it; without, it is only said what would be done.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit log.", show_default=False)]
Object = Annotated[str, typer.Option("--object", help="One object: `uploads/acme/song.wav`.", show_default=False)]
Prefix = Annotated[
    str, typer.Option("--prefix", help="All whose names begin so: `uploads/acme/2026/`.", show_default=False)
]
Tenant = Annotated[str, typer.Option("--tenant", help="All of a customer.", show_default=False)]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
PolicyFile = Annotated[Path, typer.Argument(help="The policy, a TOML file.", metavar="FILE", show_default=False)]


YEARS = range(1971, 2301)
"""Years in which terms of centuries still have an end."""


def moment(option: str, text: str) -> datetime | None:
    """A time in UTC; ``None`` where nothing was given."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        message = f"{option} {text!r} is no time.  Write 2027-01-31 or 2027-01-31T12:00 (UTC)."
        raise ConfigurationError(message) from None
    if at.year not in YEARS:
        message = f"{option} {text!r} is too far away: write a year from {YEARS[0]} to {YEARS[-1]}."
        raise ConfigurationError(message)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def settings() -> Settings:
    """The settings; warnings and worse are logged unless something else was set."""
    effective = load()
    chosen = effective.sources["log_level"] != "default"
    settings = effective.settings
    log.attach(settings.log_level if chosen else "warning", settings.log_format, project=settings.log_project)
    return effective.settings

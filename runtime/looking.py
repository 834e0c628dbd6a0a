"""Data that a command only looks into or goes on with: where there is none, none is made."""

from pathlib import Path
from typing import Final

from earmark.settings import Settings
from router.intake import display

_SIGN: Final = "queues.sqlite"
"""What every data folder has: one without may be the place where a disk is not mounted."""


def holds_data(folder: Path) -> bool:
    """Whether a folder is one of Earmark's, as far as this user may see."""
    try:
        return (folder / _SIGN).is_file()
    except PermissionError:  # whoever opens it says so
        return True


def nothing_there(settings: Settings) -> str:
    """That there is no data in the data folder, for a person; empty = there is, or the backend has no such folder."""
    if settings.backend != "local" or holds_data(settings.data):
        return ""
    name = display(settings.data)
    if settings.data.is_dir():
        found = f"There is nothing of Earmark in {name}"
    else:
        found = f"{name} is no folder" if settings.data.exists() else f"There is no data folder {name}"
    return f"{found}: no job has come there.  Is EARMARK_DATA as meant?  `earmark init` makes a new one."

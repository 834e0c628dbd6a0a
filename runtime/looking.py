"""Data that a command only looks into or goes on with: where there is none, none is made."""

from pathlib import Path
from typing import Final

from earmark.settings import Settings
from router.intake import display

_SIGN: Final = "queues.sqlite"
"""What every data folder has: one without may be the place where a disk is not mounted."""


def holds_data(folder: Path) -> bool:
    """Whether a folder is one of Earmark's."""
    return (folder / _SIGN).is_file()


def nothing_there(settings: Settings) -> str:
    """That there is no data in the data folder, for a person; empty = there is, or the backend has no such folder."""
    if settings.backend != "local" or holds_data(settings.data):
        return ""
    what = "nothing of Earmark in" if settings.data.is_dir() else "no data folder"
    return f"There is {what} {display(settings.data)}: no job has come there.  Is EARMARK_DATA as meant?"

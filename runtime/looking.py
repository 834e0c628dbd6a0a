"""Data that a command only looks into: where there is none, none is made."""

from earmark.settings import Settings
from router.intake import display


def nothing_there(settings: Settings) -> str:
    """That the data folder does not exist, for a person; empty = it does, or the backend has none."""
    if settings.backend != "local" or settings.data.is_dir():
        return ""
    return f"There is no data folder {display(settings.data)}: no job has come there.  Is EARMARK_DATA as meant?"

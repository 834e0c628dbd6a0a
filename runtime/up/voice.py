"""``Voice``: what ``earmark up`` says of its processes, to a person or, where the log is JSON, as events of the log."""

import logging

from rich.console import Console

from earmark.log import attached, event

_log = logging.getLogger(__name__)


def logs_json() -> bool:
    """Whether programs read the log of this process, so that nothing else may stand on standard error."""
    output = attached()
    return output is not None and output.style == "json"


class Voice:
    """Says things once, in the form that whoever listens understands."""

    def __init__(self, console: Console) -> None:
        """Take where a person reads."""
        self._console = console

    def say(self, text: str, name: str, level: int = logging.WARNING, **fields: object) -> None:
        """Say it.

        Args:
            text: what a person reads.
            name: of the event.
            level: of the event.
            fields: what the event tells.
        """
        if logs_json():
            event(_log, name, level=level, **fields)
        else:
            self._console.print(text, markup=False, soft_wrap=True)

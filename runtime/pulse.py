"""``Pulse``: a file that a worker touches whenever its queue has answered, and what tells from it who is alive.

A worker that exists is not alive for that: clients of queues have been seen to stop without a word.  Alive is one
whose queue answered lately, be it with nothing; while it is busy, the extension of its leases is the answer.
"""

import contextlib
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, unquote

from earmark.errors import ConfigurationError
from earmark.log import event
from runtime.worker_name import is_dead

BEAT_S: Final = 1.0
"""A file is not touched more often than that."""
_FOLDER: Final = "workers"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """When a worker on this machine was last heard of."""

    worker: str
    age_s: float


class Pulse:
    """One worker's file, for as long as the worker lasts."""

    def __init__(self, data: Path, worker: str) -> None:
        """Take the data folder; the file is made by the first beat."""
        self._path = data / _FOLDER / quote(worker, safe="")
        self._beat_at = float("-inf")
        self._failed = False

    def beat(self) -> None:
        """Note that the queue has answered; a disk that cannot be written is no reason to stop."""
        now = time.monotonic()
        if now - self._beat_at < BEAT_S:
            return
        self._beat_at = now
        try:
            # Not the data folder, which may be gone with its disk: a new one in its place would hide that.
            self._path.parent.mkdir(exist_ok=True)
            self._path.touch()
            self._failed = False
        except OSError as error:
            if not self._failed:  # once, or a disk that is away fills another with that
                event(_log, "pulse.failed", level=logging.WARNING, error=str(error))
            self._failed = True

    def __enter__(self) -> Self:
        """Begin; the worker counts as alive while it starts."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self.beat()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End: a worker that has stopped is not missed."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def heard(data: Path) -> list[Heard]:
    """The workers of this data folder, those first that were heard of longest ago; files of dead ones are removed.

    Raises:
        ConfigurationError: this user may not look.
    """
    try:
        entries = list(os.scandir(data / _FOLDER))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        message = f"This user may not look into {data}.  Give it permission, or set EARMARK_DATA."
        raise ConfigurationError(message) from error
    found = []
    for entry in entries:
        worker = unquote(entry.name)
        with contextlib.suppress(FileNotFoundError):
            age_s = max(0.0, time.time() - entry.stat().st_mtime)
            if is_dead(worker):
                with contextlib.suppress(PermissionError):  # of somebody who only looks
                    Path(entry.path).unlink(missing_ok=True)
            else:
                found.append(Heard(worker, age_s))
    return sorted(found, key=lambda each: -each.age_s)

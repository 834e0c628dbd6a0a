"""``alone``: one ``earmark up`` a data folder, for two would count everything twice for Prometheus."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from earmark.errors import ConfigurationError
from router.intake import display


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder, until the process ends at the latest; where the disk knows no locks, nothing is held.

    Raises:
        ConfigurationError: another process holds it.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # a backend that keeps nothing here
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        remedy = "End it first, point EARMARK_DATA elsewhere, or add workers with `earmark work`."
        message = f"Another `earmark up` runs on the data folder {display(folder)}.  {remedy}"
        raise ConfigurationError(message) from None
    except OSError:
        pass
    try:
        yield
    finally:
        os.close(descriptor)

"""The disk of the data folder, on which queues, objects, tables and scratch of one machine are."""

import shutil
from pathlib import Path

from earmark.errors import Unavailable
from runtime.controller.controller import Figure
from runtime.metrics.of_controller import DISK, DISK_FREE


def look_at_disk(data: Path) -> list[Figure]:
    """How much of it is free, as readiness counts it, and how large it is.

    Raises:
        Unavailable: it cannot be looked at.
    """
    try:
        usage = shutil.disk_usage(data)
    except OSError as error:
        message = f"the disk of {data}: {error.strerror}"
        raise Unavailable(message) from error
    return [Figure(DISK_FREE, usage.free), Figure(DISK, usage.total)]

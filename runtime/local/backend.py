"""The backend of one machine: everything in one folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from earmark.domain import Upload
from earmark.errors import ConfigurationError, InputFault, InputRejected
from earmark.ports import Clock
from earmark.settings import Settings
from earmark.vocabulary import Lane
from router.intake import display
from runtime.backend import Backend
from runtime.chores import every
from runtime.local.object_store import LocalObjectStore
from runtime.local.queue import DEAD, LocalQueue
from runtime.local.warehouse import LocalWarehouse
from runtime.worker_name import is_dead, own_name

ROLL_UP_EVERY_S: Final = 30.0
"""Seconds between looks for finished hours of experiments whose figures can be kept."""


def connect_local(settings: Settings, clock: Clock) -> Backend:
    """Open the data folder, made if need be; raises ``ConfigurationError`` when that cannot be."""
    data = settings.data
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"Cannot make the data folder {display(data)}: {error.strerror}.  Point EARMARK_DATA elsewhere."
        raise ConfigurationError(message) from error
    if not os.access(data, os.W_OK | os.X_OK):
        message = f"The data folder {display(data)} is not writable.  Give this user permission, or set EARMARK_DATA."
        raise ConfigurationError(message)

    def queue(name: str) -> LocalQueue:
        return LocalQueue(
            data / "queues.sqlite",
            name,
            clock=clock,
            worker=own_name(),
            is_dead=is_dead,
            synchronous=settings.synchronous,
        )

    warehouse = LocalWarehouse(data / "warehouse.sqlite", synchronous=settings.synchronous)
    lanes = {lane: queue(lane) for lane in Lane}
    dead = queue(DEAD)
    return Backend(
        lanes=dict(lanes),
        dead=dead,
        depths={each.name: each.depth for each in (*lanes.values(), dead)},
        results=LocalObjectStore(data / "objects", "results", clock=clock),
        state=LocalObjectStore(data / "objects", "state", clock=clock),
        warehouse=warehouse,
        chores=(every(ROLL_UP_EVERY_S, lambda: warehouse.roll_up(clock())),),
        scratch=data / "scratch",
        results_place=str(data / "objects" / "results" / "analyses"),
        fetch=fetch_file,
    )


@contextmanager
def fetch_file(upload: Upload) -> Iterator[Path]:
    """The bytes of a ``file:`` upload, where they are."""
    parts = urlsplit(upload.uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        raise InputRejected(
            InputFault.NOT_FOUND, f"This backend reads file: addresses, not {parts.scheme or upload.uri}:"
        )
    yield Path(os.fsdecode(unquote_to_bytes(parts.path)))

"""``targets``: where the processes of this data folder serve their figures, for Prometheus' service discovery."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from runtime.metrics.exposition import FOLDER
from runtime.metrics.metric import Server
from runtime.worker_name import is_alive

NOTED_S: Final = 120.0
"""Seconds after which a note that nobody has touched says nothing, unless its process is seen to run: then it hangs."""
_NOTE_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Target:
    """One process that serves figures."""

    role: Server
    address: str
    """As ``127.0.0.1:9100``."""


def targets(data: Path) -> list[Target]:
    """Those that are alive, by role and address; the notes of dead ones are removed.

    One that hangs is among them for as long as it is there, so that Prometheus sees that it does not answer.
    """
    found = []
    try:
        entries = list(os.scandir(data / FOLDER))
    except OSError:
        return []
    for entry in entries:
        target = None if entry.name.startswith(".") else _read(Path(entry.path))
        if target is not None:
            found.append(target)
    return sorted(found, key=lambda each: (each.role, each.address))


def _read(path: Path) -> Target | None:
    try:
        alive = is_alive(unquote(path.name))
        if alive is False:
            path.unlink(missing_ok=True)
            return None
        if alive is None and time.time() - path.stat().st_mtime > NOTED_S:
            return None
        with path.open("rb") as file:
            noted = json.loads(file.read(_NOTE_BYTES))
        return Target(Server(noted["role"]), str(noted["address"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # gone meanwhile, or no note

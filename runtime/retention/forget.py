"""What is forgotten by its age: files below the scratch folder, notices and plans of long ago."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from earmark.errors import PreconditionFailed
from earmark.ports import ObjectInfo, ObjectStore
from retention import notices, plans, run_ledger
from runtime.retention.desk import Desk
from workers.decode.scratch import sweep

TEMPORARY_AGE: Final = timedelta(hours=24)
"""Whatever happened, a temporary file is not older than this."""


def sweep_scratch(folder: Path, now: datetime, *, execute: bool) -> int:
    """Remove what dead processes left in the scratch folder, and files that are a day old; returns how many files."""
    if not folder.is_dir():
        return 0
    if execute:
        before = _files(folder)
        sweep(folder)
        removed = before - _files(folder)
    else:
        removed = 0
    for path in folder.iterdir():
        try:
            status = path.lstat()
            old = datetime.fromtimestamp(status.st_mtime, UTC) <= now - TEMPORARY_AGE
            if old and path.is_file() and path.suffix != ".lock":
                removed += 1
                if execute:
                    path.unlink()
        except FileNotFoundError:
            continue
    return removed


def _files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def forget_notices(desk: Desk, before: datetime) -> int:
    """Remove the lists and events of notices of days before; returns how many objects went."""
    return _forget(desk.backend.state, notices.FOLDER, before.date()) + (
        _forget(desk.backend.bucket("notices"), "", before.date()) if desk.settings.backend == "local" else 0
    )


def _forget(store: ObjectStore, prefix: str, before: date) -> int:
    """Objects ``TENANT/2026-01-31…`` below a prefix whose day is before another."""
    removed = 0
    for info in store.scan(prefix):
        day = info.name.removeprefix(prefix).split("/")[1][:10] if info.name.count("/") else ""
        if day and day < before.isoformat():
            removed += _delete(store, info)
    return removed


def forget_plans(desk: Desk, before: datetime) -> int:
    """Remove what is remembered of plans and runs of before; returns how many objects went."""
    removed = 0
    for folder in (plans.FOLDER, run_ledger.FOLDER):
        for info in desk.backend.state.scan(folder):
            if info.created_at < before:
                removed += _delete(desk.backend.state, info)
    return removed


def _delete(store: ObjectStore, info: ObjectInfo) -> int:
    try:
        return int(store.delete(info.name, if_generation=info.generation))
    except PreconditionFailed:
        return 0

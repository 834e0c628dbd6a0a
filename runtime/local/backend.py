"""The backend of one machine: everything in one folder."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes, urlsplit

from earmark.address import Address
from earmark.domain import Upload
from earmark.errors import ConfigurationError, InputFault, InputRejected, Unavailable
from earmark.kept_bucket import KeptBucket
from earmark.ports import Clock, ObjectStore
from earmark.settings import Settings
from earmark.vocabulary import Lane, ObjectClass
from router.intake import display
from runtime.backend import BUCKETS, TEMPORARY, UPLOADS, Backend
from runtime.chores import every
from runtime.local.catalogue import LocalCatalogue
from runtime.local.object_store import LocalObjectStore
from runtime.local.queue import DEAD, LocalQueue
from runtime.local.warehouse import LocalWarehouse
from runtime.looking import holds_data
from runtime.worker_name import is_dead, own_name

ROLL_UP_EVERY_S: Final = 30.0
"""Seconds between looks for finished hours of experiments whose figures can be kept."""


def connect_local(settings: Settings, clock: Clock, *, late: bool = False) -> Backend:
    """Open the data folder, made if need be.

    With ``late`` its databases are opened when they are used, so that one that is broken keeps nobody from the others.

    Raises:
        ConfigurationError: it cannot be made, or not be written.
        Unavailable: it must exist and does not: whoever starts this again does so until its disk is back.
    """
    data = settings.data
    if settings.data_must_exist and not holds_data(data):
        why = "EARMARK_DATA_MUST_EXIST is set, by `earmark up` for all that it starts"
        message = f"There is nothing of Earmark in {display(data)}, and {why}.  Is its disk mounted?"
        raise Unavailable(message)
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
            late=late,
        )

    @cache
    def bucket(name: str) -> LocalObjectStore:
        if name not in BUCKETS:
            message = f"There is no bucket {name!r} here.  There are: {', '.join(BUCKETS)}."
            raise ConfigurationError(message)
        return LocalObjectStore(data / "objects", name, clock=clock)

    def kept(name: str, object_class: ObjectClass) -> KeptBucket:
        return KeptBucket(name, object_class, bucket(name), catalogue.record, catalogue.find, clock, dates_itself=False)

    @contextmanager
    def fetch(upload: Upload) -> Iterator[Path]:
        address = object_at(data, upload.uri)
        if address is not None:
            bucket(address.bucket).stat(address.name)  # a bucket that is gone is no fault of the upload
        with fetch_file(upload) as path:
            yield path

    warehouse = LocalWarehouse(data / "warehouse.sqlite", synchronous=settings.synchronous, late=late)
    catalogue = LocalCatalogue(warehouse)
    lanes = {lane: queue(lane) for lane in Lane}
    dead = queue(DEAD)
    return Backend(
        lanes=dict(lanes),
        dead=dead,
        depths={each.name: each.depth for each in (*lanes.values(), dead)},
        results=bucket("results"),
        state=bucket("state"),
        warehouse=warehouse,
        catalogue=catalogue,
        temporary=bucket("temporary"),
        archive=bucket("archive"),
        audit=bucket("audit"),
        bucket=bucket,
        kept={
            UPLOADS: kept(UPLOADS, ObjectClass.UPLOAD),
            TEMPORARY: kept(TEMPORARY, ObjectClass.TEMPORARY),
        },
        uri_of=lambda name, info: object_path(data, name, info.name).as_uri(),
        object_of=lambda uri: object_at(data, uri),
        publish_notice=lambda notice: publish_notice(bucket("notices"), notice),
        chores=(every(ROLL_UP_EVERY_S, lambda: warehouse.roll_up(clock())),),
        scratch=data / "scratch",
        results_place=str(data / "objects" / "results" / "analyses"),
        fetch=fetch,
        mean_waiting_bytes=lambda lane: lanes[lane].mean_size_bytes(),
        short_name=lambda name: name if name in BUCKETS else None,
    )


def publish_notice(store: ObjectStore, notice: Mapping[str, Any]) -> None:
    """The topic of one machine is a folder: ``notices/TENANT/2026-01-31.json``."""
    content = json.dumps(notice, indent=1, ensure_ascii=False).encode()
    store.write(f"{notice['id']}.json", content, content_type="application/json")


def object_path(data: Path, bucket: str, name: str) -> Path:
    """The file that an object is, whatever signs are in its name."""
    return Path(os.fsdecode(os.fsencode(data.absolute()) + b"/objects/" + bucket.encode() + b"/" + name.encode()))


def object_at(data: Path, uri: str) -> Address | None:
    """The object that a ``file:`` address leads to; ``None`` = it leads elsewhere."""
    path = _file_of(uri)
    try:
        bucket, *segments = path.relative_to(data.absolute() / "objects").parts if path else ("",)
        name = "/".join(os.fsencode(each).decode() for each in segments)
    except (ValueError, UnicodeDecodeError):
        return None
    return Address(bucket, name, None) if bucket in BUCKETS and segments and ".." not in segments else None


def _file_of(uri: str) -> Path | None:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        return None
    return Path(os.fsdecode(unquote_to_bytes(parts.path)))


@contextmanager
def fetch_file(upload: Upload) -> Iterator[Path]:
    """The bytes of a ``file:`` upload, where they are."""
    path = _file_of(upload.uri)
    if path is None:
        scheme = urlsplit(upload.uri).scheme
        raise InputRejected(InputFault.NOT_FOUND, f"This backend reads file: addresses, not {scheme or upload.uri}:")
    yield path

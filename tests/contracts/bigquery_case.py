"""BigQuery under the contract suite: bqemulator, one for the whole run, with a dataset for each case."""

import atexit
import os
import uuid
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from earmark.ports import ObjectStore
from runtime.gcp.row_streams import write_client
from runtime.gcp.spool import Spool
from runtime.gcp.warehouse import BigQueryWarehouse
from runtime.local.object_store import LocalObjectStore
from tests.contracts.conftest import WarehouseCase
from tests.servers.bigquery import PROJECT, BigQueryServer


def present() -> datetime:
    """The real time, for rows are stamped with it."""
    return datetime.now(UTC)


@cache
def server() -> BigQueryServer:
    """One emulator for the whole run."""
    started = BigQueryServer()
    started.start()
    atexit.register(started.close)
    return started


def new_dataset() -> str:
    """The name of a dataset that nobody else uses."""
    return f"d{uuid.uuid4().hex[:16]}"


class BigQueryWorld:
    """One dataset on a server, and a bucket for its spool."""

    def __init__(self, folder: Path, at: BigQueryServer | None = None) -> None:
        """Nothing is in it before ``open(prepare=True)``."""
        self.server = at or server()
        self.dataset = new_dataset()
        self.bucket = LocalObjectStore(folder / "bucket", "state", clock=present)

    def client(self) -> bigquery.Client:
        """Google's client, led to the server."""
        os.environ |= self.server.environment
        return bigquery.Client(project=PROJECT, location="US", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]

    def open(
        self, *, prepare: bool = False, store: ObjectStore | None = None, orphan_age_s: float = 120.0, **options: Any
    ) -> BigQueryWarehouse:
        """A connection as another process has it."""
        client = self.client()
        spool = Spool(store or self.bucket, clock=present, orphan_age_s=orphan_age_s)
        warehouse = BigQueryWarehouse(
            client, self.dataset, spool, clock=present, **{"write": write_client, "pause_s": 0.01, **options}
        )
        if prepare:
            warehouse.prepare()
        return warehouse


def new_case(folder: Path) -> WarehouseCase:
    """An empty dataset; to break it the server is stopped and the spool's bucket moved away."""
    world = BigQueryWorld(folder)
    world.open(prepare=True)
    return WarehouseCase(world.open, lambda: break_world(world, folder), examples=12)


def break_world(world: BigQueryWorld, folder: Path) -> None:
    """Make BigQuery and the spool unreachable."""
    world.server.close()
    server.cache_clear()
    (folder / "bucket").rename(folder / "moved away")

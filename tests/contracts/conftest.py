"""The adapters under test: one factory for each, with what it can do declared.

A new adapter joins every suite by one more entry in the dictionaries at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from earmark.ports import ObjectStore, Queue, Warehouse
from retention.catalogue import Catalogue
from runtime.local.catalogue import LocalCatalogue
from runtime.local.database import Database
from runtime.local.object_store import LocalObjectStore
from runtime.local.queue import LocalQueue
from runtime.local.warehouse import LocalWarehouse
from tests.clock import ManualClock


@dataclass(frozen=True)
class QueueCase:
    """A queue adapter, and how far it keeps the contract."""

    open: Callable[..., Queue]
    """``open(name, worker="w")`` gives another connection to the same queues, as another process has it."""
    clock: ManualClock
    """Decides when leases and delays end."""
    break_it: Callable[[], object]
    """Makes the queues unreachable, for open connections too."""
    coalesces: bool = True
    """A job that is here already is not added again; Pub/Sub cannot do that."""
    late_holder_may_finish: bool = True
    """An expired lease is not lost as long as its job was given to nobody else."""
    in_order: bool = True
    """Jobs come longest due first; Pub/Sub makes no such promise."""


@dataclass(frozen=True)
class StoreCase:
    """An object store adapter, and how far it keeps the contract."""

    open: Callable[[], ObjectStore]
    """Gives another connection to the same bucket."""
    clock: ManualClock
    break_it: Callable[[], object]
    long_segments: bool
    """A segment may have more than 255 bytes."""
    nests: bool
    """A name may be the folder of another: ``a`` beside ``a/b``."""
    dates_by_clock: bool = True
    """``created_at`` is the time of ``clock``; Cloud Storage dates objects itself."""
    holds: bool = True
    """A hold holds; the emulator of Cloud Storage forgets it (``test_gcs_holds.py`` has a server that does not)."""


@dataclass(frozen=True)
class WarehouseCase:
    """A warehouse adapter."""

    open: Callable[[], Warehouse]
    """Gives another connection to the same tables."""
    break_it: Callable[[], object]
    examples: int = 30
    """How many made-up cases of a rule it is shown; fewer where each takes many requests to a server."""


@dataclass(frozen=True)
class CatalogueCase:
    """A catalogue adapter."""

    open: Callable[[], Catalogue]
    """Gives another connection to the same rows, which reads small blocks."""
    break_it: Callable[[], object]
    examples: int = 30
    """How many made-up cases of a rule it is shown; fewer where each takes many requests to a server."""


def local_queue(folder: Path) -> QueueCase:
    """The queue in SQLite."""
    clock = ManualClock()
    path = folder / "queues" / "queues.sqlite"
    opened: list[LocalQueue] = []

    def connect(name: str = "low", worker: str = "w") -> LocalQueue:
        opened.append(LocalQueue(path, name, clock=clock, worker=worker, synchronous="NORMAL"))
        return opened[-1]

    return QueueCase(connect, clock, lambda: _block(path, [queue._database for queue in opened]))


def local_store(folder: Path) -> StoreCase:
    """The object store on files."""
    clock = ManualClock()
    root = folder / "objects"

    return StoreCase(
        lambda: LocalObjectStore(root, "results", clock=clock),
        clock,
        lambda: root.replace(folder / "moved away"),
        long_segments=False,
        nests=False,
    )


def gcs_store(folder: Path) -> StoreCase:
    """The object store on Cloud Storage."""
    from tests.contracts.gcs_case import new_case  # noqa: PLC0415  # needs Google's clients

    return new_case()


def local_warehouse(folder: Path) -> WarehouseCase:
    """The warehouse in SQLite."""
    path = folder / "rows" / "warehouse.sqlite"
    opened: list[LocalWarehouse] = []

    def connect() -> LocalWarehouse:
        opened.append(LocalWarehouse(path, synchronous="NORMAL"))
        return opened[-1]

    return WarehouseCase(connect, lambda: _block(path, [warehouse._database for warehouse in opened]))


def local_catalogue(folder: Path) -> CatalogueCase:
    """The catalogue in SQLite."""
    path = folder / "rows" / "warehouse.sqlite"
    opened: list[LocalWarehouse] = []

    def connect() -> LocalCatalogue:
        opened.append(LocalWarehouse(path, synchronous="NORMAL"))
        return LocalCatalogue(opened[-1], page_rows=3)

    return CatalogueCase(connect, lambda: _block(path, [warehouse._database for warehouse in opened]))


def _block(path: Path, databases: list[Database]) -> None:
    """Put a file where the database's folder was, and let every open database find that out."""
    for database in databases:
        while database._idle:
            database._idle.pop().close()
    path.parent.rename(path.parent.with_name("moved away"))
    path.parent.write_text("in the way")


def pubsub_queue(folder: Path) -> QueueCase:
    """Pub/Sub on its emulator."""
    from tests.contracts.pubsub_case import PubSubWorld  # noqa: PLC0415  # needs Google's clients

    world = PubSubWorld(folder)
    return QueueCase(
        world.open, world.clock, world.break_it, coalesces=False, late_holder_may_finish=False, in_order=False
    )


def bigquery_warehouse(folder: Path) -> WarehouseCase:
    """BigQuery on bqemulator."""
    from tests.contracts.bigquery_case import new_case  # noqa: PLC0415  # needs Google's clients

    return new_case(folder)


def bigquery_catalogue(folder: Path) -> CatalogueCase:
    """The catalogue in BigQuery, on bqemulator."""
    from runtime.gcp.catalogue import BigQueryCatalogue  # noqa: PLC0415  # needs Google's clients
    from tests.contracts.bigquery_case import BigQueryWorld, break_world  # noqa: PLC0415  # same

    world = BigQueryWorld(folder)
    world.open(prepare=True)
    return CatalogueCase(
        lambda: BigQueryCatalogue(world.open(), block_rows=3), lambda: break_world(world, folder), examples=4
    )


QUEUES: dict[str, Callable[[Path], QueueCase]] = {"local": local_queue, "pubsub": pubsub_queue}
STORES: dict[str, Callable[[Path], StoreCase]] = {"local": local_store, "gcs": gcs_store}
WAREHOUSES: dict[str, Callable[[Path], WarehouseCase]] = {"local": local_warehouse, "bigquery": bigquery_warehouse}

CATALOGUES: dict[str, Callable[[Path], CatalogueCase]] = {"local": local_catalogue, "bigquery": bigquery_catalogue}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's clients are asked as often as ever, with hardly a pause: what cannot be reached says so soon."""
    monkeypatch.setattr("runtime.gcp.vendor_errors.FIRST_PAUSE_S", 0.001)


@pytest.fixture(params=list(QUEUES.values()), ids=list(QUEUES))
def queues(request: pytest.FixtureRequest, tmp_path: Path) -> QueueCase:
    """Every queue adapter in turn, empty."""
    request.getfixturevalue("impatient")
    factory: Callable[[Path], QueueCase] = request.param
    return factory(tmp_path)


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> StoreCase:
    """Every object store adapter in turn, empty."""
    request.getfixturevalue("impatient")
    factory: Callable[[Path], StoreCase] = request.param
    return factory(tmp_path)


@pytest.fixture(params=list(WAREHOUSES.values()), ids=list(WAREHOUSES))
def warehouses(request: pytest.FixtureRequest, tmp_path: Path) -> WarehouseCase:
    """Every warehouse adapter in turn, empty."""
    request.getfixturevalue("impatient")
    factory: Callable[[Path], WarehouseCase] = request.param
    return factory(tmp_path)


@pytest.fixture(params=list(CATALOGUES.values()), ids=list(CATALOGUES))
def catalogues(request: pytest.FixtureRequest, tmp_path: Path) -> CatalogueCase:
    """Every catalogue adapter in turn, empty."""
    request.getfixturevalue("impatient")
    factory: Callable[[Path], CatalogueCase] = request.param
    return factory(tmp_path)

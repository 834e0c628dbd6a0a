"""How fast a plan is carried out, beside a plain loop of deletes: ``python -m benchmarks.retention_apply``.

Objects lie in fake-gcs-server.  The plain loop is Google's client, one ``delete`` after another; ours is the whole of
``apply``: the plan read and joined with the catalogue, holds and extensions looked at before each batch, the state of
the run in a bucket of the same server, outcomes as rows (in SQLite), deletes by generation from several threads.  Both
are measured as they are and with a network in between: every request then takes so many milliseconds longer.

Talking to an emulator, which ignores the precondition of a delete, the adapter looks first; here it sends what it sends
to Cloud Storage, one request.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import google.cloud.storage
from google.auth.credentials import AnonymousCredentials
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from earmark.audit import AuditEntry
from earmark.catalogued import catalogue_row
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass
from retention.applying import BATCH, RATE_PER_S, Applying
from retention.extensions import ExtensionsNow
from retention.holds import HoldsNow
from retention.kill_switch import KillSwitch
from retention.notifying import Notified
from retention.outlook import Outlook
from retention.planning import make_plan
from retention.plans import Plans
from retention.policies import first_version
from retention.policy import load_policy
from retention.run_ledger import RunLedger
from retention.standing import NoticeState
from retention.timeline import Timeline
from runtime.gcp.object_store import GcsObjectStore
from runtime.local.catalogue import LocalCatalogue
from runtime.local.warehouse import LocalWarehouse
from tests.servers.storage import StorageServer

AGE: Final = timedelta(days=31)
CUSTOMERS: Final = 100
CONNECTIONS: Final = 64


class Slow(HTTPAdapter):
    """A network that takes a while."""

    delay_s = 0.0

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
        """Wait, then send."""
        time.sleep(self.delay_s)
        return super().send(request, *arguments, **options)


class World:
    """A server with objects, and rows about them."""

    def __init__(self, folder: Path, url: str, name: str) -> None:
        """Make two buckets."""
        nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
        self.client = google.cloud.storage.Client(
            project="test", credentials=nobody, client_options={"api_endpoint": url}
        )
        for bucket in ("uploads", "state"):
            self.client.create_bucket(f"{name}-{bucket}", retry=None)
        self.uploads, self.state = (GcsObjectStore(self.client, f"{name}-{bucket}") for bucket in ("uploads", "state"))
        self.uploads._looks_before_delete = False  # noqa: SLF001  # as to Cloud Storage
        self.network = Slow(pool_maxsize=CONNECTIONS)
        self.client._http.mount(url, self.network)  # noqa: SLF001  # the one way to its pool
        self.warehouse = LocalWarehouse(folder / f"{name}.sqlite")
        self.catalogue = LocalCatalogue(self.warehouse)
        self.folder = folder
        self.now = datetime.now(UTC)

    def fill(self, count: int) -> None:
        """Put objects there, all at their end and told of."""

        def put(number: int) -> CatalogueRow:
            tenant = f"customer-{number % CUSTOMERS:03d}"
            info = self.uploads.write(f"{tenant}/{number:08d}.wav", b"sound", content_type="audio/wav", if_generation=0)
            came_at = self.now - AGE
            return catalogue_row(
                "uploads", info, tenant=tenant, tier="free", object_class=ObjectClass.UPLOAD, created_at=came_at
            )

        with ThreadPoolExecutor(16) as pool:
            self.catalogue.record(list(pool.map(put, range(count))))

    def outlook(self) -> Outlook:
        """Everything is confirmed."""
        promised = self.now - timedelta(hours=1)
        told = NoticeState(promised - timedelta(days=7), bounced=False, delete_after=promised)
        return Outlook(
            timeline=Timeline([first_version(load_policy())], self.now, lambda _, tier: tier),
            holds=HoldsNow([]),
            extensions=ExtensionsNow([]),
            notice_of=lambda _: told,
            suspended=lambda _: False,
        )

    def apply(self, rate_per_s: float, batch: int, threads: int) -> float:
        """Plan, and carry it out; seconds of the latter."""

        def audit(entries: Sequence[AuditEntry]) -> None:
            assert entries  # noqa: S101  # all that is done with them

        plans = Plans(self.state)
        made = make_plan(
            self.catalogue, self.outlook(), out=self.folder, backend="bench", made_at=self.now, usual=lambda: 1
        )
        plans.register(made)
        applying = Applying(
            backend="bench",
            store_of=lambda _: self.uploads,
            catalogue=self.catalogue,
            warehouse=self.warehouse,
            plans=plans,
            runs=RunLedger(self.state, lambda: self.now, own_name="bench", is_dead=lambda _: False),
            switch=KillSwitch(self.state, lambda: self.now, audit),
            outlook=self.outlook,
            notify=lambda *_arguments, **_options: Notified(),
            audit=audit,
            clock=lambda: self.now,
            rate_per_s=rate_per_s,
            batch=batch,
            threads=threads,
        )
        began = time.monotonic()
        applied = applying.apply(made.path, execute=True, approve=True, reason="bench", actor="bench")
        seconds = time.monotonic() - began
        assert applied.outcomes == {"deleted": made.summary.count("delete")}  # noqa: S101  # wrong has no speed
        return seconds

    def loop(self) -> float:
        """One delete after another."""
        blobs = list(self.client.list_blobs(self.uploads._bucket))  # noqa: SLF001  # its name
        began = time.monotonic()
        for blob in blobs:
            blob.delete(if_generation_match=blob.generation)
        return time.monotonic() - began


def measure(folder: Path, given: argparse.Namespace) -> dict[str, float]:
    """Objects a second, both ways, with each delay."""
    server = StorageServer()
    server.start()
    count = given.objects
    figures: dict[str, float] = {
        "objects": count,
        "limit_per_s": RATE_PER_S,
        "batch": given.batch,
        "threads": given.threads,
    }
    ways: dict[str, Callable[[World], float]] = {
        "loop": World.loop,
        "apply": lambda world: world.apply(RATE_PER_S, given.batch, given.threads),
        "apply_unlimited": lambda world: world.apply(1e6, given.batch, given.threads),
    }
    try:
        for delay_ms in given.delays_ms:
            for name, way in ways.items():
                world = World(folder, server.url, f"b{delay_ms}-{name.replace('_', '-')}")
                world.fill(count)
                world.network.delay_s = delay_ms / 1000
                figures[f"{name}_{delay_ms}ms_per_s"] = round(count / way(world), 1)
                assert not list(world.uploads.scan())  # noqa: S101  # nothing is left
            ratio = figures[f"apply_{delay_ms}ms_per_s"] / figures[f"loop_{delay_ms}ms_per_s"]
            figures[f"ratio_{delay_ms}ms"] = round(ratio, 1)
    finally:
        server.stop()
    return figures


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--delays-ms", type=int, nargs="*", default=[0, 20])
    parser.add_argument("--batch", type=int, default=BATCH, help="Deletions between two looks at everything.")
    parser.add_argument("--threads", type=int, default=16, help="Deletions at the same time.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="earmark-apply-") as folder:
        print(json.dumps(measure(Path(folder), given)))


if __name__ == "__main__":
    main()

"""Comparing buckets with the catalogue, for ``earmark retention reconcile`` and the daily run."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from earmark.errors import ConfigurationError
from earmark.rows import InventoryRow
from retention.inventory import Inventory, Owner
from retention.inventory_report import read_reports
from retention.wording import size
from router.intake import display
from runtime.retention.desk import Desk
from runtime.retention.output import print_table
from runtime.strangers import strangers_in
from runtime.tenants.tenancy import open_tenants


def compare(desk: Desk, bucket: str, *, execute: bool, report: Path | None = None) -> InventoryRow:
    """Compare a bucket, by a listing or by a report; with ``execute`` put the catalogue right and keep the figures."""
    owner_of = owners(desk)
    inventory = Inventory(catalogue=desk.backend.catalogue, outlook=desk.outlook(), owner_of=owner_of)
    store = desk.backend.bucket(bucket)
    if report is None:
        strangers = map(display, strangers_in(store))
        found = inventory.compare(bucket, store, strangers=strangers, execute=execute)
    else:
        taken_at = datetime.fromtimestamp(report.stat().st_mtime, UTC) if report.is_file() else None
        found = inventory.compare(bucket, store, read_reports([report]), taken_at=taken_at, execute=execute)
    if execute:
        desk.backend.warehouse.append([found])
    return found


def owners(desk: Desk) -> Callable[[str], Owner | None]:
    """What knows customers by name: ``None`` = there is a file of tenants, and neither it nor the register has any."""
    tenants = open_tenants(desk.settings, desk.backend, desk.clock)

    def owner_of(name: str) -> Owner | None:
        try:
            tenant = tenants.find(name)
        except ConfigurationError:
            return None
        return Owner(tenant.name, tenant.tier, tenant.region)

    return owner_of


def tell_inventories(found: list[InventoryRow]) -> None:
    """Print what was found."""
    columns = ["bucket", "objects", "size", "orphans", "nobody's", "ghosts", "overdue", "overdue days", "seconds"]
    rows: list[list[object]] = [
        [each.bucket, each.objects, size(each.size_bytes), each.orphans, each.nobodys, each.ghosts,
         each.overdue, f"{each.overdue_s / 86_400:.1f}", f"{each.seconds:.1f}"]
        for each in found
    ]  # fmt: skip
    print_table(columns, rows)

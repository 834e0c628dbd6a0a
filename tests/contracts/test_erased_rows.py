"""Rows are erased alike in every warehouse: of a customer, of single contents, and by name from the audit log."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from earmark.audit import AuditEntry, AuditTrail, pseudonym
from earmark.audit_check import Flaw, check
from earmark.ports import Warehouse
from earmark.rows import AuditRow, LabelRow, ReviewRow, Row
from retention.stores import ErasureRequest
from runtime.erasing.rows import AuditRowsStore, RowsStore
from runtime.local.object_store import LocalObjectStore
from tests.clock import ManualClock
from tests.contracts.conftest import WarehouseCase
from tests.retention_rows import make_row

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def warehouse(warehouses: WarehouseCase) -> Warehouse:
    """Every warehouse in turn, with rows of two customers about two jobs each."""
    subject = warehouses.open()
    rows: list[Row] = []
    for tenant in ("acme", "beta"):
        for job in ("1" * 32, "2" * 32):
            common: dict[str, Any] = {"tenant": tenant, "at": AT, "job_id": job, "field": "genres"}
            known = {"value": "jazz", "confidence": None, "score": None}
            rows.append(LabelRow(row_id=f"{tenant}:{job}", **common, **known))
            rows.append(
                ReviewRow(
                    row_id=f"{tenant}:{job}",
                    **common,
                    **known,
                    right=True,
                    truth=None,
                    reviewer="ada",
                    model="m",
                    model_version="1",
                    engine="",
                    prompt_version="",
                )
            )
            rows.append(make_row(f"{tenant}/{job[0]}.wav", job_id=job))
    subject.append(rows)
    return subject


def request(kind: str = "tenant", **fields: Any) -> ErasureRequest:
    """A request about the customer."""
    return ErasureRequest.model_validate({"id": "e", "at": AT, "kind": kind, "tenant": "acme", **fields})


def test_a_customer_goes_from_every_table(warehouse: Warehouse) -> None:
    """Counted before and after; the other one stays."""
    store = RowsStore(warehouse)
    assert store.left(request()) == 6
    assert sorted(store.tenants()) == ["acme", "beta"]
    erased = store.erase(request())
    assert erased.items == 6
    assert {table: n for table, n in erased.counts.items() if n} == {"labels": 2, "reviews": 2, "catalogue": 2}
    assert store.left(request()) == 0
    assert list(store.tenants()) == ["beta"]
    assert store.left(ErasureRequest(id="e", at=AT, kind="tenant", tenant="beta")) == 6


def test_single_jobs_and_objects_go(warehouse: Warehouse) -> None:
    """By their ids, and of this customer only."""
    store = RowsStore(warehouse)
    one = request("content", jobs=["1" * 32], objects=[make_row("acme/2.wav").row_id])
    assert store.left(one) == 4
    assert store.erase(one).items == 4
    assert (store.left(one), store.left(request())) == (0, 2)
    assert store.left(ErasureRequest(id="e", at=AT, kind="tenant", tenant="beta")) == 6


def test_the_audit_log_forgets_a_name(warehouse: Warehouse, tmp_path: Path) -> None:
    """Its rows have a pseudonym afterwards, as the links had all along, and both still agree."""
    links = LocalObjectStore(tmp_path / "objects", "audit")
    trail = AuditTrail(links, warehouse, ManualClock())
    for tenant in ("acme", "beta", "acme"):
        trail([AuditEntry(at=AT, actor="ada", action="x.do", target="t", tenant=tenant, reason=f"{tenant} asked")])
    desk = {"row_id": f"t:dlq.discard:{AT:%Y-%m-%dT%H:%M:%S}", "action": "dlq.discard", "subject": "t"}
    warehouse.append([AuditRow(**desk, tenant="acme", at=AT, actor="ada", reason="acme", detail="")])
    assert check(links, warehouse).whole
    store = AuditRowsStore(warehouse, links)
    assert store.left(request()) == 3, "two links, and rows without one"
    assert store.erase(request()).items == 2
    assert store.left(request()) == 0
    rows = warehouse.query("audit_entries")
    assert sorted(str(row["tenant"]) for row in rows) == sorted([pseudonym("acme"), pseudonym("acme"), "beta"])
    assert not any("acme" in str(row["reason"]) for row in rows)
    assert check(links, warehouse).whole
    assert store.erase(request()).items == 0


def test_rows_that_are_lost_are_found_and_restored(warehouse: Warehouse, tmp_path: Path) -> None:
    """In every warehouse: what a purge took of the audit log comes back from the links."""
    links = LocalObjectStore(tmp_path / "objects", "audit")
    trail = AuditTrail(links, warehouse, ManualClock())
    for number in range(3):
        trail([AuditEntry(at=AT, actor="ada", action="x.do", target=str(number), policy_version=number)])
    warehouse.purge("audit", before=datetime(2027, 1, 1, tzinfo=UTC), only={"subject": ["1"]})
    assert [(fault.flaw, fault.number) for fault in check(links, warehouse).faults] == [(Flaw.ROW_MISSING, 2)]
    assert check(links, warehouse, repair=True).restored == 1
    assert check(links, warehouse).whole

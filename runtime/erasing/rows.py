"""Rows of the warehouse as stores that can be erased: what of each table is whose, declared table by table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from earmark.audit import link_rows, name_of, pseudonym, read_link
from earmark.errors import ObjectMissing
from earmark.ports import ObjectStore, Warehouse
from earmark.rows import Row
from retention.stores import Erased, ErasureRequest

ALWAYS: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Later than any row."""
IDS_AT_ONCE: Final = 500
"""Ids that one statement is told: some engines bound its length."""
LINKS_AT_ONCE: Final = 500
TIME_TRAVEL: Final = timedelta(days=7 + 7)
"""For which BigQuery keeps deleted rows: seven days of time travel, then seven of fail-safe, which only Google can use
(cloud.google.com/bigquery/docs/time-travel)."""
_COUNTS: Final = "rows_of_customer"
_CUSTOMERS: Final = "customers_seen"
_LINKS: Final = "audit_links_of_customer"


@dataclass(frozen=True, slots=True)
class TableRule:
    """What of a table is whose."""

    job: str = ""
    """Column with a job's id; empty = none."""
    object: str = ""
    """Column with an object's id; empty = none."""
    exempt: str = ""
    """Why nothing is removed; empty = a customer's rows are, by their ``tenant``."""


TABLE_RULES: Final[Mapping[str, TableRule]] = {
    "jobs": TableRule(job="row_id"),
    "labels": TableRule(job="job_id"),
    "failures": TableRule(job="job_id"),
    "audit": TableRule(exempt="who did what is kept; the customer's name in it gives way to a pseudonym"),
    "reviews": TableRule(job="job_id"),
    "ab_experiments": TableRule(exempt="decisions about experiments; about no customer"),
    "ab_assignments": TableRule(job="job_id"),
    "ab_trials": TableRule(job="job_id"),
    "ab_pairs": TableRule(job="job_id"),
    "ab_agreements": TableRule(job="job_id"),
    "catalogue": TableRule(job="job_id", object="row_id"),
    "deletions": TableRule(object="object_id"),
    "notices": TableRule(),
    "inventories": TableRule(exempt="counts of whole buckets; about no customer"),
    "batch_entries": TableRule(job="job_id"),
    "deliveries": TableRule(job="subject"),
}
"""Every table; ``notices`` counts objects of a day and names none, so single contents leave it as it is."""


class RowsStore:
    """The rows of every table that is not exempt."""

    name = "warehouse"
    holds = "rows about jobs, labels, failures, reviews, experiments, objects, deletions and notices"

    def __init__(self, warehouse: Warehouse, *, remains: str = "", remains_for: timedelta | None = None) -> None:
        """Take the warehouse, and what it keeps for a while of rows that were deleted."""
        self._warehouse = warehouse
        self.remains, self.remains_for = remains, remains_for

    def erase(self, request: ErasureRequest) -> Erased:
        """Delete, table by table."""
        removed = {table: self._purge(table, rule, request) for table, rule in TABLE_RULES.items() if not rule.exempt}
        return Erased(sum(removed.values()), counts=removed)

    def left(self, request: ErasureRequest) -> int:
        """Count, in all tables at once."""
        if request.whole:
            return self._count(request, (), ())
        asked = [(some, ()) for some in _some(request.jobs)] + [((), some) for some in _some(request.objects)]
        return sum(self._count(request, jobs, objects) for jobs, objects in asked)

    def held(self, request: ErasureRequest) -> int:
        """Rows are not held."""
        del request
        return 0

    def tenants(self) -> Iterator[str]:
        """Those with rows."""
        return (str(row["tenant"]) for row in self._warehouse.query(_CUSTOMERS))

    def _purge(self, table: str, rule: TableRule, request: ErasureRequest) -> int:
        if request.whole:
            return self._warehouse.purge(table, before=ALWAYS, tenant=request.tenant)
        removed = 0
        for column, ids in ((rule.job, request.jobs), (rule.object, request.objects)):
            for some in _some(ids) if column else ():
                removed += self._warehouse.purge(table, before=ALWAYS, tenant=request.tenant, only={column: some})
        return removed

    def _count(self, request: ErasureRequest, jobs: Sequence[str], objects: Sequence[str]) -> int:
        asked = {
            "tenant": request.tenant,
            "whole": int(request.whole),
            "jobs": _barred(jobs),
            "objects": _barred(objects),
        }
        return sum(int(str(row["n"])) for row in self._warehouse.query(_COUNTS, asked))


class AuditRowsStore:
    """The rows of the audit log: each is written anew from its link, which has a pseudonym in the customer's place."""

    name = "audit log"
    holds = "who did what to which ids of the customer, and why"
    remains = "entries stay as proof, with a pseudonym in place of the customer's name"
    remains_for: timedelta | None = None

    def __init__(self, warehouse: Warehouse, links: ObjectStore) -> None:
        """Take the warehouse and the bucket of links."""
        self._warehouse, self._links = warehouse, links
        self._replaced: set[tuple[str, str]] = set()

    def erase(self, request: ErasureRequest) -> Erased:
        """Replace the rows that name the customer; single contents are not named."""
        if not request.whole:
            return Erased()
        before, stands_for = len(self._replaced), pseudonym(request.tenant)
        for numbers in self._numbers(request.tenant):
            rows: list[Row] = []
            for number in numbers:
                rows += [row for row in self._rows(number) if row.tenant == stands_for]
            self._warehouse.append(rows)
            # Whoever writes late brings a row back as it was; it is one row all the same.
            self._replaced.update((request.id, row.row_id) for row in rows)
        # The old version of a row that was replaced, and rows of before there were links.
        self._warehouse.purge("audit", before=ALWAYS, tenant=request.tenant)
        replaced = len(self._replaced) - before
        return Erased(replaced, counts={"rows with a pseudonym now:": replaced})

    def left(self, request: ErasureRequest) -> int:
        """Count links whose rows name the customer."""
        return sum(map(len, self._numbers(request.tenant))) if request.whole else 0

    def held(self, request: ErasureRequest) -> int:
        """Rows are not held."""
        del request
        return 0

    def tenants(self) -> Iterator[str]:
        """Nobody: what happens to a customer after it was erased is named as before."""
        return iter(())

    def _numbers(self, tenant: str) -> Iterator[list[int]]:
        after = -1
        while True:
            asked = {"tenant": tenant, "after": after, "most": LINKS_AT_ONCE}
            numbers = [int(str(row["link"])) for row in self._warehouse.query(_LINKS, asked)]
            if numbers:
                yield numbers
                after = numbers[-1]
            if len(numbers) < LINKS_AT_ONCE:
                return

    def _rows(self, number: int) -> list[Row]:
        try:
            link = read_link(b"".join(self._links.read(name_of(number)))) if number else None
        except ObjectMissing:
            return []
        return link_rows(link) if link is not None else []


def _some(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + IDS_AT_ONCE] for start in range(0, len(ids), IDS_AT_ONCE)]


def _barred(ids: Sequence[str]) -> str:
    return f"|{'|'.join(ids)}|" if ids else ""

"""``BigQueryCatalogue``: the rows about objects, read from the table behind the view ``catalogue``.

The queries choose rows by what never changes of an object (customer, class, place) before they look for the latest
version of each, so that BigQuery reads no more of the table than they need; the view, which looks for it first, does
not allow that.  No answer is so large that BigQuery could not sort it: customers, and ranges of names, are asked about
in blocks.
"""

# All that is put into the SQL here are names of ours:
# ruff: noqa: S608

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import Final

from google.cloud import bigquery

from earmark.retention_rows import LIVE_STATES
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass
from retention.catalogue import Count, Cutoff, Group
from runtime.gcp.statements import Parameter
from runtime.gcp.warehouse import BigQueryWarehouse
from runtime.gcp.warehouse_schema import APPENDED_AT, rows_table

BLOCK_ROWS: Final = 200_000
"""Rows of one sorted answer, unless a single customer or name has more."""
BLOCK_CUSTOMERS: Final = 50_000
"""Cutoffs of one request: some 3 MB, where BigQuery takes 10."""
_NAMES: Final = tuple(CatalogueRow.model_fields)
_DEFAULTED: Final = frozenset(name for name in _NAMES if not CatalogueRow.model_fields[name].is_required())
_COLUMNS: Final = ", ".join(f"`{name}`" for name in _NAMES)
_TABLE: Final = f"`{rows_table(CatalogueRow.table)}`"
_LIVE: Final = f"`state` IN {LIVE_STATES}"
_LATEST: Final = f"QUALIFY ROW_NUMBER() OVER (PARTITION BY `row_id` ORDER BY `at` DESC, `{APPENDED_AT}` DESC) = 1"
_ASKED: Final = (
    "WITH asked AS (SELECT customer AS tenant, a.object_class, a.until"
    " FROM UNNEST(@asked) AS a, UNNEST(SPLIT(a.tenants, ' ')) AS customer),"
    " latest_asked AS (SELECT tenant, object_class, MAX(until) AS until FROM asked GROUP BY tenant, object_class),"
    f" chosen AS (SELECT r.*, a.until FROM {_TABLE} AS r JOIN latest_asked AS a"
    " ON r.tenant = a.tenant AND r.object_class = a.object_class),"
    f" versions AS (SELECT * FROM chosen WHERE TRUE {_LATEST}),"
    f" latest AS (SELECT * FROM versions WHERE {_LIVE} AND created_at <= until)"
)
_DUE: Final = f"{_ASKED} SELECT {_COLUMNS} FROM latest ORDER BY tenant, bucket, name, generation"
_COUNT: Final = (
    f"{_ASKED} SELECT a.tenant, a.object_class, a.until, COUNT(*) AS objects, SUM(l.size_bytes) AS size_bytes"
    " FROM asked AS a JOIN latest AS l"
    " ON l.tenant = a.tenant AND l.object_class = a.object_class AND l.created_at <= a.until"
    " GROUP BY a.tenant, a.object_class, a.until"
)
_GROUPS: Final = (
    "SELECT tenant, object_class, COUNT(*) AS objects, SUM(size_bytes) AS size_bytes, MIN(created_at) AS oldest_at,"
    " ARRAY_AGG(tier ORDER BY created_at DESC LIMIT 1)[OFFSET(0)] AS tier"
    f" FROM `{CatalogueRow.table}` WHERE {_LIVE} GROUP BY tenant, object_class ORDER BY tenant, object_class"
)
_FIND: Final = (
    f"WITH latest AS (SELECT * FROM {_TABLE} WHERE bucket = @bucket AND name = @name {_LATEST})"
    f" SELECT {_COLUMNS} FROM latest ORDER BY generation DESC"
)
_PLACE: Final = "bucket = @bucket AND name > @after AND STARTS_WITH(name, @prefix)"
_OF_TENANT: Final = " AND tenant = @tenant"
_UP_TO: Final = " AND name <= @until"


class BigQueryCatalogue:
    """See ``retention.catalogue.Catalogue`` for what it promises."""

    def __init__(self, warehouse: BigQueryWarehouse, *, block_rows: int = BLOCK_ROWS) -> None:
        """Use the warehouse's connections; connect to nothing yet."""
        self._warehouse = warehouse
        self._statements = warehouse.statements
        self._block_rows = block_rows

    def record(self, rows: Sequence[CatalogueRow]) -> None:
        """Send rows, or spool them while BigQuery is down."""
        self._warehouse.append(rows)

    def find(self, bucket: str, name: str) -> list[CatalogueRow]:
        """Every generation of an object, the latest first."""
        return [_row(each) for each in self._statements.run(_FIND, _texts(bucket=bucket, name=name), "catalogue_find")]

    def groups(self) -> list[Group]:
        """What live objects there are; the tier is that of the youngest."""
        return [
            Group(each.tenant, ObjectClass(each.object_class), each.objects, each.size_bytes, each.oldest_at, each.tier)
            for each in self._statements.stream(_GROUPS, [], "catalogue_groups")
        ]

    def due(self, cutoffs: Sequence[Cutoff]) -> Iterator[CatalogueRow]:
        """Live objects at or before their cutoffs; counted first, then asked for in blocks of customers."""
        ordered = sorted(cutoffs, key=lambda each: each.tenant)
        block: list[Cutoff] = []
        rows = 0
        for _, counts in groupby(self.count(ordered), key=lambda each: each.cutoff.tenant):
            some = [each for each in counts if each.objects]
            more = sum(each.objects for each in some)
            if block and (rows + more > self._block_rows or len(block) + len(some) > BLOCK_CUSTOMERS):
                yield from self._due(block)
                block, rows = [], 0
            block += [each.cutoff for each in some]
            rows += more
        if block:
            yield from self._due(block)

    def count(self, cutoffs: Sequence[Cutoff]) -> list[Count]:
        """How many there are for each cutoff, asked in blocks."""
        found: dict[tuple[str, str, datetime], tuple[int, int]] = {}
        for start in range(0, len(cutoffs), BLOCK_CUSTOMERS):
            asked = [_asked(cutoffs[start : start + BLOCK_CUSTOMERS])]
            for row in self._statements.stream(_COUNT, asked, "catalogue_count"):
                found[row.tenant, row.object_class, row.until] = (row.objects, row.size_bytes)
        return [Count(each, *found.get((each.tenant, each.object_class, each.until), (0, 0))) for each in cutoffs]

    def scan(
        self, bucket: str, *, prefix: str = "", start_after: str = "", tenant: str | None = None
    ) -> Iterator[CatalogueRow]:
        """Live objects, asked for in ranges of names; what is recorded meanwhile may be seen or not."""
        place = {"bucket": bucket, "prefix": prefix} | ({} if tenant is None else {"tenant": tenant})
        where = _PLACE + ("" if tenant is None else _OF_TENANT)
        for after, until in pairwise([start_after, *self._boundaries(where, place, start_after), None]):
            condition = where + ("" if until is None else _UP_TO)
            latest = f"WITH latest AS (SELECT * FROM {_TABLE} WHERE {condition} {_LATEST})"
            sql = f"{latest} SELECT {_COLUMNS} FROM latest WHERE {_LIVE} ORDER BY name, generation"
            bounds = {"after": after or ""} | ({} if until is None else {"until": until})
            yield from map(_row, self._statements.stream(sql, _texts(**place, **bounds), "catalogue_scan"))

    def _due(self, cutoffs: Sequence[Cutoff]) -> Iterator[CatalogueRow]:
        return map(_row, self._statements.stream(_DUE, [_asked(cutoffs)], "catalogue_due"))

    def _boundaries(self, where: str, place: Mapping[str, str], start_after: str) -> list[str]:
        """Names that cut what matches into ranges of about a block each."""
        texts = _texts(**place, after=start_after)
        sql = f"SELECT COUNT(*) AS n FROM {_TABLE} WHERE {where}"
        [counted] = self._statements.run(sql, texts, "catalogue_scan")
        ranges = math.ceil(counted.n / self._block_rows)
        if ranges < 2:  # noqa: PLR2004  # one needs no boundary
            return []
        sql = f"SELECT APPROX_QUANTILES(name, {ranges}) AS names FROM {_TABLE} WHERE {where}"
        [quantiles] = self._statements.run(sql, texts, "catalogue_scan")
        return sorted(set(quantiles.names[1:-1]), key=str.encode)


def _asked(cutoffs: Sequence[Cutoff]) -> bigquery.ArrayQueryParameter:
    """The cutoffs as a parameter: most customers have one of a few, so each is there once with all its customers."""
    tenants: dict[tuple[ObjectClass, datetime], dict[str, None]] = defaultdict(dict)
    for each in cutoffs:
        tenants[each.object_class, each.until][each.tenant] = None
    structs = [
        bigquery.StructQueryParameter(
            None,
            bigquery.ScalarQueryParameter("object_class", "STRING", str(object_class)),
            bigquery.ScalarQueryParameter("until", "TIMESTAMP", until),
            bigquery.ScalarQueryParameter("tenants", "STRING", " ".join(names)),
        )
        for (object_class, until), names in tenants.items()
    ]
    return bigquery.ArrayQueryParameter("asked", "STRUCT", structs)


def _texts(**values: str) -> list[Parameter]:
    return [bigquery.ScalarQueryParameter(name, "STRING", value) for name, value in values.items()]


def _row(row: bigquery.table.Row) -> CatalogueRow:
    """A row from its columns; one written before a column was there has its default."""
    named = ((name, row[name]) for name in _NAMES)
    return CatalogueRow.model_validate(
        {name: value for name, value in named if value is not None or name not in _DEFAULTED}
    )

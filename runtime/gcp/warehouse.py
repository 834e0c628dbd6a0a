"""``BigQueryWarehouse``: rows for analysts in BigQuery, and in a bucket while BigQuery cannot be reached.

**How rows are written.**  Through the Storage Write API's default stream, as protocol buffers:

- its rows are there at once and can be deleted at once; those of ``insertAll`` cannot be for up to 90 minutes, which
  is no answer to somebody who wants to be forgotten;
- it is the cheaper of the two, and needs nothing beside Google's own client (Arrow would need pyarrow, 170 MB);
- a results topic with a BigQuery subscription would be one more delay, and one more queue to watch, between a job's
  end and its row, and its rows could not be deleted while they wait;
- upserts by primary key (change data capture) would make the view needless, but are applied in the background, so
  that what was to be deleted may stay for a while, and no emulator knows them.

It is at least once, so a row may come twice; the views show it once (see ``warehouse_schema``).

**When BigQuery is down** rows go to a ``Spool`` in a bucket, which is as durable, and ``append`` returns; BigQuery is
asked again after a pause that grows.  Only when the bucket is out of reach too is the warehouse ``Unavailable``.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient

from earmark.errors import ConfigurationError, Unavailable
from earmark.log import event
from earmark.named_query import SHIPPED, load_query
from earmark.ports import Clock
from earmark.row import check_purge
from earmark.rows import TABLES, Row
from runtime.gcp.row_codec import RowCodec, Stored, chunks, microseconds
from runtime.gcp.row_streams import REQUEST_BYTES_MAX, REQUEST_ROWS_MAX, RowStreams, write_client
from runtime.gcp.spool import Spool, Spooled
from runtime.gcp.statements import Parameter, Statements
from runtime.gcp.warehouse_schema import rows_table
from runtime.gcp.warehouse_tables import prepare_tables
from workers.outage import Outage

_log = logging.getLogger(__name__)

MAX_BYTES_BILLED: Final = 10 * 1024**3
"""Default limit of what one query may read: 10 GiB, some US cents."""
PAUSE_S: Final = 1.0
"""First pause of an outage; it doubles up to half a minute."""
STEP_OBJECTS: Final = 100
"""Spooled objects of each table that one ``drain`` looks at; with ``REQUEST_BYTES_MAX`` this bounds its memory."""
ORPHAN_HEALTH_S: Final = 60.0
"""How long BigQuery must have been well before rows of other processes are taken over, which have until then to send
their own."""
_REFUSED_MAX: Final = 10_000


class BigQueryWarehouse:
    """See ``earmark.ports.Warehouse`` for what it promises; safe to use from several threads."""

    def __init__(
        self,
        client: bigquery.Client,
        dataset: str,
        spool: Spool,
        *,
        clock: Clock,
        write: Callable[[], BigQueryWriteClient] = write_client,
        queries: Path = SHIPPED,
        tables: Mapping[str, type[Row]] = TABLES,
        maximum_bytes_billed: int = MAX_BYTES_BILLED,
        pause_s: float = PAUSE_S,
        orphan_health_s: float = ORPHAN_HEALTH_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing yet.

        Args:
            client: belongs to this process and knows the project and the location.
            dataset: its name, without the project.
            spool: where rows wait while BigQuery is down.
            clock: the present.
            write: makes the client of the Storage Write API, on first use.
            queries: folder of the named queries.
            tables: table name to row type.
            maximum_bytes_billed: a query that would read more fails and costs nothing.
            pause_s: seconds of an outage's first pause.
            orphan_health_s: seconds without an outage after which others' spooled rows are sent too.
            now: seconds on a clock that never goes back.
        """
        self._client = client
        self._dataset = bigquery.DatasetReference(client.project, dataset)
        self._spool = spool
        self._clock = clock
        self._queries = queries
        self._tables = tables
        self.statements = Statements(client, self._dataset, maximum_bytes_billed=maximum_bytes_billed)
        self._orphan_health_s = orphan_health_s
        self._now = now
        self._codecs = {name: RowCodec(row) for name, row in tables.items()}
        self._write = write
        self._write_client: BigQueryWriteClient | None = None
        self._streams = RowStreams(
            self._writer,
            {
                name: (f"projects/{client.project}/datasets/{dataset}/tables/{rows_table(name)}", codec.descriptor)
                for name, codec in self._codecs.items()
            },
        )
        self._outage = Outage("warehouse", pause_s=pause_s, now=now)
        self._well_since = now()
        self._lock = threading.Lock()
        self._last_us = 0
        self._spooled = 1
        """How often something was spooled; counts one more at first, for what an earlier process may have left."""
        self._drained = 0
        """``_spooled`` when the spool was last seen without anything of ours."""
        self._draining = threading.Lock()
        self._cursors: dict[str, str] = {}
        self._refused: dict[str, None] = {}

    def prepare(self) -> list[str]:
        """Make what is missing; see ``prepare_tables``."""
        return prepare_tables(self._client, self._dataset, self._tables)

    def append(self, rows: Sequence[Row]) -> None:
        """Send rows, one request for each table and 9 MB; what BigQuery cannot take now is spooled."""
        batches: dict[str, list[Stored]] = {}
        first_us = self._stamp(len(rows))
        for number, row in enumerate(rows):
            codec = self._codecs.get(row.table)
            if codec is None:
                message = f"The warehouse has no table {row.table!r} for a {type(row).__name__}"
                raise ConfigurationError(message)
            batches.setdefault(row.table, []).append(codec.stored(row, first_us + number))
        encoded = {table: [self._codecs[table].encoded(each) for each in batch] for table, batch in batches.items()}
        for table, batch in batches.items():
            for part in _parts(encoded[table]):
                self._store(table, batch[part], encoded[table][part])
        if rows and self._spooled != self._drained:
            self.drain()

    def query(self, name: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        """Run a named query; one that would read more than ``maximum_bytes_billed`` is refused by BigQuery."""
        query = load_query(name, self._queries)
        values = query.values(parameters or {})
        typed = [bigquery.ScalarQueryParameter(key, query.parameters[key].type, value) for key, value in values.items()]
        job = self.statements.run(query.sql, typed, name)
        return [dict(row.items()) for row in job]

    def purge(
        self,
        table: str,
        *,
        before: datetime,
        tenant: str | None = None,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> int:
        """Remove old rows in all their versions, spooled ones too; returns how many the view had.

        All versions of a row whose latest is old are old themselves, so the condition on ``at`` leaves no earlier
        version behind to come up again, and lets BigQuery read the old partitions only.
        """
        check_purge(self._tables, table, only)
        condition = "`at` < @before"
        parameters: list[Parameter] = [bigquery.ScalarQueryParameter("before", "TIMESTAMP", before)]
        if tenant is not None:
            condition += " AND tenant = @tenant"
            parameters.append(bigquery.ScalarQueryParameter("tenant", "STRING", str(tenant)))
        for number, (column, wanted) in enumerate((only or {}).items()):
            condition += f" AND `{column}` IN UNNEST(@only_{number})"
            parameters.append(bigquery.ArrayQueryParameter(f"only_{number}", "STRING", list(wanted)))
        self._spool.purge(table, microseconds(before), tenant, only)
        [counted] = self.statements.run(f"SELECT COUNT(*) AS n FROM `{table}` WHERE {condition}", parameters, "purge")  # noqa: S608  # ours
        if only:  # an earlier version may have had another value
            condition = f"`at` < @before AND `row_id` IN (SELECT `row_id` FROM `{table}` WHERE {condition})"  # noqa: S608  # same
        self.statements.run(f"DELETE FROM `{rows_table(table)}` WHERE {condition}", parameters, "purge")  # noqa: S608  # same
        return int(counted["n"])

    def drain(self) -> int:
        """Send some of what is spooled, if BigQuery is well; returns how many rows.

        A bounded step, for a timer; ``append`` takes it too while there is something left.  Never raises: what fails
        stays in the spool.
        """
        if self._outage.resting or not self._draining.acquire(blocking=False):
            return 0
        try:
            return self._drain_all()
        except Unavailable as error:
            event(_log, "spool.left", level=logging.DEBUG, error=str(error))
            return 0
        finally:
            self._draining.release()

    def close(self) -> None:
        """End the streams; a later append opens new ones."""
        self._streams.close()

    def _store(self, table: str, rows: Sequence[Stored], encoded: Sequence[bytes]) -> None:
        """Send the rows of one request, or spool them."""
        rested = self._outage.resting
        if not rested:
            try:
                self._send(table, encoded)
            except Unavailable as error:
                cause = error
            else:
                return
        try:
            self._spool.put(table, rows)
        except Unavailable as error:
            if rested:
                self._send(table, encoded)
                return
            message = f"{cause}; the spool cannot be reached either: {error}"
            raise Unavailable(message) from error
        with self._lock:
            self._spooled += 1

    def _send(self, table: str, encoded: Sequence[bytes]) -> None:
        """Send the rows of one request, and note whether BigQuery is well."""
        try:
            self._streams.append(table, encoded)
        except Unavailable as error:
            with self._lock:
                self._outage.failed(error)
                self._well_since = self._now()
            raise
        with self._lock:
            if self._outage.lasts:
                self._well_since = self._now()
            self._outage.over()

    def _drain_all(self) -> int:
        spooled, sent, complete = self._spooled, 0, True
        others = self._now() - self._well_since >= self._orphan_health_s
        for table in self._tables:
            cursor = self._cursors.get(table, "")
            batch: list[Spooled] = []
            size_bytes = 0
            for each in self._spool.waiting(table, start_after=cursor, others=others):
                cursor = each.name
                batch.append(each)
                size_bytes += each.size_bytes
                if len(batch) >= STEP_OBJECTS or size_bytes >= REQUEST_BYTES_MAX:
                    complete = False
                    break
            else:
                cursor = ""
            sent += self._forward(table, batch)
            self._cursors[table] = cursor
        if complete:
            self._drained = spooled
        return sent

    def _forward(self, table: str, batch: Sequence[Spooled]) -> int:
        """Send spooled rows and forget them; what cannot be sent for a reason of its own stays and is told once."""
        codec = self._codecs[table]
        encoded: list[bytes] = []
        sendable: list[Spooled] = []
        for each in batch:
            try:
                encoded += [codec.encoded(row) for row in each.rows]
            except ConfigurationError as error:
                self._refuse(each.name, error)
            else:
                sendable.append(each)
        try:
            for part in _parts(encoded):
                self._send(table, encoded[part])
        except ConfigurationError as error:
            self._refuse(sendable[0].name, error)
            return 0
        for each in sendable:
            self._spool.done(each)
        return len(encoded)

    def _refuse(self, name: str, error: ConfigurationError) -> None:
        if name not in self._refused and len(self._refused) < _REFUSED_MAX:
            self._refused[name] = None
            event(_log, "spool.refused", level=logging.ERROR, name=name, error=str(error))

    def _stamp(self, count: int) -> int:
        """Microseconds for so many versions, each later than all before it."""
        with self._lock:
            first = max(microseconds(self._clock()), self._last_us + 1)
            self._last_us = first + count - 1
            return first

    def _writer(self) -> BigQueryWriteClient:
        with self._lock:
            if self._write_client is None:
                self._write_client = self._write()
            return self._write_client


def _parts(encoded: Sequence[bytes]) -> list[slice]:
    return chunks([len(each) for each in encoded], rows_max=REQUEST_ROWS_MAX, bytes_max=REQUEST_BYTES_MAX)

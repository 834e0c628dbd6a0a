"""``Statements``: SQL run by BigQuery, each of a bounded price."""

from collections.abc import Iterator, Sequence
from typing import Final

from google.cloud import bigquery

from runtime.gcp.vendor_errors import calling

Parameter = bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter
QUERY_S: Final = 120.0
RPC_S: Final = 30.0
PAGE_ROWS: Final = 10_000
"""Rows of an answer that are in memory at a time; BigQuery gives less where they are large."""


class Statements:
    """Runs SQL over one dataset; safe to use from several threads."""

    def __init__(
        self, client: bigquery.Client, dataset: bigquery.DatasetReference, *, maximum_bytes_billed: int
    ) -> None:
        """Connect to nothing yet; a statement that would read more than the limit fails and costs nothing."""
        self._client = client
        self._dataset = dataset
        self._maximum_bytes_billed = maximum_bytes_billed

    def run(self, sql: str, parameters: Sequence[Parameter], label: str) -> list[bigquery.table.Row]:
        """Run a statement and wait for all its rows.

        Raises:
            Unavailable: BigQuery cannot be reached, or the statement took too long.
            ConfigurationError: it would read too much, or this process may not run it.
        """

        def call() -> list[bigquery.table.Row]:
            # `calling` repeats what failed; the client must not repeat it on its own, for ten minutes.
            return list(self._started(sql, parameters, label).result(timeout=QUERY_S, retry=None, job_retry=None))

        return calling(f"The dataset {self._dataset}", call)

    def stream(
        self, sql: str, parameters: Sequence[Parameter], label: str, *, page_rows: int = PAGE_ROWS
    ) -> Iterator[bigquery.table.Row]:
        """The rows of a statement, some in memory at a time; raises as ``run``.

        Each page is asked for by the number of its first row, so that one that failed can be asked for again.
        """
        what = f"The dataset {self._dataset}"

        def begin() -> tuple[bigquery.QueryJob, int]:
            job = self._started(sql, parameters, label)
            return job, job.result(timeout=QUERY_S, retry=None, job_retry=None, max_results=0).total_rows or 0

        job, total = calling(what, begin)
        given = 0
        while given < total:

            def turn(start: int = given) -> list[bigquery.table.Row]:
                return list(
                    job.result(timeout=QUERY_S, retry=None, job_retry=None, start_index=start, max_results=page_rows)
                )

            page = calling(what, turn)
            yield from page
            given += len(page)

    def _started(self, sql: str, parameters: Sequence[Parameter], label: str) -> bigquery.QueryJob:
        config = bigquery.QueryJobConfig(
            default_dataset=self._dataset,
            maximum_bytes_billed=self._maximum_bytes_billed,
            job_timeout_ms=int(QUERY_S * 1000),
            labels={"application": "earmark", "query": label},
            query_parameters=list(parameters),
        )
        return self._client.query(
            sql,
            job_config=config,
            retry=None,  # type: ignore[arg-type]  # None means once; the annotation forgot it
            job_retry=None,
            timeout=RPC_S,
        )

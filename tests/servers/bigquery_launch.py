"""Starts bqemulator 1.4.0 with six changes; run by the Python of its own virtual environment.

1. It copies a whole table at every append, for time travel, which nothing here uses: no copies are made.
2. Each open stream occupies one of its threads, which are as many as cores and four; with more streams it answers
   nobody: there are ``THREADS``.
3. It uses one connection of DuckDB from its event loop and from the threads of the streams at once, and sooner or
   later stands still: what the streams do with it happens on the event loop too.
4. It notes new columns of a table that is updated over REST and does not add them: they are added.
5. It ends when the process does that started it.
6. It parses the text of a query a dozen times, once for each of its steps: what was parsed is kept, and copied.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import grpc.aio
from bqemulator.catalog.duckdb_repository import DuckDBCatalogRepository
from bqemulator.catalog.memory_repository import MemoryCatalogRepository
from bqemulator.cli import main
from bqemulator.grpc_api.write_servicer import BigQueryWriteHandler
from bqemulator.storage.sql_identifiers import quoted_table_ref
from bqemulator.storage.type_map import bq_schema_to_duckdb_columns
from bqemulator.versioning.snapshots import SnapshotManager
from sqlglot.dialects.dialect import Dialect

THREADS = 256
PARSED = 2048
"""Texts whose trees are kept: the queries of a run of tests, each in the shapes that the steps give it."""
ON_LOOP = ("_perform_append", "_bind_stream_to_target")
_plain_server = grpc.aio.server
_loops: list[asyncio.AbstractEventLoop] = []


def server(**options: Any) -> grpc.aio.Server:
    """The gRPC server, with more threads; notes the loop it runs on."""
    _loops.append(asyncio.get_running_loop())
    return _plain_server(ThreadPoolExecutor(THREADS), **options)


def on_loop(method: Callable[..., object]) -> Callable[..., object]:
    """Run a method that a thread calls on the event loop."""

    def call(handler: Any, *arguments: object) -> object:
        async def run() -> object:
            async with handler._ctx.engine.write_lock():
                return method(handler, *arguments)

        return asyncio.run_coroutine_threadsafe(run(), _loops[-1]).result()

    return call


def adding_columns(plain: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Let a catalogue that notes a table's new description add the columns that are new in it."""

    def update_table(catalogue: Any, table: Any) -> Any:
        before = catalogue.get_table(table.project_id, table.dataset_id, table.table_id)
        known = {field.name for field in before.schema_.fields} if before and catalogue._engine else set()
        fields = [{"name": field.name, "type": field.type} for field in table.schema_.fields if field.name not in known]
        for name, kind in bq_schema_to_duckdb_columns(fields) if known else []:
            reference = quoted_table_ref(table.project_id, table.dataset_id, table.table_id)
            catalogue._engine.execute(f'ALTER TABLE {reference} ADD COLUMN "{name}" {kind}')
        return plain(catalogue, table)

    return update_table


def parsing_once(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Let a dialect parse a text once; each caller gets a copy, for steps change what they got."""

    @lru_cache(maxsize=PARSED)
    def parsed(kind: type[Dialect], sql: str, **options: Any) -> Any:
        return plain(kind(), sql, **options)

    def parse(dialect: Dialect, sql: str, **options: Any) -> list[Any]:
        return [tree and tree.copy() for tree in parsed(type(dialect), sql, **options)]

    return parse


def watch(parent: int) -> None:
    """End with the parent."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    SnapshotManager.capture = lambda *_names, **_options: None
    grpc.aio.server = server
    Dialect.parse = parsing_once(Dialect.parse)
    for catalogue in (MemoryCatalogRepository, DuckDBCatalogRepository):
        catalogue.update_table = adding_columns(catalogue.update_table)
    for name in ON_LOOP:
        setattr(BigQueryWriteHandler, name, on_loop(getattr(BigQueryWriteHandler, name)))
    threading.Thread(target=watch, args=(os.getppid(),), daemon=True).start()
    sys.exit(main())

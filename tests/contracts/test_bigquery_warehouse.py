"""What ``BigQueryWarehouse`` adds to the contract: outages, tables that grow, limits, and the same answers as SQLite.

The server is bqemulator; what it lacks is declared in ``tests/servers/bigquery.py``, and where it matters the request
itself, or a scripted answer of BigQuery, is looked at instead.
"""

import logging
import math
import random
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types
from google.protobuf.any_pb2 import Any as AnyMessage
from pydantic import AwareDatetime

from earmark.errors import ConfigurationError, Unavailable
from earmark.named_query import query_names
from earmark.rows import TABLES, Row
from runtime.gcp import row_streams, vendor_errors, warehouse
from runtime.gcp.row_codec import TEXT_MAX_BYTES
from runtime.gcp.row_streams import write_client
from runtime.gcp.spool import FOLDER
from runtime.gcp.warehouse import MAX_BYTES_BILLED, BigQueryWarehouse
from runtime.gcp.warehouse_schema import CLUSTERING
from runtime.local.warehouse import LocalWarehouse
from tests.contracts.bigquery_case import BigQueryWorld, server
from tests.contracts.test_warehouse import AT, count, failure_row, job_row, label_row
from tests.flaky import FlakyStore
from tests.servers.bigquery import BigQueryServer
from tests.servers.proxy import Proxy


class NoteRow(Row):
    """A row type as it was once."""

    table = "notes"
    text: str


class GrownNoteRow(Row):
    """The same row type later."""

    table = "notes"
    text: str
    stars: int | None
    useful: bool | None = None
    seen_at: AwareDatetime | None = None


class OddNoteRow(Row):
    """The same row type with a field of another type."""

    table = "notes"
    text: int


class ScriptedWriter:
    """A client of the Storage Write API that gives one answer to everything, or raises."""

    def __init__(self, answer: types.AppendRowsResponse | Exception) -> None:
        """Take the answer."""
        self.answer = answer
        self.requests = 0

    def append_rows(self, requests: Iterator[types.AppendRowsRequest], **_: Any) -> Iterator[types.AppendRowsResponse]:
        """Answer each request."""
        for _request in requests:
            self.requests += 1
            if isinstance(self.answer, Exception):
                raise self.answer
            yield self.answer


@pytest.fixture(autouse=True)
def _few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is down here stays down, so nothing is gained by asking six times."""
    monkeypatch.setattr(vendor_errors, "ATTEMPTS", 2)


@pytest.fixture
def world(tmp_path: Path) -> BigQueryWorld:
    """An empty dataset with its tables."""
    made = BigQueryWorld(tmp_path)
    made.open(prepare=True)
    return made


def events(caplog: pytest.LogCaptureFixture, prefix: str) -> list[str]:
    """Names of the events that were logged."""
    return [record.message for record in caplog.records if record.message.startswith(prefix)]


def spooled(world: BigQueryWorld) -> list[str]:
    """Names of the objects in the spool."""
    return [info.name for info in world.bucket.scan(f"{FOLDER}/")]


def stored(world: BigQueryWorld, table: str) -> list[dict[str, Any]]:
    """What is in a table or view, in order."""
    sql = f"SELECT * FROM {world.dataset}.{table} ORDER BY row_id"  # noqa: S608  # names are ours
    return [dict(row.items()) for row in world.client().query(sql).result()]


def scripted(answer: types.AppendRowsResponse | Exception) -> tuple[ScriptedWriter, dict[str, Any]]:
    """A writer, and the option that gives it to a warehouse."""
    writer = ScriptedWriter(answer)
    return writer, {"write": lambda: writer}


DOWN = exceptions.ServiceUnavailable("told to be down")  # type: ignore[no-untyped-call]


def test_tables_as_bigquery_has_them(world: BigQueryWorld) -> None:
    """Every field is a column with a type, partitions go by day, and clusters by tenant first."""
    client = world.client()
    for name, row in TABLES.items():
        table = client.get_table(f"{world.dataset}.{name}_rows")
        assert [field.name for field in table.schema] == [*row.model_fields, "appended_at"]
        required = {field.name for field in table.schema if field.mode == "REQUIRED"}
        assert required == {"row_id", "tenant", "at", "appended_at"}
        assert table.time_partitioning is not None
        assert (table.time_partitioning.type_, table.time_partitioning.field) == ("DAY", "at")
        clustering = CLUSTERING.get(name, ("tenant",))
        assert table.clustering_fields == list(clustering)
        assert set(clustering) <= set(row.model_fields)
        assert client.get_table(f"{world.dataset}.{name}").table_type == "VIEW"


def test_prepare_again(world: BigQueryWorld) -> None:
    """What is there already is left alone."""
    warehouse_ = world.open()
    warehouse_.append([job_row(1)])
    assert warehouse_.prepare() == []
    assert count(warehouse_) == 1


def test_a_row_type_that_grew(world: BigQueryWorld) -> None:
    """New columns are added, empty in old rows; old code appends beside new code and takes no column away."""
    old = world.open(prepare=True, tables={"notes": NoteRow})
    old.append([NoteRow(row_id="1", tenant="t", at=AT, text="one")])
    new = world.open(tables={"notes": GrownNoteRow})
    assert len(new.prepare()) == 2
    assert new.prepare() == []
    new.append([GrownNoteRow(row_id="2", tenant="t", at=AT, text="two", stars=5, useful=True, seen_at=AT)])
    old.append([NoteRow(row_id="3", tenant="t", at=AT, text="three")])
    assert old.prepare() == []
    assert [tuple(row.values()) for row in stored(world, "notes")] == [
        ("1", "t", AT, "one", None, None, None),
        ("2", "t", AT, "two", 5, True, AT),
        ("3", "t", AT, "three", None, None, None),
    ]


def test_a_column_of_another_type(world: BigQueryWorld) -> None:
    """BigQuery cannot change a column's type, so ``prepare`` names the column and says what to do."""
    world.open(prepare=True, tables={"notes": NoteRow})
    with pytest.raises(ConfigurationError, match=r"notes_rows\.text is STRING"):
        world.open(tables={"notes": OddNoteRow}).prepare()


@pytest.mark.parametrize("name", [name for name in query_names() if not name.startswith("ab_")])
def test_both_engines_answer_alike(world: BigQueryWorld, tmp_path: Path, name: str) -> None:
    """Each named query gives the same rows on BigQuery and on SQLite (of experiments: test_ab_views.py)."""
    dice = random.Random(name)
    rows: list[Row] = []
    for _ in range(40):
        at = AT + timedelta(minutes=dice.randrange(300))
        rows.append(
            job_row(
                dice.randrange(30),
                at,
                tenant=dice.choice(["acme", "Zoë", "x"]),
                status=dice.choice(["done", "rejected", "failed"]),
                content_type=dice.choice(["music", "speech", None]),
                confidence=dice.choice([None, 0.25, 0.5, 1.0]),
                cost_usd=dice.choice([0.0, 0.125, 2.0]),
                predict_s=0.0,
                model=dice.choice(["listener", "other"]),
                review=dice.random() < 0.5,
            )
        )
        rows.append(label_row(dice.choice(["genres", "moods"]), dice.choice(["a", "é", "Z"]), dice.randrange(9), at))
        rows.append(failure_row(dice.randrange(20), at, final=dice.random() < 0.5))
    cloud, local = world.open(), LocalWarehouse(tmp_path / "w.sqlite", synchronous="NORMAL")
    for each in (cloud, local):
        each.append([*rows, *rows[:20]])
    window = {"since": AT + timedelta(minutes=60), "until": AT + timedelta(minutes=200)}
    for parameters in ({}, {"tenant": "Zoë"}, window, {"tenant": "nobody"}):
        ours = cloud.query(name, parameters)
        assert ours == local.query(name, parameters)
        assert all(isinstance(value, str | int | float | None) for row in ours for value in row.values())


@pytest.mark.usefixtures("impatient")
def test_an_outage_loses_and_doubles_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rows of an outage are spooled, sent when BigQuery is back and counted once; one event at each end."""
    emulator = BigQueryServer(persistent=True)
    emulator.start()
    try:
        world = BigQueryWorld(tmp_path, emulator)
        subject = world.open(prepare=True, pause_s=30.0)
        subject.append([job_row(1)])
        with caplog.at_level(logging.INFO):
            emulator.stop()
            for number in range(2, 6):
                subject.append([job_row(number), label_row("moods", "sad", number)])
            assert len(spooled(world)) == 8
            with pytest.raises(Unavailable):
                subject.query("cost_by_model")
            emulator.start()
            ends = time.monotonic() + 30.0
            subject.append([job_row(6)])
            while spooled(world) and time.monotonic() < ends:
                subject._outage._resume_at = 0.0
                subject.drain()
        assert spooled(world) == []
        assert count(subject) == 6
        assert [row["recordings"] for row in subject.query("labels_by_field")] == [4]
        assert events(caplog, "warehouse.") == ["warehouse.unavailable", "warehouse.recovered"]
    finally:
        emulator.close()


def test_a_server_that_hangs(world: BigQueryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes connections and says nothing is an outage too, found out in bounded time."""
    monkeypatch.setattr(row_streams, "STREAM_S", 0.3)
    subject = world.open()
    subject.append([job_row(1)])
    world.server.pause()
    try:
        subject.append([job_row(2)])
    finally:
        world.server.resume()
    assert len(spooled(world)) == 1
    monkeypatch.undo()
    subject._outage._resume_at = 0.0
    subject.append([job_row(3)])
    assert (count(subject), spooled(world)) == (3, [])


def test_an_answer_that_is_lost(world: BigQueryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that were taken but not confirmed are sent again, and count once."""
    cuts = 1
    with Proxy(f"http://{world.server.environment[row_streams.STORAGE_WRITE_EMULATOR]}") as proxy:
        subject = world.open()
        monkeypatch.setenv(row_streams.STORAGE_WRITE_EMULATOR, proxy.url.removeprefix("http://"))
        subject.append([job_row(1)])

        def cut(_line: str, piece: bytes) -> bytes | None:
            nonlocal cuts
            if cuts and b"_default" in piece:  # the answer names the stream
                cuts -= 1
                return None
            return piece

        proxy.on_answer = cut
        subject.append([job_row(2, cost_usd=1.0)])
        subject.close()
    assert cuts == 0
    assert (len(stored(world, "jobs_rows")), count(subject), spooled(world)) == (3, 2, [])


def test_an_outage_asks_seldom(world: BigQueryWorld) -> None:
    """During the pause appends go to the spool at once, and nobody asks BigQuery each time."""
    writer, option = scripted(DOWN)
    subject = world.open(pause_s=30.0, **option)
    subject.append([job_row(0)])
    asked = writer.requests
    for number in range(1, 10):
        subject.append([job_row(number)])
    assert writer.requests == asked
    assert subject.drain() == 0
    assert len(spooled(world)) == 10


@pytest.mark.usefixtures("impatient")
def test_nothing_can_be_reached(world: BigQueryWorld) -> None:
    """Without BigQuery and without the bucket rows cannot be kept: also during the pause, and it is asked again."""
    writer, option = scripted(DOWN)
    bucket = FlakyStore(world.bucket)
    bucket.faults.down = True
    subject = world.open(pause_s=30.0, store=bucket, **option)
    for _ in range(2):
        asked = writer.requests
        with pytest.raises(Unavailable):
            subject.append([job_row(1)])
        assert writer.requests > asked
    assert subject.drain() == 0


def test_the_spool_is_down_while_bigquery_is_back(world: BigQueryWorld) -> None:
    """A bucket out of reach does not keep rows from a BigQuery that works again."""
    bucket = FlakyStore(world.bucket)
    clients = [scripted(DOWN)[0], write_client()]
    subject = world.open(pause_s=30.0, store=bucket, write=lambda: clients[0])
    subject.append([job_row(1)])
    bucket.faults.down = True
    subject._write_client = clients[1]
    subject.append([job_row(2)])
    assert count(subject) == 1
    bucket.faults.down = False
    while subject.drain():
        pass
    assert count(subject) == 2


def test_killed_between_sending_and_deleting(world: BigQueryWorld) -> None:
    """A process that sent spooled rows and died before it deleted the object leaves rows that count once."""
    _, option = scripted(DOWN)
    bucket = FlakyStore(world.bucket)
    first = world.open(store=bucket, **option)
    first.append([job_row(number) for number in range(5)])
    first._write_client = write_client()
    first._outage._resume_at = 0.0
    bucket.faults.fail("delete", error=KeyboardInterrupt())  # type: ignore[arg-type]  # any death will do
    with pytest.raises(KeyboardInterrupt):
        first.drain()
    assert len(spooled(world)) == 1
    second = world.open(orphan_age_s=0.0, orphan_health_s=0.0)
    assert second.drain() == 5
    assert (spooled(world), count(second)) == ([], 5)


def test_rows_of_a_process_that_lives(world: BigQueryWorld) -> None:
    """Rows of another process are left to it while they are young, and while BigQuery has only just come back."""
    _, option = scripted(DOWN)
    world.open(**option).append([job_row(1)])
    assert world.open(orphan_age_s=60.0, orphan_health_s=0.0).drain() == 0
    assert world.open(orphan_age_s=0.0, orphan_health_s=60.0).drain() == 0
    assert world.open(orphan_age_s=0.0, orphan_health_s=0.0).drain() == 1


def test_versions_keep_their_order(world: BigQueryWorld) -> None:
    """A version that waited in the spool does not win over a later one with the same ``at``."""
    _, option = scripted(DOWN)
    early = world.open(**option)
    early.append([job_row(1, cost_usd=1.0)])
    world.open().append([job_row(1, cost_usd=2.0)])
    early._write_client = write_client()
    early._outage._resume_at = 0.0
    assert early.drain() == 1
    assert [row["cost_usd"] for row in early.query("cost_by_model")] == [2.0]


def test_a_drain_is_a_bounded_step(world: BigQueryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step looks at so many objects, in order, and sends them in one request; the last finds nothing."""
    monkeypatch.setattr(warehouse, "STEP_OBJECTS", 3)
    writer, option = scripted(DOWN)
    subject = world.open(pause_s=30.0, **option)
    for number in range(7):
        subject.append([job_row(number)])
    writer.answer = types.AppendRowsResponse()
    writer.requests = 0
    subject._outage._resume_at = 0.0
    assert [subject.drain() for _ in range(4)] == [3, 3, 1, 0]
    assert writer.requests == 3


def test_a_purge_reaches_the_spool(world: BigQueryWorld) -> None:
    """Old rows of the tenant that wait in the spool never arrive; the others do."""
    _, option = scripted(DOWN)
    subject = world.open(**option)
    subject.append([job_row(1, tenant="gone"), job_row(2), job_row(3, AT + timedelta(days=2), tenant="gone")])
    subject.append([job_row(4, tenant="gone")])
    assert subject.purge("jobs", before=AT + timedelta(days=1), tenant="gone") == 0
    assert len(spooled(world)) == 1
    subject._write_client = write_client()
    subject._outage._resume_at = 0.0
    assert subject.drain() == 2
    assert count(subject) == 2


def test_a_purge_of_some_reaches_the_spool(world: BigQueryWorld) -> None:
    """Of the rows that wait in the spool those with one of the values go."""
    _, option = scripted(DOWN)
    subject = world.open(**option)
    subject.append([job_row(number, model=f"m{number % 3}") for number in range(6)])
    assert subject.purge("jobs", before=AT + timedelta(days=1), only={"model": ["m0", "m1"], "tenant": ["acme"]}) == 0
    subject._write_client = write_client()
    subject._outage._resume_at = 0.0
    assert subject.drain() == 2
    assert [row["row_id"] for row in stored(world, "jobs")] == ["job 2", "job 5"]


def test_a_purge_brings_no_old_version_up(world: BigQueryWorld) -> None:
    """All versions of an old row go, and only the hidden versions of one that has a young version."""
    subject = world.open()
    for days, cost in ((0, 1.0), (1, 2.0)):
        subject.append([job_row(1, AT + timedelta(days=days), cost_usd=cost)])
        subject.append([job_row(2, AT + timedelta(days=3 * days), cost_usd=cost)])
    assert subject.purge("jobs", before=AT + timedelta(days=2)) == 1
    assert [(row["jobs"], row["cost_usd"]) for row in subject.query("cost_by_model")] == [(1, 2.0)]
    assert len(stored(world, "jobs_rows")) == 1


def test_a_column_that_streams_do_not_know_yet(world: BigQueryWorld) -> None:
    """For minutes after ``prepare`` BigQuery may refuse rows with a new column: they wait in the spool."""
    answer = types.AppendRowsResponse()
    answer.error.code, answer.error.message = 3, "Input schema has more fields than BigQuery schema"
    fault = types.StorageError(code=types.StorageError.StorageErrorCode.SCHEMA_MISMATCH_EXTRA_FIELDS)
    detail = AnyMessage()
    detail.Pack(types.StorageError.pb(fault))
    answer.error.details.append(detail)
    _, option = scripted(answer)
    world.open(**option).append([job_row(1)])
    assert len(spooled(world)) == 1


def test_rows_of_newer_code_wait(world: BigQueryWorld, caplog: pytest.LogCaptureFixture) -> None:
    """Spooled rows with a column this code does not know stay where they are, told once, and stop nobody."""
    _, option = scripted(DOWN)
    newer = world.open(prepare=True, tables={"notes": GrownNoteRow}, **option)
    newer.append([GrownNoteRow(row_id="1", tenant="t", at=AT, text="one", stars=5)])
    older = world.open(tables={"notes": NoteRow}, orphan_age_s=0.0, orphan_health_s=0.0, **option)
    older.append([NoteRow(row_id="2", tenant="t", at=AT, text="two")])
    older._write_client = write_client()
    older._outage._resume_at = 0.0
    assert [older.drain(), older.drain()] == [1, 0]
    assert len(spooled(world)) == 1
    assert events(caplog, "spool.") == ["spool.refused"]


def test_many_rows_at_once(world: BigQueryWorld) -> None:
    """25,000 rows in one call go in requests within BigQuery's limits, and all count."""
    subject = world.open()
    subject.append([job_row(number) for number in range(25_000)])
    assert count(subject) == 25_000


def test_hostile_values(world: BigQueryWorld, tmp_path: Path) -> None:
    """Whatever is in a row it is stored: odd text as it is, too long text cut, what is no number as NULL."""
    odd = "nul \x00 quote ' ` \" \\ new\nline \u2028 emoji 🎧 right-to-left \u202e @since -- ${x}"
    long = "ä" * (3 * TEXT_MAX_BYTES)
    rows = [
        job_row(1, key=odd, tenant=odd, confidence=math.nan, tempo_bpm=math.inf, size_bytes=2**63 - 1),
        job_row(2, key=long, confidence=None, tempo_bpm=-0.0, size_bytes=-1, audio_s=5e-324),
        job_row(3, at=datetime(1, 1, 1, tzinfo=UTC)),
        job_row(4, at=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ]
    direct, (_, option) = world.open(), scripted(DOWN)
    late = world.open(**option)
    direct.append(rows[:2])
    late.append(rows[2:])
    late._write_client = write_client()
    late._outage._resume_at = 0.0
    assert late.drain() == 2
    found = {row["row_id"]: row for row in stored(world, "jobs")}
    assert len(found) == 4
    first, second = found["job 1"], found["job 2"]
    assert (first["key"], first["tenant"], first["confidence"], first["tempo_bpm"]) == (odd, odd, None, math.inf)
    assert (first["size_bytes"], second["size_bytes"], second["audio_s"]) == (2**63 - 1, -1, 5e-324)
    assert len(second["key"].encode()) <= TEXT_MAX_BYTES
    assert second["key"].endswith("ä…")
    assert [found[f"job {number}"]["at"] for number in (3, 4)] == [rows[2].at, rows[3].at]
    assert direct.query("cost_by_model", {"tenant": odd})[0]["jobs"] == 1


def test_a_value_that_no_column_holds(world: BigQueryWorld) -> None:
    """A number beyond 64 bits is refused as ours, with all rows beside it."""
    subject = world.open()
    with pytest.raises(ConfigurationError, match="jobs"):
        subject.append([job_row(1), job_row(2, size_bytes=2**63)])
    assert count(subject) == 0


def test_every_query_has_a_limit(world: BigQueryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a query may be billed for, its name and its dataset are in the job; the emulator itself bills nothing."""
    subject = world.open(maximum_bytes_billed=123_456)
    jobs: list[bigquery.QueryJob] = []
    plain = subject._client.query

    def query(*arguments: Any, **options: Any) -> bigquery.QueryJob:
        jobs.append(plain(*arguments, **options))
        return jobs[-1]

    monkeypatch.setattr(subject._client, "query", query)
    subject.query("cost_by_model")
    subject.purge("jobs", before=AT)
    assert [job.maximum_bytes_billed for job in jobs] == [123_456] * 3
    assert [job.labels["query"] for job in jobs] == ["cost_by_model", "purge", "purge"]
    assert {job.default_dataset.dataset_id for job in jobs if job.default_dataset} == {world.dataset}
    assert MAX_BYTES_BILLED == 10 * 1024**3


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """Without ``prepare`` every call says what is missing and what to do (the emulator calls a query forbidden)."""
    subject = BigQueryWorld(tmp_path).open()
    calls = (
        lambda: subject.append([job_row()]),
        lambda: subject.query("cost_by_model"),
        lambda: subject.purge("jobs", before=AT),
    )
    for call in calls:
        with pytest.raises(ConfigurationError, match=r"earmark init|Grant the role"):
            call()


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (exceptions.ServiceUnavailable, True),
        (exceptions.DeadlineExceeded, True),
        (exceptions.ResourceExhausted, True),
        (exceptions.InternalServerError, True),
        (exceptions.Aborted, True),
        (exceptions.PermissionDenied, False),
        (exceptions.InvalidArgument, False),
        (exceptions.NotFound, False),
        (exceptions.Unauthenticated, False),
    ],
)
def test_no_error_of_google_leaves(world: BigQueryWorld, error: Any, *, kept: bool) -> None:
    """What may pass lets the rows wait in the spool; what is ours to mend is raised as ours."""
    _, option = scripted(error("no"))
    subject = world.open(**option)
    with nullcontext() if kept else pytest.raises(ConfigurationError):
        subject.append([job_row(1)])
    assert len(spooled(world)) == kept


def test_a_query_that_is_wrong(world: BigQueryWorld, tmp_path: Path) -> None:
    """SQL that BigQuery refuses is ours to mend."""
    (tmp_path / "wrong.sql").write_text("-- Wrong.\n\nSELECT no_such_column FROM jobs\n")
    with pytest.raises(ConfigurationError):
        world.open(queries=tmp_path).query("wrong")


def test_a_warehouse_that_is_closed(world: BigQueryWorld) -> None:
    """Closing ends the streams; a later append opens new ones."""
    subject: BigQueryWarehouse = world.open()
    subject.append([job_row(1)])
    subject.close()
    subject.close()
    subject.append([job_row(2)])
    assert count(subject) == 2
    assert server().running

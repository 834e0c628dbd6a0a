"""What ``earmark.ports.Warehouse`` promises, over every adapter; each test quotes the sentence it holds."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import ConfigurationError, Unavailable
from earmark.ports import Warehouse
from earmark.rows import FailureRow, JobRow, LabelRow
from tests.contracts.conftest import WarehouseCase

AT = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
QUERIES = ["analyses_by_content_type", "cost_by_model", "failures_by_kind", "jobs_by_hour", "labels_by_field"]


def job_row(number: int = 1, at: datetime = AT, **fields: object) -> JobRow:
    """A row about a job that went well."""
    return JobRow.model_validate(
        {
            "row_id": f"job {number}", "tenant": "acme", "at": at, "status": "done", "lane": "low", "tier": "free",
            "origin": "command", "arm": "primary", "model": "listener", "pipeline": "1", "region": None, "tries": 1,
            "error_kind": None, "content_type": "music", "confidence": 0.5, "tempo_bpm": 120.0, "key": "C major",
            "language": None, "vocals": "none", "review": False, "audio_s": 10.0, "covered_s": 10.0, "size_bytes": 99,
            "queued_s": 1.0, "decode_s": 0.1, "predict_s": 2.0, "total_s": 3.0, "cost_usd": 0.25, "warm": True,
            **fields,
        }
    )  # fmt: skip


def label_row(field: str, value: str, number: int = 1, at: datetime = AT) -> LabelRow:
    """A row about one genre, mood or the like."""
    return LabelRow(
        row_id=f"{number}:{field}:{value}",
        tenant="acme",
        at=at,
        job_id=f"job {number}",
        field=field,
        value=value,
        confidence=0.5,
        score=None,
    )


def failure_row(number: int, at: datetime = AT, *, final: bool = False) -> FailureRow:
    """A row about a try that failed."""
    return FailureRow(
        row_id=f"failure {number}",
        tenant="acme",
        at=at,
        job_id=f"job {number // 2}",
        try_number=number % 2 + 1,
        stage="predict",
        kind="model_crashed",
        message="It went wrong",
        fingerprint="0" * 16,
        model="listener",
        model_version="1",
        worker="here:1",
        final=final,
    )


def count(warehouse: Warehouse, **parameters: object) -> int:
    """How many jobs the warehouse knows."""
    rows = warehouse.query("analyses_by_content_type", parameters)
    numbers = [row["analyses"] for row in rows]
    return sum(number for number in numbers if isinstance(number, int))


def test_rows_are_for_analysts(warehouses: WarehouseCase) -> None:
    """Held: "Rows for analysts": what one process appended another one's query counts."""
    writer, reader = warehouses.open(), warehouses.open()
    writer.append([job_row(1), job_row(2), label_row("genres", "jazz"), failure_row(1)])
    assert count(reader) == 2
    assert [row["value"] for row in reader.query("labels_by_field")] == ["jazz"]
    assert [row["failures"] for row in reader.query("failures_by_kind")] == [1]


CALLS: dict[str, Callable[[Warehouse], object]] = {
    "append": lambda warehouse: warehouse.append([job_row()]),
    "query": lambda warehouse: warehouse.query("cost_by_model"),
    "purge": lambda warehouse: warehouse.purge("jobs", before=AT),
}


def test_unreachable_warehouse(warehouses: WarehouseCase) -> None:
    """Held: "All methods raise ``Unavailable`` when the warehouse cannot be reached", and nothing else."""
    opened = {name: warehouses.open() for name in CALLS}
    warehouses.break_it()
    for name, warehouse in opened.items():
        with pytest.raises(Unavailable):
            CALLS[name](warehouse)


def test_rows_stay(warehouses: WarehouseCase) -> None:
    """Held: "Add rows durably": no rows are fine, and several tables at once."""
    warehouse = warehouses.open()
    warehouse.append([])
    warehouse.append([job_row(number) for number in range(50)])
    assert count(warehouses.open()) == 50


def test_a_row_counts_once(warehouses: WarehouseCase) -> None:
    """Held: "a row appended again counts once for every reader, the latest version winning": in any order."""
    warehouse = warehouses.open()
    for minutes, cost in ((1, 1.0), (3, 3.0), (2, 2.0), (3, 4.0)):
        warehouse.append([job_row(1, AT + timedelta(minutes=minutes), cost_usd=cost)] * 2)
    (row,) = warehouse.query("cost_by_model")
    assert (row["jobs"], row["cost_usd"]) == (1, 4.0)


def test_the_latest_version_wins(warehouses: WarehouseCase) -> None:
    """Whatever is appended in whatever order, each row counts with its latest version."""

    @settings(max_examples=warehouses.examples, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 99)), min_size=1, max_size=20))
    def wins(versions: list[tuple[int, int, int]]) -> None:
        warehouse = warehouses.open()
        warehouse.purge("jobs", before=AT + timedelta(days=9))
        for number, minute, cost in versions:
            warehouse.append([job_row(number, AT + timedelta(minutes=minute), cost_usd=float(cost))])
        latest: dict[int, tuple[int, int]] = {}
        for number, minute, cost in versions:
            if number not in latest or minute >= latest[number][0]:
                latest[number] = (minute, cost)
        (row,) = warehouse.query("cost_by_model")
        assert (row["jobs"], row["cost_usd"]) == (len(latest), float(sum(cost for _, cost in latest.values())))

    wins()


def test_query_gives_rows(warehouses: WarehouseCase) -> None:
    """Held: "Run one of the named queries in ``earmark/queries`` and return its rows": columns by name."""
    warehouse = warehouses.open()
    assert all(warehouse.query(name) == [] for name in QUERIES)
    warehouse.append(
        [
            job_row(1, review=True, confidence=0.25),
            job_row(2, AT + timedelta(minutes=29), confidence=0.75),
            job_row(3, AT + timedelta(minutes=31), status="rejected", content_type=None, confidence=None, cost_usd=0.5),
            *(label_row("moods", value, number) for number in (1, 2) for value in ("sad", "calm")[:number]),
            failure_row(1),
            failure_row(2, AT + timedelta(hours=1), final=True),
        ]
    )
    assert warehouse.query("analyses_by_content_type") == [
        {
            "content_type": "music",
            "analyses": 2,
            "reviews": 1,
            "mean_confidence": 0.5,
            "least_confidence": 0.25,
            "audio_s": 20.0,
        }
    ]
    assert warehouse.query("labels_by_field") == [
        {"field": "moods", "value": "sad", "recordings": 2, "mean_confidence": 0.5},
        {"field": "moods", "value": "calm", "recordings": 1, "mean_confidence": 0.5},
    ]
    assert warehouse.query("failures_by_kind") == [
        {
            "kind": "model_crashed",
            "stage": "predict",
            "fingerprint": "0" * 16,
            "failures": 2,
            "final_failures": 1,
            "recordings": 2,
            "example": "It went wrong",
            "first_at": "2026-01-01T12:30:00Z",
            "last_at": "2026-01-01T13:30:00Z",
        }
    ]
    hours = warehouse.query("jobs_by_hour")
    assert [(row["hour"], row["jobs"], row["done"], row["rejected"]) for row in hours] == [
        ("2026-01-01T12:00:00Z", 2, 2, 0),
        ("2026-01-01T13:00:00Z", 1, 0, 1),
    ]
    (cost,) = warehouse.query("cost_by_model")
    assert cost == {
        "model": "listener",
        "arm": "primary",
        "jobs": 3,
        "cost_usd": 1.0,
        "cost_per_analysis_usd": 0.5,
        "audio_s": 30.0,
        "predict_s": 6.0,
        "audio_s_per_predict_s": 5.0,
    }


def test_query_takes_parameters(warehouses: WarehouseCase) -> None:
    """Every query takes a window of time, its start included and its end not, and a tenant."""
    warehouse = warehouses.open()
    warehouse.append([job_row(n, AT + timedelta(hours=n), tenant=f"t{n % 2}") for n in range(6)])
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert count(warehouse, since=elsewhere + timedelta(hours=1), until=elsewhere + timedelta(hours=4)) == 3
    assert count(warehouse, tenant="t1") == 3
    assert count(warehouse, tenant="t1", since=AT + timedelta(hours=2)) == 2
    assert count(warehouse, tenant="nobody") == 0
    warehouse.append([label_row("moods", "sad"), label_row("genres", "jazz")])
    assert [row["value"] for row in warehouse.query("labels_by_field", {"field": "genres"})] == ["jazz"]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("no_such_query", {}),
        ("", {}),
        ("../queries/cost_by_model", {}),
        ("SELECT 1", {}),
        ("cost_by_model", {"no_such_parameter": 1}),
        ("cost_by_model", {"since": "yesterday"}),
        ("cost_by_model", {"since": datetime(2026, 1, 1)}),  # noqa: DTZ001  # the point
        ("cost_by_model", {"tenant": 5}),
        ("cost_by_model", {"tenant": None}),
    ],
)
def test_query_refuses_what_does_not_exist(warehouses: WarehouseCase, name: str, parameters: dict[str, object]) -> None:
    """Held: "Raises ``ConfigurationError`` for a name or parameter that does not exist", or has another type."""
    with pytest.raises(ConfigurationError):
        warehouses.open().query(name, parameters)


def test_a_value_is_no_sql(warehouses: WarehouseCase) -> None:
    """A parameter is only ever a value, whatever is written in it."""
    warehouse = warehouses.open()
    warehouse.append([job_row()])
    assert count(warehouse, tenant="' OR 1=1; DROP TABLE jobs; --") == 0
    assert count(warehouse) == 1


def test_purge_removes_old_rows(warehouses: WarehouseCase) -> None:
    """Held: "Remove the rows of a table older than ``before`` (of one tenant, if named)": "returns how many"."""
    warehouse = warehouses.open()
    warehouse.append([job_row(n, AT + timedelta(hours=n), tenant=f"t{n % 2}") for n in range(6)])
    warehouse.append([label_row("moods", "sad")])
    assert warehouse.purge("jobs", before=AT) == 0
    assert warehouse.purge("jobs", before=AT + timedelta(hours=4), tenant="t0") == 2
    assert count(warehouse) == 4
    assert warehouse.purge("jobs", before=AT + timedelta(hours=4)) == 2
    assert warehouse.purge("jobs", before=AT + timedelta(hours=4)) == 0
    assert len(warehouse.query("labels_by_field")) == 1
    with pytest.raises(ConfigurationError):
        warehouse.purge("no_such_table", before=AT)


def test_purge_removes_only_some(warehouses: WarehouseCase) -> None:
    """Held: "With ``only``, those whose column has one of the values", beside age and tenant; none for no values."""
    warehouse = warehouses.open()
    later = AT + timedelta(hours=9)
    warehouse.append([job_row(n, AT + timedelta(hours=n), tenant=f"t{n % 2}", model=f"m{n}") for n in range(6)])
    assert warehouse.purge("jobs", before=later, only={"model": []}) == 0
    assert warehouse.purge("jobs", before=later, only={"model": ["m1", "' OR 1=1 --", "m2", "m1"]}, tenant="t1") == 1
    assert warehouse.purge("jobs", before=AT + timedelta(hours=3), only={"model": ["m2", "m3"]}) == 1
    assert warehouse.purge("jobs", before=later, only={"model": ["m4", "m5"], "row_id": ["job 4", "job 0"]}) == 1
    assert count(warehouse) == 3
    for table, column in (("jobs", "no_such_column"), ("jobs", 'at" < 1 --'), ("no_such_table", "row_id")):
        with pytest.raises(ConfigurationError):
            warehouse.purge(table, before=later, only={column: ["a"]})
    assert count(warehouse) == 3


def test_purge_goes_by_the_latest_version(warehouses: WarehouseCase) -> None:
    """A row goes in all its versions or stays: what it once was neither removes it nor comes up again."""
    warehouse = warehouses.open()
    for minutes, model in ((0, "old"), (1, "new")):
        warehouse.append([job_row(1, AT + timedelta(minutes=minutes), model=model)])
    assert warehouse.purge("jobs", before=AT + timedelta(hours=1), only={"model": ["old"]}) == 0
    assert count(warehouse) == 1
    assert warehouse.purge("jobs", before=AT + timedelta(hours=1), only={"model": ["new"]}) == 1
    assert count(warehouse) == 0


def test_threads_share_a_warehouse(warehouses: WarehouseCase) -> None:
    """Rows appended by several threads at once, some of them the same, all count once."""
    warehouse = warehouses.open()

    def work(part: int) -> None:
        for number in range(20):
            warehouse.append([job_row(number + 10 * part)])
            if number % 5 == part:
                warehouse.query("cost_by_model")

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(warehouse) == 50

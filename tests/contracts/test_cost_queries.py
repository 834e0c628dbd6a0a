"""What the warehouse tells of costs, on both engines alike; each sum is made here in another way."""

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from earmark.ports import Warehouse
from earmark.rows import JobRow
from runtime.cost.report import By, read_costs
from runtime.local.warehouse import LocalWarehouse
from tests.contracts.conftest import WarehouseCase
from tests.cost_rows import START, some_jobs

ROWS = some_jobs(7)
SINCE, UNTIL = START + timedelta(hours=10), START + timedelta(hours=40)


def key_of(row: JobRow, by: tuple[By, ...]) -> tuple[str, ...]:
    """Of a job, what a report is divided by."""
    known = {By.DAY: f"{row.at:%Y-%m-%d}", **{each: str(getattr(row, each)) for each in By if each is not By.DAY}}
    return tuple(known[each] for each in By if each in by)


def sums(rows: list[JobRow]) -> dict[str, float]:
    """What some jobs come to."""
    return {
        "jobs": len(rows),
        "done": len([row for row in rows if row.status == "done"]),
        "audio_s": math.fsum(row.audio_s for row in rows),
        "predict_s": math.fsum(row.predict_s for row in rows),
        "cost_usd": math.fsum(row.cost_usd for row in rows),
        "machine_usd": math.fsum(row.machine_usd or 0.0 for row in rows),
        "fallback_usd": math.fsum(row.fallback_usd or 0.0 for row in rows),
        "asked": len([row for row in rows if row.fallback_model]),
    }


def nearly(expected: Mapping[str, float]) -> dict[str, Any]:
    """The same, to 1e-9 of themselves."""
    return {name: pytest.approx(value, rel=1e-9, abs=1e-12) for name, value in expected.items()}


def check_reports(warehouse: Warehouse, by: tuple[By, ...], **window: Any) -> None:
    """A report by these is what the rows of the window come to."""
    groups: dict[tuple[str, ...], list[JobRow]] = defaultdict(list)
    for row in ROWS:
        if window.get("since", row.at) <= row.at < window.get("until", row.at + timedelta(1)) and (
            row.tenant == window.get("tenant", row.tenant)
        ):
            groups[key_of(row, by)].append(row)
    report = read_costs(warehouse, by, **window)
    found = {tuple(line.keys.values()): {name: getattr(line, name) for name in sums([])} for line in report.lines}
    assert found == {key: nearly(sums(rows)) for key, rows in groups.items()}
    chosen = [row for rows in groups.values() for row in rows]
    assert {name: getattr(report.total, name) for name in sums([])} == nearly(sums(chosen))
    days = [line.keys.get("day", "") for line in report.lines]
    assert days == sorted(days)


def test_reports(warehouses: WarehouseCase) -> None:
    """Whatever they are divided by, over all time, in a window and for one tenant."""
    warehouse = warehouses.open()
    assert read_costs(warehouse).total.jobs == 0
    warehouse.append([*ROWS, *ROWS[:20]])
    check_reports(warehouse, ())
    check_reports(warehouse, tuple(By))
    check_reports(warehouse, (By.DAY, By.MODEL), since=SINCE, until=UNTIL, tenant="beta")


def test_every_division_by_itself_and_by_two(tmp_path: Path) -> None:
    """Here every pair; both engines are held to the same answers below."""
    warehouse = LocalWarehouse(tmp_path / "w.sqlite", synchronous="NORMAL")
    assert read_costs(warehouse, list(By)).lines == []
    warehouse.append(ROWS)
    for count in (1, 2):
        for by in itertools.combinations(By, count):
            check_reports(warehouse, by)
    check_reports(warehouse, (By.TENANT,), tenant="nobody")


def test_totals_agree_with_cost_by_model(warehouses: WarehouseCase) -> None:
    """The same jobs, dollars, hours and seconds by model and arm."""
    warehouse = warehouses.open()
    warehouse.append(ROWS)
    report = {
        (line.keys["model"], line.keys["arm"]): (line.jobs, line.cost_usd, line.audio_s, line.predict_s)
        for line in read_costs(warehouse, [By.MODEL, By.ARM], since=SINCE, until=UNTIL).lines
    }
    other: dict[tuple[object, object], Any] = {
        (row["model"], row["arm"]): (row["jobs"], row["cost_usd"], row["audio_s"], row["predict_s"])
        for row in warehouse.query("cost_by_model", {"since": SINCE, "until": UNTIL})
    }
    assert report == {key: pytest.approx(value, rel=1e-9) for key, value in other.items()}


def test_the_basis_of_a_comparison(warehouses: WarehouseCase) -> None:
    """By hardware: warm jobs that the primary heard, and all answers with what a provider would be sent of them."""
    warehouse = warehouses.open()
    warehouse.append(ROWS)
    for asked in ({}, {"model": "listener", "most_s": 120.0}, {"tenant": "acme", "window_s": 24.0, "since": SINCE}):
        given: dict[str, Any] = {"most_s": 1e9, "window_s": 30.0, **asked}
        rows = [
            row
            for row in ROWS
            if row.status == "done"
            and row.model in {given.get("model", row.model), row.fallback_model}
            and row.tenant == given.get("tenant", row.tenant)
            and row.at >= given.get("since", row.at)
        ]
        found = {str(row["hardware"]): row for row in warehouse.query("cost_basis", asked)}
        assert set(found) == {row.hardware or "" for row in rows}
        for hardware, row in found.items():
            here = [each for each in rows if (each.hardware or "") == hardware]
            heard = [
                each
                for each in here
                if each.warm and each.predict_s > 0 and each.audio_s > 0 and each.model != each.fallback_model
            ]
            sent = [min(each.audio_s, given["most_s"]) for each in here]
            assert row == {
                "hardware": hardware,
                **nearly(
                    {
                        "answers": len(here),
                        "heard_jobs": len(heard),
                        "heard_audio_s": math.fsum(each.audio_s for each in heard),
                        "predict_s": math.fsum(each.predict_s for each in heard),
                        "audio_s": math.fsum(each.audio_s for each in here),
                        "provider_audio_s": math.fsum(sent),
                        "requests": sum(math.ceil(each / given["window_s"]) for each in sent),
                        "size_bytes": sum(each.size_bytes for each in here),
                        "asked": len([each for each in here if each.fallback_model]),
                        "fallback_usd": math.fsum(each.fallback_usd or 0.0 for each in here),
                    }
                ),
                "first_at": f"{min(each.at for each in here):%Y-%m-%dT%H:%M:%SZ}",
                "last_at": f"{max(each.at for each in here):%Y-%m-%dT%H:%M:%SZ}",
            }


VIEW = """-- The view, for a test.
SELECT
  FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', hour) AS hour,
  tenant, tier, lane, arm, model, jobs, done, asked, audio_s, predict_s, cost_usd, machine_usd, fallback_usd, other_usd
FROM cost_hours
"""


def test_the_view_for_dashboards(warehouses: WarehouseCase, tmp_path: Path) -> None:
    """Each hour and kind of job once, with the sums of its jobs; the rest is never less than nothing."""
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "hours.sql").write_text(VIEW)
    warehouse: Any = warehouses.open()
    warehouse.append(ROWS)
    warehouse._queries = tmp_path / "queries"
    groups: dict[tuple[str, ...], list[JobRow]] = defaultdict(list)
    for row in ROWS:
        groups[f"{row.at:%Y-%m-%dT%H:00:00Z}", row.tenant, row.tier, row.lane, row.arm, row.model].append(row)
    found = {}
    for row in warehouse.query("hours"):
        key = tuple(str(row.pop(name)) for name in ("hour", "tenant", "tier", "lane", "arm", "model"))
        found[key] = row
    assert found == {
        key: nearly(
            {
                **sums(rows),
                "other_usd": math.fsum(
                    max(0.0, row.cost_usd - (row.machine_usd or 0.0) - (row.fallback_usd or 0.0)) for row in rows
                ),
            }
        )
        for key, rows in groups.items()
    }

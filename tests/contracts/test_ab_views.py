"""The views over experiments, over every warehouse: each figure is what Python makes of the same rows."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ab_testing.evidence import Evidence
from ab_testing.evidence_rows import STEPS_MAX, read_evidence, read_history, read_pairs, read_segments
from earmark.named_query import load_query, query_names
from earmark.ports import Warehouse
from earmark.rows import AgreementRow, AssignmentRow, PairRow, Row, TrialRow
from earmark.view import load_views
from runtime.local.warehouse import LocalWarehouse
from tests.contracts.conftest import WarehouseCase
from tests.experiment_rows import (
    ARMS,
    NAMES,
    START,
    VERSIONS,
    any_agreement,
    any_assignment,
    any_pair,
    any_trial,
    bucket,
    experiment_row,
    latest,
    plain,
    trial_row,
)

SHARES = {ARMS[0]: 0.5, ARMS[1]: 0.3333, ARMS[2]: 0.1667}
QUERIES = [name for name in query_names() if name.startswith("ab_")]


def nearly(expected: Any) -> Any:
    """The same structure, numbers to 1e-9 of themselves."""
    if isinstance(expected, Mapping):
        return {key: nearly(value) for key, value in expected.items()}
    if isinstance(expected, list | tuple):
        return type(expected)(nearly(value) for value in expected)
    return pytest.approx(expected, rel=1e-9, abs=1e-12) if isinstance(expected, float) else expected


def some_rows(seed: int, count: int = 400) -> list[Row]:
    """Rows of every table of experiments, in any order; some are versions of another, some come twice."""
    dice = random.Random(seed)
    rows: list[Row] = [experiment_row(name, version, SHARES) for name in NAMES for version in VERSIONS]
    for _ in range(count):
        rows += [any_trial(dice), any_assignment(dice), any_pair(dice), any_agreement(dice)]
    rows += dice.sample(rows, 50)
    return rows


def of(rows: list[Row], kind: type[Any]) -> list[Any]:
    """The rows of one type, each once."""
    return latest([row for row in rows if isinstance(row, kind)])


def expected_evidence(rows: list[Row], name: str, version: int) -> Evidence:
    """What the live counters would say."""
    evidence = Evidence()
    evidence.add(row for row in of(rows, TrialRow) if (row.experiment, row.version) == (name, version))
    for row in of(rows, AssignmentRow):
        if (row.experiment, row.version) == (name, version):
            evidence.arms[row.arm].assigned += 1
    return evidence


@pytest.mark.parametrize("seed", [1, 2])
def test_evidence_is_what_the_counters_say(warehouses: WarehouseCase, seed: int) -> None:
    """Whatever rows there are, in whatever versions, the views add up to what ``Evidence.add`` makes of them."""
    rows, warehouse = some_rows(seed), warehouses.open()
    warehouse.append(rows[: len(rows) // 2])
    read_evidence(warehouse.query, NAMES[0], 1)
    warehouse.append(rows[len(rows) // 2 :])
    for name in NAMES:
        for version in VERSIONS:
            found = plain(read_evidence(warehouse.query, name, version))
            assert found == nearly(plain(expected_evidence(rows, name, version)))
    assert plain(read_evidence(warehouse.query, "nobody", 1)) == {}


def test_a_window_and_steps_of_time(warehouses: WarehouseCase) -> None:
    """A window takes whole hours; the history's steps do not overlap and add up to everything."""
    rows, warehouse = some_rows(3), warehouses.open()
    warehouse.append(rows)
    first = START.replace(minute=0)
    window = first + timedelta(hours=1), first + timedelta(hours=3)
    within = [row for row in of(rows, TrialRow) + of(rows, AssignmentRow) if window[0] <= row.at < window[1]]
    found = read_evidence(warehouse.query, NAMES[0], 1, since=window[0], until=window[1])
    assert plain(found) == nearly(plain(expected_evidence(within, NAMES[0], 1)))

    history = read_history(warehouse.query, NAMES[0], 1)
    assert [at for at, _ in history] == [first + timedelta(hours=hours) for hours in range(6)]
    for at, evidence in history:
        hour = [row for row in of(rows, TrialRow) + of(rows, AssignmentRow) if at <= row.at < at + timedelta(hours=1)]
        assert plain(evidence) == nearly(plain(expected_evidence(hour, NAMES[0], 1)))
    assert read_history(warehouse.query, "nobody", 1) == []


def test_a_long_history_has_long_steps(warehouses: WarehouseCase) -> None:
    """However long an experiment runs, its history has at most sixty steps, and loses nothing."""
    warehouse = warehouses.open()
    for days in (1, 40, 3000):
        warehouse.append(
            [trial_row(100 * days + part, START + timedelta(days=days * part / 99)) for part in range(100)]
        )
        history = read_history(warehouse.query, NAMES[0], 1)
        assert 5 < len(history) <= STEPS_MAX
        total = Evidence()
        for _, evidence in history:
            total = total.plus(evidence)
        assert plain(total) == nearly(plain(read_evidence(warehouse.query, NAMES[0], 1)))


DURATIONS = {"<10 s": 10, "10-30 s": 30, "30-60 s": 60, "1-5 min": 300, "5 min+": math.inf}


def test_segments(warehouses: WarehouseCase) -> None:
    """Tier, length and language part the jobs: counts are exact, and so are the sums of each metric."""
    rows, warehouse = some_rows(4), warehouses.open()
    warehouse.append(rows)
    expected: dict[tuple[str, str], Evidence] = defaultdict(Evidence)
    for row in of(rows, TrialRow):
        if (row.experiment, row.version) == (NAMES[0], 1) and not row.shadow:
            duration = next(name for name, end in DURATIONS.items() if row.audio_s < end)
            for key in (("tier", row.tier), ("duration", duration), ("language", row.language or "unknown")):
                expected[key].add([row])
    found = read_segments(warehouse.query, NAMES[0], 1)
    assert set(found) == set(expected)
    for key, evidence in expected.items():
        for name, arm in evidence.arms.items():
            assert found[key].arms[name].counts == arm.counts
            for metric, bins in arm.bins.items():
                sums = {
                    field: math.fsum(getattr(moments, field) for moments in bins.values())
                    for field in ("n", "y", "yy", "x", "xx", "xy")
                }
                (seen,) = found[key].arms[name].bins[metric].values()
                assert seen._asdict() == nearly(sums)


def quantile(values: list[float], share: int) -> float | None:
    """The nearest rank: the least value that ``share`` % of the values do not exceed."""
    return sorted(values)[-(-len(values) * share // 100) - 1] if values else None


def test_hours(warehouses: WarehouseCase) -> None:
    """An hour of an arm has its counts, averages, and the median and 95th percentile of its inference times."""
    rows, warehouse = some_rows(5), warehouses.open()
    warehouse.append(rows)
    expected: dict[tuple[str, str], list[TrialRow]] = defaultdict(list)
    for row in of(rows, TrialRow):
        if (row.experiment, row.version) == (NAMES[1], 2) and not row.shadow:
            expected[f"{row.at:%Y-%m-%dT%H}:00:00Z", row.arm].append(row)
    found = warehouse.query("ab_history", {"experiment": NAMES[1], "version": 2})
    assert [(row["hour"], row["arm"]) for row in found] == sorted(expected)
    for row in found:
        trials = expected[str(row["hour"]), str(row["arm"])]
        counted = [trial for trial in trials if not trial.diverted and trial.status != "rejected"]
        times = [trial.predict_s for trial in counted if trial.warm and trial.predict_s is not None]
        assert row["jobs"] == len(counted)
        assert row["diverted"] == sum(trial.diverted for trial in trials)
        assert row["cost_usd"] == pytest.approx(sum(trial.cost_usd for trial in counted))
        assert (row["predict_s_p50"], row["predict_s_p95"]) == (quantile(times, 50), quantile(times, 95))


def test_pairs(warehouses: WarehouseCase) -> None:
    """Paired differences count warm pairs of which both models told a time, and agreement goes by field."""
    rows, warehouse = some_rows(6), warehouses.open()
    warehouse.append(rows)
    found = read_pairs(warehouse.query, NAMES[0], 1)
    pairs = [row for row in of(rows, PairRow) if row.experiment == NAMES[0]]
    fields = [row for row in of(rows, AgreementRow) if row.experiment == NAMES[0]]
    assert set(found) == {row.arm for row in [*pairs, *fields]}
    for arm, shadow in found.items():
        mine = [row for row in pairs if row.arm == arm]
        times = [
            row.shadow_predict_s - row.primary_predict_s
            for row in mine
            if row.warm and None not in {row.shadow_predict_s, row.primary_predict_s}
        ]
        assert (shadow.pairs, shadow.errors) == (len(mine), sum(row.error_kind is not None for row in mine))
        assert shadow.predict_s[:3] == nearly((len(times), sum(times), sum(time * time for time in times)))
        compared = Counter(row.field for row in fields if row.arm == arm)
        agreeing = Counter(row.field for row in fields if row.arm == arm and row.agrees)
        assert shadow.fields == {field: (count, agreeing[field]) for field, count in compared.items()}


def test_buckets_in_sql(warehouses: WarehouseCase) -> None:
    """The buckets that SQL computes tell which assignments are wrong as Python's SHA-256 does."""
    rows, warehouse = some_rows(7), warehouses.open()
    warehouse.append(rows)
    expected: dict[tuple[str, int], list[int]] = {}
    for row in of(rows, AssignmentRow):
        place = bucket(row.experiment, row.version, "arm", row.unit)
        arm = ARMS[0] if place < 5000 else ARMS[1] if place < 8333 else ARMS[2]
        outside = bucket(row.experiment, row.version, "coverage", row.unit) >= round(row.coverage * 10_000)
        counts = expected.setdefault((row.experiment, row.version), [0, 0, 0])
        for place, right in enumerate((True, outside, arm != row.arm)):
            counts[place] += right
    found = warehouse.query("ab_misassigned")
    assert {
        (row["experiment"], row["version"]): [row["assignments"], row["uncovered"], row["misassigned"]] for row in found
    } == expected


def test_a_purge_takes_its_figures_along(warehouses: WarehouseCase) -> None:
    """After a purge of a tenant's rows the figures are those of the rows that are left."""
    rows, warehouse = some_rows(8), warehouses.open()
    warehouse.append(rows)
    read_evidence(warehouse.query, NAMES[0], 1)
    before = START + timedelta(hours=3)
    warehouse.purge("ab_trials", before=before, tenant="Zoë")
    left: list[Row] = [row for row in of(rows, TrialRow) if row.at >= before or row.tenant != "Zoë"]
    left += of(rows, AssignmentRow)
    assert plain(read_evidence(warehouse.query, NAMES[0], 1)) == nearly(plain(expected_evidence(left, NAMES[0], 1)))
    warehouse.purge("ab_trials", before=datetime.max.replace(tzinfo=START.tzinfo))
    assert sum(sum(arm.counts.values()) for arm in read_evidence(warehouse.query, NAMES[0], 1).arms.values()) == 0


def test_an_empty_warehouse(warehouses: WarehouseCase) -> None:
    """Before the first experiment each query finds nothing."""
    warehouse = warehouses.open()
    assert {name: warehouse.query(name) for name in QUERIES} == {name: [] for name in QUERIES}


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Warehouse, Warehouse]:
    """BigQuery and SQLite with the same rows, for tests that only read."""
    from tests.contracts.bigquery_case import BigQueryWorld  # noqa: PLC0415  # needs Google's clients

    folder = tmp_path_factory.mktemp("engines")
    cloud, local = BigQueryWorld(folder).open(prepare=True), LocalWarehouse(folder / "w.sqlite")
    rows = some_rows(9, 200)
    for each in (cloud, local):
        each.append(rows)
    return cloud, local


@pytest.mark.parametrize("name", QUERIES)
def test_both_engines_answer_alike(engines: tuple[Warehouse, Warehouse], name: str) -> None:
    """Each query on experiments gives the same rows on BigQuery and on SQLite."""
    cloud, local = engines
    chosen = {"experiment": NAMES[1], "version": 1, "since": START + timedelta(hours=1), "step_s": 7200}
    parameters = {key: value for key, value in chosen.items() if key in load_query(name).parameters}
    ours = cloud.query(name, parameters)
    assert ours
    assert local.query(name, parameters) == nearly(ours)


def test_each_view_in_bigquery(tmp_path: Path) -> None:
    """The official client finds each view described, and reads it: hours are timestamps there."""
    from tests.contracts.bigquery_case import BigQueryWorld  # noqa: PLC0415  # same

    world = BigQueryWorld(tmp_path)
    warehouse = world.open(prepare=True)
    rows = some_rows(10, 100)
    warehouse.append(rows)
    client = world.client()
    for name, view in load_views().items():
        table = client.get_table(f"{world.dataset}.{name}")
        assert (table.table_type, table.description) == ("VIEW", view.description)
        found = [dict(row.items()) for row in client.query(f"SELECT * FROM {world.dataset}.{name}").result()]  # noqa: S608
        assert found or name in {"failure_analytics", "cost_hours"}, name
        for row in found:
            assert isinstance(row.get("hour", START), datetime)
    assert warehouse.prepare() == []
    buckets = [dict(row.items()) for row in client.query(f"SELECT * FROM {world.dataset}.ab_buckets").result()]  # noqa: S608
    assert len(buckets) == len(of(rows, AssignmentRow))
    for row in buckets:
        for salt in ("coverage", "arm", "shadow"):
            assert row[f"{salt}_bucket"] == bucket(row["experiment"], row["version"], salt, row["unit"])

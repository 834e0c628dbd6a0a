"""The dashboards over a running system under load: a real Prometheus and the warehouse answer every panel."""

import math
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.grafana.boards import BOARDS
from infra.grafana.machines import NO_GPU
from runtime.local.warehouse import LocalWarehouse
from runtime.metrics.gpus import Gpus
from tests.panels import Asked, asked, queries_folder
from tests.servers.watched import EXPERIMENT, VERSION, Watched, damaged, examples, sound, until, watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
WINDOW = "15s"
"""In place of Grafana's window of rates, which is four of its scrapes."""
EMPTY = {(board.uid, panel.title): panel.empty for board in BOARDS for panel in board.panels if panel.empty}
"""Panels that may have nothing to show on one machine, and why."""
ENDED = 15
"""Jobs that have ended before anybody looks at the warehouse."""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The system, with work in both lanes: examples and short sounds, some of it no audio."""
    batch = {"birds.ogg": examples()["birds.ogg"], "short.wav": sound(1000), "broken.wav": damaged(1001)}
    with watched(tmp_path_factory.mktemp("watched"), batch) as made:
        made.send_some(8)
        made.send_some(2, wait_s=5)
        yield made


def answers(system: Watched, each: Asked) -> list[dict[str, Any]]:
    """The series that have a number at any moment since the system was up."""
    found = system.prometheus.range(each.promql(WINDOW), system.began, time.time())
    return [series for series in found if any(math.isfinite(float(value)) for _, value in series["values"])]


def test_every_panel_shows_what_prometheus_knows(system: Watched) -> None:
    """Series with the labels that name them; only what is declared has none, and what is declared has none."""
    waiting = {each for each in range(len(OF_PROMETHEUS)) if (EMPTY.get(_place(OF_PROMETHEUS[each])) is None)}

    def all_there() -> bool:
        waiting.difference_update([each for each in waiting if answers(system, OF_PROMETHEUS[each])])
        if waiting:  # what came before the first scrape is no increase
            system.send_some(1)
            low = 10_000 + system.sent
            system.submit({"sound.wav": sound(low), "damaged.wav": damaged(low)})
        return not waiting

    try:
        until(all_there, 60)
    except AssertionError:
        pytest.fail(f"no answer: {[(OF_PROMETHEUS[each].title, OF_PROMETHEUS[each].expr) for each in waiting]}")
    for each in OF_PROMETHEUS:
        found = answers(system, each)
        for series in found:
            assert set(re.findall(r"\{\{(\w+)\}\}", each.legend)) <= series["metric"].keys(), each.title
        why = EMPTY.get(_place(each))
        if why == NO_GPU:
            assert bool(found) == (Gpus.find() is not None)
        elif why is not None:
            assert not found, f"{each.title} is declared to be empty ({why}), and is not"


def test_every_alert_can_be_computed(system: Watched) -> None:
    """Prometheus evaluates the rules as they are, on what this system tells."""
    until(lambda: all(rule["health"] != "unknown" for rule in system.prometheus.rules()), 30)
    rules = system.prometheus.rules()
    assert len(rules) > 40
    assert [rule for rule in rules if rule["health"] != "ok"] == []


def test_every_panel_shows_what_the_warehouse_knows(system: Watched, tmp_path: Path) -> None:
    """The same SQL as BigQuery gets, on the tables and views of this machine."""
    panels = queries_folder(tmp_path)
    data = Path(system.command.environment["EARMARK_DATA"])
    warehouse = LocalWarehouse(next(data.rglob("warehouse.sqlite")), queries=tmp_path)
    now = datetime.now(UTC)
    chosen = {
        "since": now - timedelta(days=1),
        "until": now + timedelta(days=1),
        "experiment": EXPERIMENT,
        "version": VERSION,
    }
    try:
        for name, each in panels.items():
            given = {
                key: value for key, value in chosen.items() if f"@{key} " in (tmp_path / f"{name}.sql").read_text()
            }

            def some(name: str = name, given: dict[str, Any] = given) -> bool:
                return bool(warehouse.query(name, given))

            until(some, 30)
            for row in warehouse.query(name, given):
                assert next(iter(row.values())) is not None, each.title
    finally:
        warehouse.close()


OF_PROMETHEUS = [each for each in asked() if each.expr]


def _place(each: Asked) -> tuple[str, str]:
    return each.uid, each.panel["title"]

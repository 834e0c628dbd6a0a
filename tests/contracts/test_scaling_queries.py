"""What the controller of workers asks, over every warehouse."""

from datetime import timedelta

import pytest

from tests.clock import ManualClock
from tests.contracts.conftest import WarehouseCase
from tests.unit.test_scaling_view import ended


def test_what_workers_did(warehouses: WarehouseCase) -> None:
    """By lane, within the window: all jobs with audio, and the time of those that a warm model of ours heard.

    What had no audio is not among them: its bytes belong to no second.
    """
    clock = ManualClock()
    warehouse = warehouses.open()
    warehouse.append(
        [
            ended("a", clock),
            ended("b", clock, model="gpt", fallback_model="gpt"),
            ended("c", clock, warm=False),
            ended("d", clock, lane="high", fallback_model="gpt"),
            ended("e", clock, at=clock() + timedelta(seconds=60)),
            ended("f", clock, status="rejected", audio_s=0.0, predict_s=0.0, size_bytes=90_000_000),
        ]
    )
    rows = warehouse.query("scaling_demand", {"since": clock(), "until": clock() + timedelta(seconds=60)})
    assert [(row["lane"], row["jobs"], row["heard_audio_s"]) for row in rows] == [("high", 1, 180.0), ("low", 3, 180.0)]
    assert rows[1]["audio_s"] == 540.0
    assert rows[1]["busy_s"] == pytest.approx(3.6)
    assert rows[1]["size_bytes"] == 3 * 1_800_000
    assert warehouse.query("scaling_demand", {"tenant": "nobody"}) == []

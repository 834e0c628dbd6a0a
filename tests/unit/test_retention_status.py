"""How long ago retention ran, as alerts read it."""

from datetime import timedelta
from pathlib import Path

import pytest

from earmark.settings import Settings
from retention.run_ledger import Run, RunLease
from runtime.retention.desk import open_desk
from runtime.retention.status import health_of
from runtime.wiring import connect
from tests.clock import ManualClock


@pytest.mark.parametrize("ahead_s", [0.0, 0.001, 5.0])
def test_a_run_that_ended_a_moment_later_is_no_run_that_never_was(tmp_path: Path, ahead_s: float) -> None:
    """It may end while somebody looks, or by a clock that is ahead; -1 means that none ever did."""
    settings, clock = Settings(data=tmp_path), ManualClock()
    desk = open_desk(settings, connect(settings, clock), clock, senders={})
    assert health_of(desk).run_age_seconds == -1.0
    at = clock() + timedelta(seconds=ahead_s)
    run = Run(plan="p", holder="h", state="done", started_at=at, beat_at=at, actor="Ada", reason="daily", approved=True)
    RunLease(desk.backend.state, clock, run, if_generation=0)
    assert health_of(desk).run_age_seconds == 0.0
    clock.move(ahead_s + 60.0)
    assert health_of(desk).run_age_seconds == pytest.approx(60.0)

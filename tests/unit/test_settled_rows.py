"""The rows of a job that has ended: what a clock or a model got absurdly wrong does not reach an experiment."""

import math
from pathlib import Path

import pytest

from earmark.domain import Record, Timings
from earmark.rows import TrialRow
from tests.flows.test_settle import done
from tests.flows.world import World
from tests.making import EPOCH, make_exposure, make_job, make_lease
from workers.settled_rows import COST_MOST_USD, TIME_MOST_S, SettledRows


def trial(path: Path, value: float, cost_usd: float) -> TrialRow:
    """Of a job whose times and length are all this."""
    lease = make_lease()
    lease = type(lease)(make_job(exposure=make_exposure()), lease.token, lease.try_number, lease.expires_at)
    settlement = done(lease, World(path))
    analysis = settlement.outcome.analysis  # type: ignore[union-attr]
    timings = Timings(queued_s=value, decode_s=0, predict_s=value, total_s=value)
    analysis = analysis.model_copy(
        update={
            "timings": timings,
            "cost_usd": cost_usd,
            "technical": analysis.technical.model_copy(update={"duration_s": value}),
        }
    )
    record = Record(
        job_id=lease.job.id, tenant="acme", status="done", analysis=analysis, enqueued_at=EPOCH, settled_at=EPOCH
    )
    row = SettledRows().trial(settlement, record)
    assert row is not None
    return row


@pytest.mark.parametrize("value", [1e200, math.inf])
def test_absurd_values_are_bounded_or_not_known(tmp_path: Path, value: float) -> None:
    """The time of the model is unknown then; what must be a number is the most that can be."""
    row = trial(tmp_path, value, value)
    assert row.predict_s is None
    assert (row.queued_s, row.total_s, row.audio_s, row.cost_usd) == (*[TIME_MOST_S] * 3, COST_MOST_USD)


def test_costs_that_are_no_number_or_below_zero_are_none(tmp_path: Path) -> None:
    """As of a price list gone wrong; all else stays as it is."""
    assert trial(tmp_path / "a", 2.5, math.nan).cost_usd == 0.0
    assert trial(tmp_path / "b", 2.5, -1.0).cost_usd == 0.0
    row = trial(tmp_path / "c", 2.5, 0.25)
    assert (row.predict_s, row.queued_s, row.total_s, row.audio_s, row.cost_usd) == (2.5, 2.5, 2.5, 2.5, 0.25)

"""The rows of a job that has ended: what a clock or a model got absurdly wrong does not reach an experiment."""

import math
from pathlib import Path

import pytest

from earmark.domain import Failure, Record, Retry, Settlement, Timings
from earmark.rows import TrialRow
from earmark.wire import Letter, decode_letter, encode_letter
from tests.flows.test_settle import done
from tests.flows.world import World
from tests.making import EPOCH, make_exposure, make_failure, make_job, make_lease
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


def test_what_was_paid_for_nothing_is_in_the_row(tmp_path: Path) -> None:
    """Of a job without an answer the sum of its failures; of one with an answer what its record says."""
    lease = make_lease()
    billed = make_failure("no_answer").model_copy(update={"cost_usd": 0.25})
    failed = Record(
        job_id=lease.job.id,
        tenant="acme",
        status="failed",
        failures=(billed, make_failure(), billed),
        enqueued_at=EPOCH,
        settled_at=EPOCH,
    )
    row = SettledRows.job(Settlement(lease, Retry(billed, 0.0)), failed)
    assert (row.cost_usd, row.fallback_usd) == (0.5, 0.5)
    free = failed.model_copy(update={"failures": (make_failure(),)})
    row = SettledRows.job(Settlement(lease, Retry(billed, 0.0)), free)
    assert (row.cost_usd, row.fallback_usd) == (0.0, None)

    settlement = done(lease, World(tmp_path))
    analysis = settlement.outcome.analysis  # type: ignore[union-attr]
    provenance = analysis.provenance.model_copy(update={"vain_usd": 0.5})
    analysis = analysis.model_copy(update={"provenance": provenance, "cost_usd": 0.75})
    row = SettledRows.job(settlement, failed.model_copy(update={"status": "done", "analysis": analysis}))
    assert (row.cost_usd, row.fallback_usd) == (0.75, 0.5)


def test_a_failure_that_cost_nothing_is_written_as_before_there_was_a_cost() -> None:
    """So that older code, which refuses unknown fields, reads it; one that cost something keeps that."""
    failure = make_failure()
    assert "cost_usd" not in failure.model_dump_json()
    assert Failure.model_validate_json(failure.model_dump_json()) == failure
    billed = failure.model_copy(update={"cost_usd": 0.25})
    letter = Letter(make_job(), (failure, billed))
    assert decode_letter(encode_letter(letter)) == letter


def test_costs_that_are_no_number_or_below_zero_are_none(tmp_path: Path) -> None:
    """As of a price list gone wrong; all else stays as it is."""
    assert trial(tmp_path / "a", 2.5, math.nan).cost_usd == 0.0
    assert trial(tmp_path / "b", 2.5, -1.0).cost_usd == 0.0
    row = trial(tmp_path / "c", 2.5, 0.25)
    assert (row.predict_s, row.queued_s, row.total_s, row.audio_s, row.cost_usd) == (2.5, 2.5, 2.5, 2.5, 0.25)

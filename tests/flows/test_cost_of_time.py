"""The price of the primary's time in a worker: on each analysis and its rows, and on no cap, route or confidence."""

import dataclasses
from pathlib import Path

import pytest

from earmark.domain import Analysis, Record
from runtime.cost.report import read_costs
from tests.flows.world import LIMITS, World
from tests.making import make_exposure
from tests.provider import USD, ScriptedProvider, fallback

HOURLY = 36.0
"""A cent a second."""
WORDS = ("weak", "fine", "none")
"""One asked about, one not, and one that the primary has no answer for."""


def worked(folder: Path, usd_per_hour: float) -> tuple[World, dict[str, Analysis], float]:
    """A world in which a worker has heard these words, what is stored of each, and what the fallback took today."""
    world = World(folder, limits=dataclasses.replace(LIMITS, retry_delay_s=0, model_usd_per_hour=usd_per_hour))
    provider = ScriptedProvider()
    world.fallback = fallback(folder, provider, world.clock)
    jobs = world.put(*WORDS, exposure=make_exposure("primary", share=0.9))
    with world.worker() as worker:
        for _ in range(3):
            worker.run_once()
            world.clock.move(1)
    found = {word: _ended(world.record(job)) for word, job in zip(WORDS, jobs, strict=True)}
    return world, found, world.fallback.spend.today()


def _ended(record: Record | None) -> Analysis:
    assert record is not None
    assert record.analysis is not None
    return record.analysis


def test_each_analysis_carries_the_price_of_the_primarys_time(tmp_path: Path) -> None:
    """Its share of the batch at the price of an hour; where only the fallback answered, its bill and no more."""
    world, found, spent = worked(tmp_path, HOURLY)
    for word in ("weak", "fine"):
        analysis = found[word]
        machine_usd = analysis.provenance.machine_usd
        assert machine_usd == pytest.approx(analysis.timings.predict_s * HOURLY / 3600, abs=1e-4 * HOURLY / 3600)
        assert machine_usd > 0
        assert analysis.cost_usd == pytest.approx(machine_usd + (USD if word == "weak" else 0.0))
    alone = found["none"]
    assert (alone.provenance.machine_usd, alone.cost_usd) == (0.0, pytest.approx(USD))
    report = read_costs(world.warehouse).total
    assert report.cost_usd == pytest.approx(sum(each.cost_usd for each in found.values()))
    assert report.machine_usd == pytest.approx(sum(each.provenance.machine_usd for each in found.values()))
    assert report.other_usd == 0.0
    assert (report.asked, report.done) == (2, 3)
    assert report.fallback_usd == pytest.approx(spent), "the caps are about what the report calls the fallback's"
    assert spent == pytest.approx(2 * USD)
    trials = {trial.job_id: trial.cost_usd for trial in world.trials}
    assert trials == {each.job_id: pytest.approx(each.cost_usd) for each in found.values()}, "what arms are compared by"


def test_nothing_else_hangs_on_the_price(tmp_path: Path) -> None:
    """Who is asked, what stands, how sure it is, and what counts towards the caps: as without a price."""
    _, free, free_spent = worked(tmp_path / "free", 0.0)
    _, priced, spent = worked(tmp_path / "priced", HOURLY)
    assert spent == free_spent
    for word in WORDS:
        ours, theirs = priced[word], free[word]
        assert theirs.provenance.machine_usd == 0.0
        assert ours.metadata == theirs.metadata
        assert ours.confidence == theirs.confidence
        assert ours.provenance.model_copy(update={"machine_usd": 0.0}) == theirs.provenance
        assert theirs.cost_usd == pytest.approx(ours.cost_usd - ours.provenance.machine_usd)

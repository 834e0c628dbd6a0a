"""Experiments in a worker: each arm's model hears its jobs, and a broken one costs no customer an answer."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from earmark.domain import Job
from earmark.vocabulary import Lane
from tests.flows.world import World
from tests.making import make_exposure
from tests.provider import ScriptedProvider, fallback
from workers.model_process import ModelProcess
from workers.primary import ARM_LOST_S, MODEL_STARTS_MAX, Primary
from workers.worker import Worker

EXPOSED = {"arm": "experimental", "exposure": make_exposure()}
CONTROL = {"arm": "primary", "exposure": make_exposure("primary", share=0.9)}


class ArmWorld(World):
    """A world whose worker has a model of its own for the arm ``experimental``."""

    runner: Worker

    @contextmanager
    def arm(self, factory: str = "tests.models:scripted") -> Iterator[Primary]:
        """A worker with that model."""
        model = ModelProcess(factory, {"journal": str(self.folder / "arm")}, start_timeout_s=60)
        primary = Primary("other", "2", model, pause_s=0.01)
        try:
            with self.worker() as self.runner:
                default = self.runner._parts.arms.default
                self.find_arm = lambda job: primary if job.arm == "experimental" else default
                yield primary
        finally:
            model.close()

    def run(self) -> None:
        """Work until nothing is left that could be leased now."""
        while self.runner.run_once():
            pass

    def run_out(self) -> None:
        """Work until nothing is left, retries included."""
        for _ in range(5):
            self.run()
            self.clock.move(60)

    def words(self, journal: str = "arm") -> list[str]:
        """What a model heard: the arm's, or that of ``journal``."""
        path = self.folder / journal
        return [line.partition(" ")[2] for line in path.read_text().splitlines()] if path.exists() else []

    def rows(self, table: str) -> list[dict[str, object]]:
        """All rows of a table."""
        with closing(sqlite3.connect(self.folder / "warehouse.sqlite")) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f'SELECT * FROM "{table}"')]  # noqa: S608  # names are ours


def trials(world: ArmWorld) -> dict[str, tuple[str, str, bool]]:
    """Arm, model and whether it was diverted, by the word of the job."""
    return {row.job_id: (row.arm, row.model, row.diverted) for row in world.trials}


def test_each_arm_is_heard_by_its_own_model(tmp_path: Path) -> None:
    """The model, its version and its hardware are those of the arm, in record and row."""
    world = ArmWorld(tmp_path)
    mine = world.put("a", "b", **EXPOSED)
    theirs = world.put("c", "d", **CONTROL)
    others = world.put("e")
    with world.arm():
        world.run()
    assert sorted(world.words()) == ["a", "b"]
    assert sorted(world.words("journal")) == ["c", "d", "e"]
    for job in mine:
        record = world.record(job)
        assert record is not None
        assert record.analysis is not None
        assert (record.analysis.model, record.analysis.provenance.model_version) == ("other", "2")
        assert record.analysis.provenance.hardware
        assert trials(world)[job.id] == ("experimental", "other", False)
    assert {trials(world)[job.id] for job in theirs} == {("primary", "scripted", False)}
    assert not {job.id for job in others} & set(trials(world))
    assert sorted(world.tried) == [("experimental", True)] * 2 + [("primary", True)] * 2
    [row] = world.warehouse.query("jobs_by_hour")
    assert row["jobs"] == 5


def test_a_trial_tells_what_was_known_before_the_fallback(tmp_path: Path) -> None:
    """Confidence and raw score of the arm's model, seconds, and whether the answer was late or unsure."""
    world = ArmWorld(tmp_path)
    world.put("weak a", lane=Lane.HIGH, **EXPOSED)
    world.clock.move(5)
    with world.arm():
        world.run()
    [row] = world.trials
    assert (row.confidence, row.low_confidence, row.over_sla, row.status) == (0.55, True, True, "done")
    assert (row.predict_s, row.audio_s, row.warm, row.lane, row.fallback) == (0.01, 1.0, False, "high", False)


def test_failures_and_rejections_are_trials_too(tmp_path: Path) -> None:
    """A job whose tries all failed, and one that is no audio, each have their row; a replay has no second one."""
    world = ArmWorld(tmp_path)
    world.put("raise it", "text", **EXPOSED)
    with world.arm():
        world.run_out()
        assert {(row.status, row.error_kind, row.tries) for row in world.trials} == {
            ("failed", "model_crashed", 3),
            ("rejected", "not_audio", 1),
        }
        # After two failures in a row the arm may rest while the third try is made.
        assert world.tried in ([("experimental", False)] * 2, [("experimental", False)] * 3)
        replayed = make_exposure(replayed=True)
        world.put("raise again", arm="experimental", exposure=replayed)
        world.run_out()
    assert len(world.trials) == 2


def test_a_job_that_lost_its_arm_is_answered_by_the_default(tmp_path: Path) -> None:
    """After a rollback waiting jobs are diverted, and say so."""
    world = ArmWorld(tmp_path)
    [job] = world.put("a", **EXPOSED)
    with world.arm() as primary:
        world.find_arm = lambda _: None
        world.retired = [primary]
        world.run()
    record = world.record(job)
    assert record is not None
    assert record.analysis is not None
    assert (record.analysis.model, record.analysis.provenance.diverted) == ("scripted", True)
    assert trials(world) == {job.id: ("experimental", "scripted", True)}
    assert (world.words(), world.tried) == ([], [])


def test_a_model_that_does_not_load_costs_its_jobs_nothing(tmp_path: Path) -> None:
    """Its jobs go to the default at once, without a try, and its experiment hears of it; the worker lives."""
    world = ArmWorld(tmp_path)
    jobs: list[Job] = []
    with world.arm("tests.models:missing") as primary:
        for number in range(2 * MODEL_STARTS_MAX):
            jobs += world.put(f"a{number}", **EXPOSED)
            world.run()
            primary.outage._resume_at = 0.0
            if number == MODEL_STARTS_MAX:
                assert not world.lost  # it may be starting somewhere else just now
                primary.outage._since -= ARM_LOST_S
    assert [world.record(job).status for job in jobs] == ["done"] * len(jobs)  # type: ignore[union-attr]
    assert set(trials(world).values()) == {("experimental", "scripted", True)}
    assert "experimental" in world.lost
    assert all(not record.failures for record in world.settled)


def test_a_model_that_breaks_on_everything_stops_being_asked(tmp_path: Path) -> None:
    """Its breaker opens after a few batches, and the jobs behind are diverted."""
    world = ArmWorld(tmp_path)
    with world.arm():
        for number in range(8):
            world.put(f"raise {number}", **EXPOSED)
            world.put(f"good {number}", **CONTROL)
            world.run()
    assert len(world.words()) < 8
    assert ("experimental", False) in world.tried
    done = [row for row in world.trials if row.arm == "primary"]
    assert {row.status for row in done} == {"done"}


def test_a_shadow_is_heard_and_never_shown(tmp_path: Path) -> None:
    """The other arm's model hears the same audio; there is a pair and no second record, and nobody is told."""
    world = ArmWorld(tmp_path)
    world.shadow_arms = ("experimental",)
    [job] = world.put("a", arm="primary", exposure=make_exposure("primary", share=0.9, shadow=True))
    with world.arm():
        world.run()
        world.run()
    assert world.words() == ["a"]
    assert [record.job_id for record in world.settled] == [job.id]
    assert len(list(world.results.scan())) == 1
    [pair] = world.rows("ab_pairs")
    assert (pair["job_id"], pair["arm"], pair["error_kind"]) == (job.id, "experimental", None)
    assert pair["shadow_confidence"] == pair["primary_confidence"] == 0.9
    [agreement] = world.rows("ab_agreements")
    assert (agreement["field"], agreement["agrees"], agreement["shadow_value"]) == ("content_type", 1, "sound")
    assert [row.arm for row in world.trials] == ["primary"]
    assert {row["shadow"] for row in world.rows("ab_trials")} == {0, 1}


def test_a_shadow_that_fails_bothers_nobody(tmp_path: Path) -> None:
    """After its tries it is a pair without an answer: no dead letter, no failure of the customer's job."""
    world = ArmWorld(tmp_path)
    world.shadow_arms = ("experimental",)
    exposure = make_exposure("primary", share=0.9, shadow=True)
    with world.arm("tests.models:refusing"):
        [job] = world.put("a", arm="primary", exposure=exposure)
        world.run_out()
    assert [record.status for record in world.settled] == ["done"]
    [pair] = world.rows("ab_pairs")
    assert (pair["error_kind"], pair["shadow_confidence"]) == ("no_answer", None)
    assert world.rows("failures") == []
    assert world.dead.lease(5, 10) == []
    assert world.record(job) is not None


def test_a_shadow_of_an_experiment_that_has_ended_is_dropped(tmp_path: Path) -> None:
    """Nothing is heard, nothing written, and the queue is empty."""
    world = ArmWorld(tmp_path)
    world.shadow_arms = ("experimental",)
    with world.arm():
        world.put("a", arm="primary", exposure=make_exposure("primary", share=0.9, shadow=True))
        default = world.runner._parts.arms.default
        world.find_arm = lambda job: default if job.arm == "primary" else None
        world.run()
        world.run()
    assert world.words() == []
    assert world.rows("ab_pairs") == []
    assert world.lanes[Lane.LOW].lease(5, 10) == []


def test_a_shadow_never_asks_the_fallback(tmp_path: Path) -> None:
    """What costs money is for customers: the customer's weak answer is asked about, the shadow's stays weak."""
    world, provider = ArmWorld(tmp_path), ScriptedProvider()
    world.fallback = fallback(tmp_path, provider, world.clock)
    world.shadow_arms = ("experimental",)
    with world.arm():
        world.put("weak", arm="primary", exposure=make_exposure("primary", share=0.9, shadow=True))
        world.run_out()
    assert world.words() == ["weak"]
    assert len(provider.asked) == 1
    [pair] = world.rows("ab_pairs")
    assert (pair["primary_confidence"], pair["shadow_confidence"]) == (0.55, 0.55)
    assert "transcript" not in {row["field"] for row in world.rows("ab_agreements")}


@pytest.mark.parametrize("fault", ["hanging", "crashing"])
def test_an_arm_that_hangs_or_crashes_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The default goes on meanwhile, and hears the arm's jobs after it; the arm is given a single job next."""
    monkeypatch.setattr("workers.answering.ARM_TIMEOUT_S", 3.0)
    monkeypatch.setattr("workers.predicting.OVERTIME_S", -2.9)
    world = ArmWorld(tmp_path)
    mine = world.put("a", "b", "c", **EXPOSED)
    theirs = world.put("d", **CONTROL)
    with world.arm(f"tests.models:{fault}") as primary:
        primary.model.start()
        world.runner.warm_up()
        world.run()
        assert primary.shaky
    assert [record.status for record in world.settled] == ["done"] * 4
    assert not any(record.failures for record in world.settled)
    assert {trials(world)[job.id] for job in mine} == {("experimental", "scripted", True)}
    assert world.tried.count(("experimental", False)) == 1
    assert len(world.words()) == 1
    if fault == "hanging":
        assert world.settled[0].job_id == theirs[0].id
        assert not next(row for row in world.trials if row.arm == "primary").warm

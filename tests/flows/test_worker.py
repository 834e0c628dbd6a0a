"""What one worker does with the jobs it holds: how many, how long, how often, and what it computes only once."""

import dataclasses
import threading
from collections.abc import Sequence
from concurrent.futures import wait
from pathlib import Path

import pytest

from earmark.domain import Clip, Prediction
from earmark.errors import ModelUnavailable
from earmark.metadata import AudioMetadata
from earmark.vocabulary import Lane
from tests.flows.world import LIMITS, World
from workers.worker import Worker


class MoodyModel:
    """A model in this process that is there for some of its batches only."""

    loads = 1
    hardware = "here"

    def __init__(self, batches: str) -> None:
        """Take a sign for each batch: ``+`` where there is a model for it, ``-`` where there is none."""
        self._batches = iter(batches)
        self.timeouts_s: list[float] = []

    def start(self) -> None:
        """Load nothing."""

    def end(self) -> None:
        """End nothing."""

    def close(self) -> None:
        """Close nothing."""

    def predict(self, clips: Sequence[Clip], *, timeout_s: float) -> list[Prediction | None]:
        """Answer for every clip, or for none."""
        self.timeouts_s.append(timeout_s)
        if next(self._batches) == "-":
            message = "no weights"
            raise ModelUnavailable(message)
        return [Prediction(AudioMetadata(), covered_s=1.0) for _ in clips]


def decode_all(worker: Worker) -> None:
    """See everything under way through the decoders, and no further."""
    while worker._decoding:
        worker._wait(1)
        for flight in worker._take_decoded():
            worker._decoded(flight)


def test_decoded_jobs_count_as_held(tmp_path: Path) -> None:
    """A worker whose next batch is decoded leases no more, so that it never holds more than two batches."""
    world = World(tmp_path)
    world.put(*(f"fine-{number}" for number in range(12)))
    with world.worker() as worker:
        assert worker._admit() == LIMITS.batch_jobs
        decode_all(worker)
        assert worker._admit() == 0
        assert worker.held == LIMITS.batch_jobs


def test_one_suspect_at_a_time(tmp_path: Path) -> None:
    """Of several jobs that may have killed a worker it keeps one; the others go back without spending a try."""
    world = World(tmp_path)
    world.put("fine-1", "fine-2", "fine-3")
    world.lanes[Lane.LOW].lease(3, 60)
    world.clock.move(61)
    with world.worker() as worker:
        worker._admit()
        assert worker.held == 1
        world.clock.move(1)
        others = world.lanes[Lane.LOW].lease(9, 60)
        assert [(lease.try_number, len(lease.history)) for lease in others] == [(2, 1), (2, 1)]


def test_a_retry_waits_twice_as_long_each_time_with_jitter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With jitter at its most, half as much again as ``retry_delay_s``, then half as much again as twice that."""
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=100))
    world.put("bug")
    with world.worker() as worker:
        assert worker.run_once() == 1
        for delay_s in (150, 300):
            world.clock.move(delay_s - 1)
            assert worker.run_once() == 0
            world.clock.move(1)
            assert worker.run_once() == 1


def test_a_drain_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    """A batch that is not finished within ``drain_s`` goes back without spending a try."""
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, drain_s=0.2))
    world.put("hang")
    stop = threading.Event()
    with world.worker() as worker:
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        while not world.journal.exists():
            pass
        stop.set()
        thread.join(10)
        late = thread.is_alive()
        worker.hurry()
        thread.join()
    assert not late
    [lease] = world.lanes[Lane.LOW].lease(9, 60)
    assert (lease.try_number, lease.history) == (1, ())


def test_only_failed_starts_in_a_row_end_a_worker(tmp_path: Path) -> None:
    """A model that loads now and then keeps its worker; three failures in a row do not."""
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=0))
    world.model = MoodyModel("--+--+---")  # type: ignore[assignment]
    with world.worker() as worker:
        for number in range(8):
            world.put(f"fine-{number}")
            worker.run_once()
        with pytest.raises(ModelUnavailable):
            worker.run_once()


def test_the_models_time_grows_with_the_audio(tmp_path: Path) -> None:
    """A batch may take ``predict_timeout_s`` and as long as it sounds."""
    world = World(tmp_path)
    model = MoodyModel("+")
    world.model = model  # type: ignore[assignment]
    world.put("fine-1", "fine-2")
    with world.worker() as worker:
        worker._admit()
        decode_all(worker)
        worker.run_once()
    assert model.timeouts_s == [LIMITS.predict_timeout_s + 2]


def test_the_first_batch_of_a_model_is_cold(tmp_path: Path) -> None:
    """Times of a batch for which the model was loaded first are marked, since they say nothing about the model."""
    world = World(tmp_path)
    with world.worker() as worker:
        for word in ("fine-1", "fine-2"):
            world.put(word)
            worker.run_once()
            world.clock.move(1)
    warm = world.warehouse._database.read(  # type: ignore[attr-defined, unused-ignore]
        lambda connection: connection.execute("SELECT warm FROM jobs ORDER BY at").fetchall()
    )
    assert warm == [(0,), (1,)]


def test_what_is_done_is_not_computed_again(tmp_path: Path) -> None:
    """A job that comes again after its result was written is acknowledged; the model hears nothing."""
    world = World(tmp_path)
    with world.worker() as worker:
        for _ in range(2):
            world.put("fine")
            assert worker.run_once() == 1
    assert world.heard("fine") == 1
    assert world.lanes[Lane.LOW].lease(9, 60) == []
    assert world.leftovers() == []


def test_the_model_is_spared_a_lost_job(tmp_path: Path) -> None:
    """A lease that was lost while its job was decoded ends there: no inference, no clip left behind."""
    world = World(tmp_path)
    world.put("fine")
    with world.worker() as worker:
        worker._admit()
        for flight in worker._flights():
            world.keeper.let_go(flight.lease)
        while worker.held:
            worker._advance(1)
    assert not world.journal.exists()
    assert world.leftovers() == []


def test_a_high_job_goes_before_a_low_batch_that_is_ready(tmp_path: Path) -> None:
    """Though every slot is taken, what comes before the model begins with a low batch is heard first, once."""
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, batch_jobs=2))
    low = world.put("fine-1", "fine-2")
    with world.worker() as worker:
        worker.warm_up()
        worker._admit()
        wait(list(worker._decoding))
        [high] = world.put("fine-high", lane=Lane.HIGH)
        while worker.held:
            worker._advance(0.02)
    assert world.settled[0].job_id == high.id
    assert {record.job_id for record in world.settled} == {high.id, *(job.id for job in low)}

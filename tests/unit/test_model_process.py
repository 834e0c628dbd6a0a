"""A model in a child process: what the parent sees when it answers, crashes, hangs or is not there."""

import multiprocessing
import os
from pathlib import Path

import pytest

from earmark.domain import Clip, Prediction, Technical
from earmark.errors import ModelCrashed, ModelUnavailable, TimedOut
from workers.model_process import ModelProcess


def clip(folder: Path, word: str) -> Clip:
    """A clip that tells the scripted model what to do."""
    path = folder / word
    path.write_text(word)
    technical = Technical(duration_s=1, sample_rate_hz=8000, channels=1, codec="x", container="wav", size_bytes=1)
    return Clip(word, path, 16000, technical)


def scripted() -> ModelProcess:
    """The scripted model, not started."""
    return ModelProcess("tests.models:scripted", {}, start_timeout_s=60)


def test_answers_and_survives(tmp_path: Path) -> None:
    """One child answers, reports what it raised, dies, and is replaced."""
    model = scripted()
    try:
        assert isinstance(model.predict([clip(tmp_path, "fine")], timeout_s=60)[0], Prediction)
        with pytest.raises(ModelCrashed, match="RuntimeError: I will not hear this"):
            model.predict([clip(tmp_path, "raise")], timeout_s=60)
        assert model.loads == 1
        with pytest.raises(ModelCrashed, match="SIGKILL"):
            model.predict([clip(tmp_path, "crash")], timeout_s=60)
        assert model.predict([clip(tmp_path, "none"), clip(tmp_path, "fine")], timeout_s=60)[0] is None
        assert model.loads == 2
    finally:
        model.close()


def test_a_model_gives_way(tmp_path: Path) -> None:
    """The child is as nice as it was told to be; this process stays as it was."""
    model, before = ModelProcess("tests.models:scripted", {}, start_timeout_s=60, nice=7), os.nice(0)
    try:
        model.start()
        [child] = [each for each in multiprocessing.active_children() if each.name == "model"]
        assert os.getpriority(os.PRIO_PROCESS, child.pid or 0) == before + 7
        assert os.nice(0) == before
    finally:
        model.close()


def test_an_ended_model_stays_ended(tmp_path: Path) -> None:
    """Once ended it loads no more, so that a worker that stops is not held up."""
    model = scripted()
    try:
        model.start()
        model.end()
        with pytest.raises((ModelUnavailable, ModelCrashed)):
            model.predict([clip(tmp_path, "fine")], timeout_s=60)
        with pytest.raises(ModelUnavailable):
            model.start()
        assert model.loads == 1
    finally:
        model.close()


def test_a_hang_is_ended(tmp_path: Path) -> None:
    """A model that does not answer in time is killed, and the next call has a new one."""
    model = scripted()
    try:
        model.start()
        with pytest.raises(TimedOut):
            model.predict([clip(tmp_path, "hang")], timeout_s=0.2)
        assert isinstance(model.predict([clip(tmp_path, "fine")], timeout_s=60)[0], Prediction)
    finally:
        model.close()


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("tests.models:missing", "no weights"),
        ("tests.models:dies", "SIGKILL"),
        ("tests.models:nowhere", "AttributeError"),
        ("no.such.module:load", "ModuleNotFoundError"),
    ],
)
def test_a_model_that_does_not_load_says_why(factory: str, reason: str) -> None:
    """Whatever keeps a model from loading reaches the parent as one clear error."""
    model = ModelProcess(factory, {}, start_timeout_s=60)
    try:
        with pytest.raises(ModelUnavailable, match=reason):
            model.start()
    finally:
        model.close()

"""Small models for tests of the machinery; loaded in a real child process like any other."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from earmark.domain import Clip, Prediction
from earmark.errors import ModelUnavailable
from earmark.metadata import AudioMetadata, Rated
from earmark.vocabulary import Basis, ContentType


class ScriptedModel:
    """Does what a clip's bytes say: ``crash``, ``hang``, ``raise``, ``none``, ``weak``; anything else is sound."""

    name = "scripted"
    version = "1"

    def __init__(self, journal: str | None = None) -> None:
        """Write one line per clip heard to ``journal``, if given."""
        self._journal = journal

    def predict(self, clips: Sequence[Clip]) -> list[Prediction | None]:
        """Answer for each clip."""
        return [self._hear(clip) for clip in clips]

    def _hear(self, clip: Clip) -> Prediction | None:
        return self._act(clip, clip.path.read_bytes().decode())

    def _act(self, clip: Clip, word: str) -> Prediction | None:
        if self._journal:
            with Path(self._journal).open("a") as journal:
                journal.write(f"{clip.job_id} {word}\n")
        if word.startswith("crash"):
            os.kill(os.getpid(), signal.SIGKILL)
        if word.startswith("hang"):
            time.sleep(3600)
        if word.startswith("raise"):
            message = "I will not hear this"
            raise RuntimeError(message)
        if word.startswith("none"):
            return None
        if word.startswith("weak"):
            kind = Rated(value=ContentType.SPEECH, confidence=0.95, basis=Basis.CALIBRATED)
            words = Rated(value="hello word", confidence=0.55, basis=Basis.CALIBRATED)
            language = Rated(value="en", confidence=0.9, basis=Basis.CALIBRATED)
            weak = AudioMetadata(content_type=kind, transcript=words, language=language)
            return Prediction(weak, covered_s=clip.duration_s, predict_s=0.01)
        kind = Rated(value=ContentType.SOUND, confidence=0.9, basis=Basis.CALIBRATED)
        return Prediction(AudioMetadata(content_type=kind), covered_s=clip.duration_s, predict_s=0.01)


def scripted(threads: int = 1, journal: str | None = None) -> ScriptedModel:
    """A model that does what the clips say."""
    return ScriptedModel(journal)


class RefusingModel(ScriptedModel):
    """Has no answer to anything."""

    def predict(self, clips: Sequence[Clip]) -> list[Prediction | None]:
        """Nothing."""
        return [None for clip in clips if self._hear(clip)]


def refusing(threads: int = 1, journal: str | None = None) -> RefusingModel:
    """A model that has no answer to anything."""
    return RefusingModel(journal)


class StubbornModel(ScriptedModel):
    """Does the same whatever the clips say."""

    def __init__(self, journal: str | None, word: str) -> None:
        """Take the word that it acts on."""
        super().__init__(journal)
        self._word = word

    def predict(self, clips: Sequence[Clip]) -> list[Prediction | None]:
        """As the word says."""
        return [self._act(clip, self._word) for clip in clips]


def hanging(threads: int = 1, journal: str | None = None) -> StubbornModel:
    """A model that never answers."""
    return StubbornModel(journal, "hang")


def crashing(threads: int = 1, journal: str | None = None) -> StubbornModel:
    """A model that dies over everything."""
    return StubbornModel(journal, "crash")


def content(threads: int = 1, journal: str | None = None) -> StubbornModel:
    """A model that is content with whatever it hears."""
    return StubbornModel(journal, "fine")


def missing(threads: int = 1) -> ScriptedModel:
    """A model whose weights are not there."""
    message = "no weights"
    raise ModelUnavailable(message)


def dies(threads: int = 1) -> ScriptedModel:
    """A model that kills its process while loading."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError

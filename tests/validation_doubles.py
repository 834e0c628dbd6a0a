"""Models with one fault each, and a process that is not one, for tests of validation."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from earmark.domain import Clip, Prediction
from earmark.metadata import AudioMetadata, RatedContentType, RatedText
from earmark.vocabulary import ContentType

KINDS = {"music": ContentType.MUSIC, "speech": ContentType.SPEECH, "silence": ContentType.SILENCE}


def right(clip: Clip) -> Prediction:
    """What a good model says about the sounds of a validation, which it knows by the clip's name."""
    kind = KINDS.get(clip.job_id.partition("-")[0], ContentType.SOUND)
    metadata = AudioMetadata(
        content_type=RatedContentType(value=kind, score=0.9), description=RatedText(value="a sound", score=0.5)
    )
    return Prediction(metadata, covered_s=clip.duration_s, uncalibrated=("content_type", "description"))


def said(kind: ContentType | None, score: float | None = 0.9, covered_s: float = 1.0) -> Prediction:
    """An answer of that content type."""
    return Prediction(AudioMetadata(content_type=RatedContentType(value=kind, score=score)), covered_s=covered_s)


class FakeProcess:
    """Answers in this process, as it is told to."""

    def __init__(self, predict: Callable[[Sequence[Clip]], Any] | None = None) -> None:
        """Answer with ``predict``, or else well."""
        self._predict = predict or (lambda clips: [right(clip) for clip in clips])
        self.loads = 0
        self.killed = 0
        self.asked: list[list[str]] = []

    @property
    def pid(self) -> int | None:
        """Of this process."""
        return os.getpid()

    def start(self) -> None:
        """It is there already."""
        self.loads += self.loads == 0

    def predict(self, clips: Sequence[Clip], *, timeout_s: float) -> Any:
        """As told."""
        self.start()
        self.asked.append([clip.job_id for clip in clips])
        return self._predict(clips)

    def kill(self) -> None:
        """Count it."""
        self.killed += 1


class Moody:
    """Does one thing wrong from its nth call on."""

    name = "moody"
    version = "1"

    def __init__(self, mood: str, after: int) -> None:
        """Take what goes wrong and after how many calls."""
        self._mood = mood
        self._left = after
        self._held: list[bytes] = []

    def predict(self, clips: Sequence[Clip]) -> Any:
        """Well at first."""
        self._left -= 1
        if self._left < 0:
            if self._mood == "crash":
                os._exit(7)
            if self._mood == "hang":
                time.sleep(3600)
            if self._mood == "raise":
                message = "no more"
                raise RuntimeError(message)
            if self._mood == "short":
                return []
            if self._mood == "leak":
                self._held.append(b"x" * 2**21)
            if self._mood == "unreadable":
                return Unreadable()
            if self._mood == "leave":
                threading.Timer(0.05, os._exit, (0,)).start()
        return [right(clip) for clip in clips]


class Unreadable:
    """Cannot be read by whoever gets it."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Be read by a function that refuses."""
        return refuse, ()


def refuse() -> None:
    """Raise."""
    message = "poisoned"
    raise LookupError(message)


def moody(threads: int = 1, mood: str = "", after: int = 0) -> Moody:
    """The factory."""
    return Moody(mood, after)

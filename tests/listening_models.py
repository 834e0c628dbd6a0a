"""Models that go by the length of a clip, loaded in a real child process: for what listens to real files."""

import os
import signal
from collections.abc import Sequence

from earmark.domain import Clip, Prediction
from earmark.metadata import AudioMetadata, Rated
from earmark.vocabulary import Basis, ContentType


class FaultyModel:
    """A clip of 1 s kills it, one of 1.5 s has no answer, any other is sound."""

    name = "faulty"
    version = "1"

    def predict(self, clips: Sequence[Clip]) -> list[Prediction | None]:
        """Answer for each clip."""
        return [self._hear(clip) for clip in clips]

    def _hear(self, clip: Clip) -> Prediction | None:
        if round(clip.duration_s, 1) == 1.0:
            os.kill(os.getpid(), signal.SIGKILL)
        if round(clip.duration_s, 1) == 1.5:
            return None
        kind = Rated(value=ContentType.SOUND, confidence=0.9, score=0.8, basis=Basis.CALIBRATED)
        return Prediction(AudioMetadata(content_type=kind), covered_s=clip.duration_s)


def faulty() -> FaultyModel:
    """The model."""
    return FaultyModel()

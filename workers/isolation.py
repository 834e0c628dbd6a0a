"""Finds the clip that kills the model, by halving the batch, so that the others get their answers."""

import logging
from collections.abc import Callable, Sequence

from earmark.domain import Clip, Prediction, batched_audio_s
from earmark.errors import ModelCrashed, TimedOut, TransientError
from earmark.log import event

_log = logging.getLogger(__name__)

Predict = Callable[[Sequence[Clip]], list[Prediction | None]]


def predict_isolated(predict: Predict, clips: Sequence[Clip]) -> list[Prediction | TransientError | None]:
    """One answer per clip, or the error that this clip alone causes.

    A batch that crashes or times out is halved, and each half tried, down to single clips: for one guilty
    clip among n that is about 2 log2(n) further calls.

    Raises:
        ModelUnavailable: there is no model; no clip is at fault.
    """
    try:
        return list(predict(clips))
    except (ModelCrashed, TimedOut) as error:
        if len(clips) == 1:
            return [error]
        event(
            _log,
            "batch.halved",
            level=logging.WARNING,
            clips=len(clips),
            audio_s=round(batched_audio_s(clips), 1),
            error=error.kind,
        )
        middle = len(clips) // 2
        return [*predict_isolated(predict, clips[:middle]), *predict_isolated(predict, clips[middle:])]

"""Whether an answer is one: it keeps the schema and says nothing impossible."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from earmark.domain import Clip, Prediction
from earmark.metadata import KEYS, AudioMetadata, Rated
from earmark.vocabulary import Basis

SLACK_S: Final = 0.1
"""A model may hear a little more than a short clip has: it is padded."""
_LANGUAGE = re.compile(r"[a-z]{2,3}")


def fault_of(prediction: Prediction, clip: Clip) -> str:
    """What is wrong with an answer about a clip, in a few words; empty = nothing.

    Anything may come back from a model's process: nothing is taken for granted.
    """
    metadata = prediction.metadata
    if not isinstance(metadata, AudioMetadata):
        return f"its metadata are a {type(metadata).__name__}"
    try:
        again = AudioMetadata.model_validate_json(metadata.model_dump_json(warnings="error"))
    except (ValueError, TypeError, AttributeError) as error:  # pydantic's errors are ValueErrors
        return f"it breaks the schema: {' '.join(str(error).split())[:200]}"
    if again != metadata:
        return "it is not the same once written as JSON and read again"
    return next(_impossible(prediction, clip), "")


def _impossible(prediction: Prediction, clip: Clip) -> Iterator[str]:
    metadata = prediction.metadata
    if metadata.content_type.value is None:
        yield "it does not say what kind of sound it is"
    covered_s: Any = prediction.covered_s
    if not isinstance(covered_s, float | int) or not 0 <= covered_s <= clip.duration_s + SLACK_S:
        yield f"it covers {covered_s} s of {clip.duration_s:g} s"
    tempo, key, language = metadata.tempo_bpm.value, metadata.key.value, metadata.language.value
    if tempo is not None and not 0 < tempo < 1000:  # noqa: PLR2004  # as ``workers.judging.Truth`` has it
        yield f"its tempo is {tempo} a minute"
    if key is not None and key not in KEYS:
        yield f"its key is {key!r}"
    if language is not None and not _LANGUAGE.fullmatch(language):
        yield f"its language is {language!r}"
    for field, rated in rated_of(metadata):
        if rated.score is not None and not (math.isfinite(rated.score) and 0 <= rated.score <= 1):
            yield f"the score of {field} is {rated.score}"
        if rated.basis is Basis.UNCALIBRATED and rated.confidence is not None:
            yield f"{field} has a confidence and is uncalibrated"


def rated_of(metadata: AudioMetadata) -> Iterator[tuple[str, Rated[Any]]]:
    """Each answer with the name of its field, list entries one by one."""
    for field in type(metadata).model_fields:
        rated = getattr(metadata, field)
        yield from ((field, each) for each in (rated if isinstance(rated, tuple) else (rated,)))

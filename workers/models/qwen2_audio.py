"""Qwen2-Audio, a language model that listens, run in this process through transformers and torch.

::

    clip ──► windows of up to 30 s ──► batches by length ──► JSON held to the schema ──► merged by rule
         └─► speech or mixed, and longer than a window: every window again, for its words

Music and sound are heard in ``windows`` windows spread over a clip; speech is transcribed whole, up to
``speech_windows``.  ``covered_s`` says how much was heard, whichever it was.
"""

import gc
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

import numpy as np
import torch
from transformers import BatchFeature

from earmark.domain import Clip, Prediction
from earmark.metadata import AudioMetadata, RatedContentType, RatedText, uncalibrated_fields
from earmark.vocabulary import Basis, ContentType
from workers.models.answer import FIELDS, BadAnswer, metadata_of, parse_answer
from workers.models.audio_batches import AudioBudget, Batching
from workers.models.constrained import Trace, Unfinished
from workers.models.field_scores import field_scores
from workers.models.prompt import prompt_version
from workers.models.qwen2_audio_check import check_network
from workers.models.qwen2_audio_network import Network, load_network
from workers.models.weights_folder import folder_version
from workers.models.window_merge import WindowAnswer, merge_windows
from workers.models.windows import Window, covered_s, heard, speech_windows, spread_windows

SPOKEN: Final = ("language", "transcript")
"""What every window of a long clip with speech is asked for."""
MOST_SPEECH_WINDOWS: Final = 120
"""The most windows of a clip that are transcribed, from its beginning: 50 to 60 minutes.  The transcript of a longer
clip ends there; its score is lowered by what is missing, and ``covered_s`` says so."""
ENGINE: Final = "transformers"
BROKEN_GPU_STATUS: Final = 70
"""Exit status (EX_SOFTWARE) of a model's process that lost its GPU."""

_SPEECH = frozenset({ContentType.SPEECH, ContentType.MIXED})


class _Piece(NamedTuple):
    """A window of one of the clips of a call."""

    place: int
    """Of the clip in the call, which may hold the same clip twice."""
    clip: Clip
    window: Window


@dataclass(frozen=True, slots=True)
class _Heard:
    """What came of one clip."""

    metadata: AudioMetadata
    covered_s: float
    rows: int
    """How many windows were asked about; a clip's share of the time."""


class Qwen2Audio:
    """Qwen2-Audio, loaded and tested."""

    name = "qwen2_audio"

    def __init__(self, network: Network, *, version: str, windows: int, speech: int, audio_s: float) -> None:
        """Take a network, its version, windows a clip of music or sound, those of speech, and seconds of audio a call.

        Raises:
            ModelUnavailable: the network fails its self-test.
        """
        self.version = version
        self.hardware = network.hardware
        self._network = network
        self._windows = windows
        self._speech_windows = speech
        self._budget = AudioBudget(audio_s)
        self._prepares = ThreadPoolExecutor(1, "mel")
        check_network(network)

    def predict(self, clips: Sequence[Clip]) -> list[Prediction | None]:
        """One answer per clip; None where the model did not come to an end, or memory did not hold one window."""
        began = monotonic()
        try:
            found = self._hear(clips)
        except torch.AcceleratorError:
            if parent_process() is None:
                raise
            os._exit(BROKEN_GPU_STATUS)  # a CUDA context that failed fails for ever; the worker starts a new process
        share_s = (monotonic() - began) / max(1, sum(each.rows for each in found if each is not None))
        version = prompt_version(FIELDS)
        return [
            None
            if each is None
            else Prediction(
                each.metadata,
                covered_s=each.covered_s,
                uncalibrated=uncalibrated_fields(each.metadata),
                predict_s=share_s * each.rows,
                engine=ENGINE,
                prompt_version=version,
            )
            for each in found
        ]

    def _hear(self, clips: Sequence[Clip]) -> list[_Heard | None]:
        """What comes of each clip; the windows of all clips go into the same batches."""
        sounding = {place: clip for place, clip in enumerate(clips) if clip.samples and not clip.technical.silent}
        views = {place: spread_windows(clip.samples, self._windows) for place, clip in sounding.items()}
        seen = self._ask(sounding, views, FIELDS)
        merged = {place: merge_windows(answers) for place, answers in seen.items() if _answered(answers)}
        spoken = {
            place: clip
            for place, clip in sounding.items()
            if place in merged
            and merged[place].content_type.value in _SPEECH
            and views[place] != [Window(0, clip.samples)]  # or every word was heard already
        }
        cuts = {place: speech_windows(_samples(clip))[: self._speech_windows] for place, clip in spoken.items()}
        said = self._ask(spoken, cuts, SPOKEN)
        found: list[_Heard | None] = []
        for place, clip in enumerate(clips):
            if place not in sounding:
                found.append(_Heard(_SILENCE, clip.duration_s, 0))
            elif place not in merged:
                found.append(None)
            else:
                words = said.get(place, [])
                metadata = _with_words(merged[place], words, clip) if _answered(words) else merged[place]
                asked = [*seen[place], *words]
                found.append(_Heard(metadata, covered_s(_answered(asked)), len(asked)))
        return found

    def _ask(
        self, clips: Mapping[int, Clip], windows: Mapping[int, Sequence[Window]], fields: tuple[str, ...]
    ) -> dict[int, list[WindowAnswer]]:
        """Ask about all windows of all clips; gives the answers of each clip under its place."""
        pieces = [_Piece(place, clip, window) for place, clip in clips.items() for window in windows[place]]
        batching: Batching[_Piece, BatchFeature, Trace | Unfinished] = Batching(
            length_s=lambda piece: piece.window.duration_s,
            prepare=lambda batch: self._network.prepare(
                [heard(_samples(piece.clip), piece.window) for piece in batch], fields
            ),
            answer=lambda inputs: self._network.answer(inputs, fields),
            free=_free,
            budget=self._budget,
            executor=self._prepares,
        )
        answers: dict[int, list[WindowAnswer]] = {place: [] for place in clips}
        for piece, trace in zip(pieces, batching.run(pieces), strict=True):
            metadata = _metadata(trace, fields) if isinstance(trace, Trace) else None
            answers[piece.place].append(WindowAnswer(piece.window, metadata))
        return answers


_SILENCE = AudioMetadata(content_type=RatedContentType(value=ContentType.SILENCE, confidence=1.0, basis=Basis.MEASURED))


def _samples(clip: Clip) -> "np.memmap[tuple[int], np.dtype[np.float32]]":
    """The samples of a clip, (n,), mapped: memory does not grow with its length."""
    return np.memmap(clip.path, np.dtype("<f4"), "r", shape=(clip.samples,))


def _answered(answers: Sequence[WindowAnswer]) -> list[Window]:
    return [answer.window for answer in answers if answer.metadata is not None]


def _metadata(trace: Trace, fields: tuple[str, ...]) -> AudioMetadata | None:
    """What one window's answer says; None where it is no answer, which the grammar should not let happen."""
    try:
        return metadata_of(parse_answer(trace.text, fields), field_scores(trace))
    except BadAnswer:
        return None


def _with_words(metadata: AudioMetadata, words: Sequence[WindowAnswer], clip: Clip) -> AudioMetadata:
    """A record with language and transcript of all windows; what was not heard lowers the transcript's score."""
    spoken = merge_windows(words)
    transcript = spoken.transcript
    if transcript.score is not None:
        share = min(1.0, covered_s(_answered(words)) / clip.duration_s)
        transcript = RatedText(value=transcript.value, score=round(transcript.score * share, 4))
    return metadata.model_copy(update={"language": spoken.language, "transcript": transcript})


def _free() -> None:
    """Give memory that nothing holds back to the GPU."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def load(
    threads: int,
    path: str,
    dtype: str = "auto",
    attention: str = "sdpa",
    windows: int = 4,
    speech_windows: int = MOST_SPEECH_WINDOWS,
    audio_s: float = 240.0,
    revision: str = "",
) -> Qwen2Audio:
    """Qwen2-Audio for ``workers.models.catalogue``.

    Args:
        threads: How many threads of the processor to compute on.
        path: Folder of the model, or its name on the hub where there is no such folder.
        dtype: auto, bfloat16, float16 or float32; auto = bfloat16 on a GPU, float32 on a CPU.
        attention: sdpa, eager or flash_attention_2.
        windows: The most windows of 30 s of a clip of music or sound.
        speech_windows: The most of a clip with speech that are transcribed, from its beginning.
        audio_s: Seconds of audio in one call, padding counted; less after memory ran out.
        revision: Of a model on the hub: branch, tag or commit.

    Raises:
        ModelUnavailable: no such model, or a broken one; says which, and what to do.
    """
    network = load_network(path, dtype=dtype, attention=attention, revision=revision, threads=threads)
    folder = Path(path).expanduser()
    version = folder_version(folder) if folder.is_dir() else network.commit or revision or path
    return Qwen2Audio(network, version=version, windows=windows, speech=speech_windows, audio_s=audio_s)

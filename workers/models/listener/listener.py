"""The listener: an ensemble of small networks and signal processing that runs on a CPU.

::

    clip ──► tags, events (an excerpt) ─┐
         └─► voice (every second) ──────┴► content type ─► music: labels, tempo, key
                                                        └► speech: transcript, language
                                                        └► mixed: all of them

Music fields are heard over the whole of a clip up to ten minutes long and over 20 sections of 30 s spread evenly over
a longer one, and averaged; voice is looked for, and speech transcribed, over every second.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from earmark.domain import CLIP_RATE_HZ, Clip, Prediction
from earmark.metadata import AudioMetadata, Rated, RatedContentType, RatedNumber, RatedText, uncalibrated_fields
from earmark.vocabulary import Basis, ContentType
from workers.description import describe
from workers.models.catalogue import find_model
from workers.models.listener import key as keys
from workers.models.listener import tempo as tempi
from workers.models.listener.built_in import FITTED, TEMPO_AND_KEY, BuiltInCurves
from workers.models.listener.content import ContentJudge
from workers.models.listener.events import EventDetector
from workers.models.listener.excerpt import excerpt
from workers.models.listener.labels import Labeller, Labels
from workers.models.listener.speech import Speech, Transcriber, Voice, rated_words
from workers.models.listener.tags import TagFrames, Tagger

Samples = NDArray[np.float32]
Value = TypeVar("Value")

MUSICAL = frozenset({ContentType.MUSIC, ContentType.MIXED})
SPOKEN = frozenset({ContentType.SPEECH, ContentType.MIXED})


@dataclass(frozen=True, slots=True)
class _Heard:
    """What is heard of every clip that is not silent."""

    samples: Samples
    part: Samples
    frames: Future[TagFrames]
    events: Future[NDArray[np.float32]]
    voice: Future[Voice]


@dataclass(frozen=True, slots=True)
class _HeardMore:
    """What is heard besides, depending on the content type."""

    content_type: Rated[ContentType]
    labels: Future[Labels] | None
    tempo: Future[tempi.Tempo | None] | None
    key: Future[keys.Key | None] | None
    speech: Future[Speech] | None


class Listener:
    """The ensemble, loaded.  Every part runs on one thread, and ``threads`` parts run at once."""

    name = "listener"

    def __init__(self, version: str, threads: int) -> None:
        """Load all networks; takes about a second."""
        self.version = version
        self._pool = ThreadPoolExecutor(threads, "listen")
        self._tagger = Tagger(threads=1)
        self._events = EventDetector()
        self._transcriber = Transcriber(threads=1, at_once=threads)
        self._curves = BuiltInCurves.load(FITTED, TEMPO_AND_KEY)
        self._judge = ContentJudge(self._curves)
        self._labeller = Labeller(self._curves)

    def predict(self, clips: Sequence[Clip]) -> list[Prediction | None]:
        """One answer per clip; the clips of a batch are heard side by side and change nothing for each other."""
        began = monotonic()
        heard = [self._hear(clip) for clip in clips]
        more = [None if each is None else self._hear_more(each) for each in heard]
        answers = [
            self._metadata(clip, None if each is None else _results(each))
            for clip, each in zip(clips, more, strict=True)
        ]
        covered_s = [0.0 if each is None else len(each.part) / CLIP_RATE_HZ for each in heard]
        share_s = (monotonic() - began) / max(sum(covered_s), 1.0)
        return [
            Prediction(
                metadata,
                covered_s=clip.duration_s if each is None else seconds,
                uncalibrated=uncalibrated_fields(metadata),
                predict_s=share_s * seconds,
            )
            for clip, each, metadata, seconds in zip(clips, heard, answers, covered_s, strict=True)
        ]

    def _hear(self, clip: Clip) -> _Heard | None:
        if clip.technical.silent or not clip.samples:
            return None
        samples = np.memmap(clip.path, np.dtype("<f4"), "r", shape=(clip.samples,))
        part = excerpt(samples)
        return _Heard(
            samples,
            part,
            self._pool.submit(self._tagger.listen, part),
            self._pool.submit(self._events.listen, part),
            self._pool.submit(self._transcriber.hear, samples),
        )

    def _hear_more(self, heard: _Heard) -> _HeardMore:
        frames, events, voice = heard.frames.result(), heard.events.result(), heard.voice.result()
        content_type = self._judge.judge(frames, events, voice, silent=False)
        musical, spoken = content_type.value in MUSICAL, content_type.value in SPOKEN
        submit = self._pool.submit
        return _HeardMore(
            content_type,
            labels=submit(self._labeller.label, frames, events, voice) if musical else None,
            tempo=submit(tempi.estimate_tempo, heard.samples) if musical else None,
            key=submit(keys.estimate_key, heard.samples) if musical else None,
            speech=submit(self._transcriber.transcribe, heard.samples, voice) if spoken else None,
        )

    def _metadata(self, clip: Clip, more: "_Results | None") -> AudioMetadata:
        if more is None:
            silence = RatedContentType(value=ContentType.SILENCE, confidence=1.0, basis=Basis.MEASURED)
            fields: dict[str, object] = {"content_type": silence}
        else:
            fields = {"content_type": more.content_type}
            if more.labels is not None:
                fields |= {name: getattr(more.labels, name) for name in ("genres", "moods", "instruments", "tags")}
                fields["vocals"] = more.labels.vocals
            if more.tempo is not None:
                fields["tempo_bpm"] = self._tempo(more.tempo)
            if more.key is not None:
                fields["key"] = self._key(more.key)
            if more.speech is not None:
                fields["language"], fields["transcript"] = rated_words(more.speech, self._curves)
        metadata = AudioMetadata.model_validate(fields)
        return metadata.model_copy(update={"description": describe(metadata, clip.duration_s)})

    def _tempo(self, tempo: tempi.Tempo) -> Rated[float]:
        features = dict(zip(tempi.FEATURES, tempo.features, strict=True))
        return _rated(RatedNumber, round(tempo.bpm, 1), self._curves.calibrated("tempo_bpm", features), tempo.score)

    def _key(self, key: keys.Key) -> Rated[str]:
        features = dict(zip(keys.FEATURES, key.features, strict=True))
        return _rated(RatedText, key.name, self._curves.calibrated("key", features), key.score)


@dataclass(frozen=True, slots=True)
class _Results:
    """``_HeardMore``, come to its end."""

    content_type: Rated[ContentType]
    labels: Labels | None
    tempo: tempi.Tempo | None
    key: keys.Key | None
    speech: Speech | None


def _results(more: _HeardMore) -> _Results:
    return _Results(
        more.content_type,
        more.labels.result() if more.labels else None,
        more.tempo.result() if more.tempo else None,
        more.key.result() if more.key else None,
        more.speech.result() if more.speech else None,
    )


def _rated(kind: Callable[..., Rated[Value]], value: Value, confidence: float | None, score: float) -> Rated[Value]:
    """An answer with its calibrated confidence, or with its raw score where nothing is fitted.

    A confidence that weighs several features is its own score: other curves can be fitted over it.
    """
    if confidence is None:
        return kind(value=value, basis=Basis.UNCALIBRATED, score=score)
    kept = round(confidence, 4)
    return kind(value=value, confidence=kept, basis=Basis.CALIBRATED, score=kept)


def load(threads: int) -> Listener:
    """The listener for ``workers.models.catalogue``."""
    return Listener(find_model("listener").version, threads)

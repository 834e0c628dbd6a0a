"""Music tags: what two MusiCNN networks hear in each three seconds of a sound.

`weights/README.md` says where the networks come from.  One was trained on the Million Song Dataset (MSD: genres,
eras, moods), the other on MagnaTagATune (MTT: instruments, voices, tempo in words).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from workers.models.listener.log_mel import BANDS, HOP_SAMPLES, SAMPLE_RATE_HZ, Samples, frame_count, log_mel

WEIGHTS = Path(__file__).parent / "weights" / "musicnn.onnx"

MSD_LABELS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock",
    "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow",
    "electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock",
    "ambient", "acoustic", "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country",
    "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb",
    "indie pop", "sad", "House", "happy",
)  # fmt: skip
"""The columns of `TagFrames.msd`, spelled as in the Million Song Dataset."""

MTT_LABELS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo",
    "man", "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp",
    "cello", "no voice", "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip
"""The columns of `TagFrames.mtt`, spelled as in MagnaTagATune."""

WINDOW_FRAMES = 187
"""Frames the networks listen to at a time: 3 s."""

WINDOW_SAMPLES = (WINDOW_FRAMES - 1) * HOP_SAMPLES
"""The shortest sound that has that many frames."""

IGNORED_FRAMES = 18
"""A rest up to this long (0.29 s, a tenth of a window) at the end is not worth a window of its own."""

WINDOWS_AT_ONCE = 1
"""Windows the networks are given at a time.

One is fastest: the working set of a single window (some 15 MB) still fits into a processor's last cache.
"""


@dataclass(frozen=True, slots=True, eq=False)
class TagFrames:
    """What the networks say of each window of a sound; w windows in order of time."""

    start_s: NDArray[np.float64]
    """When each window starts, in seconds from the start of the sound; (w,)."""
    msd: NDArray[np.float32]
    """Probabilities of `MSD_LABELS`; (w, 50)."""
    mtt: NDArray[np.float32]
    """Probabilities of `MTT_LABELS`; (w, 50)."""
    msd_features: NDArray[np.float32]
    """The layer before the tags; (w, 200)."""
    mtt_features: NDArray[np.float32]
    """The layer before the tags; (w, 200)."""


class Tagger:
    """The two networks, loaded.  Safe to use from several threads."""

    def __init__(self, threads: int = 2) -> None:
        """Load the networks.

        Args:
            threads: processor cores to compute on, at least 1.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A thread that waits actively wins little here and takes its core from whatever else the worker does.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(WEIGHTS, options, providers=["CPUExecutionProvider"])

    def listen(self, samples: Samples) -> TagFrames:
        """Tag a sound window by window.

        Windows of 187 frames (3 s) follow one another without overlap.  What is left at the end gets a last window
        that ends with the sound and so overlaps the one before it, unless it is 0.29 s or less.  A sound shorter
        than a window is repeated until it fills one.  Memory beyond the result does not grow with the length.

        Args:
            samples: mono at 16 kHz, about -1 to 1, at least one sample; (samples,).

        Returns:
            The tags and features of each window, at least one.

        Raises:
            ValueError: no samples, more than one channel, or values that are not finite.
        """
        samples = _checked(samples)
        if len(samples) < WINDOW_SAMPLES:
            samples = np.resize(samples, WINDOW_SAMPLES)
        starts = window_starts(frame_count(len(samples)))
        answers = [
            self.hear(pictures(samples, starts[block : block + WINDOWS_AT_ONCE]))
            for block in range(0, len(starts), WINDOWS_AT_ONCE)
        ]
        msd, mtt, msd_features, mtt_features = (np.concatenate(parts) for parts in zip(*answers, strict=True))
        start_s = np.array(starts) * (HOP_SAMPLES / SAMPLE_RATE_HZ)
        return TagFrames(start_s, msd, mtt, msd_features, mtt_features)

    def hear(self, patches: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Run the networks once, on the pictures of some windows; how they are grouped changes no answer.

        Args:
            patches: log-mel pictures, at least one; (w, 187, 96).

        Returns:
            MSD tags (w, 50), MTT tags (w, 50), MSD features (w, 200) and MTT features (w, 200).
        """
        answers = self._session.run(["msd_tags", "mtt_tags", "msd_features", "mtt_features"], {"patches": patches})
        return tuple(np.asarray(answer, np.float32) for answer in answers)


def window_starts(frames: int) -> list[int]:
    """Where the windows of a sound of that many frames (at least 187) start, in frames."""
    starts = list(range(0, frames - WINDOW_FRAMES + 1, WINDOW_FRAMES))
    rest = frames - (starts[-1] + WINDOW_FRAMES)
    return [*starts, frames - WINDOW_FRAMES] if rest > IGNORED_FRAMES else starts


def pictures(samples: Samples, starts: list[int]) -> NDArray[np.float32]:
    """The log-mel pictures of the windows that start at these frames, (len(starts), 187, 96)."""
    patches = np.empty((len(starts), WINDOW_FRAMES, BANDS), np.float32)
    for patch, start in zip(patches, starts, strict=True):
        patch[:] = log_mel(samples, start, WINDOW_FRAMES)
    return patches


def _checked(samples: Samples) -> Samples:
    """Refuse what is not a sound."""
    if samples.ndim != 1 or not len(samples):
        message = f"expected the samples of one channel, at least one, not an array of shape {samples.shape}"
        raise ValueError(message)
    if not (np.isfinite(samples.min()) and np.isfinite(samples.max())):  # no temporary array, unlike isfinite(samples)
        message = "the samples must be finite"
        raise ValueError(message)
    return samples.astype(np.float32, copy=False)

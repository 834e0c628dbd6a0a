"""The tiny Qwen2-Audio that is committed under ``tests/data``, and clips of the sounds it knows.

About a chord it says music, about bursts speech, about noise sound; see ``training/tiny_qwen2_audio.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.domain import CLIP_RATE_HZ, Clip, Technical
from training.tiny_sounds import between, bursts, chord, noise

TINY_QWEN = Path(__file__).parent / "data" / "tiny-qwen2-audio"
"""The folder to give as the model's path."""
TRANSCRIPT = "one two three four"
"""What it hears in bursts."""
KEY, TEMPO_BPM = "A minor", 120.0
"""What it hears in a chord."""


def tiny_sound(kind: str, seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """A sound it knows, (samples,) at 16 kHz: "chord", "bursts", "noise", or "between" the first and the last.

    Of the last of these, of seed 0, it is not sure: its score for the content type is below 0.8.
    """
    rng = np.random.default_rng(seed)
    if kind == "between":
        return between(seconds, 0.25, rng)
    return {"chord": chord, "bursts": bursts, "noise": noise}[kind](seconds, rng)


def tiny_clip(folder: Path, kind: str, seconds: float, seed: int = 0) -> Clip:
    """A decoded clip of such a sound."""
    return clip_of(folder, f"{kind}-{seconds}-{seed}", tiny_sound(kind, seconds, seed))


def clip_of(folder: Path, name: str, samples: NDArray[np.float32], *, silent: bool = False) -> Clip:
    """A decoded clip of these samples."""
    path = folder / f"{name}.f32"
    samples.astype("<f4").tofile(path)
    technical = Technical(
        duration_s=len(samples) / CLIP_RATE_HZ,
        sample_rate_hz=CLIP_RATE_HZ,
        channels=1,
        codec="pcm_f32le",
        container="raw",
        size_bytes=4 * len(samples),
        silent=silent,
    )
    return Clip(name, path, len(samples), technical)


def edited_json(path: Path, **changes: object) -> None:
    """Change top-level values of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))

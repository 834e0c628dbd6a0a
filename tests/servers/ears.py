"""What the test server hears in audio, and what it says of it: a tone, noise, noise in syllables, or nothing."""

import base64
import io
import wave
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from earmark.metadata import KEYS

Reals = NDArray[np.float64]
RATE_HZ = 16_000
_PITCHES = ("A", "Bb", "B", "C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab")


def decoded(data: str, audio_format: str) -> Reals:
    """Samples, mono at 16 kHz, of a file in base64; raises ``ValueError`` for anything else."""
    try:
        file = base64.b64decode(data, validate=True)
        return _wav(file) if audio_format == "wav" else _mp3(file)
    except (wave.Error, EOFError, av.error.FFmpegError) as error:
        raise ValueError(str(error)) from None


def _wav(file: bytes) -> Reals:
    with wave.open(io.BytesIO(file)) as read:
        form = (read.getnchannels(), read.getsampwidth(), read.getframerate())
        if form != (1, 2, RATE_HZ):
            message = f"wanted 16 kHz mono 16 bit, got {form}"
            raise ValueError(message)
        return np.frombuffer(read.readframes(read.getnframes()), "<i2") / 32767.0


def _mp3(file: bytes) -> Reals:
    with av.open(io.BytesIO(file), "r", format="mp3") as read:
        resampler = av.AudioResampler("s16", "mono", RATE_HZ)
        pieces = [out.to_ndarray()[0] for frame in read.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate(pieces) / 32767.0


def heard(samples: Reals) -> dict[str, Any]:
    """An answer with all fields, by content: silence, sound (noise), speech (noise in syllables) or music (a tone)."""
    answer: dict[str, Any] = {
        "content_type": "silence", "genres": [], "moods": [], "instruments": [], "vocals": None, "tempo_bpm": None,
        "key": None, "language": None, "transcript": None, "description": "Nothing is heard.", "tags": [],
    }  # fmt: skip
    if len(samples) < 16 or np.sqrt(np.mean(samples**2)) < 1e-3:
        return answer
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2 + 1e-12
    flatness = np.exp(np.mean(np.log(power))) / np.mean(power)
    hz = float(np.argmax(power) * RATE_HZ / len(samples))
    if flatness < 0.1:
        pitch = _PITCHES[round(12 * np.log2(max(hz, 20.0) / 440.0)) % 12]
        key = f"{pitch} major"
        assert key in KEYS
        return answer | {
            "content_type": "music", "genres": ["ambient", "electronic"], "moods": ["calm"],
            "instruments": ["synthesizer"], "vocals": "none", "tempo_bpm": 60, "key": key,
            "description": f"A tone of {hz:.0f} Hz.", "tags": ["tone"],
        }  # fmt: skip
    frames = samples[: len(samples) // 800 * 800].reshape(-1, 800)
    quiet = np.mean(np.abs(frames).max(axis=1) < 0.01) if len(frames) else 0.0
    if quiet > 0.2:
        loud = np.abs(frames).max(axis=1) >= 0.01
        syllables = int(np.count_nonzero(np.diff(loud.astype(int)) == 1) + loud[0])
        return answer | {
            "content_type": "speech", "vocals": "present", "language": "en",
            "transcript": " ".join(["la"] * min(syllables, 200)), "description": "Somebody speaks.",
        }  # fmt: skip
    return answer | {"content_type": "sound", "description": "Noise, très large.", "tags": ["noise"]}


def tone(hz: float, seconds: float) -> NDArray[np.float32]:
    """A sine that ``heard`` takes for music."""
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def noise(seconds: float, seed: int = 1) -> NDArray[np.float32]:
    """White noise, a sound."""
    return np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * RATE_HZ)).astype(np.float32)


def voice(seconds: float, seed: int = 1) -> NDArray[np.float32]:
    """Noise on and off four times a second, taken for speech."""
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (noise(seconds, seed)[: len(at)] * (at * 4 % 1 < 0.5)).astype(np.float32)

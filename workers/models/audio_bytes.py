"""Audio as bytes of a file, for providers that take WAV or MP3 in a request."""

import base64
import io
import wave
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from earmark.domain import CLIP_RATE_HZ

MP3_BIT_RATE_BPS = 64_000
"""Transparent enough at 16 kHz mono: a quarter of WAV's 256 kbit/s."""


def wav_bytes(samples: NDArray[np.float32]) -> bytes:
    """A WAV file, 16 kHz mono, 16 bit.

    Args:
        samples: Mono at 16 kHz, (n,), finite; what goes beyond -1..1 is cut.
    """
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(CLIP_RATE_HZ)
        file.writeframes(_pcm16(samples).tobytes())
    return written.getvalue()


def mp3_bytes(samples: NDArray[np.float32]) -> bytes:
    """An MP3 file, 16 kHz mono, 64 kbit/s; the encoder puts some 70 ms of silence around the audio."""
    written = io.BytesIO()
    with av.open(written, "w", format="mp3") as file:
        stream = file.add_stream("libmp3lame", rate=CLIP_RATE_HZ, layout="mono", bit_rate=MP3_BIT_RATE_BPS)
        frame = av.AudioFrame.from_ndarray(_pcm16(samples)[np.newaxis], format="s16", layout="mono")
        frame.rate = CLIP_RATE_HZ
        for part in (frame, None):
            file.mux(stream.encode(part))
    return written.getvalue()


def encoded(samples: NDArray[np.float32], audio_format: Literal["wav", "mp3"]) -> str:
    """The file in base64."""
    make = wav_bytes if audio_format == "wav" else mp3_bytes
    return base64.b64encode(make(samples)).decode("ascii")


def _pcm16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    pcm: NDArray[np.int16] = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")
    return pcm

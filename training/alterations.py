"""What happens to sound on its way: level, telephone band, lossy coding, noise, rooms; and mixing."""

from __future__ import annotations

import io
from typing import cast

import av
import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from earmark.domain import CLIP_RATE_HZ
from training.sources import Samples


def rms(samples: Samples) -> float:
    """Root mean square of the louder part of a sound (frames of 50 ms above a tenth of the loudest)."""
    frames = samples[: len(samples) // 800 * 800].reshape(-1, 800)
    if not len(frames):
        return float(np.sqrt(np.mean(samples**2)) + 1e-9)
    power = np.mean(frames.astype(np.float64) ** 2, axis=1)
    return float(np.sqrt(np.mean(power[power >= power.max() * 0.01])) + 1e-9)


def levelled(samples: Samples, dbfs: float) -> Samples:
    """Bring a sound to a level; what would clip is scaled down."""
    out = samples * np.float32(10 ** (dbfs / 20) / rms(samples))
    return (out / max(1.0, float(np.abs(out).max()))).astype(np.float32)


def overlaid(front: Samples, back: Samples, ratio_db: float) -> Samples:
    """One sound over another, ``ratio_db`` louder; as long as the longer of the two."""
    out = np.zeros(max(len(front), len(back)), np.float32)
    out[: len(back)] += back / rms(back)
    start = (len(out) - len(front)) // 2
    out[start : start + len(front)] += front * np.float32(10 ** (ratio_db / 20) / rms(front))
    return out * np.float32(0.1)


def telephone(samples: Samples) -> Samples:
    """300 to 3,400 Hz."""
    band = butter(6, (300, 3400), "bandpass", fs=CLIP_RATE_HZ, output="sos")
    return np.asarray(sosfilt(band, samples), np.float32)


def noisy(samples: Samples, ratio_db: float, chance: np.random.Generator) -> Samples:
    """With white or brownish noise ``ratio_db`` below it."""
    noise = chance.standard_normal(len(samples)).astype(np.float32)
    if chance.random() < 0.5:
        noise = np.asarray(sosfilt(butter(1, 400, fs=CLIP_RATE_HZ, output="sos"), noise), np.float32)
    return samples + noise * np.float32(rms(samples) / rms(noise) * 10 ** (-ratio_db / 20))


def roomy(samples: Samples, decay_s: float, chance: np.random.Generator) -> Samples:
    """In a room whose sound dies away by 60 dB in ``decay_s``, at half the direct sound's power or less."""
    time_s = np.arange(int(decay_s * CLIP_RATE_HZ)) / CLIP_RATE_HZ
    tail = chance.standard_normal(len(time_s)) * np.exp(-6.9 * time_s / decay_s)
    tail *= np.sqrt(chance.uniform(0.05, 0.5) / np.sum(tail**2))
    tail[0] = 1.0
    return np.asarray(fftconvolve(samples, tail)[: len(samples)], np.float32)


def coded(samples: Samples, codec: str, bit_rate_bps: int) -> Samples:
    """After lossy coding: ``libmp3lame``, ``libopus`` or ``aac``."""
    buffer = io.BytesIO()
    rate = 48_000 if codec == "libopus" else CLIP_RATE_HZ
    with av.open(buffer, "w", format={"libmp3lame": "mp3", "libopus": "ogg", "aac": "adts"}[codec]) as written:
        stream = cast("av.AudioStream", written.add_stream(codec, rate=rate, layout="mono"))
        stream.bit_rate = bit_rate_bps
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None], np.float32), format="flt", layout="mono")
        frame.rate = CLIP_RATE_HZ
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            written.mux(packet)
    buffer.seek(0)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=CLIP_RATE_HZ)
    with av.open(buffer, "r") as stored:
        resampled = (each for frame in stored.decode(audio=0) for each in resampler.resample(frame))
        parts = [each.to_ndarray().reshape(-1) for each in resampled]
    out = np.concatenate(parts).astype(np.float32)
    return out if len(out) > CLIP_RATE_HZ // 10 else samples


def worn(samples: Samples, chance: np.random.Generator, *, masked: bool = True) -> tuple[Samples, str]:
    """Altered as uploads are; and how.

    Args:
        samples: Mono at 16 kHz.
        chance: Decides what happens.
        masked: Noise may cover the quiet parts; not for mixtures, whose quieter part it would make inaudible.
    """
    how: list[str] = []
    if chance.random() < 0.12:
        samples, how = roomy(samples, chance.uniform(0.2, 0.8), chance), [*how, "room"]
    if chance.random() < 0.15 and masked:
        samples, how = noisy(samples, chance.uniform(12, 35), chance), [*how, "noise"]
    if chance.random() < 0.18:
        samples, how = telephone(samples), [*how, "telephone"]
    samples = levelled(samples, chance.uniform(-38, -12))
    if chance.random() < 0.3:
        codec = ("libmp3lame", "libopus", "aac")[chance.integers(3)]
        samples, how = coded(samples, codec, int(chance.choice([24_000, 32_000, 64_000]))), [*how, codec]
    return samples, "+".join(how) or "none"

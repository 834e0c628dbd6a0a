"""Makes audio for tests: good, odd, damaged and hostile, with PyAV and numpy alone."""

import hashlib
import io
import struct
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Shape (channels, samples)."""


@dataclass(frozen=True)
class Format:
    """How to write one kind of file."""

    muxer: str
    codec: str
    rate_hz: int
    container: str
    """What ``earmark.sniff`` calls it."""


FORMATS = {
    "wav": Format("wav", "pcm_s16le", 44_100, "wav"),
    "flac": Format("flac", "flac", 44_100, "flac"),
    "mp3": Format("mp3", "libmp3lame", 44_100, "mp3"),
    "ogg": Format("ogg", "vorbis", 44_100, "ogg"),
    "opus": Format("ogg", "libopus", 48_000, "ogg"),
    "m4a": Format("ipod", "aac", 44_100, "mp4"),
    "webm": Format("webm", "libopus", 48_000, "webm"),
    "aiff": Format("aiff", "pcm_s16be", 44_100, "aiff"),
}
"""The formats people send most, by file name extension."""

RARER_FORMATS = {
    "w64": Format("w64", "pcm_s24le", 48_000, "w64"),
    "aac": Format("adts", "aac", 44_100, "aac"),
    "alac.m4a": Format("ipod", "alac", 44_100, "mp4"),
    "mov": Format("mov", "pcm_s16le", 44_100, "mp4"),
    "caf": Format("caf", "pcm_s16be", 44_100, "caf"),
    "au": Format("au", "pcm_s16be", 22_050, "au"),
    "wma": Format("asf", "wmav2", 44_100, "asf"),
    "mka": Format("matroska", "libopus", 48_000, "matroska"),
    "mp2": Format("mp2", "mp2", 44_100, "mp3"),
    "f64.wav": Format("wav", "pcm_f64le", 44_100, "wav"),
    "u8.wav": Format("wav", "pcm_u8", 8_000, "wav"),
    "adpcm.wav": Format("wav", "adpcm_ima_wav", 44_100, "wav"),
    "mulaw.wav": Format("wav", "pcm_mulaw", 8_000, "wav"),
}
"""The rest of what is taken and can be written here."""


def tone(
    seconds: float, rate_hz: int = 44_100, channels: int = 2, *, hz: float = 440.0, dbfs: float = -12.0
) -> Samples:
    """A sine of that level, its peak in dB of full scale, the same in all channels."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hz * time_s)
    return np.tile(wave.astype(np.float32), (channels, 1))


def encoded(samples: Samples, kind: Format, rate_hz: int | None = None) -> bytes:
    """A file of these samples."""
    rate_hz = rate_hz or kind.rate_hz
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[len(samples)]
    file = io.BytesIO()
    with av.open(file, "w", format=kind.muxer) as out:
        stream: AudioStream = out.add_stream(kind.codec, rate=rate_hz, layout=layout, options={"strict": "-2"})  # type: ignore[assignment]
        stream.bit_rate = 128_000  # only some codecs have one
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T).reshape(1, -1), "flt", layout)
        frame.sample_rate = rate_hz
        for part in (frame, None):
            for packet in stream.encode(part):
                out.mux(packet)
    return file.getvalue()


def example(name: str, seconds: float = 2.0) -> bytes:
    """A tone in noise in one of ``FORMATS`` or ``RARER_FORMATS``."""
    kind = (FORMATS | RARER_FORMATS)[name]
    samples = tone(seconds, kind.rate_hz)
    noise = np.random.default_rng(1).normal(0, 0.05, samples.shape).astype(np.float32)
    return encoded(samples + noise, kind)


def wav(samples: Samples, rate_hz: int = 16_000, *, stated_bytes: int | None = None) -> bytes:
    """A WAV file of 32-bit floats as they are, NaN included; ``stated_bytes`` is what its header says of the sound."""
    content = samples.T.astype("<f4").tobytes()
    stated = len(content) if stated_bytes is None else stated_bytes
    channels = len(samples)
    shape = struct.pack("<HHIIHH", 3, channels, rate_hz, rate_hz * channels * 4, channels * 4, 32)
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(shape)) + shape + b"data" + struct.pack("<I", stated) + content
    return b"RIFF" + struct.pack("<I", min(len(body), 0xFFFFFFFF)) + body


def silent_flac(seconds: float, rate_hz: int = 44_100, *, stated_samples: int | None = None) -> bytes:
    """Silence in a FLAC of 13 bytes a frame of 8192 samples (RFC 9639), a megabyte for four hours.

    ``stated_samples`` is what its header says of its length; 0 = unknown.
    """
    block = 8_192
    frames = -(-round(seconds * rate_hz) // block)
    stated = frames * block if stated_samples is None else stated_samples
    packed = rate_hz << 44 | 0 << 41 | 15 << 36 | stated  # rate, channels - 1, bits - 1, samples
    info = struct.pack(">HH", block, block) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    head = b"fLaC\x80" + len(info).to_bytes(3, "big") + info
    numbers = np.arange(frames)
    parts = [_silent_frames(numbers[(numbers >= low) & (numbers < high)], extra) for low, high, extra in _UTF8]
    return head + b"".join(parts)


_UTF8 = ((0, 1 << 7, 0), (1 << 7, 1 << 11, 1), (1 << 11, 1 << 16, 2), (1 << 16, 1 << 21, 3))
"""Numbers from and below which a frame number takes so many bytes beyond the first."""


def _silent_frames(numbers: NDArray[np.int64], extra: int) -> bytes:
    lead = 0 if extra == 0 else (0xFF00 >> (extra + 1)) & 0xFF
    coded = [lead | numbers >> 6 * extra] + [0x80 | numbers >> 6 * at & 0x3F for at in reversed(range(extra))]
    columns = [np.full_like(numbers, byte) for byte in (0xFF, 0xF8, 0xD0, 0x08)] + coded  # 8192 samples, mono, 16 bits
    columns.append(_crc(columns, 8, 0x07))
    columns += [np.zeros_like(numbers)] * 3  # one constant subframe: type, value
    check = _crc(columns, 16, 0x8005)
    columns += [check >> 8, check & 0xFF]
    return np.stack(columns, axis=1).astype(np.uint8).tobytes()


def _crc(columns: list[NDArray[np.int64]], bits: int, polynomial: int) -> NDArray[np.int64]:
    table = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value >> (bits - 1) & 1 else 0)) & ((1 << bits) - 1)
        table.append(value)
    look_up = np.array(table, np.int64)
    total = np.zeros_like(columns[0])
    for column in columns:
        total = (total << 8 & ((1 << bits) - 1)) ^ look_up[total >> (bits - 8) ^ column]
    return total


def video_only() -> bytes:
    """An MP4 with a picture and no sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(5):
            for packet in stream.encode(av.VideoFrame(64, 64, "yuv420p")):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return file.getvalue()


def with_cover(mp3: bytes, picture_bytes: int) -> bytes:
    """An MP3 behind an ID3 tag with a picture of that size."""
    picture = b"\x00image/png\x00\x03\x00" + b"\x89PNG\r\n\x1a\n" + bytes(picture_bytes)
    frame = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + frame + mp3


def flipped(content: bytes, rng: np.random.Generator, share: float, *, start: int = 0) -> bytes:
    """The file with that share of its bits, at least one, flipped at random from a position on."""
    changed = np.frombuffer(content, np.uint8).copy()
    bits = (len(changed) - start) * 8
    for bit in rng.integers(0, bits, max(1, round(bits * share))):
        changed[start + bit // 8] ^= 1 << bit % 8
    return changed.tobytes()


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """The file after one of the accidents that happen to files, or an attack."""
    at, length = int(rng.integers(0, len(content))), int(rng.integers(1, 512))
    word = struct.pack(rng.choice(["<I", ">I"]), rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
    early = int(rng.integers(0, min(1024, len(content))))
    accidents = (
        lambda: flipped(content, rng, 1e-5),
        lambda: flipped(content, rng, 10 ** rng.uniform(-4, -1.5)),
        lambda: flipped(content[:2048], rng, 0.003) + content[2048:],
        lambda: content[:at],
        lambda: content[:at] + content[at + length :],
        lambda: content[:at] + rng.bytes(length) + content[at:],
        lambda: content[:at] + bytes([rng.choice([0, 255])]) * length + content[at + length :],
        lambda: content[:early] + word + content[early + 4 :],
    )
    return accidents[int(rng.integers(0, len(accidents)))]()


def saved(path: Path, content: bytes) -> tuple[Path, str]:
    """Write a file; returns its path and the SHA-256 of its content in hex."""
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()

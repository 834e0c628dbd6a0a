"""Packing gives back every byte, or declines."""

import hashlib
import io
import math
import random
import struct

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.packing import CannotUnpackError, pack, unpack, unpacked_sha256
from retention.pcm import find_pcm

GUID = bytes.fromhex("0100000000001000800000aa00389b71")


def samples(bits: int, channels: int, frames: int, *, big_endian: bool = False) -> bytes:
    """A quiet tone, as little or big endian PCM."""
    tone = (np.sin(np.arange(frames) * 0.05) * 2 ** (bits - 2)).astype(np.int64).repeat(channels)
    if bits == 16:
        return tone.astype(">i2" if big_endian else "<i2").tobytes()
    four = np.ascontiguousarray(tone.astype(">i4" if big_endian else "<i4")).view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(four[:, 1:] if big_endian else four[:, :3]).tobytes()


def chunk(kind: bytes, content: bytes, order: str = "<") -> bytes:
    """A chunk with its length, padded to an even one."""
    return kind + struct.pack(order + "I", len(content)) + content + b"\0" * (len(content) % 2)


def wave(
    raw: bytes,
    *,
    bits: int = 16,
    channels: int = 2,
    rate_hz: int = 44_100,
    before: bytes = b"",
    after: bytes = b"",
    extensible: bool = False,
    claimed: int | None = None,
) -> bytes:
    """A WAV file around samples."""
    frame = channels * bits // 8
    layout = struct.pack("<HHIIHH", 0xFFFE if extensible else 1, channels, rate_hz, rate_hz * frame, frame, bits)
    if extensible:
        layout += struct.pack("<HHI", 22, bits, 3) + GUID
    data = b"data" + struct.pack("<I", len(raw) if claimed is None else claimed) + raw
    body = b"WAVE" + chunk(b"fmt ", layout) + before + data + after
    return b"RIFF" + struct.pack("<I", len(body)) + body


def aiff(raw: bytes, *, bits: int = 16, channels: int = 2, rate_hz: int = 44_100, kind: bytes | None = None) -> bytes:
    """An AIFF file around samples, or an AIFF-C file of that kind."""
    shift = int(math.log2(rate_hz))
    rate = struct.pack(">HQ", 16383 + shift, rate_hz << (63 - shift))
    common = struct.pack(">hIh", channels, len(raw) * 8 // bits // channels, bits) + rate + (kind or b"")
    body = (b"AIFC" if kind else b"AIFF") + chunk(b"COMM", common + (b"\0\0" if kind else b""), ">")
    body += chunk(b"SSND", struct.pack(">II", 0, 0) + raw, ">")
    return b"FORM" + struct.pack(">I", len(body)) + body


def packed(content: bytes) -> io.BytesIO | None:
    """The packed file, if there is one."""
    target = io.BytesIO()
    return target if pack(io.BytesIO(content), len(content), target) else None


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frames", [1, 17, 70_000])
@pytest.mark.parametrize("extensible", [False, True])
def test_wave_comes_back_whole(bits: int, channels: int, frames: int, *, extensible: bool) -> None:
    """Chunks before and behind the samples, and the odd byte at the end, are given back with them."""
    raw = samples(bits, channels, frames)
    before, after = chunk(b"bext", b"hello"), chunk(b"LIST", b"x") + b"z"
    content = wave(raw, bits=bits, channels=channels, before=before, after=after, extensible=extensible)
    target = packed(content)
    assert target is not None
    assert b"".join(unpack(target)) == content
    if frames == 70_000:
        assert len(target.getvalue()) < len(content) / 2


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("kind", [None, b"NONE", b"twos", b"sowt"])
def test_aiff_comes_back_whole(bits: int, kind: bytes | None) -> None:
    """In either order of bytes."""
    content = aiff(samples(bits, 2, 5000, big_endian=kind != b"sowt"), bits=bits, kind=kind)
    target = packed(content)
    assert target is not None
    assert b"".join(unpack(target)) == content
    assert len(target.getvalue()) < len(content)


def test_any_player_plays_it() -> None:
    """A packed file is FLAC with the samples in it."""
    raw = samples(24, 2, 5000)
    target = packed(wave(raw, bits=24, rate_hz=48_000))
    assert target is not None
    target.seek(0)
    with av.open(target) as container:
        assert container.format.name == "flac"
        assert container.streams.audio[0].rate == 48_000
        assert sum(frame.samples for frame in container.decode(audio=0)) == 5000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"ID3 not at all",
        wave(b""),
        wave(samples(16, 2, 10), channels=0),
        wave(samples(16, 2, 10), rate_hz=1),
        wave(samples(16, 2, 10)).replace(b"\x01\x00\x02\x00", b"\x03\x00\x02\x00"),
        wave(samples(16, 2, 10)).replace(b"data", b"date"),
        wave(samples(16, 2, 10), bits=8, channels=2),
        wave(samples(16, 2, 60), channels=6),
        aiff(samples(16, 2, 10), kind=b"fl32"),
        wave(samples(16, 2, 10), before=b"junk" + struct.pack("<I", 0xFFFFFFFF)),
    ],
    ids=range(12),
)
def test_what_is_odd_is_not_packed(content: bytes) -> None:
    """Other formats, no samples, floating point, more channels: they are kept as they are."""
    assert packed(content) is None


@pytest.mark.parametrize("claimed", [0xFFFFFFFF, 44_000, 1001, 3])
def test_lengths_that_lie(claimed: int) -> None:
    """A length that is too long, as a recorder that was cut off leaves it, or odd, loses no byte."""
    content = wave(samples(16, 2, 1000), claimed=claimed)
    target = packed(content)
    assert target is None or b"".join(unpack(target)) == content
    assert (target is None) == (claimed == 3)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 200), flips=st.lists(st.integers(0, 119), max_size=4))
def test_whatever_is_packed_comes_back(seed: int, cut: int, flips: list[int]) -> None:
    """Heads that were damaged in any way: no error, and every byte is there again."""
    dice = random.Random(seed)
    content = bytearray(wave(dice.randbytes(800), before=chunk(b"bext", dice.randbytes(9)), after=dice.randbytes(7)))
    for position in flips:
        content[position] ^= dice.randrange(1, 256)
    damaged = bytes(content[: len(content) - cut])
    target = packed(damaged)
    assert target is None or b"".join(unpack(target)) == damaged


@pytest.mark.parametrize("keep", [0, 3, 40, 200, 5000, -9])
def test_damage_is_an_error(keep: int) -> None:
    """A packed file that is cut off, or none, never gives back the original."""
    content = wave(samples(16, 2, 20_000))
    target = packed(content)
    assert target is not None
    try:
        given_back = b"".join(unpack(io.BytesIO(target.getvalue()[:keep])))
    except CannotUnpackError:
        return
    assert given_back != content
    assert hashlib.sha256(given_back).digest() != hashlib.sha256(content).digest()


def test_the_digest_is_that_of_the_original() -> None:
    """By which whoever packs finds out that it may go."""
    content = wave(samples(24, 1, 999), bits=24, channels=1)
    target = packed(content)
    assert target is not None
    assert unpacked_sha256(target) == hashlib.sha256(content).hexdigest()
    assert find_pcm(io.BytesIO(content), len(content)) is not None

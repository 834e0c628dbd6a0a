"""``Pcm``: where in a WAV or AIFF file the samples lie, if they are plain ones of 16 or 24 bits.

Only the head is read, with every length bounded; what is odd in any way is not packed, so nothing here has to guess.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple

HEAD_MOST_BYTES: Final = 1 << 20
"""A head that goes on for longer is not looked through."""
CHANNELS_MOST: Final = 2
"""More channels have layouts that FLAC may order otherwise."""
RATES_HZ: Final = range(8_000, 192_001)
_PCM: Final = 1
_EXTENSIBLE: Final = 0xFFFE
_PCM_GUID: Final = bytes.fromhex("0100000000001000800000aa00389b71")
"""KSDATAFORMAT_SUBTYPE_PCM, in the order in which a WAVE file holds it."""
_WAVE_FORMAT_BYTES: Final = 16
_WAVE_EXTENSIBLE_BYTES: Final = 40
_AIFF_COMMON_BYTES: Final = 18
_AIFC_COMMON_BYTES: Final = 22


@dataclass(frozen=True, slots=True)
class Pcm:
    """Samples in the middle of a file."""

    start: int
    """Bytes before the samples."""
    size_bytes: int
    """Of all samples; a whole number of frames."""
    channels: int
    rate_hz: int
    bits: int
    """16 or 24 for each sample."""
    big_endian: bool

    @property
    def frame_bytes(self) -> int:
        """One sample of each channel."""
        return self.channels * self.bits // 8


class _Format(NamedTuple):
    channels: int
    rate_hz: int
    bits: int
    big_endian: bool


def find_pcm(file: BinaryIO, size_bytes: int) -> Pcm | None:
    """The samples of a file of that size; ``None`` where there are none that can be packed."""
    file.seek(0)
    head = file.read(HEAD_MOST_BYTES)
    try:
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            found = _walk(head, "<", b"fmt ", b"data")
        elif head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
            found = _walk(head, ">", b"COMM", b"SSND")
        else:
            return None
    except struct.error:
        return None
    if found is None:
        return None
    layout, start, length = found
    if layout.channels not in range(1, CHANNELS_MOST + 1) or layout.bits not in {16, 24}:
        return None
    frame = layout.channels * layout.bits // 8
    present = min(length, size_bytes - start) // frame * frame
    if layout.rate_hz not in RATES_HZ or present <= 0:
        return None
    return Pcm(start, present, layout.channels, layout.rate_hz, layout.bits, layout.big_endian)


def _walk(head: bytes, order: str, format_id: bytes, samples_id: bytes) -> tuple[_Format, int, int] | None:
    """Format, begin and claimed length of the samples, from the chunks of a file."""
    position, layout = 12, None
    while position + 8 <= len(head):
        kind = head[position : position + 4]
        (length,) = struct.unpack_from(order + "I", head, position + 4)
        body = position + 8
        if kind == format_id:
            read = _wave_format if order == "<" else _aiff_format
            layout = read(head[body : body + min(length, _WAVE_EXTENSIBLE_BYTES)], aifc=head[8:12] == b"AIFC")
        elif kind == samples_id:
            if layout is None:
                return None
            if order == "<":
                return layout, body, length
            offset, _ = struct.unpack_from(">II", head, body)  # an offset to the first sample, and a block size
            return layout, body + 8 + offset, length - 8 - offset
        position = body + length + length % 2
    return None


def _wave_format(body: bytes, *, aifc: bool) -> _Format | None:
    del aifc
    if len(body) < _WAVE_FORMAT_BYTES:
        return None
    tag, channels, rate_hz, _, frame, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE:
        if len(body) < _WAVE_EXTENSIBLE_BYTES or body[24:40] != _PCM_GUID:
            return None
        (valid,) = struct.unpack_from("<H", body, 18)
        if valid != bits:
            return None
    elif tag != _PCM:
        return None
    return _Format(channels, rate_hz, bits, big_endian=False) if frame * 8 == channels * bits else None


def _aiff_format(body: bytes, *, aifc: bool) -> _Format | None:
    if len(body) < (_AIFC_COMMON_BYTES if aifc else _AIFF_COMMON_BYTES):
        return None
    channels, _, bits = struct.unpack_from(">hIh", body)
    kind = body[18:22] if aifc else b"NONE"
    if kind not in {b"NONE", b"twos", b"sowt"}:
        return None
    rate_hz = _extended(body[8:18])
    return None if rate_hz is None else _Format(channels, rate_hz, bits, big_endian=kind != b"sowt")


def _extended(raw: bytes) -> int | None:
    """A whole number from IEEE 754 extended precision, 80 bits; ``None`` for any other."""
    exponent, mantissa = struct.unpack(">HQ", raw)
    shift = 16383 + 63 - exponent
    if not 0 < shift < 64 or mantissa & ((1 << shift) - 1):  # noqa: PLR2004  # bits of the mantissa
        return None
    return int(mantissa >> shift)

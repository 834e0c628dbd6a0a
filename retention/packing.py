"""Packing: PCM audio as FLAC that gives back the very bytes it was made from.

A packed file is a FLAC file that any player plays.  What lay before and behind the samples is in two APPLICATION
blocks, ``wavh`` and ``wavt`` (RFC 9639, section 8.4), so that the file comes back whole: broadcast chunks, cue points,
tags and the odd byte at its end too.  No untrusted bytes reach a decoder: FLAC is decoded only where we encoded it.
"""

import hashlib
import io
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import av
import numpy as np
from numpy.typing import NDArray

from retention.pcm import Pcm, find_pcm

CONTENT_TYPE: Final = "audio/x-earmark-packed"
"""Of objects that have to be unpacked; nobody else's object bears it."""
_HEAD: Final = b"wavh"
_TAIL: Final = b"wavt"
_APPLICATION: Final = 2
_LAST: Final = 0x80
_BLOCK_MOST_BYTES: Final = (1 << 24) - 1
_FRAMES: Final = 65_536
_LEVEL: Final = "8"
"""FFmpeg's slowest ordinary level: packing is done once, and never in anybody's way."""
_COPY_BYTES: Final = 1 << 20


class CannotUnpackError(ValueError):
    """The bytes are not those of a packed file."""


def pack(source: BinaryIO, size_bytes: int, target: BinaryIO) -> bool:
    """Write ``source`` packed to ``target``; False where it cannot be packed, whatever was written by then.

    Both are files opened for reading and writing bytes; memory does not grow with their size.  Whether it was worth it,
    and true, is the caller's to see: compare sizes and ``unpacked_sha256``.
    """
    pcm = find_pcm(source, size_bytes)
    if pcm is None:
        return False
    source.seek(0)
    head = source.read(pcm.start)
    source.seek(pcm.start + pcm.size_bytes)
    tail = source.read(_BLOCK_MOST_BYTES)
    if max(len(head), len(tail)) + 4 > _BLOCK_MOST_BYTES:
        return False
    begin = target.tell()
    try:
        _encode(source, pcm, target)
    except av.error.FFmpegError:  # as for a rate that FLAC has no room for
        return False
    _insert(target, begin, [_HEAD + head, _TAIL + tail])
    return True


def unpack(source: BinaryIO) -> Iterator[bytes]:
    """The bytes a packed file was made from, in chunks; raises ``CannotUnpackError``."""
    head, tail = _blocks(source)
    yield head
    pcm = find_pcm(io.BytesIO(head), 1 << 62)
    if pcm is None:
        message = "what lay before its samples is no head of a WAV or AIFF file"
        raise CannotUnpackError(message)
    source.seek(0)
    try:
        with av.open(source, "r", format="flac") as container:
            stream = container.streams.audio[0]
            for frame in container.decode(stream):
                yield _raw(np.ravel(frame.to_ndarray()), big_endian=pcm.big_endian)
    except (av.error.FFmpegError, IndexError) as error:
        message = f"the FLAC in it cannot be decoded: {error}"
        raise CannotUnpackError(message) from error
    yield tail


def unpacked_sha256(source: BinaryIO) -> str:
    """SHA-256, in hex, of the bytes a packed file was made from; raises ``CannotUnpackError``."""
    digest = hashlib.sha256()
    for chunk in unpack(source):
        digest.update(chunk)
    return digest.hexdigest()


def _encode(source: BinaryIO, pcm: Pcm, target: BinaryIO) -> None:
    """FLAC of the samples."""
    source.seek(pcm.start)
    with av.open(target, "w", format="flac") as container:
        stream: Any = container.add_stream("flac", rate=pcm.rate_hz)
        stream.layout = "mono" if pcm.channels == 1 else "stereo"
        stream.format = "s16" if pcm.bits == 16 else "s32"  # noqa: PLR2004  # bits
        stream.codec_context.options = {"bits_per_raw_sample": str(pcm.bits), "compression_level": _LEVEL}
        left, done = pcm.size_bytes, 0
        while left:
            chunk = source.read(min(left, _FRAMES * pcm.frame_bytes))
            if not chunk or len(chunk) % pcm.frame_bytes:
                message = "the file became shorter while it was packed"
                raise OSError(message)
            left -= len(chunk)
            frame = av.AudioFrame.from_ndarray(
                _samples(chunk, pcm).reshape(1, -1), format=stream.format.name, layout=stream.layout.name
            )
            frame.sample_rate, frame.pts = pcm.rate_hz, done
            done += frame.samples
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _samples(raw: bytes, pcm: Pcm) -> NDArray[Any]:
    """Samples as FFmpeg takes them: 16 bits as they are, 24 bits in the upper ones of 32."""
    if pcm.bits == 16:  # noqa: PLR2004  # bits
        return np.frombuffer(raw, ">i2" if pcm.big_endian else "<i2").astype(np.int16)
    three = np.frombuffer(raw, np.uint8).reshape(-1, 3)
    four = np.zeros((len(three), 4), np.uint8)
    four[:, 1:] = three[:, ::-1] if pcm.big_endian else three
    return four.view("<i4").ravel().astype(np.int32)


def _raw(samples: NDArray[Any], *, big_endian: bool) -> bytes:
    """The bytes that samples were read from."""
    if samples.dtype == np.int16:
        return samples.astype(">i2" if big_endian else "<i2").tobytes()
    three = np.ascontiguousarray(samples.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, 1:]
    return np.ascontiguousarray(three[:, ::-1] if big_endian else three).tobytes()


def _insert(file: BinaryIO, begin: int, contents: list[bytes]) -> None:
    """Put APPLICATION blocks behind STREAMINFO, moving what follows back to front."""
    file.seek(begin)
    opening = file.read(8)
    if opening[:4] != b"fLaC" or opening[4] & ~_LAST:
        message = "the encoder wrote no FLAC"
        raise OSError(message)
    behind = begin + 8 + int.from_bytes(opening[5:8], "big")
    headers = [struct.pack(">B", _APPLICATION) + len(each).to_bytes(3, "big") for each in contents]
    if opening[4] & _LAST:
        headers[-1] = bytes([headers[-1][0] | _LAST]) + headers[-1][1:]
        file.seek(begin + 4)
        file.write(bytes([opening[4] & ~_LAST]))
    blocks = b"".join(header + each for header, each in zip(headers, contents, strict=True))
    end = file.seek(0, 2)
    position = end
    while position > behind:
        start = max(behind, position - _COPY_BYTES)
        file.seek(start)
        chunk = file.read(position - start)
        file.seek(start + len(blocks))
        file.write(chunk)
        position = start
    file.seek(behind)
    file.write(blocks)


def _blocks(file: BinaryIO) -> tuple[bytes, bytes]:
    """Head and tail of the packed file."""
    file.seek(0)
    found: dict[bytes, bytes] = {}
    if file.read(4) == b"fLaC":
        while len(header := file.read(4)) == 4:  # noqa: PLR2004  # bytes of a block's header
            content = file.read(int.from_bytes(header[1:], "big"))
            if header[0] & ~_LAST == _APPLICATION:
                found.setdefault(content[:4], content[4:])
            if header[0] & _LAST:
                break
    if not {_HEAD, _TAIL} <= found.keys():
        message = "it lacks the blocks of what was packed"
        raise CannotUnpackError(message)
    return found[_HEAD], found[_TAIL]

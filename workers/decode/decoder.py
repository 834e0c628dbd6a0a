"""The decoder: a program that turns files of strangers into clips and facts, one order after the other.

It is started by ``sandbox.py`` as ``python -m workers.decode.decoder LIMITS SOCKET``.  Its standard input is
the lifeline: nothing comes through it, and when it closes the decoder dies.  An order is a line of JSON with two
descriptors beside it, the file and the empty clip; the answer is a line of JSON.  Nothing is ever unpickled on
either side, since a decoder may have been taken over by what it decoded.
"""

import errno
import hashlib
import importlib
import json
import math
import os
import socket
import sys
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from earmark.errors import InputFault, InputRejected
from earmark.sniff import SNIFF_BYTES, id3_bytes, sniff
from workers.decode import jail
from workers.decode.clip_writer import ClipWriter
from workers.decode.conformer import Block
from workers.decode.length import states_length
from workers.decode.levels import Levels
from workers.decode.limits import OUT_OF_MEMORY, SAMPLE_BYTES, DecodeLimits
from workers.decode.loudness import Loudness
from workers.decode.ogg import Survey, survey
from workers.decode.track import GOOD_SHARE_MIN, Track
from workers.decode.true_peak import TruePeak

ORDER_BYTES_MAX = 4096
READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Order:
    """One file to decode."""

    source: int
    """Descriptor of the file."""
    clip: int
    """Descriptor of the empty file the samples go to."""
    sha256: str
    """What the file's bytes must hash to, in hex."""


def decode(order: Order, limits: DecodeLimits) -> dict[str, Any]:
    """Write the clip and return the facts: the fields of ``Technical`` and ``samples``, the clip's length.

    Raises:
        InputRejected: its message says what is wrong with "it".
        OSError: the clip cannot be written or the file not be read.
    """
    before = os.fstat(order.source)
    _verify(order, before.st_size, limits)
    head = os.pread(order.source, SNIFF_BYTES, 0)
    tag_bytes = id3_bytes(head)
    rest = os.pread(order.source, SNIFF_BYTES, tag_bytes) if tag_bytes else head
    # Behind a cover picture larger than what sniff wants there may be FLAC or AAC as well as MP3.
    container = (sniff(rest) if tag_bytes else None) or sniff(head)
    if container is None:
        raise InputRejected(InputFault.NOT_AUDIO, "it is none of the kinds of audio that are taken")
    track = Track(order.source, container, before.st_size, length_known=states_length(container, rest))
    try:
        facts = _measure(track, order, limits)
    finally:
        track.close()
    if container == "ogg":
        _add_warnings(facts, survey(order.source, before.st_size))
    after = os.fstat(order.source)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise InputRejected(InputFault.CHANGED, "it was written to while it was decoded")
    return {**facts, "container": container, "size_bytes": before.st_size}


def _add_warnings(facts: dict[str, Any], pages: Survey) -> None:
    """Say what happened to the pages of an Ogg file; reject one of which next to nothing is left."""
    if pages.good_share < GOOD_SHARE_MIN:
        raise InputRejected(InputFault.DAMAGED, f"only {pages.good_share:.1%} of its pages are whole")
    found = {word for word, holds in (("truncated", pages.cut_off), ("damaged", pages.damaged)) if holds}
    facts["warnings"] = [*sorted(found - set(facts["warnings"]), reverse=True), *facts["warnings"]]


def _verify(order: Order, size_bytes: int, limits: DecodeLimits) -> None:
    """Hash the bytes; a separate pass costs 1 ms for 2 MB and keeps FFmpeg from bytes nobody asked about."""
    if size_bytes > limits.max_input_bytes:
        raise InputRejected(InputFault.TOO_LARGE, f"its {size_bytes} bytes exceed {limits.max_input_bytes}")
    digest = hashlib.sha256()
    position = 0
    while position <= size_bytes and (chunk := os.pread(order.source, READ_BYTES, position)):
        digest.update(chunk)
        position += len(chunk)
    if digest.hexdigest() != order.sha256:
        raise InputRejected(InputFault.CHANGED, "its bytes are not those that were queued")


def _measure(track: Track, order: Order, limits: DecodeLimits) -> dict[str, Any]:
    if track.believable and track.stated_s is not None and track.stated_s > limits.max_duration_s:
        raise _too_long(track.stated_s, limits)
    blocks = _counted(track, limits)
    first = next(blocks)
    rate_hz, channels = track.rate_hz, len(first)
    levels, loudness = Levels(channels), Loudness(rate_hz, track.layout)
    true_peak, writer = TruePeak(rate_hz, channels), ClipWriter(order.clip, rate_hz)
    for block in _chain(first, blocks):
        finite = levels.add(block)
        loudness.add(finite)
        true_peak.add(finite)
        writer.add(finite)
    writer.finish()
    if levels.mostly_not_finite:
        raise InputRejected(InputFault.DAMAGED, "most of its samples are not finite numbers, or absurdly large")
    peak = true_peak.peak()
    lufs = loudness.integrated_lufs()
    duration_s = track.samples / rate_hz
    odd = {
        "truncated": track.truncated,
        "damaged": track.damaged or track.gaps,
        "clipped": levels.clipped,
        "dc_offset": levels.dc_offset(rate_hz),
        "not_finite": levels.not_finite,
    }
    return {
        "samples": writer.samples,
        "duration_s": duration_s,
        "sample_rate_hz": rate_hz,
        "channels": channels,
        "codec": track.codec,
        "bit_rate_bps": round(track.packet_bytes * 8 / duration_s),
        "loudness_lufs": None if lufs is None else round(lufs, 2),
        "true_peak_dbtp": round(20 * math.log10(peak), 2) if peak > 0 else None,
        "silent": levels.silent,
        "warnings": [word for word, holds in odd.items() if holds],
    }


def _counted(track: Track, limits: DecodeLimits) -> Iterator[Block]:
    decoded_bytes = 0
    for block in track.blocks():
        decoded_bytes += block.size * SAMPLE_BYTES
        if track.samples > limits.max_duration_s * track.rate_hz:
            raise _too_long(None, limits)
        if decoded_bytes > limits.max_decoded_bytes:
            raise InputRejected(InputFault.TOO_COSTLY, f"it expands to more than {limits.max_decoded_bytes} bytes")
        yield block


def _chain(first: Block, rest: Iterator[Block]) -> Iterator[Block]:
    yield first
    yield from rest


def _too_long(stated_s: float | None, limits: DecodeLimits) -> InputRejected:
    length = "" if stated_s is None else f", {_clock(stated_s)} by its header"
    return InputRejected(InputFault.TOO_LONG, f"it lasts longer than {_clock(limits.max_duration_s)}{length}")


def _clock(seconds: float) -> str:
    """A length for a person: hours, minutes, seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def answer(order: Order, limits: DecodeLimits) -> dict[str, Any]:
    """What to tell the worker about an order: ``facts``, ``fault`` and ``reason``, or ``errno``.

    Raises:
        MemoryError: the memory limit was met; whoever catches it can count on nothing any more.
    """
    try:
        return {"facts": decode(order, limits)}
    except InputRejected as error:
        return {"fault": error.fault, "reason": error.message}
    except OSError as error:
        if error.errno == errno.EFBIG:
            return {"fault": InputFault.TOO_COSTLY, "reason": "its clip exceeds the largest a decoder may write"}
        return {"errno": error.errno or errno.EIO}
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  # PyAV lets out more than FFmpeg's errors when a file is odd enough
        return {"fault": InputFault.DAMAGED, "reason": f"decoding it failed with {type(error).__name__}: {error}"}


def serve(channel: socket.socket, limits: DecodeLimits) -> None:
    """Take orders until the worker hangs up."""
    while True:
        line, descriptors, _, _ = socket.recv_fds(channel, ORDER_BYTES_MAX, 2)
        if not line:
            return
        source, clip = descriptors
        jail.allow_cpu(limits.cpu_s)
        reply = answer(Order(source, clip, json.loads(line)["sha256"]), limits)
        os.close(source)
        os.close(clip)
        channel.sendall(json.dumps(reply).encode() + b"\n")


def rehearse() -> None:
    """Decode a second of silence, so that all that is imported late is there before the file system is gone.

    Not within the operator's limits, which may be less than the second it takes.

    Raises:
        InputRejected: this decoder cannot decode at all.
    """
    for module in ("av.video.stream", "av.video.codeccontext", "av.subtitles.stream", "av.subtitles.codeccontext"):
        importlib.import_module(module)
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as clip:
        with wave.open(source, "wb") as sound:
            sound.setparams((2, 2, 22_050, 0, "NONE", ""))
            sound.writeframes(bytes(4 * 22_050))
        source.seek(0)
        decode(Order(source.fileno(), clip.fileno(), hashlib.file_digest(source, "sha256").hexdigest()), DecodeLimits())


def main() -> None:
    """Shut the door, report ready, serve."""
    jail.die_with_parent(sys.stdin.fileno())
    jail.ignore_signals()
    limits = DecodeLimits(**json.loads(sys.argv[1]))
    os.nice(limits.nice)
    channel = socket.socket(fileno=int(sys.argv[2]))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    rehearse()
    jail.limit_resources(limits)
    confined = jail.confine()
    channel.sendall(json.dumps({"ready": confined}).encode() + b"\n")
    # Errors up to here are read by the worker; from here on they may be a stranger's words, without end.
    os.dup2(nowhere, sys.stderr.fileno())
    try:
        serve(channel, limits)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main()

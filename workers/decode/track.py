"""``Track``: the sound of one file as blocks of float32 at its own rate, whatever the file does.

The demuxer is fixed by what the first bytes are, never guessed by FFmpeg; it may open nothing but the
descriptor it was given, and only audio decoders on our list ever see a packet.
"""

from __future__ import annotations  # av.Packet can be subscripted in annotations only

import os
import re
from collections.abc import Iterator
from fractions import Fraction

import av
import av.error
import numpy as np

from earmark.errors import InputFault, InputRejected
from workers.decode.conformer import Block, Conformer

DEMUXERS = {
    "wav": "wav",
    "w64": "w64",
    "flac": "flac",
    "mp3": "mp3",
    "aac": "aac",
    "ogg": "ogg",
    "mp4": "mov",
    "webm": "matroska",
    "matroska": "matroska",
    "aiff": "aiff",
    "caf": "caf",
    "au": "au",
    "amr": "amr",
    "asf": "asf",
}
"""FFmpeg's demuxer for each container that ``earmark.sniff`` names."""

DECODERS = frozenset(
    {name for name in av.codecs_available if name.startswith("pcm_")}
    | {"flac", "alac", "mp3", "mp3float", "mp2", "mp2float", "aac", "aac_latm", "vorbis", "opus", "libopus", "speex"}
    | {"libspeex", "amrnb", "amrwb", "wmav1", "wmav2", "wmapro", "wmalossless", "wmavoice", "ac3", "eac3"}
    | {"adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "gsm", "gsm_ms"}
)
"""FFmpeg decoders that may run, in probing too: every other one, above all those of video, is attack surface."""

BLOCK_SAMPLES = 65_536
"""Samples of a block, over all channels: Python's share of the work is small and the block fits the CPU's cache."""
PROBE_BYTES = 1 << 20
PROBE_BYTES_PCM = 1 << 16
"""What FFmpeg may read to find out what the header does not say: covers of a Matroska file, say.  A PCM header
says all, and yet FFmpeg would decode 5 MB of it, which takes as long as all the rest of a clip.
"""
DEMUX_FAILURES_MAX = 64
"""Failures of the demuxer in a row after which the rest of the file is given up."""
GOOD_SHARE_MIN = 0.1
"""Share of packets, and in a stream without container of bytes, that must decode: less is no recording any more."""
SHORT_S = 0.15
"""Seconds by which the sound may end before its header says: encoders pad by up to three frames of 2048 samples."""

_SKIPPING = frozenset({"mp3", "aac", "amr", "flac", "webm", "matroska"})
"""Containers whose demuxer skips what it cannot read, so that damage shows only in bytes that are missing."""
_UNCOMPRESSED = frozenset({"wav", "w64", "aiff", "caf", "au"})
_LEAST_BYTES_PER_S = {"mp3": 900.0}
_LEAST_BYTES_PER_S_OTHER = 8.0
"""Least bytes that a second of sound takes, to tell a long file from one that lies: MPEG audio has a lowest bit
rate of 8 kbit/s; a FLAC frame of silence is 12 bytes for at most 1.5 s at 44.1 kHz."""


class Track:
    """One audio stream, read once from start to end."""

    def __init__(self, descriptor: int, container: str, size_bytes: int, *, length_known: bool) -> None:
        """Open it.

        Args:
            descriptor: the file, open for reading; its position is moved.
            container: one of ``earmark.sniff.CONTAINERS``.
            size_bytes: length of the file.
            length_known: False where the file does not state its length, and FFmpeg guesses.

        Raises:
            InputRejected: damaged, not audio or unsupported.
        """
        demuxer = DEMUXERS[container]
        options = {
            "fd": str(descriptor),
            "protocol_whitelist": "fd",
            "format_whitelist": demuxer,
            "codec_whitelist": ",".join(sorted(DECODERS)),
            "probesize": str(PROBE_BYTES_PCM if container in _UNCOMPRESSED else PROBE_BYTES),
        }
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            self._input = av.open("fd:", "r", format=demuxer, options=options, metadata_errors="replace")
            self._stream = _choose(self._input)
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError as error:
            raise _rejection(error, f"its {container} header cannot be read") from error
        self._conformer = Conformer()
        self._container = container
        self._size_bytes = size_bytes
        self._first_byte: int | None = None
        self._packets = self._bad_packets = 0
        self._good_bytes = 0
        self._end = 0
        """When the last good packet ends, in the stream's own unit."""
        self.codec = self._stream.codec_context.codec.canonical_name
        self.stated_s = self._stated_s() if length_known else None
        """Length by the header, in seconds; None where it has none.  It may be a lie."""
        self.packet_bytes = 0
        """Size of all packets so far."""
        self.damaged = False
        """Whether something could not be decoded so far."""
        self._cut = False
        """Whether the last packet is there in part."""
        self.samples = 0
        """Samples per channel so far."""

    @property
    def rate_hz(self) -> int:
        """Samples per second of every block, known once there is one."""
        return self._conformer.rate_hz

    @property
    def layout(self) -> str:
        """FFmpeg's name of the channel layout of every block."""
        return self._conformer.layout

    @property
    def believable(self) -> bool:
        """Whether so few bytes can hold as much sound as the header states."""
        if self.stated_s is None:
            return False
        least = _LEAST_BYTES_PER_S.get(self._container, _LEAST_BYTES_PER_S_OTHER)
        context = self._stream.codec_context
        if self.codec.startswith("pcm_"):
            bits = int((re.findall(r"\d+", self.codec) or ["8"])[0])  # pcm_s24le has 24, pcm_mulaw 8
            least = 0.99 * context.sample_rate * context.channels * bits / 8
        return self.stated_s * least <= self._size_bytes

    @property
    def gaps(self) -> bool:
        """Whether less sound was read, all of it, than there is between its start and its end."""
        # FLAC's header counts samples; others are less exact.
        shortest_s = 0.5 / self.rate_hz if self._container == "flac" else SHORT_S
        return not self.truncated and (self.stated_s or 0.0) - self.samples / self.rate_hz > shortest_s

    @property
    def truncated(self) -> bool:
        """Whether the sound, all of it read, ends before the header says or in the middle of a packet."""
        if self._container == "ogg":
            return False  # its stated length is that of its last page: what is missing was lost, see `ogg.py`
        end_s = max(
            float(self._end * (self._stream.time_base or 0)), self.samples / self.rate_hz if self.rate_hz else 0.0
        )
        return self._cut or (self.stated_s is not None and self.stated_s - end_s > SHORT_S)

    def close(self) -> None:
        """Give FFmpeg's memory back."""
        self._input.close()

    def blocks(self) -> Iterator[Block]:
        """The samples, in blocks of the rate and channels of the first.

        Raises:
            InputRejected: there is no sound, nearly nothing could be decoded, or its form is not taken.
        """
        gathered: list[Block] = []
        size = 0
        for block in self._decoded():
            gathered.append(block)
            size += block.size
            if size >= BLOCK_SAMPLES:
                yield self._joined(gathered)
                gathered, size = [], 0
        if gathered:
            yield self._joined(gathered)
        self._judge()

    def _joined(self, gathered: list[Block]) -> Block:
        block = gathered[0] if len(gathered) == 1 else np.concatenate(gathered, axis=1)
        self.samples += block.shape[1]
        return block

    def _decoded(self) -> Iterator[Block]:
        for packet in self._demuxed():
            for frame in self._frames(packet):
                if frame.samples:
                    yield from self._conformer.take(frame)
        yield from self._conformer.flush()

    def _demuxed(self) -> Iterator[av.Packet[av.AudioStream] | None]:
        """All packets, then None to make the decoder give what it holds back."""
        failures = 0
        while failures < DEMUX_FAILURES_MAX:
            try:
                for packet in self._input.demux(self._stream):
                    if packet.size:
                        failures = 0
                        yield packet
                break
            except av.error.EOFError:
                break
            except av.error.MemoryError:
                raise
            except av.error.FFmpegError:
                self.damaged = True
                failures += 1
        yield None

    def _frames(self, packet: av.Packet[av.AudioStream] | None) -> list[av.AudioFrame]:
        if packet is not None:
            self._packets += 1
            self.packet_bytes += packet.size
            self.damaged |= self._cut
            self._cut = packet.is_corrupt
            if self._first_byte is None and packet.pos is not None and packet.pos >= 0:
                self._first_byte = packet.pos
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:
            self._bad_packets += packet is not None
            self.damaged = True
            return []
        if packet is not None:
            self._good_bytes += packet.size
            if packet.pts is not None:
                self._end = max(self._end, packet.pts + (packet.duration or 0))
        return frames

    def _judge(self) -> None:
        if not self.samples:
            if self._packets or self.damaged or self.stated_s:
                raise InputRejected(InputFault.DAMAGED, f"none of its {self.codec} sound can be decoded")
            raise InputRejected(InputFault.NO_SAMPLES, "it has a header and no sound")
        good = 1 - self._bad_packets / max(1, self._packets)
        if self._container in _SKIPPING and len(self._input.streams) == 1 and self._first_byte is not None:
            good = min(good, self._good_bytes / max(1, self._size_bytes - self._first_byte))
        if self._container == "ogg" and self.stated_s:
            # Its length is that of the last page, so what is missing before it was there and is lost.
            good = min(good, self.samples / self.rate_hz / self.stated_s)
        if good < GOOD_SHARE_MIN:
            raise InputRejected(InputFault.DAMAGED, f"only {good:.1%} of its {self.codec} sound can be decoded")

    def _stated_s(self) -> float | None:
        duration, unit = self._stream.duration, self._stream.time_base
        if duration is None or unit is None:
            duration, unit = self._input.duration, Fraction(1, av.time_base)
        return float(duration * unit) if duration is not None and duration > 0 else None


def _choose(container: av.container.InputContainer) -> av.AudioStream:
    streams = container.streams.audio
    if not streams:
        raise InputRejected(InputFault.NOT_AUDIO, "it holds no sound, only other streams")
    best = container.streams.best("audio")
    stream = best if isinstance(best, av.AudioStream) else streams[0]
    context = stream.codec_context
    if context is None or context.codec.name not in DECODERS:
        name = "unknown" if context is None else context.codec.canonical_name
        raise InputRejected(InputFault.UNSUPPORTED, f"its codec, {name}, is not one that is taken")
    context.thread_count = 1
    if context.codec.name == "flac":
        # Its frames carry a checksum; without this a damaged one is played as noise.
        context.options = {"err_detect": "crccheck+explode"}
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all
    return stream


def _rejection(error: Exception, otherwise: str) -> InputRejected:
    """What an error of FFmpeg means for the file."""
    if isinstance(error, av.error.DecoderNotFoundError | av.error.PatchWelcomeError):
        return InputRejected(InputFault.UNSUPPORTED, "it uses a feature that FFmpeg cannot decode")
    return InputRejected(InputFault.DAMAGED, otherwise)

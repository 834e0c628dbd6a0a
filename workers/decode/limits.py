"""``DecodeLimits``: how much one file may cost."""

import math
from dataclasses import dataclass

CLIP_RATE_HZ = 16_000
"""``earmark.domain.CLIP_RATE_HZ``, repeated since a decoder starts twice as fast without pydantic; a test compares."""

SAMPLE_BYTES = 4
"""Bytes of one float32 sample."""

OUT_OF_MEMORY = 77
"""Exit status of a decoder that met its memory limit."""

CPU_SHARE = 0.5
"""Part of the wall limit a file may spend computing.  A costly file then meets the CPU limit, which says
something about the file, before the wall limit, which on a busy machine says nothing, even where a decoder
gets only half a core."""

FSIZE_SLACK_BYTES = 1 << 16
"""What a clip may take on disk beyond its longest length, for rounding."""


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Limits per file; ``Settings`` has the first three.

    On a core of 2026 a 30 s stereo clip costs about 0.1 s of CPU and 4 hours, the longest recording taken by
    default, about 50 s, a third of what ``cpu_s`` allows.  A child holds about 70 MB of memory in 270 MB of address
    space, whatever the length.
    """

    wall_s: float = 300.0
    """Seconds until the child is killed."""
    max_input_bytes: int = 2 * 1024**3
    max_duration_s: float = 4 * 3600.0
    max_decoded_bytes: int = 64 * 1024**3
    """Decoded float32 samples at the file's own rate and channels: 4 hours of 8 channels at 96 kHz and some more."""
    memory_bytes: int = 1024**3
    """Address space of a child, libraries included."""
    files_per_child: int = 500
    """Files after which a child is replaced, so that nothing a file left behind lives long."""
    nice: int = 0
    """By how much a child gives way to other processes, as ``nice`` has it."""

    @property
    def cpu_s(self) -> float:
        """CPU seconds one file may take."""
        return self.wall_s * CPU_SHARE

    @property
    def clip_bytes(self) -> int:
        """Largest file a child may write."""
        return math.ceil(self.max_duration_s * CLIP_RATE_HZ) * SAMPLE_BYTES + FSIZE_SLACK_BYTES

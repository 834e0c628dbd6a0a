"""``ClipWriter``: mixes blocks down to mono, brings them to 16 kHz and writes them, a block at a time."""

import os

import av
import numpy as np
from numpy.typing import NDArray

from workers.decode.conformer import Block
from workers.decode.limits import CLIP_RATE_HZ


class ClipWriter:
    """Hears all blocks of a track in order.

    Mono is the average of all channels, so that it never exceeds full scale; what is in opposite phase in two
    channels cancels, as it does on one loudspeaker.  ``n`` samples at rate ``r`` become ceil(16000 n / r).
    """

    def __init__(self, descriptor: int, rate_hz: int) -> None:
        """Write float32, little-endian, to an open file; blocks come at that rate in Hz."""
        self._descriptor = descriptor
        self._rate_hz = rate_hz
        self._heard = 0
        self.samples = 0
        """Samples written."""
        self._resampler = av.AudioResampler("flt", "mono", CLIP_RATE_HZ) if rate_hz != CLIP_RATE_HZ else None

    def add(self, block: Block) -> None:
        """Hear a block of finite samples.

        Raises:
            OSError: the file cannot take it.
        """
        mono = block[0] if len(block) == 1 else block.mean(axis=0, dtype=np.float32)
        self._heard += len(mono)
        if self._resampler is None:
            self._write(mono)
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(mono)[np.newaxis], "flt", "mono")
        frame.sample_rate = self._rate_hz
        for resampled in self._resampler.resample(frame):
            self._write(resampled.to_ndarray()[0])

    def finish(self) -> None:
        """Write what the resampler held back, and make the length what was promised.

        Raises:
            OSError: the file cannot take it.
        """
        if self._resampler is not None:
            for resampled in self._resampler.resample(None):
                self._write(resampled.to_ndarray()[0])
        self._write(np.zeros(max(0, self._promised - self.samples), np.float32))

    @property
    def _promised(self) -> int:
        return -(-self._heard * CLIP_RATE_HZ // self._rate_hz)

    def _write(self, mono: NDArray[np.generic]) -> None:
        mono = mono[: max(0, self._promised - self.samples)]
        content = memoryview(mono.astype("<f4", copy=False).tobytes())
        while content:
            content = content[os.write(self._descriptor, content) :]
        self.samples += len(mono)

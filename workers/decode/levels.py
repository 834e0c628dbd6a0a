"""``Levels``: what is odd about the samples themselves, measured over all of them at the file's own rate."""

import numpy as np
from numpy.typing import NDArray

from workers.decode.conformer import Block

SANE_MAGNITUDE = 1e6
"""Samples beyond it (120 dB over full scale) are no sound but damage, and count as not finite."""
SILENCE = 10 ** (-90 / 20)
"""Digital silence, -90 dBFS: the last bit of 16 toggling."""
CLIPPED_MAGNITUDE = 32_766.5 / 32_768
"""At or above this a sample is at full scale: the highest code of 16 bits on either side."""
CLIPPED_RUN = 3
"""Samples in a row at full scale that make a flat top; a peak brought to full scale touches it with one or two."""
DC_OFFSET = 0.01
"""A mean beyond 1 % of full scale (-40 dBFS); converters stay below a tenth of that."""
DC_OFFSET_S = 0.5
"""Seconds from which a mean is an offset and not the half wave a short sound happens to hold."""


class Levels:
    """Hears all blocks of a track in order."""

    def __init__(self, channels: int) -> None:
        """Measure blocks of that many channels."""
        self._least = np.full(channels, np.inf)
        self._most = np.full(channels, -np.inf)
        self._sum = np.zeros(channels)
        self._samples = 0
        self._not_finite = 0
        self.clipped = False

    def add(self, block: Block) -> Block:
        """Hear a block; returns it with 0 for every sample that is not finite."""
        least, most = block.min(axis=1), block.max(axis=1)
        # NaN fails the comparison, so one look at the extremes tells whether a closer one is needed.
        if not bool(((least >= -SANE_MAGNITUDE) & (most <= SANE_MAGNITUDE)).all()):
            sane = np.abs(block) <= SANE_MAGNITUDE
            self._not_finite += block.size - int(np.count_nonzero(sane))
            block = np.where(sane, block, np.float32(0))
            least, most = block.min(axis=1), block.max(axis=1)
        self._least = np.minimum(self._least, least)
        self._most = np.maximum(self._most, most)
        self._sum += block.sum(axis=1, dtype=np.float64)
        self._samples += block.shape[1]
        if not self.clipped and max(float(most.max()), -float(least.min())) >= CLIPPED_MAGNITUDE:
            self.clipped = _has_flat_top(block)
        return block

    @property
    def not_finite(self) -> bool:
        """Whether any sample was not finite."""
        return self._not_finite > 0

    @property
    def mostly_not_finite(self) -> bool:
        """Whether more than half of the samples were not finite: what is left of them is no sound."""
        return self._not_finite > self._samples * len(self._sum) / 2

    @property
    def silent(self) -> bool:
        """Whether every sample is below -90 dBFS once each channel's mean is taken away."""
        mean = self._sum / max(1, self._samples)
        return bool((np.maximum(self._most - mean, mean - self._least) < SILENCE).all())

    def dc_offset(self, rate_hz: int) -> bool:
        """Whether the mean of a channel is off zero in a sound long enough to tell."""
        mean = np.abs(self._sum) / max(1, self._samples)
        return self._samples >= DC_OFFSET_S * rate_hz and bool((mean > DC_OFFSET).any())


def _has_flat_top(block: Block) -> bool:
    """Whether some channel stays at full scale, on one side, for ``CLIPPED_RUN`` samples."""
    for side in (block >= CLIPPED_MAGNITUDE, block <= -CLIPPED_MAGNITUDE):
        run: NDArray[np.bool_] = side[:, : side.shape[1] - CLIPPED_RUN + 1].copy()
        for shift in range(1, CLIPPED_RUN):
            run &= side[:, shift : side.shape[1] - CLIPPED_RUN + 1 + shift]
        if run.any():
            return True
    return False

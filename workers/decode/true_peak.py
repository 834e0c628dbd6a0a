"""``TruePeak``: the highest point between the samples, after ITU-R BS.1770-4 annex 2.

The signal is oversampled (4 times below 96 kHz, twice below 192 kHz, as the annex allows) with a windowed sinc.
That is the dearest measurement of all, so it is done only where it can matter: an interpolated value is at most
the largest sample under the filter times the sum of the filter's magnitudes (Hölder), and where that bound
is not above the highest peak so far there is nothing to find.  The result is the same as without the bound.
"""

import numpy as np
from numpy.typing import NDArray

from workers.decode.conformer import Block

HALF_TAPS = 12
"""Samples on either side under the filter, 24 in all; the annex's own example has 12 in all."""
KAISER_BETA = 5.0
"""Window shape: reads a sine within 0.05 dB up to 0.45 of the sample rate, by the test."""
CHUNK = 32
"""Positions interpolated at once: one matrix product, and the unit that is skipped."""

_SPAN = CHUNK + 2 * HALF_TAPS - 1
"""Samples under the filter for one chunk."""


def interpolator(factor: int) -> NDArray[np.float32]:
    """Weights of shape (``_SPAN``, ``CHUNK * (factor - 1)``): samples to the points between them."""
    offsets = np.arange(-HALF_TAPS + 1, HALF_TAPS + 1)
    weights = np.zeros((_SPAN, CHUNK, factor - 1))
    for phase in range(1, factor):
        distance = offsets - phase / factor
        window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (distance / HALF_TAPS) ** 2, 0, 1))) / np.i0(KAISER_BETA)
        taps = np.sinc(distance) * window
        taps /= taps.sum()  # a constant stays what it is
        for position in range(CHUNK):
            weights[position : position + len(taps), position, phase - 1] = taps
    return weights.reshape(_SPAN, -1).astype(np.float32)


def oversampling(rate_hz: int) -> int:
    """How many times to oversample, so that the result is at 192 kHz or about."""
    return 4 if rate_hz < 96_000 else 2 if rate_hz < 192_000 else 1  # noqa: PLR2004  # the annex's own steps


class TruePeak:
    """Hears all blocks of a track in order."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        """Measure blocks of that rate in Hz and number of channels."""
        factor = oversampling(rate_hz)
        self._weights = interpolator(factor) if factor > 1 else None
        self._gain = float(np.abs(self._weights).sum(axis=0).max()) * 1.0001 if self._weights is not None else 1.0
        self._rest = np.zeros((channels, HALF_TAPS - 1), np.float32)
        self._peak = 0.0

    def add(self, block: Block) -> None:
        """Hear a block of finite samples."""
        magnitudes = np.abs(block)
        self._peak = max(self._peak, float(magnitudes.max(initial=0.0)))
        if self._weights is not None:
            self._interpolate(np.concatenate((self._rest, block), axis=1), self._weights)

    def peak(self) -> float:
        """The highest magnitude of everything heard, 1 = full scale.  Nothing can be added after."""
        if self._weights is not None:
            silence = np.zeros((len(self._rest), _SPAN), np.float32)
            self._interpolate(np.concatenate((self._rest, silence), axis=1), self._weights)
        return self._peak

    def _interpolate(self, signal: Block, weights: NDArray[np.float32]) -> None:
        chunks = max(0, (signal.shape[1] - (_SPAN - CHUNK)) // CHUNK)
        self._rest = signal[:, chunks * CHUNK :].copy()
        for channel in signal:
            self._search(np.ascontiguousarray(channel), chunks, weights)

    def _search(self, channel: NDArray[np.float32], chunks: int, weights: NDArray[np.float32]) -> None:
        if not chunks:
            return
        magnitudes = np.abs(channel)
        highest = magnitudes[: chunks * CHUNK].reshape(chunks, CHUNK).max(axis=1)
        # A span begins with its own chunk and ends within the next.
        reach = np.maximum(highest, np.append(highest[1:], magnitudes[chunks * CHUNK :].max(initial=0.0)))
        worth = np.flatnonzero(reach * self._gain > self._peak)
        if not worth.size:
            return
        spans = np.lib.stride_tricks.as_strided(
            channel, (chunks, _SPAN), (CHUNK * channel.itemsize, channel.itemsize), writeable=False
        )
        # The likeliest chunk first: the peak it has may make the others pointless.
        first = worth[reach[worth].argmax()]
        self._peak = max(self._peak, float(np.abs(spans[first] @ weights).max()))
        worth = worth[reach[worth] * self._gain > self._peak]
        if worth.size:
            self._peak = max(self._peak, float(np.abs(spans[worth] @ weights).max()))

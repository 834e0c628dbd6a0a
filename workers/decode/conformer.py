"""``Conformer``: turns decoded frames of any form into float32 blocks of one form."""

import av
import numpy as np
from numpy.typing import NDArray

from earmark.errors import InputFault, InputRejected

Block = NDArray[np.float32]
"""Samples of shape (channels, samples), nominally -1 to 1, perhaps not finite."""

RATE_HZ_MIN, RATE_HZ_MAX = 1_000, 768_000
"""Sample rates taken.  A resampler's filter grows with the rate, and no converter is faster than 768 kHz."""
CHANNELS_MAX = 64
"""Channels taken: seventh-order ambisonics, the most that is made."""

_PLANES_MAX = 7
"""Planes PyAV can count: ``AudioFrame.planes`` looks for a null pointer after them, and from eight on there is none."""

_SCALES = {"u8": 1 / 128, "s16": 1 / 32_768, "s32": 1 / 2_147_483_648, "flt": 1.0, "dbl": 1.0}
"""What brings each packed sample format that numpy can hold to -1 to 1; the planar ones have a ``p`` at the end."""
_UNSIGNED_ZERO = 128
"""Zero of unsigned bytes."""


class Conformer:
    """Gives blocks of the rate and channels of the first frame; later frames that differ are converted to it."""

    def __init__(self) -> None:
        """Know nothing before the first frame."""
        self.rate_hz = 0
        self.channels = 0
        self.layout = ""
        """FFmpeg's name for which channel is which, or ``"N channels"``."""
        self._resampler: av.AudioResampler | None = None
        self._resampled = ("", "", 0)

    def take(self, frame: av.AudioFrame) -> list[Block]:
        """The blocks that are ready after this frame.

        Raises:
            InputRejected: a sample rate or a number of channels that is not taken.
        """
        if not self.rate_hz:
            self._adopt(frame)
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        readable = form[0] in _SCALES or (form[0][:-1] in _SCALES and self.channels <= _PLANES_MAX)
        if readable and form[1:] == (self.layout, self.rate_hz):
            return [*self.flush(), self._block(frame, form[0])]
        return self._convert(frame, form)

    def flush(self) -> list[Block]:
        """What a conversion still held back."""
        if self._resampler is None:
            return []
        resampler, self._resampler = self._resampler, None
        return [self._block(frame, "flt") for frame in resampler.resample(None) if frame.samples]

    def _adopt(self, frame: av.AudioFrame) -> None:
        rate_hz, channels = frame.sample_rate, frame.layout.nb_channels
        if not RATE_HZ_MIN <= rate_hz <= RATE_HZ_MAX:
            raise InputRejected(InputFault.UNSUPPORTED, f"its sample rate of {rate_hz} Hz is not one of sound")
        if not 1 <= channels <= CHANNELS_MAX:
            raise InputRejected(InputFault.UNSUPPORTED, f"it has {channels} channels, and {CHANNELS_MAX} is the most")
        self.rate_hz, self.channels, self.layout = rate_hz, channels, frame.layout.name

    def _convert(self, frame: av.AudioFrame, form: tuple[str, str, int]) -> list[Block]:
        ready = self.flush() if form != self._resampled else []
        if self._resampler is None:
            self._resampler = av.AudioResampler("flt", self.layout, self.rate_hz)
            self._resampled = form
        frame.pts = None  # the resampler would fill gaps between time stamps
        return ready + [self._block(made, "flt") for made in self._resampler.resample(frame) if made.samples]

    def _block(self, frame: av.AudioFrame, form: str) -> Block:
        """A frame of the track's own channels as float32; integers become -1 to 1."""
        raw = frame.to_ndarray()
        if form in _SCALES:
            raw = raw.reshape(-1, self.channels).T
        else:
            form = form[:-1]
        with np.errstate(over="ignore", invalid="ignore"):  # a double beyond float32 becomes infinite, as it should
            block: Block = raw.astype(np.float32, order="C")
        if form == "u8":
            block -= _UNSIGNED_ZERO
        if _SCALES[form] != 1.0:
            block *= np.float32(_SCALES[form])
        return block

"""``Loudness``: integrated loudness after ITU-R BS.1770-4, by FFmpeg's ``ebur128`` filter.

Channels are weighted by their place (1 in front, 1.41 around, 0 for low frequency effects) and by 1 where the
file does not say which is which.  One channel counts once: a 997 Hz sine at -20 dBFS measures -23.0 LUFS in a
mono file and -20.0 LUFS in both channels of a stereo file.
"""

import av
import av.error
import av.filter

from workers.decode.conformer import Block

RATE_HZ_MIN = 8_000
"""Below this the standard's filters, which work at 1.7 kHz, have no room: such files are resampled first."""
RATE_HZ_UP = 48_000
GATE_LUFS = -70.0
"""The absolute gate; the filter also reports it when nothing passed the gate or no 0.4 s were heard."""


class Loudness:
    """Hears all blocks of a track in order."""

    def __init__(self, rate_hz: int, layout: str) -> None:
        """Measure blocks of that rate in Hz and FFmpeg channel layout."""
        self._rate_hz = rate_hz
        self._layout = layout
        self._samples = 0
        self._lufs = GATE_LUFS
        self._graph = av.filter.Graph()
        self._graph.threads = 1
        chain = [self._graph.add_abuffer(sample_rate=rate_hz, format="flt", layout=layout)]
        if rate_hz < RATE_HZ_MIN:
            chain.append(self._graph.add("aresample", str(RATE_HZ_UP)))
        chain += [self._graph.add("ebur128", "metadata=1"), self._graph.add("abuffersink")]
        self._graph.link_nodes(*chain).configure()

    def add(self, block: Block) -> None:
        """Hear a block of finite samples."""
        # Packed, since PyAV cannot fill a planar frame of eight channels or more.
        frame = av.AudioFrame.from_ndarray(block.T.reshape(1, -1), "flt", self._layout)
        frame.sample_rate = self._rate_hz
        frame.pts = self._samples
        self._samples += block.shape[1]
        self._graph.push(frame)
        self._pull()

    def integrated_lufs(self) -> float | None:
        """The loudness of everything heard; None = too quiet or too short to measure.  Nothing can be added after."""
        self._graph.push(None)
        self._pull()
        return self._lufs if self._lufs > GATE_LUFS else None

    def _pull(self) -> None:
        heard = None
        while True:
            try:
                heard = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                break
        if heard is not None:
            # The last 0.1 s, if incomplete, comes without an answer.
            self._lufs = float(heard.metadata.get("lavfi.r128.I", self._lufs))

"""Pieces made audible: a Standard MIDI File for each, played by fluidsynth with a General MIDI sound font."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.scores import Piece

TICKS_PER_BEAT = 480
RENDERED_HZ, SAMPLE_RATE_HZ = 32_000, 16_000


def midi_file(piece: Piece, seed: int = 0) -> bytes:
    """Write a piece as a Standard MIDI File of one track, with its jitter and tuning.

    Source of the format: "Standard MIDI Files 1.0", MIDI Manufacturers Association, 1996; pitch bend of the usual
    two semitones for the tuning.
    """
    rng = np.random.default_rng(seed)
    ticks_per_s = TICKS_PER_BEAT * piece.bpm / 60
    bend = 8192 + round(8192 * piece.tuning_cents / 200)
    events: list[tuple[int, int, bytes]] = [(0, 0, b"\xff\x51\x03" + struct.pack(">I", round(6e7 / piece.bpm))[1:])]
    for part, program in piece.programs.items():
        events.append((0, 1, bytes((0xC0 | part, program))))
        events.append((0, 1, bytes((0xE0 | part, bend & 127, bend >> 7))))
    for note in piece.notes:
        late = rng.normal() * piece.jitter_s * ticks_per_s
        start = max(0, round(note.start_beats * TICKS_PER_BEAT + late))
        stop = start + max(1, round(note.length_beats * TICKS_PER_BEAT))
        pitch, loud = min(max(note.pitch, 0), 127), min(max(note.velocity, 1), 127)
        events.append((start, 3, bytes((0x90 | note.part, pitch, loud))))
        events.append((stop, 2, bytes((0x80 | note.part, pitch, 0))))
    events.sort(key=lambda event: event[:2])
    track, now = bytearray(), 0
    for at, _, message in events:
        track += _variable_length(at - now) + message
        now = at
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS_PER_BEAT)
    return header + b"MTrk" + struct.pack(">I", len(track)) + bytes(track)


def _variable_length(ticks: int) -> bytes:
    """A MIDI variable-length quantity: seven bits a byte, most significant first."""
    digits = [ticks & 127]
    while ticks := ticks >> 7:
        digits.append(ticks & 127 | 128)
    return bytes(reversed(digits))


def render(midi: bytes, sound_font: Path, length_s: float | None = None) -> NDArray[np.float32]:
    """Play a MIDI file.

    Args:
        midi: a Standard MIDI File.
        sound_font: the .sf2 or .sf3 file to play it with.
        length_s: cut what follows.

    Returns:
        Mono at 16 kHz, its loudest sample at 0.9.

    Raises:
        FileNotFoundError: fluidsynth is not installed.
        subprocess.CalledProcessError: it failed.
    """
    with tempfile.NamedTemporaryFile(suffix=".mid") as file:
        file.write(midi)
        file.flush()
        command = ["fluidsynth", "-ni", "-q", "-r", str(RENDERED_HZ), "-T", "raw", "-O", "s16", "-F", "/dev/stdout"]
        played = subprocess.run([*command, str(sound_font), file.name], check=True, capture_output=True).stdout
    stereo = np.frombuffer(played[: len(played) // 4 * 4], "<i2").reshape(-1, 2)
    mono = stereo.mean(axis=1, dtype=np.float32)
    samples = _halved(mono)
    if length_s is not None:
        samples = samples[: int(length_s * SAMPLE_RATE_HZ)]
    return np.asarray(samples * (0.9 / max(float(np.abs(samples).max(initial=0.0)), 1.0)), np.float32)


def _halved(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Halve the sampling rate behind a windowed-sinc low-pass at 7.4 kHz."""
    taps = np.arange(-32, 33)
    low_pass = np.sinc(taps * 0.4625) * np.hanning(67)[1:-1]
    return np.convolve(samples, (low_pass / low_pass.sum()).astype(np.float32), "same")[::2]

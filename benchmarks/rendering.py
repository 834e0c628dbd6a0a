"""Pieces made audible: as a Standard MIDI File played by fluidsynth with a General MIDI sound font, or as plain waves.

The waves are what a sound font seldom has: sines, sawtooths and squares without any room, and a chord of sawtooths
driven into saturation as a guitar amplifier does, which sounds every sum and difference of their frequencies.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.styles import DRUMS

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


WAVES: dict[str, tuple[int, float, float]] = {
    # harmonics (odd ones alone where negative), how steeply they fall, how quickly they die away (1/s)
    "sine": (1, 1.0, 0.0),
    "saw": (20, 1.0, 0.0),
    "square": (-19, 1.0, 0.0),
    "triangle": (-11, 2.0, 0.0),
    "plucked": (12, 1.0, 4.0),
    "organ": (4, 0.5, 0.0),
    "overdriven": (12, 1.0, 0.5),
}


def synthesised(piece: Piece, wave: str, length_s: float) -> NDArray[np.float32]:
    """Play a piece with one waveform for every part, and a burst of noise for every drum.

    Args:
        piece: what to play; its jitter is left out.
        wave: a key of `WAVES`; "overdriven" saturates the chords together and leaves the other parts as they are.
        length_s: cut what follows.

    Returns:
        Mono at 16 kHz, its loudest sample at 0.9.
    """
    rng = np.random.default_rng(7)
    harmonics, fall, decay_per_s = WAVES[wave]
    # Twice the rate, for saturation makes frequencies above the half of it.
    parts = np.zeros((2, int(length_s * RENDERED_HZ) + 1))
    for note in piece.notes:
        start = round(note.start_beats * 60 / piece.bpm * RENDERED_HZ)
        count = min(round(note.length_beats * 60 / piece.bpm * RENDERED_HZ), parts.shape[1] - start)
        if count <= 0:
            continue
        time_s = np.arange(count) / RENDERED_HZ
        if note.part == DRUMS:
            sound = rng.standard_normal(count) * np.exp(-time_s * 40) * 0.3
        else:
            pitch_hz = 440.0 * 2 ** ((note.pitch - 69) / 12 + piece.tuning_cents / 1200)
            highest = min(abs(harmonics), int(SAMPLE_RATE_HZ / pitch_hz))
            period = _period(highest, fall, odd=harmonics < 0)
            sound = period[(time_s * (pitch_hz * len(period))).astype(np.int64) % len(period)]
            sound = sound * np.exp(-decay_per_s * time_s)
            sound *= np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.005)
        parts[int(note.part == 1), start : start + count] += sound * note.velocity / 127
    if wave == "overdriven":
        parts[1] = 1.5 * np.tanh(4.0 * parts[1])
    samples = _halved(parts.sum(axis=0).astype(np.float32))
    return np.asarray(samples * (0.9 / max(float(np.abs(samples).max(initial=0.0)), 1e-6)), np.float32)


@cache
def _period(harmonics: int, fall: float, *, odd: bool) -> NDArray[np.float64]:
    """One period of a wave in 8192 steps: the sum of its harmonics, the n-th of strength 1 / n to the power of fall."""
    phase = np.arange(8192) * (2 * np.pi / 8192)
    numbers = range(1, max(harmonics, 1) + 1, 2 if odd else 1)
    return np.asarray(sum(np.sin(number * phase) / number**fall for number in numbers))

"""Music of known instruments: short pieces written at random and played by fluidsynth with General MIDI sounds."""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np

from earmark.domain import CLIP_RATE_HZ
from training.sources import Samples, read

SOUNDFONTS = {
    "fluid": "fluid-soundfont-gm/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "timgm": "timgm6mb-soundfont/usr/share/sounds/sf2/TimGM6mb.sf2",
    "csound": "csound-soundfont/usr/share/sounds/sf2/sf_GMbank.sf2",
    "musescore": "musescore-general-soundfont-small/usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
}
PROGRAMS: dict[str, tuple[tuple[int, ...], int, int]] = {
    "piano": ((0, 1, 2, 4), 40, 84),
    "harpsichord": ((6,), 45, 80),
    "organ": ((16, 17, 19), 45, 79),
    "accordion": ((21, 23), 50, 80),
    "guitar": ((24, 25, 26, 27, 29, 30), 40, 72),
    "bass": ((32, 33, 34, 36), 28, 50),
    "violin": ((40,), 57, 88),
    "cello": ((42,), 38, 65),
    "strings": ((48, 49, 44), 45, 80),
    "harp": ((46,), 40, 84),
    "trumpet": ((56,), 55, 80),
    "brass": ((57, 60, 61), 43, 72),
    "saxophone": ((64, 65, 66), 50, 76),
    "flute": ((73, 72, 75), 62, 90),
    "woodwinds": ((68, 70, 71), 50, 82),
    "synthesizer": ((80, 81, 88, 90), 45, 80),
    "sitar": ((104,), 50, 74),
    "percussion": ((12, 13, 11, 47), 48, 84),
    "choir": ((52, 53), 48, 76),
    "drums": ((0,), 0, 0),
}
"""General MIDI programs (counted from 0) of each instrument, and the lowest and highest note to write."""
CHORDAL = frozenset({"piano", "harpsichord", "organ", "accordion", "guitar", "strings", "harp", "synthesizer", "choir"})
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
TICKS = 480
"""Per beat at MIDI's own 120 beats a minute; other tempi are written into the times."""
TICKS_PER_S = 2 * TICKS
REST_S = 2.5
"""Between pieces, for the last notes to die away."""
DRUM_CHANNEL = 9


@dataclass(frozen=True, slots=True)
class Piece:
    """What to play."""

    instruments: tuple[str, ...]
    tempo_bpm: float
    bars: int
    seed: int

    @property
    def length_s(self) -> float:
        """How long it lasts, in four beats a bar."""
        return self.bars * 4 * 60 / self.tempo_bpm


def play(pieces: Sequence[Piece], soundfont: str, packages: Path) -> list[Samples]:
    """Write pieces, play them one after another, and read what was heard of each; mono float32 at 16 kHz.

    One performance of all pieces loads the soundfont once.
    """
    starts_s = np.cumsum([0.0, *(piece.length_s + REST_S for piece in pieces)])
    with tempfile.TemporaryDirectory() as folder:
        score, wav = Path(folder) / "pieces.mid", Path(folder) / "pieces.wav"
        _write(pieces, starts_s.tolist()).save(str(score))
        command = ["fluidsynth", "-ni", "-q", "-g", "0.6", "-r", "32000"]
        sounds = packages / SOUNDFONTS[soundfont]
        subprocess.run([*command, "-F", str(wav), str(sounds), str(score)], check=True, capture_output=True)
        heard = read(wav, float(starts_s[-1]))
    edges = (starts_s * CLIP_RATE_HZ).astype(int)
    return [heard[start:stop] for start, stop in pairwise(edges)]


def _write(pieces: Sequence[Piece], starts_s: list[float]) -> mido.MidiFile:
    midi = mido.MidiFile(ticks_per_beat=TICKS)
    tracks = [mido.MidiTrack() for _ in range(16)]
    timed: list[list[tuple[int, mido.Message]]] = [[] for _ in tracks]
    for piece, start_s in zip(pieces, starts_s, strict=False):
        chance = random.Random(piece.seed)
        key, scale = chance.randrange(12), chance.choice((MAJOR, MINOR))
        chords = [chance.choice((0, 3, 4, 5)) for _ in range(piece.bars)]
        begin = int(start_s * TICKS_PER_S)
        for number, instrument in enumerate(piece.instruments):
            channel = DRUM_CHANNEL if instrument == "drums" else number
            if instrument == "drums":
                events = _drums(chance, piece.bars)
            else:
                events = _part(chance, instrument, key, scale, chords, number)
                program = chance.choice(PROGRAMS[instrument][0])
                timed[channel].append((begin, mido.Message("program_change", channel=channel, program=program)))
            for tick, kind, note, velocity in sorted(events, key=lambda event: (event[0], event[1] == "note_on")):
                at = begin + int(tick * 120 / piece.tempo_bpm)
                timed[channel].append((at, mido.Message(kind, channel=channel, note=note, velocity=velocity)))
    for track, messages in zip(tracks, timed, strict=True):
        now = 0
        for at, message in messages:
            track.append(message.copy(time=max(0, at - now)))
            now = max(now, at)
        midi.tracks.append(track)
    return midi


Event = tuple[int, str, int, int]


def _part(
    chance: random.Random, instrument: str, key: int, scale: tuple[int, ...], chords: list[int], number: int
) -> list[Event]:
    _, low, high = PROGRAMS[instrument]
    notes = [note for note in range(low, high + 1) if (note - key) % 12 in scale]
    at_note = chance.randrange(len(notes))
    chordal = instrument in CHORDAL and (number > 0 or chance.random() < 0.6)
    lengths = chance.choice(((1, 1, 2), (0.5, 0.5, 1), (2, 4), (0.25, 0.5, 0.5, 1)))
    events: list[Event] = []
    for bar, degree in enumerate(chords):
        beat = 0.0
        while beat < 4.0:
            length = min(chance.choice(lengths), 4.0 - beat)
            at_note = max(0, min(len(notes) - 1, at_note + chance.choice((-3, -2, -1, -1, 1, 1, 2, 3))))
            played = [notes[at_note]]
            if chordal and beat % 1 == 0:
                tones = {(key + scale[(degree + step) % 7]) % 12 for step in (0, 2, 4)}
                played += [note for note in notes[max(0, at_note - 6) : at_note] if note % 12 in tones][-3:]
            start = int((bar * 4 + beat) * TICKS)
            for note in played:
                velocity = chance.randrange(60, 110)
                stop = start + int(length * TICKS * 0.95)
                events += [(start, "note_on", note, velocity), (stop, "note_off", note, 0)]
            beat += length
    return events


def _drums(chance: random.Random, bars: int) -> list[Event]:
    kicks = chance.choice(((0, 2), (0, 1.5, 2), (0, 0.75, 2.5), (0, 1, 2, 3)))
    cymbal, step = chance.choice((42, 46, 51)), chance.choice((0.5, 0.5, 0.25, 1.0))
    hits = [(kick, 36) for kick in kicks] + [(1.0, 38), (3.0, 38)]
    hits += [(index * step, cymbal) for index in range(int(4 / step))]
    events: list[Event] = []
    for bar in range(bars):
        fill = [(2 + index * 0.25, chance.choice((41, 45, 48, 38))) for index in range(8)] if bar % 4 == 3 else []
        for beat, note in hits + fill:
            start = int((bar * 4 + beat) * TICKS)
            events += [(start, "note_on", note, chance.randrange(70, 120)), (start + TICKS // 8, "note_off", note, 0)]
    return events

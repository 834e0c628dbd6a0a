"""The pieces of the example clips whose tempo and key are known, because they were written for it.

Notes are written down by name, and turned into Standard MIDI Files for a synthesiser to play.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """One note: when it starts and how long it lasts in beats, its MIDI pitch, how hard it is struck (1 to 127)."""

    start: float
    length: float
    pitch: int
    velocity: int = 84


@dataclass(frozen=True)
class Score:
    """A piece to be rendered: the notes of each part, by General MIDI program number (-1 is the drum kit)."""

    beats_a_minute: float
    parts: dict[int, tuple[Note, ...]]


NAMES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def pitch(name: str) -> int:
    """Turn a note's name into its MIDI number: C4 is 60, F#3 is 54, Bb3 is 58."""
    letter, accidental, octave = name[0], name[1:-1], int(name[-1])
    return 12 * (octave + 1) + NAMES[letter] + accidental.count("#") - accidental.count("b")


def line(melody: str, velocity: int = 88) -> tuple[Note, ...]:
    """Read a melody such as "G4:1 B4:0.5 -:0.5": names with lengths in beats, one after another, "-" a rest."""
    notes, now = [], 0.0
    for word in melody.split():
        name, length = word.split(":")
        if name != "-":
            notes.append(Note(now, float(length), pitch(name), velocity))
        now += float(length)
    return tuple(notes)


def piano_piece() -> Score:
    """G major, 108 beats a minute, eight bars of four: a melody over broken chords in quavers."""
    chords = ("G2 D3 G3 B3", "F#2 D3 F#3 A3", "E2 B2 E3 G3", "C3 G3 C4 E4",
              "B2 D3 G3 B3", "A2 E3 A3 C4", "D2 A2 D3 C4", "G2 D3 G3 B3")  # fmt: skip
    order = (0, 2, 1, 2, 3, 2, 1, 2)
    broken = tuple(
        Note(4 * bar + 0.5 * step, 1.0, pitch(chord.split()[which]), 88 if step in {0, 4} else 66)
        for bar, chord in enumerate(chords)
        for step, which in enumerate(order)
    )
    melody = line(
        "D5:1 B4:0.5 D5:0.5 G5:1 D5:1 E5:0.5 D5:0.5 A5:1 F#5:1 D5:1 B4:1 E5:0.5 G5:0.5 B5:1 G5:1 E5:1 G5:1 C6:1 G5:1 "
        "B5:0.5 A5:0.5 G5:1 D5:1 G5:1 A5:1 E5:1 C5:1 E5:1 F#5:0.5 G5:0.5 A5:1 C6:1 A5:1 G5:2 B5:1 G5:1",
        104,
    )
    return Score(108.0, {0: broken + melody})


def choir_piece() -> Score:
    """F major, 76 beats a minute, eight bars of four: a chorale in four voices."""
    soprano = (
        "A4:1 Bb4:1 C5:1 A4:1 F5:2 E5:2 D5:1 C5:1 Bb4:1 G4:1 A4:4 "
        "C5:1 D5:1 C5:1 Bb4:1 A4:2 D5:2 C5:1 Bb4:1 A4:1 G4:1 F4:4"
    )
    alto = (
        "F4:1 F4:1 F4:1 F4:1 A4:2 G4:2 F4:1 F4:1 G4:1 E4:1 F4:4 F4:1 F4:1 F4:1 G4:1 F4:2 F4:2 F4:1 G4:1 F4:1 E4:1 C4:4"
    )
    tenor = (
        "C4:1 D4:1 C4:1 C4:1 C4:2 Bb3:2 Bb3:1 C4:1 D4:1 Bb3:1 C4:4 "
        "A3:1 Bb3:1 A3:1 C4:1 C4:2 Bb3:2 A3:1 D4:1 C4:1 Bb3:1 A3:4"
    )
    bass = (
        "F3:1 Bb2:1 A2:1 F3:1 F3:2 C3:2 Bb2:1 A2:1 G2:1 C3:1 F3:4 "
        "F3:1 Bb2:1 F3:1 E3:1 F3:2 Bb2:2 C3:1 Bb2:1 C3:1 C3:1 F2:4"
    )
    sung = (line(soprano, 104), line(alto, 80), line(tenor, 62), line(bass, 116))
    return Score(76.0, {52: tuple(note for notes in sung for note in notes)})


def funk_piece() -> Score:
    """D minor, 112 beats a minute, twelve bars of four: drums, bass, piano and saxophone."""
    roots = ("D", "D", "G", "D", "Bb", "C", "D", "A", "G", "A", "D", "D")
    triads = {"D": "D4 F4 A4", "G": "D4 G4 Bb4", "Bb": "D4 F4 Bb4", "C": "E4 G4 C5", "A": "E4 G4 C#5"}
    bass, piano, drums = [], [], []
    for bar, root in enumerate(roots):
        low, first = pitch(f"{root}2"), 4.0 * bar
        for start, length, interval in ((0, 0.75, 0), (1.5, 0.4, 0), (2, 0.5, 7), (2.75, 0.4, 12), (3.5, 0.4, 7)):
            bass.append(Note(first + start, length, low + interval, 104))
        for start, length in ((0.5, 0.3), (1.75, 0.3), (2.5, 0.3), (3, 0.8)):
            piano += [Note(first + start, length, pitch(name), 72) for name in triads[root].split()]
        drums += [Note(first + beat, 0.2, 36, 118) for beat in (0, 2, 2.75)]
        drums += [Note(first + beat, 0.2, 38, 110) for beat in (1, 3)]
        drums += [Note(first + 0.5 * step, 0.2, 46 if step == 7 else 42, 92 - 22 * (step % 2)) for step in range(8)]
        if bar % 4 == 0:
            drums.append(Note(first, 1.0, 49, 96))
    tune = line(
        "-:4 D5:0.75 F5:0.75 A5:1 G5:0.5 F5:1 G5:1 Bb5:0.5 A5:0.5 G5:1 F5:1 D5:2 -:2 "
        "F5:0.75 D5:0.75 F5:0.5 Bb5:2 G5:0.75 E5:0.75 G5:0.5 C6:2 A5:1 F5:1 D5:2 C#5:1 E5:1 A5:2 "
        "Bb5:0.75 A5:0.75 G5:0.5 D5:2 C#5:0.5 E5:0.5 G5:1 A5:2 D5:0.75 F5:0.75 A5:0.5 D6:2 D5:4",
        100,
    )
    return Score(112.0, {33: tuple(bass), 0: tuple(piano), 65: tune, -1: tuple(drums)})


def midi_number(value: int) -> bytes:
    """Write a number the way MIDI files do, seven bits a byte (Standard MIDI Files 1.0, "variable length quantity")."""
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(0x80 | value & 0x7F)
    return bytes(reversed(digits))


def midi_file(score: Score) -> bytes:
    """Write a score as a Standard MIDI File of one track."""
    ticks, drum_channel = 480, 9
    events: list[tuple[int, int, bytes]] = []
    for part, (program, notes) in enumerate(score.parts.items()):
        channel = drum_channel if program < 0 else part
        if program >= 0:
            events.append((0, 0, bytes((0xC0 | channel, program))))
        for note in notes:
            start, stop = round(note.start * ticks), round((note.start + note.length) * ticks)
            events.append((start, 2, bytes((0x90 | channel, note.pitch, note.velocity))))
            events.append((stop - 1, 1, bytes((0x80 | channel, note.pitch, 0))))
    tempo = round(60_000_000 / score.beats_a_minute).to_bytes(3, "big")
    track, now = b"\x00\xff\x51\x03" + tempo, 0
    for when, _, event in sorted(events):
        track += midi_number(when - now) + event
        now = when
    track += midi_number(8 * ticks) + b"\xff\x2f\x00"
    header = b"MThd" + (6).to_bytes(4, "big") + bytes((0, 0, 0, 1)) + ticks.to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + track

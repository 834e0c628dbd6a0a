"""Pieces of music written by a program: every style below in any key and at any tempo, as notes in beats.

The composer is a fixed walk through tables: a progression of chords, an accompaniment figure, a bass figure, a drum
pattern and a melody that prefers chord notes on the beat.  A style is a row of choices; a seed picks among them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

DRUMS = 9
"""The part that General MIDI plays on the drum kit."""

TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""Pitch classes 0 to 11, spelled for test names only."""

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)

KICK, SNARE, CLAP, HAT, OPEN_HAT, RIDE, TOM, SHAKER, STICK = 36, 38, 39, 42, 46, 51, 45, 70, 37


class Note(NamedTuple):
    """One note; part 9 is the drum kit, where the pitch names the drum."""

    start_beats: float
    length_beats: float
    pitch: int
    velocity: int
    part: int


class Piece(NamedTuple):
    """A piece and the truth about it."""

    name: str
    style: str
    bpm: float
    tonic: int
    mode: str
    notes: tuple[Note, ...]
    programs: dict[int, int]
    """General MIDI program of each part but the drums."""
    jitter_s: float
    """How unevenly it is played: standard deviation of a note's start."""
    tuning_cents: float
    """How far it is tuned from A = 440 Hz."""


class Style(NamedTuple):
    """What a piece of this kind may be made of; one of each tuple is picked."""

    modes: tuple[str, ...]
    tempos_bpm: tuple[float, float]
    progressions: tuple[str, ...]
    """Chords, a bar each: scale degrees 1 to 7, then "7" for a seventh, "M" or "m" for a forced third, or
    "b7" for the major chord a whole tone below the tonic."""
    chords: tuple[str, ...] = ("",)
    """Names in `FIGURES`."""
    basses: tuple[str, ...] = ("",)
    """Names in `BASSES`."""
    drums: tuple[str, ...] = ("",)
    """Names in `KITS`."""
    melody: tuple[float, ...] = (0.5,)
    """Share of melody beats that are split in two; negative for no melody."""
    programs: tuple[tuple[int, int, int], ...] = ((0, 0, 32),)
    """Melody, chords and bass programs."""
    beats: int = 4
    """Beats in a bar."""
    swing: float = 0.5
    """Where the second half of a beat falls."""


FIGURES: dict[str, tuple[tuple[float, float, str], ...]] = {
    # start and length in beats, then which chord notes: "*" all, digits by index from the lowest
    "held": ((0, 4, "*"),),
    "halves": ((0, 2, "*"), (2, 2, "*")),
    "quarters": tuple((beat, 0.9, "*") for beat in range(4)),
    "eighths": tuple((beat / 2, 0.45, "*") for beat in range(8)),
    "alberti": tuple((index / 2, 0.5, "0212"[index % 4]) for index in range(8)),
    "arpeggio": tuple((index / 2, 0.7, "01232321"[index]) for index in range(8)),
    "sixteenths": tuple((index / 4, 0.3, "0123"[index % 4]) for index in range(16)),
    "waltz": ((1, 0.8, "*"), (2, 0.8, "*")),
    "broken": ((0, 1, "0"), (1, 1, "1"), (2, 1, "2")),
    "offbeat": tuple((beat + 0.5, 0.3, "*") for beat in range(4)),
    "backbeat": ((1, 0.4, "*"), (3, 0.4, "*")),
    "strum": ((0, 1, "*"), (1, 0.5, "*"), (1.5, 0.5, "*"), (2.5, 0.5, "*"), (3, 0.5, "*"), (3.5, 0.5, "*")),
    "charleston": ((0, 1.2, "*"), (1.5, 0.5, "*")),
    "bossa": ((0, 0.5, "*"), (1, 0.5, "*"), (2.5, 0.5, "*"), (3.5, 0.5, "*")),
    "push": ((0, 1.5, "*"), (1.5, 1.5, "*"), (3, 1, "*")),
    "picking": ((0, 1, "03"), (0.5, 1, "1"), (1, 1, "2"), (1.5, 1, "1"), (2, 1, "03"), (2.5, 1, "1"), (3, 1, "2")),
    "funk": ((0, 0.2, "*"), (0.75, 0.2, "*"), (1.5, 0.2, "*"), (2.25, 0.2, "*"), (2.75, 0.2, "*"), (3.5, 0.2, "*")),
}

BASSES: dict[str, tuple[tuple[float, float, int], ...]] = {
    # start and length in beats, then semitones above the root (7 the fifth)
    "held": ((0, 4, 0),),
    "first": ((0, 1, 0),),
    "halves": ((0, 2, 0), (2, 2, 0)),
    "fifths": ((0, 2, 0), (2, 2, 7)),
    "quarters": tuple((beat, 0.9, 0) for beat in range(4)),
    "eighths": tuple((beat / 2, 0.45, 0) for beat in range(8)),
    "octaves": tuple((beat / 2, 0.45, 12 * (beat % 2)) for beat in range(8)),
    "walking": ((0, 1, 0), (1, 1, 4), (2, 1, 7), (3, 1, 9)),
    "offbeat": tuple((beat + 0.5, 0.4, 0) for beat in range(4)),
    "sixteenths": tuple((beat + part, 0.2, 0) for beat in range(4) for part in (0.25, 0.5, 0.75)),
    "bossa": ((0, 1.5, 0), (1.5, 0.5, 7), (2, 1.5, 7), (3.5, 0.5, 0)),
    "reggae": ((0, 0.7, 0), (1.5, 0.5, 0), (2, 0.7, 7), (3.5, 0.4, 0)),
    "funk": ((0, 0.4, 0), (0.75, 0.2, 0), (1.5, 0.4, 12), (2.5, 0.2, 7), (3.25, 0.4, 0)),
}


def _steps(pattern: str, drum: int, loud: int, per_beat: int = 4) -> tuple[tuple[float, int, int], ...]:
    """Hits of one drum from a row of "x" and "-", sixteenths unless told otherwise."""
    return tuple((index / per_beat, drum, loud) for index, step in enumerate(pattern) if step == "x")


KITS: dict[str, tuple[tuple[float, int, int], ...]] = {
    # start in beats, drum, loudness
    "rock": _steps("x-------x-------", KICK, 110) + _steps("----x-------x---", SNARE, 105) + _steps("x-x-x-x-x-x-x-x-", HAT, 70),
    "pop": _steps("x-----x-x-------", KICK, 110) + _steps("----x-------x---", SNARE, 100) + _steps("x-x-x-x-x-x-x-x-", HAT, 65),
    "ballad": _steps("x---------x-----", KICK, 95) + _steps("----x-------x---", STICK, 80) + _steps("x---x---x---x---", HAT, 55),
    "four": _steps("x---x---x---x---", KICK, 120) + _steps("--x---x---x---x-", OPEN_HAT, 80),
    "techno": _steps("x---x---x---x---", KICK, 120) + _steps("----x-------x---", CLAP, 90) + _steps("xxxxxxxxxxxxxxxx", HAT, 55),
    "disco": _steps("x---x---x---x---", KICK, 115) + _steps("----x-------x---", SNARE, 100) + _steps("x-xxx-xxx-xxx-xx", HAT, 70),
    "shuffle": _steps("x-----x-----", KICK, 105, 3) + _steps("---x-----x--", SNARE, 100, 3) + _steps("x-xx-xx-xx-x", HAT, 70, 3),
    "swing": _steps("x--x-xx--x-x", RIDE, 75, 3) + _steps("---x-----x--", HAT, 60, 3),
    "waltz": _steps("x-----------", KICK, 95) + _steps("----x---x---", HAT, 70),
    "onedrop": _steps("--------x-------", KICK, 110) + _steps("--------x-------", STICK, 90) + _steps("x-x-x-x-x-x-x-x-", HAT, 60),
    "half": _steps("x---------x-----", KICK, 115) + _steps("--------x-------", SNARE, 110) + _steps("x-x-x-x-x-x-xxx-", HAT, 65),
    "breaks": _steps("x---------x-----", KICK, 115) + _steps("----x--x-x--x--x", SNARE, 95) + _steps("x-x-x-x-x-x-x-x-", HAT, 70),
    "funk": _steps("x--x--x---x-----", KICK, 110) + _steps("----x--x-x--x---", SNARE, 95) + _steps("xxxxxxxxxxxxxxxx", HAT, 60),
    "bossa": _steps("x-----xxx-----xx", KICK, 85) + _steps("x--x--x---x--x--", STICK, 80) + _steps("xxxxxxxxxxxxxxxx", SHAKER, 50),
    "march": _steps("x-------x-------", KICK, 100) + _steps("----x-xx----x-xx", SNARE, 85),
}  # fmt: skip

POP = ("1 5 6 4", "1 6 4 5", "1 4 5 1", "6 4 1 5", "1 4 6 5", "1 5 6 3 4 1 4 5", "1 4 1 5")
DARK = ("1 6 3 7", "1 4 5 1", "1 7 6 7", "1 6 7 1", "1 4 7 3 6 2 5M 1", "1 6 4 5M", "1 4 1 5M")
CLASSIC = ("1 5 1 4 1 4 5 1", "1 4 5 1", "1 2 5 1", "1 6 2 5 1 4 5 1", "1 1 5 5 5 5 1 1")
CLASSIC_MINOR = ("1 4 5M 1", "1 5M 1 4 1 4 5M 1", "1 6 4 5M 1 4 5M 1", "1 1 5M 5M 5M 5M 1 1")
BOTH = ("major", "minor")

STYLES: dict[str, Style] = {
    "pop": Style(("major",), (80, 140), POP, ("eighths", "quarters", "held", "strum"), ("quarters", "eighths"),
                 ("pop", "rock"), (0.3, 0.6), ((73, 0, 33), (81, 4, 33), (0, 25, 32), (52, 0, 33))),
    "minor pop": Style(("minor",), (75, 140), DARK, ("eighths", "held", "arpeggio"), ("quarters", "eighths", "halves"),
                       ("pop", "rock"), (0.3, 0.6), ((81, 0, 33), (66, 48, 33), (0, 27, 34))),
    "rock": Style(BOTH, (95, 175), ("1 b7 4 1", "1 4 5 4", "1 5 4 4", "1 4 1 5"), ("eighths", "quarters"), ("eighths",),
                  ("rock",), (0.4,), ((30, 30, 34), (29, 29, 33), (18, 30, 34))),
    "blues": Style(("major",), (70, 130), ("17 17 17 17 47 47 17 17 57 47 17 57",), ("quarters", "backbeat"),
                   ("walking", "quarters"), ("shuffle",), (0.5,), ((66, 0, 32), (22, 26, 33)), swing=0.667),
    "waltz": Style(BOTH, (85, 180), CLASSIC, ("waltz", "broken"), ("first",), ("", "", "waltz"), (0.2, 0.5),
                   ((40, 48, 32), (0, 0, 0), (21, 24, 32), (73, 46, 43)), beats=3),
    "alberti": Style(("major",), (80, 150), CLASSIC, ("alberti",), ("",), ("",), (0.2, 0.5), ((0, 0, 0), (6, 6, 6))),
    "minor alberti": Style(("minor",), (80, 140), CLASSIC_MINOR, ("alberti",), ("",), ("",), (0.3,),
                           ((0, 0, 0), (6, 6, 6), (73, 0, 0))),
    "ballad": Style(BOTH, (55, 90), ("1 6 4 5", "1 4 1 5", "1 5 6 4"), ("arpeggio", "halves"), ("halves", "held"),
                    ("ballad", ""), (0.4,), ((68, 48, 32), (0, 0, 32), (40, 48, 43))),
    "techno": Style(("minor",), (118, 150), ("1 1 6 7", "1 1 1 1", "1 6 3 7"), ("offbeat", "held", "sixteenths"),
                    ("offbeat", "sixteenths"), ("four", "techno"), (0.5, -1), ((81, 90, 38), (80, 81, 39))),
    "strum": Style(("major",), (85, 150), POP, ("strum",), ("", "halves"), ("",), (0.4,),
                   ((73, 25, 32), (22, 24, 32), (52, 25, 32))),
    "jazz": Style(("major",), (90, 190), ("27 57 17 17", "17 67 27 57", "27 57 17 67"), ("charleston", "quarters"),
                  ("walking",), ("swing",), (0.6,), ((66, 0, 32), (56, 26, 32), (11, 4, 32)), swing=0.667),
    "melody": Style(BOTH, (80, 150), CLASSIC, ("",), ("",), ("",), (0.2, 0.5),
                    ((73, 0, 0), (40, 0, 0), (0, 0, 0), (68, 0, 0))),
    "reggae": Style(BOTH, (65, 100), ("1 4 5 4", "1 5 6 4", "1 4 1 5"), ("offbeat",), ("reggae",), ("onedrop",), (0.5,),
                    ((22, 16, 33), (73, 27, 33))),
    "bossa": Style(BOTH, (100, 150), ("17 67 27 57", "17 47 27 57"), ("bossa",), ("bossa",), ("bossa",), (0.5,),
                   ((73, 24, 32), (66, 0, 32))),
    "disco": Style(BOTH, (105, 132), ("1 6 4 5", "1 4 6 5", "1 6 3 7"), ("eighths", "push"), ("octaves",), ("disco",),
                   (0.4,), ((61, 48, 38), (56, 0, 33))),
    "synthwave": Style(("minor",), (80, 120), DARK, ("held", "sixteenths"), ("eighths",), ("rock", "four"), (0.2,),
                       ((81, 90, 38), (80, 89, 39))),
    "hip hop": Style(("minor",), (70, 100), ("1 6 7 1", "1 4 6 5M", "1 7 6 5M"), ("held", "halves"), ("halves",),
                     ("half", "pop"), (0.5,), ((11, 4, 38), (4, 48, 39))),
    "hymn": Style(("major",), (60, 110), ("1 4 5 1", "1 6 2 5", "1 5 6 4 1 4 5 1"), ("quarters", "halves"),
                  ("quarters", "halves"), ("",), (0.1,), ((52, 19, 19), (19, 19, 19), (60, 61, 58))),
    "fingerpicking": Style(BOTH, (75, 130), ("1 5 6 4", "1 4 1 5", "1 6 4 5"), ("picking",), ("", "first"), ("",),
                           (0.3, -1), ((73, 24, 32), (40, 25, 32))),
    "march": Style(("major",), (100, 130), CLASSIC, ("backbeat", "offbeat"), ("fifths",), ("march",), (0.3,),
                   ((56, 61, 58), (72, 60, 58))),
    "minor piano": Style(("minor",), (60, 120), DARK, ("arpeggio", "quarters"), ("halves", "held"), ("",), (0.4,),
                         ((0, 0, 0), (1, 1, 1))),
    "funk": Style(BOTH, (90, 120), ("1 4 1 4", "17 17 47 47"), ("funk",), ("funk",), ("funk",), (0.6,),
                  ((61, 27, 36), (66, 7, 37))),
    "breakbeat": Style(("minor",), (155, 176), ("1 1 6 7", "1 6 4 7"), ("held",), ("held", "push"), ("breaks",),
                       (0.1,), ((81, 90, 38), (11, 89, 39))),
    "string quartet": Style(BOTH, (70, 140), CLASSIC, ("eighths", "quarters"), ("quarters", "halves"), ("",), (0.4,),
                            ((40, 48, 42), (40, 41, 42))),
}  # fmt: skip

BASSES["push"] = ((0, 1.5, 0), (1.5, 1, 0), (2.5, 1.5, 7))

DEVELOPMENT_STYLES = tuple(STYLES)[:12]
"""The styles that rules and weights may be fitted on; those after them are held out."""


def _mixed() -> dict[str, Style]:
    """Styles that mix what the development styles use, so that no style fixes the tempo or the instruments."""
    used = [STYLES[name] for name in DEVELOPMENT_STYLES]
    four = [style for style in used if style.beats == 4]  # noqa: PLR2004

    def union(field: str) -> tuple[str, ...]:
        return tuple(sorted({choice for style in four for choice in getattr(style, field)}))

    chords = tuple(choice for choice in union("chords") if choice)
    basses = (*union("basses"), "", "fifths", "first")
    drums = (*union("drums"), "", "", "")
    programs = tuple(choice for style in four for choice in style.programs)
    every = tuple(choice for style in used for choice in style.programs)
    split = (0.2, 0.4, 0.6)
    return {
        "mixed major": Style(("major",), (58, 185), POP + CLASSIC, chords, basses, drums, split, programs),
        "mixed minor": Style(("minor",), (58, 185), DARK + CLASSIC_MINOR, chords, basses, drums, split, programs),
        "mixed three": Style(BOTH, (70, 190), CLASSIC, ("waltz", "broken", "quarters", "held", "eighths", "arpeggio"),
                             ("first", "quarters", "", "held"), ("", "waltz"), split, every, beats=3),
        "random four": Style(BOTH, (58, 185), ("1 5 6 4", "1 4 1 5", "1 6 4 5", "1 4 5 1"), ("random",), ("random",),
                             ("random",), (0.2, 0.5, -1), programs),
        "random three": Style(BOTH, (70, 185), ("1 5 6 4", "1 4 1 5", "1 6 4 5", "1 4 5 1"), ("random",), ("random",),
                              ("random",), (0.2, 0.5, -1), every, beats=3),
    }  # fmt: skip


MIXED_STYLES = _mixed()
STYLES.update(MIXED_STYLES)
HELD_OUT_STYLES = tuple(name for name in STYLES if name not in DEVELOPMENT_STYLES and name not in MIXED_STYLES)


def compose(style_name: str, seed: int, length_s: float = 30.0) -> Piece:
    """Write a piece.

    Args:
        style_name: a key of `STYLES`.
        seed: picks everything that the style leaves open; the same seed gives the same piece.
        length_s: how long it lasts, rounded up to a whole bar.

    Returns:
        The piece, which ends on its tonic chord two times in three.
    """
    style = STYLES[style_name]
    rng = np.random.default_rng([seed, *style_name.encode()])
    mode = str(rng.choice(style.modes))
    tonic = int(rng.integers(12))
    bpm = float(np.round(np.exp(rng.uniform(*np.log(style.tempos_bpm)))))
    progression = str(rng.choice(style.progressions)).split()
    if style_name in {"waltz", "string quartet"} and mode == "minor":
        progression = str(rng.choice(CLASSIC_MINOR)).split()
    figure = FIGURES.get(str(rng.choice(style.chords)), ())
    bass = BASSES.get(str(rng.choice(style.basses)), ())
    kit = KITS.get(str(rng.choice(style.drums)), ())
    if style.chords == ("random",):
        figure, bass, kit = _random_rhythm(rng, bpm, style.beats)
    split = float(rng.choice(style.melody))
    melody, chords, low = style.programs[int(rng.integers(len(style.programs)))]
    bars = int(np.ceil(length_s * bpm / 60 / style.beats))
    ends_home = rng.random() < 2 / 3  # noqa: PLR2004 (see the docstring)
    scale = MAJOR if mode == "major" else MINOR

    def swung(beat: float) -> float:
        whole, part = divmod(beat, 1.0)
        return whole + (part * 2 * style.swing if part <= 0.5 else style.swing + (part - 0.5) * 2 * (1 - style.swing))  # noqa: PLR2004

    notes: list[Note] = []
    voice = 14 + int(rng.integers(0, 4))
    for bar in range(bars):
        symbol = "1" if ends_home and bar == bars - 1 else progression[bar % len(progression)]
        tones = chord_tones(symbol, scale)
        start = bar * style.beats
        middle = [tonic + 48 + tone for tone in tones]
        middle = [pitch - 12 * (middle[0] > 57) for pitch in middle]  # noqa: PLR2004 (keep chords around middle C)
        middle.append(middle[0] + 12)
        for at, length, which in figure:
            if at < style.beats:
                chosen = middle[: len(tones)] if which == "*" else [middle[int(index)] for index in which]
                loud = 72 + 8 * (at == 0) + int(rng.integers(-6, 7))
                notes += [Note(start + swung(at), length, pitch, loud, 1) for pitch in chosen]
        root = 36 + (tonic + tones[0] - 4) % 12 - 8 + 12 * (style.beats == 3 and low == 0)  # noqa: PLR2004
        for at, length, above in bass:
            if at < style.beats:
                above_fitted = tones[1] - tones[0] if above == 4 else above  # noqa: PLR2004 (a walking bass's third)
                notes.append(Note(start + swung(at), min(length, style.beats - at), root + above_fitted, 92, 2))
        for at, drum, loud in kit:
            if at < style.beats:
                notes.append(Note(start + at, 0.1, drum, loud + int(rng.integers(-8, 9)), DRUMS))
        if split >= 0:
            voice = _sing(notes, rng, start, style, split, voice, tones, scale, tonic, swung)
    return Piece(
        name=f"{style_name} {seed}", style=style_name, bpm=bpm, tonic=tonic, mode=mode, notes=tuple(notes),
        programs={0: melody, 1: chords, 2: low}, jitter_s=float(rng.choice((0.0, 0.005, 0.012))),
        tuning_cents=float(rng.choice((0.0, 0.0, 0.0, -30.0, 20.0, 40.0))),
    )  # fmt: skip


def _random_rhythm(
    rng: np.random.Generator, bpm: float, beats: int
) -> tuple[tuple[tuple[float, float, str], ...], tuple[tuple[float, float, int], ...], tuple[tuple[float, int, int], ...]]:
    """Draw a bar of chords, bass and drums, no quicker than people play: sixteenths only below 125 beats a minute."""
    step = float(rng.choice((0.25, 0.5) if bpm < 85 else (0.25, 0.5, 0.5, 1.0) if bpm < 125 else (0.5, 1.0)))  # noqa: PLR2004
    grid = np.arange(0, beats, min(step, 0.5))
    weight = np.where(grid % 1 == 0, 0.6, np.where(grid % 0.5 == 0, 0.35, 0.15))
    struck = grid[rng.random(len(grid)) < np.where(grid == 0, 0.9, weight)]
    figure = tuple((float(at), 0.45, "*") for at in struck)
    low = grid[rng.random(len(grid)) < np.where(grid == 0, 0.97, weight * 0.8)]
    bass = tuple((float(at), 0.45, int(rng.choice((0, 0, 0, 7, 12)))) for at in low)
    kit: list[tuple[float, int, int]] = []
    if rng.random() < 0.7:  # noqa: PLR2004 (the share with drums)
        back = ((1, 3) if rng.random() < 0.75 else (2,)) if beats == 4 else ((1, 2) if rng.random() < 0.5 else ())  # noqa: PLR2004
        kick = low if rng.random() < 0.5 else grid[rng.random(len(grid)) < np.where(grid == 0, 1, weight * 0.5)]  # noqa: PLR2004
        kit += [(float(at), KICK, 108) for at in kick]
        kit += [(float(at), SNARE, 100) for at in back]
        kit += [(float(at), HAT, 62 + 10 * (at % 1 == 0)) for at in np.arange(0, beats, step)]
    return figure, bass, tuple(kit)


def chord_tones(symbol: str, scale: tuple[int, ...]) -> tuple[int, ...]:
    """Semitones above the tonic of a chord's notes, root first.

    Args:
        symbol: a scale degree from "1" to "7", then "7" for a seventh chord, "M" or "m" to force its third.
        scale: the seven semitones of the scale.
    """
    if symbol == "b7":
        return (10, 14, 17)
    degree = int(symbol[0]) - 1
    tones = [scale[(degree + step) % 7] + 12 * ((degree + step) // 7) for step in (0, 2, 4)]
    if symbol.endswith(("M", "m")):
        tones[1] = tones[0] + (4 if symbol.endswith("M") else 3)
    if symbol.endswith("7") and len(symbol) > 1:
        tones.append(tones[0] + (11 if symbol == "17" and scale is MAJOR else 10))
    return tuple(tones)


def _sing(  # noqa: PLR0913 (the composer's state, kept in its one loop)
    notes: list[Note], rng: np.random.Generator, start: float, style: Style, split: float, voice: int,
    tones: tuple[int, ...], scale: tuple[int, ...], tonic: int, swung: object,
) -> int:  # fmt: skip
    """Add a bar of melody: steps in the scale, drawn to chord notes on the beat; returns the last scale step."""
    at = 0.0
    classes = {tone % 12 for tone in tones}
    while at < style.beats:
        on_beat = at == int(at)
        longer = on_beat and rng.random() < 0.25 and at + 2 <= style.beats  # noqa: PLR2004 (a quarter are long)
        length = 2.0 if longer else 0.5 if not on_beat or rng.random() < split else 1.0
        voice = int(np.clip(voice + rng.choice((-2, -1, -1, 0, 1, 1, 2)), 10, 22))
        if on_beat:
            while scale[voice % 7] % 12 not in classes and rng.random() < 0.8:  # noqa: PLR2004
                voice += int(rng.choice((-1, 1)))
        if rng.random() > 0.08:  # noqa: PLR2004 (some rests)
            pitch = tonic + 48 + scale[voice % 7] + 12 * (voice // 7 - 1)
            notes.append(Note(start + swung(at), length * 0.95, pitch, 88 + int(rng.integers(-8, 9)), 0))  # type: ignore[operator]
        at += length
    return voice

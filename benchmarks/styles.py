"""What pieces may be made of: tables of rhythms, progressions and instruments, and the styles that choose from them.

The first twelve styles and mixtures of them are for development, and so are those of `KEY_STYLES`, for the key alone;
the others are held out.
"""

# ruff: noqa: E501 (a drum pattern reads best in one row)

from __future__ import annotations

from typing import NamedTuple

DRUMS = 9
"""The part that General MIDI plays on the drum kit."""

TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""Pitch classes 0 to 11, spelled for test names only."""

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)

KICK, SNARE, CLAP, HAT, OPEN_HAT, RIDE, TOM, SHAKER, STICK = 36, 38, 39, 42, 46, 51, 45, 70, 37


class Style(NamedTuple):
    """What a piece of this kind may be made of; one of each tuple is picked."""

    modes: tuple[str, ...]
    tempos_bpm: tuple[float, float]
    progressions: tuple[str, ...]
    """Chords, a bar each: scale degrees 1 to 7, then "7" for a seventh, "M" or "m" for a forced third, "M7" for a
    dominant seventh, "p" for a power chord (root, fifth and octave), or "b7" for the major chord a whole tone below
    the tonic ("b7p": its power chord).  "walk" and "walk p" draw four or eight chords from the scale, the first on
    the tonic."""
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
    octaves: tuple[int, ...] = (0,)
    """How far the chords are moved."""
    leading: float = 0.0
    """How often a bar of melody in minor raises the seventh step, beside those over the major dominant."""
    tune: str = ""
    """"run" for scales and broken chords up and down in place of a melody."""


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
    four = [style for style in used if style.beats == 4]

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
        "wide four": Style(BOTH, (58, 185), POP + DARK, ("wide",), ("wide",), ("wide",), (0.1, 0.3, 0.6, -1), programs),
        "wide ternary": Style(BOTH, (52, 130), POP + DARK, ("wide ternary",), ("wide",), ("wide",), (0.0, -1), programs),
        "wide three": Style(BOTH, (70, 185), POP + DARK, ("wide",), ("wide",), ("wide",), (0.1, 0.3, -1), every, beats=3),
    }  # fmt: skip


MIXED_STYLES = _mixed()
STYLES.update(MIXED_STYLES)
HELD_OUT_STYLES = tuple(name for name in STYLES if name not in DEVELOPMENT_STYLES and name not in MIXED_STYLES)

FIGURES |= {
    "triplets": tuple((index / 3, 0.3, "*") for index in range(12)),
    "rolling": tuple((index / 3, 0.4, "012321"[index % 6]) for index in range(12)),
    "guitar": tuple((index / 2, 0.9, "02132312"[index]) for index in range(8)),
    "samba": tuple((index / 4, 0.2, "*") for index in (0, 2, 4, 5, 7, 9, 11, 12, 14)),
    "tango": ((0, 0.4, "*"), (1, 0.4, "*"), (2, 0.4, "*"), (3, 0.4, "*"), (3.5, 0.4, "*")),
    "oom-pah": ((1, 0.4, "*"), (3, 0.4, "*")),
    "stabs": ((0, 0.3, "*"), (1.5, 0.3, "*"), (3, 0.3, "*")),
    "montuno": tuple((index / 2, 0.4, "03120312"[index]) for index in (0, 1, 3, 4, 5, 6, 7)),
}
BASSES |= {
    "surdo": ((0, 0.7, 0), (1, 0.9, 7), (2, 0.7, 0), (3, 0.9, 7)),
    "rolling": ((0, 1.3, 0), (1.667, 0.3, 0), (2, 1.3, 0), (3.667, 0.3, 7)),
    "dotted": ((0, 1.5, 0), (1.5, 0.5, 7), (2, 1.5, 0), (3.5, 0.5, 7)),
    "drop": ((0, 0.9, 0), (2.5, 1.2, 0)),
    "tumbao": ((0, 0.5, 0), (1.5, 1.0, 7), (3, 1.0, 12)),
    "house": ((0.5, 0.4, 0), (1.5, 0.4, 0), (2.5, 0.4, 0), (3.25, 0.2, 0), (3.5, 0.4, 12)),
}
KITS |= {
    "slow twelve": _steps("x-----x-----", KICK, 105, 3) + _steps("---x-----x--", SNARE, 100, 3) + _steps("xxxxxxxxxxxx", HAT, 65, 3),
    "two step": _steps("x---------x-----", KICK, 115) + _steps("----x-------x---", SNARE, 108) + _steps("x-x-x-x-x-x-x-x-", HAT, 70),
    "samba": _steps("x--xx--xx--xx--x", KICK, 90) + _steps("x-xx-x-xx-xx-x-x", STICK, 75) + _steps("xxxxxxxxxxxxxxxx", SHAKER, 60),
    "parade": _steps("x-------x-------", KICK, 105) + _steps("x-x-x-xxx-x-x-xx", SNARE, 80) + _steps("x-------x-------", RIDE, 80),
    "ska": _steps("x---x---x---x---", KICK, 105) + _steps("----x-------x---", SNARE, 100) + _steps("--x---x---x---x-", OPEN_HAT, 75),
    "house": _steps("x---x---x---x---", KICK, 120) + _steps("----x-------x---", CLAP, 95) + _steps("--x---x---x---x-", OPEN_HAT, 75) + _steps("x-xxx-xxx-xxx-xx", HAT, 50),
    "country": _steps("x---x---x---x---", KICK, 100) + _steps("--x---x---x---x-", SNARE, 85),
    "clave": _steps("x--x---x--x-x---", STICK, 95) + _steps("x-x-x-x-x-x-x-x-", SHAKER, 60) + _steps("------x-------x-", TOM, 85),
    "loop": _steps("x-------x-x-----", KICK, 112) + _steps("----x-------x---", SNARE, 104) + _steps("x-x-x-x-x-x-x-x-", HAT, 66),
}  # fmt: skip

FRESH: dict[str, Style] = {
    "four-chord band": Style(BOTH, (70, 160), POP, ("quarters", "held"), ("quarters",), ("loop",), (0.3,),
                             ((80, 0, 33), (73, 24, 33), (65, 4, 35))),
    "arpeggio guitar": Style(BOTH, (65, 140), POP, ("guitar",), ("",), ("",), (-1,), ((24, 24, 32), (25, 25, 32))),
    "quarter strings": Style(BOTH, (60, 140), CLASSIC, ("quarters",), ("quarters",), ("",), (0.0, 0.2),
                             ((40, 41, 42), (48, 48, 48), (44, 48, 43))),
    "piano waltz": Style(("major",), (90, 180), CLASSIC, ("waltz",), ("first",), ("",), (0.1, 0.3), ((0, 0, 0), (71, 0, 43)), beats=3),
    "brass march": Style(("major",), (96, 130), CLASSIC, ("oom-pah",), ("fifths",), ("parade",), (0.2,), ((56, 57, 58), (73, 61, 58))),
    "bossa quiet": Style(("major",), (110, 145), ("17 67 27 57", "17 27 57 17"), ("bossa",), ("dotted",), ("", "bossa"), (0.3, -1),
                         ((11, 24, 32), (65, 4, 32))),
    "house": Style(("minor",), (116, 130), DARK, ("stabs", "held"), ("house", "offbeat"), ("house",), (0.2, -1), ((81, 16, 38), (4, 50, 39))),
    "ballad 66": Style(BOTH, (58, 74), POP, ("quarters", "eighths"), ("first", "dotted"), ("two step", ""), (0.4,),
                       ((73, 0, 33), (54, 4, 35))),
    "slow rock": Style(("major",), (60, 84), ("1 6 4 5", "1 4 1 5"), ("triplets", "rolling"), ("rolling", "halves"), ("slow twelve",),
                       (0.0,), ((65, 0, 33), (27, 26, 33))),
    "drum and bass": Style(("minor",), (168, 178), ("1 1 6 7", "1 6 4 7"), ("held", "halves"), ("drop", "halves"), ("two step",), (0.0, 0.2),
                           ((81, 89, 38), (87, 90, 39))),
    "samba": Style(BOTH, (92, 120), ("17 67 27 57", "1 4 5 1"), ("samba",), ("surdo",), ("samba",), (0.5,), ((73, 24, 32), (56, 25, 33))),
    "sonatina": Style(BOTH, (90, 150), CLASSIC, ("alberti",), ("",), ("",), (0.3, 0.5), ((0, 0, 0), (1, 1, 1))),
    "country": Style(("major",), (85, 125), POP, ("strum", "offbeat"), ("fifths",), ("country",), (0.4,), ((22, 25, 32), (40, 25, 33))),
    "ska": Style(("major",), (110, 160), POP, ("offbeat",), ("walking", "eighths"), ("ska",), (0.3,), ((56, 26, 33), (66, 16, 33))),
    "salsa": Style(("minor",), (85, 105), ("1 4 5M 4", "1 7 6 5M"), ("montuno",), ("tumbao",), ("clave",), (0.4,), ((56, 0, 32), (61, 0, 32))),
    "orchestra": Style(BOTH, (70, 140), CLASSIC, ("eighths", "stabs", "quarters"), ("fifths", "quarters"), ("",), (0.3,),
                       ((60, 48, 43), (68, 45, 43), (73, 44, 42))),
}  # fmt: skip
STYLES.update(FRESH)
FRESH_STYLES = tuple(FRESH)
"""Written after the rules were fitted and never looked at while anything was chosen; `benchmarks.music`."""

FIGURES |= {
    "gallop": tuple((beat + part, 0.22, "*") for beat in range(4) for part in (0, 0.5, 0.75)),
    "chug": ((0, 1.4, "*"), (1.5, 0.4, "*"), (2, 0.4, "*"), (2.5, 1.4, "*")),
    "up": tuple((index / 2, 0.5, "01230123"[index]) for index in range(8)),
}
POWER_MINOR = ("1p 6p 7p 1p", "1p 6p 3p 7p", "1p 3p 7p 4p", "1p 7p 6p 7p", "1p 1p 6p 7p", "1p 4p 6p 7p", "1p 3p 4p 6p",
               "1p 6p 4p 5p", "1p 4p 1p 5p", "1p 7p 3p 6p", "1p 3p 6p 7p", "1p 4p 5p 1p")  # fmt: skip
POWER_MAJOR = ("1p 4p 5p 1p", "1p 5p 6p 4p", "1p 4p 1p 5p", "1p b7p 4p 1p", "1p 6p 4p 5p", "1p 4p 6p 5p", "1p 5p 4p 5p")
GUITARS = ((30, 30, 33), (29, 29, 34), (81, 30, 34), (0, 29, 35), (62, 30, 33), (30, 29, 33))
PLAIN_MAJOR = ("1 4 5 1", "1 4 57 1", "1 6 4 5 1", "1 5 6 4 1 4 5 1", "27 57 17 17", "1 6 2 57", "1 2 57 1", "1 3 4 5",
               "1 5 6 3 4 1 2 5", "1 5 6 4", "1 3 6 4 5 1")  # fmt: skip
PLAIN_MINOR = ("1 4 5M 1", "1 4 5M7 1", "1 4 5 1", "1 6 3 7", "1 7 6 5M", "1 6 4 5M", "1 3 6 7", "1 7 6 7", "1 2 5M7 1",
               "1 5M 1 4 1 5M 1 1", "1 6 3 7 1 4 5M 1", "1 3 4 6 1 5M 1 5M", "1 5M 7 4 6 3 4 5M", "1 4 7 3")  # fmt: skip
KEYBOARDS = ((0, 0, 0), (4, 4, 33), (16, 19, 43), (48, 48, 43), (40, 48, 42), (81, 81, 38), (80, 80, 38), (88, 89, 39),
             (52, 52, 32), (25, 25, 32), (6, 6, 43), (73, 46, 43), (61, 61, 58))  # fmt: skip

KEY_STYLES: dict[str, Style] = {
    "power minor": Style(("minor",), (80, 180), POWER_MINOR, ("eighths", "gallop", "chug", "quarters", "held"), ("eighths", "quarters", "held"),
                         ("rock", "pop", "half"), (-1, -1, 0.2, 0.5), GUITARS, octaves=(0, -1)),
    "power major": Style(("major",), (80, 180), POWER_MAJOR, ("eighths", "gallop", "chug", "quarters", "held"), ("eighths", "quarters", "held"),
                         ("rock", "pop", "half"), (-1, -1, 0.2, 0.5), GUITARS, octaves=(0, -1)),
    "bare power minor": Style(("minor",), (80, 160), POWER_MINOR, ("eighths", "chug", "held"), ("", "eighths"), ("", "rock"), (-1, 0.4), GUITARS, octaves=(0, -1)),
    "bare power major": Style(("major",), (80, 160), POWER_MAJOR, ("eighths", "chug", "held"), ("", "eighths"), ("", "rock"), (-1, 0.4), GUITARS, octaves=(0, -1)),
    "plain major": Style(("major",), (60, 140), PLAIN_MAJOR, ("held", "quarters", "halves", "up", "arpeggio"), ("", "held", "fifths"), ("",), (-1, -1, 0.3),
                         KEYBOARDS, octaves=(0, 0, 1)),
    "plain minor": Style(("minor",), (60, 140), PLAIN_MINOR, ("held", "quarters", "halves", "up", "arpeggio"), ("", "held", "fifths"), ("",), (-1, -1, 0.3),
                         KEYBOARDS, octaves=(0, 0, 1), leading=0.3),
    "band major": Style(("major",), (80, 160), PLAIN_MAJOR, ("eighths", "quarters", "strum", "push", "offbeat", "held"), ("eighths", "quarters", "fifths"),
                        ("rock", "four", "pop", "disco"), (0.3, 0.5, -1), KEYBOARDS),
    "band minor": Style(("minor",), (80, 160), PLAIN_MINOR, ("eighths", "quarters", "strum", "push", "offbeat", "held"), ("eighths", "quarters", "fifths"),
                        ("rock", "four", "pop", "disco"), (0.3, 0.5, -1), KEYBOARDS, leading=0.2),
    "runs": Style(BOTH, (70, 150), ("1", "1 1 5 1", "1 4 5 1"), ("", "", "held"), ("",), ("",), (0.0, 1.0), KEYBOARDS, leading=0.6, tune="run"),
    "drone": Style(BOTH, (60, 140), ("1",), ("", "held"), ("held", "fifths"), ("",), (0.2, 0.6), KEYBOARDS, leading=0.3),
    "song": Style(BOTH, (70, 150), ("1 4 5M 1", "1 1 4 1 1 5M 1 1", "1 4 1 5M 1 4 5M 1"), ("", "held", "waltz"), ("", "first"), ("",), (0.2, 0.5),
                  ((73, 0, 32), (40, 48, 43), (0, 0, 0), (71, 24, 32)), leading=0.3),
    "vamp major": Style(("major",), (80, 130), ("17 47 17 47", "17 17 47 17", "1 4 1 4", "1 b7 1 b7", "1 b7 4 4"), ("eighths", "quarters", "strum", "offbeat"),
                        ("eighths", "octaves", "fifths"), ("rock", "disco", ""), (0.3, 0.6, -1), ((61, 4, 33), (66, 16, 33), (27, 27, 33))),
    "vamp minor": Style(("minor",), (80, 130), ("17 47 17 47", "17 17 17 17", "17 4M7 17 4M7", "1 4 1 4", "1 7 1 7"), ("eighths", "quarters", "strum", "offbeat"),
                        ("eighths", "octaves", "fifths"), ("rock", "disco", ""), (0.3, 0.6, -1), ((61, 4, 33), (66, 16, 33), (27, 27, 33))),
    "walk power": Style(BOTH, (80, 180), ("walk p",), ("eighths", "gallop", "chug", "quarters", "held"), ("eighths", "quarters", "held", ""),
                        ("rock", "pop", "half", ""), (-1, 0.2, 0.5), GUITARS, octaves=(0, -1)),
    "walk": Style(BOTH, (60, 150), ("walk",), ("held", "quarters", "eighths", "arpeggio", "strum", "push"), ("", "held", "fifths", "eighths"),
                  ("", "rock", "four"), (-1, 0.3, 0.5), KEYBOARDS, octaves=(0, 0, 1), leading=0.2),
}  # fmt: skip
STYLES.update(KEY_STYLES)
WALKS: dict[str, dict[str, float]] = {
    "major": {"1": 0.25, "4": 0.2, "5": 0.22, "6": 0.16, "2": 0.1, "3": 0.07},
    "minor": {"1": 0.25, "4": 0.16, "5": 0.08, "5M": 0.12, "6": 0.17, "7": 0.14, "3": 0.08},
}
"""How often a chord of the scale is drawn, by its degree."""

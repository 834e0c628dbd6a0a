"""Pieces of music written by a program: every style in any key and at any tempo, as notes in beats.

The composer is a fixed walk through the tables of `benchmarks.styles`: a progression of chords, an accompaniment
figure, a bass figure, a drum pattern and a melody that prefers chord notes on the beat.  A seed picks among a style's
choices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.styles import (
    BASSES,
    CLASSIC_MINOR,
    DRUMS,
    FIGURES,
    HAT,
    KICK,
    KITS,
    MAJOR,
    MINOR,
    SNARE,
    STYLES,
    WALKS,
    Style,
)  # fmt: skip


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
    either_relative: bool = False
    """Whether its chords begin on the sixth step of major: some would hear the relative minor."""


def compose(style_name: str, seed: int, length_s: float = 30.0) -> Piece:  # noqa: C901, PLR0912, PLR0915 (one walk through the tables)
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
    if progression[0] == "walk":
        progression = _walk(rng, mode, power=len(progression) > 1)
    figure = FIGURES.get(str(rng.choice(style.chords)), ())
    bass = BASSES.get(str(rng.choice(style.basses)), ())
    kit = KITS.get(str(rng.choice(style.drums)), ())
    if style.chords == ("random",):
        figure, bass, kit = _random_rhythm(rng, bpm, style.beats)
    elif style.chords[0].startswith("wide"):
        figure, bass, kit = _wide_rhythm(rng, bpm, style.beats, ternary=style.chords == ("wide ternary",))
    split = float(rng.choice(style.melody))
    melody, chords, low = style.programs[int(rng.integers(len(style.programs)))]
    bars = int(np.ceil(length_s * bpm / 60 / style.beats))
    ends_home = rng.random() < 2 / 3
    scale = MAJOR if mode == "major" else MINOR

    def swung(beat: float) -> float:
        whole, part = divmod(beat, 1.0)
        return whole + (part * 2 * style.swing if part <= 0.5 else style.swing + (part - 0.5) * 2 * (1 - style.swing))

    octave = style.octaves[int(rng.integers(len(style.octaves)))] if len(style.octaves) > 1 else style.octaves[0]
    notes: list[Note] = []
    voice = 14 + int(rng.integers(0, 4))
    for bar in range(bars):
        home = "1p" if progression[0].endswith("p") else "1"
        symbol = home if ends_home and bar == bars - 1 else progression[bar % len(progression)]
        tones = chord_tones(symbol, scale)
        start = bar * style.beats
        middle = [tonic + 48 + tone for tone in tones]
        middle = [pitch + 12 * octave - 12 * (middle[0] > 57) for pitch in middle]
        middle.append(middle[0] + 12)
        for at, length, which in figure:
            if at < style.beats:
                chosen = middle[: len(tones)] if which == "*" else [middle[int(index)] for index in which]
                loud = 72 + 8 * (at == 0) + int(rng.integers(-6, 7))
                notes += [Note(start + swung(at), length, pitch, loud, 1) for pitch in chosen]
        root = 36 + (tonic + tones[0] - 4) % 12 - 8 + 12 * (style.beats == 3 and low == 0)
        for at, length, above in bass:
            if at < style.beats:
                above_fitted = tones[1] - tones[0] if above == 4 else above
                notes.append(Note(start + swung(at), min(length, style.beats - at), root + above_fitted, 92, 2))
        for at, drum, loud in kit:
            if at < style.beats:
                notes.append(Note(start + at, 0.1, drum, loud + int(rng.integers(-8, 9)), DRUMS))
        sung = scale
        if mode == "minor" and style.leading and (symbol.startswith("5M") or rng.random() < style.leading):
            sung = (*scale[:6], 11)
        if style.tune == "run":
            _run(notes, bar, style.beats, sung, tonic, step=0.5 if split else 1.0)
        elif split >= 0:
            voice = _sing(notes, rng, start, style, split, voice, tones, sung, tonic, swung)
    return Piece(
        name=f"{style_name} {seed}", style=style_name, bpm=bpm, tonic=tonic, mode=mode, notes=tuple(notes),
        programs={0: melody, 1: chords, 2: low}, jitter_s=float(rng.choice((0.0, 0.005, 0.012))),
        tuning_cents=float(rng.choice((0.0, 0.0, 0.0, -30.0, 20.0, 40.0))),
        either_relative=mode == "major" and progression[0].startswith("6"),
    )  # fmt: skip


def _walk(rng: np.random.Generator, mode: str, *, power: bool) -> list[str]:
    """Draw four or eight chords of the scale, the first on the tonic; power chords ask for no third."""
    degrees, chances = zip(*WALKS[mode].items(), strict=True)
    drawn = rng.choice(degrees, size=3 if rng.random() < 0.6 else 7, p=chances)
    return ["1p" if power else "1", *(f"{degree[0]}p" if power else str(degree) for degree in drawn)]


def _random_rhythm(
    rng: np.random.Generator, bpm: float, beats: int
) -> tuple[
    tuple[tuple[float, float, str], ...], tuple[tuple[float, float, int], ...], tuple[tuple[float, int, int], ...]
]:
    """Draw a bar of chords, bass and drums, no quicker than people play: sixteenths only below 125 beats a minute."""
    step = float(rng.choice((0.25, 0.5) if bpm < 85 else (0.25, 0.5, 0.5, 1.0) if bpm < 125 else (0.5, 1.0)))
    grid = np.arange(0, beats, min(step, 0.5))
    weight = np.where(grid % 1 == 0, 0.6, np.where(grid % 0.5 == 0, 0.35, 0.15))
    struck = grid[rng.random(len(grid)) < np.where(grid == 0, 0.9, weight)]
    figure = tuple((float(at), 0.45, "*") for at in struck)
    low = grid[rng.random(len(grid)) < np.where(grid == 0, 0.97, weight * 0.8)]
    bass = tuple((float(at), 0.45, int(rng.choice((0, 0, 0, 7, 12)))) for at in low)
    kit: list[tuple[float, int, int]] = []
    if rng.random() < 0.7:
        back = ((1, 3) if rng.random() < 0.75 else (2,)) if beats == 4 else ((1, 2) if rng.random() < 0.5 else ())
        kick = low if rng.random() < 0.5 else grid[rng.random(len(grid)) < np.where(grid == 0, 1, weight * 0.5)]
        kit += [(float(at), KICK, 108) for at in kick]
        kit += [(float(at), SNARE, 100) for at in back]
        kit += [(float(at), HAT, 62 + 10 * (at % 1 == 0)) for at in np.arange(0, beats, step)]
    return figure, bass, tuple(kit)


def _wide_rhythm(
    rng: np.random.Generator, bpm: float, beats: int, *, ternary: bool
) -> tuple[
    tuple[tuple[float, float, str], ...], tuple[tuple[float, float, int], ...], tuple[tuple[float, int, int], ...]
]:
    """Draw a bar with more freedom than `_random_rhythm`: syncopation, sparse drums, ghost notes, thirds of a beat."""
    finest = 3 if ternary else 4 if bpm < 130 or rng.random() < 0.25 else 2
    grid = np.arange(beats * finest) / finest
    on_beat, half = grid % 1 == 0, grid % 0.5 == 0
    straight = np.where(on_beat, 0.7, np.where(half, 0.4, 0.3 if ternary else 0.15))
    bent = rng.uniform(0.15, 0.5)

    def drawn(dense: float, syncopated: float) -> list[float]:
        chance = dense * ((1 - syncopated) * straight + syncopated * bent)
        return [float(at) for at in grid[(rng.random(len(grid)) < chance) | ((grid == 0) & (rng.random() < 0.9))]]

    kick = drawn(rng.uniform(0.2, 0.9), rng.uniform(0, 0.8))
    low = kick if rng.random() < 0.4 else [0.0] if rng.random() < 0.2 else drawn(1.0, rng.uniform(0, 0.8))
    struck = [0.0] if rng.random() < 0.3 else [float(at) for at in grid] if ternary and rng.random() < 0.4 else drawn(
        rng.uniform(0.6, 1.3), rng.uniform(0, 0.9)
    )  # fmt: skip
    length = float(beats) if len(struck) == 1 else 0.4
    figure = tuple((at, length, "*") for at in struck)
    bass = tuple((at, 0.45 if len(low) > 1 else beats / 2, int(rng.choice((0, 0, 0, 7, 12)))) for at in low)
    if rng.random() < 0.2:
        return figure, bass, ()
    back = [(1, 3), (1, 3), (1, 3), (2,), (0, 1, 2, 3), ()][int(rng.integers(6))] if beats == 4 else (1, 2)
    kit = [(at, KICK, 108) for at in kick] + [(float(at), SNARE, 100) for at in back]
    if rng.random() < 0.5:
        kit += [(float(at), SNARE, int(rng.integers(50, 95))) for at in grid[rng.random(len(grid)) < 0.2]]
    some = grid[rng.random(len(grid)) < 0.5]
    hats = (grid, grid if ternary else grid[half], grid[on_beat], grid[half & ~on_beat], some)
    hat = hats[int(rng.choice(5, p=(0.2, 0.35, 0.15, 0.15, 0.15)))]
    loud = int(rng.integers(40, 80))
    return figure, bass, tuple(kit + [(float(at), HAT, loud + 12 * bool(at % 1 == 0)) for at in hat])


def chord_tones(symbol: str, scale: tuple[int, ...]) -> tuple[int, ...]:
    """Semitones above the tonic of a chord's notes, root first.

    Args:
        symbol: a scale degree from "1" to "7", then "7" for a seventh chord, "M" or "m" to force its third ("M7" for
            a dominant seventh), "p" for a power chord; or "b7", "b7p" for the chord a whole tone below the tonic.
        scale: the seven semitones of the scale.
    """
    if symbol.startswith("b7"):
        return (10, 17, 22) if symbol.endswith("p") else (10, 14, 17)
    degree = int(symbol[0]) - 1
    tones = [scale[(degree + step) % 7] + 12 * ((degree + step) // 7) for step in (0, 2, 4)]
    if symbol.endswith("p"):
        return (tones[0], tones[0] + 7, tones[0] + 12)
    if symbol[1:2] in {"M", "m"}:
        tones[1] = tones[0] + (4 if symbol[1] == "M" else 3)
    if symbol.endswith("7") and len(symbol) > 1:
        tones.append(tones[0] + (11 if symbol == "17" and scale is MAJOR else 10))
    return tuple(tones)


def _sing(
    notes: list[Note], rng: np.random.Generator, start: float, style: Style, split: float, voice: int,
    tones: tuple[int, ...], scale: tuple[int, ...], tonic: int, swung: Callable[[float], float],
) -> int:  # fmt: skip
    """Add a bar of melody: steps in the scale, drawn to chord notes on the beat; returns the last scale step."""
    at = 0.0
    classes = {tone % 12 for tone in tones}
    while at < style.beats:
        on_beat = at == int(at)
        longer = on_beat and rng.random() < 0.25 and at + 2 <= style.beats
        length = 2.0 if longer else 0.5 if not on_beat or rng.random() < split else 1.0
        voice = int(np.clip(voice + rng.choice((-2, -1, -1, 0, 1, 1, 2)), 10, 22))
        if on_beat:
            while scale[voice % 7] % 12 not in classes and rng.random() < 0.8:
                voice += int(rng.choice((-1, 1)))
        if rng.random() > 0.08:
            pitch = tonic + 48 + scale[voice % 7] + 12 * (voice // 7 - 1)
            notes.append(Note(start + swung(at), length * 0.95, pitch, 88 + int(rng.integers(-8, 9)), 0))
        at += length
    return voice


def _run(notes: list[Note], bar: int, beats: int, scale: tuple[int, ...], tonic: int, step: float) -> None:
    """Add a bar of a scale up and down an octave; every fourth time, the tonic chord broken in its place."""
    ladder = [*scale, 12, *scale[:0:-1]]
    chord = [0, scale[2], scale[4], 12, scale[4], scale[2]]
    count = round(beats / step)
    steps = chord if bar % 4 == 3 else ladder
    for index in range(count):
        place = index if bar % 4 == 3 else bar % 4 * count + index
        pitch = tonic + 60 + steps[place % len(steps)]
        notes.append(Note(bar * beats + index * step, step * 0.95, pitch, 90, 0))

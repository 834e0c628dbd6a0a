"""The music that tempo and key are measured on: rendered pieces and tunes of known tempo and key, kept on disk.

Development: twelve styles and mixtures of them, and tunes of two books, with FluidR3 and MuseScore's General sound
fonts; for the key alone fifteen styles more, with the same sound fonts and with plain waves.  Held out: twelve other
styles and other tunes, with TimGM6mb.  No weight was fitted on the held-out part, but its figures were seen while
features and limits were chosen: `docs/tempo-and-key.md` says how.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendering import WAVES, midi_file, render, synthesised
from benchmarks.scores import Piece, compose
from benchmarks.styles import DEVELOPMENT_STYLES, FRESH_STYLES, HELD_OUT_STYLES, KEY_STYLES, MIXED_STYLES
from benchmarks.tunes import tunes

LENGTHS_S = (20.0, 30.0, 45.0)
MIXED_LENGTHS_S = (20.0, 30.0, 25.0)
MIXED_SHARES = {"mixed three": 0.75, "random three": 0.4, "wide ternary": 0.5, "wide three": 0.25}
TUNE_S = 40.0
DEVELOPMENT_SEEDS, HELD_OUT_SEEDS, MIXED_SEEDS = 12, 8, 60
FRESH_SEEDS = 4
KEY_SEEDS, WAVE_SEEDS = 12, 12
WALK_MORE = 12
"""Further seeds of the styles that draw their chords."""
KEY_LENGTHS_S = (12.0, 20.0, 35.0)


class SoundFonts(NamedTuple):
    """Where the three sound fonts are; Debian's fluid-soundfont-gm, musescore-general-soundfont-small, timgm6mb."""

    fluid: Path = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
    musescore: Path = Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3")
    timgm: Path = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
    csound: Path = Path("/usr/share/sounds/sf2/sf_GMbank.sf2")


class Track(NamedTuple):
    """A piece to play and the truth about it."""

    part: str
    """"development" or "held out"."""
    name: str
    style: str
    bpm: float
    tonic: int
    """Pitch class, C = 0."""
    mode: str
    midi: bytes
    sound_font: Path
    length_s: float
    teaches: tuple[str, ...] = ("tempo", "key")
    """What rules may be fitted on it."""
    piece: Piece | None = None
    """With a wave: what is played in place of the MIDI file."""
    wave: str = ""
    """One of `WAVES`; a sound font where empty."""


def tracks(  # noqa: C901 (one list, in the order of its parts)
    fonts: SoundFonts, books: Path | None, *, held_out_only: bool = False
) -> list[Track]:
    """List the music.

    Args:
        fonts: the sound fonts.
        books: the folder with the tune books "nottingham-dataset" and "oneills1850" (music21's corpus); no tunes
            when left out.
        held_out_only: leave the development part out.
    """
    listed: list[Track] = []

    def add(part: str, style: str, seed: int, length_s: float, font: Path) -> None:
        piece = compose(style, seed, length_s)
        midi = midi_file(piece, seed)
        truth = (piece.name, style, piece.bpm, piece.tonic, piece.mode)
        teaches = ("tempo",) if piece.either_relative else ("tempo", "key")
        listed.append(Track(part, *truth, midi, font, length_s + 1, teaches))

    for seed in range(DEVELOPMENT_SEEDS):
        for style in DEVELOPMENT_STYLES:
            add("development", style, seed, LENGTHS_S[seed % 3], (fonts.fluid, fonts.musescore)[seed % 2])
    for seed in range(MIXED_SEEDS):
        for style in MIXED_STYLES:
            if seed < MIXED_SEEDS * MIXED_SHARES.get(style, 1.0):
                font = fonts.musescore if seed % 3 else fonts.fluid
                add("development", style, seed, MIXED_LENGTHS_S[seed % 3], font)
    for seed in range(HELD_OUT_SEEDS):
        for style in HELD_OUT_STYLES:
            add("held out", style, seed, LENGTHS_S[seed % 3], fonts.timgm)
    if books is not None:
        both = (fonts.fluid, fonts.musescore)
        chosen = (
            ("held out", "oneills1850", 30, 77, (fonts.timgm,)),
            ("development", "nottingham-dataset", 30, 1, both),
            ("development", "oneills1850", 60, 2, both),
        )
        for part, book, count, seed, used in chosen:
            for index, tune in enumerate(tunes(books / book, count, seed)):
                listed.append(Track(part, *tune, used[index % len(used)], TUNE_S))
    if not held_out_only:
        listed += key_tracks(fonts)
    # A tune may be drawn for both parts: the held-out part gives it up.
    fitted = {track.name for track in listed if track.part == "development"}
    development = [] if held_out_only else [track for track in listed if track.part == "development"]
    return [*development, *(track for track in listed if track.part == "held out" and track.name not in fitted)]


def key_tracks(fonts: SoundFonts) -> list[Track]:
    """List the development music for the key alone: every style played with sound fonts and with plain waves."""
    listed = []
    for seed in range(KEY_SEEDS + WAVE_SEEDS + WALK_MORE):
        for place, style in enumerate(KEY_STYLES):
            if seed >= KEY_SEEDS + WAVE_SEEDS and not style.startswith("walk"):
                continue
            length_s = KEY_LENGTHS_S[seed % len(KEY_LENGTHS_S)]
            piece = compose(style, seed, length_s)
            font = (fonts.fluid, fonts.musescore)[seed % 2]
            midi, truth = midi_file(piece, seed), (piece.name, style, piece.bpm, piece.tonic, piece.mode)
            track = Track("development", *truth, midi, font, length_s + 1, ("key",))
            if KEY_SEEDS <= seed < KEY_SEEDS + WAVE_SEEDS:
                wave = "overdriven" if "power" in style and seed % 3 else tuple(WAVES)[(seed + place) % len(WAVES)]
                track = track._replace(piece=piece, wave=wave)
            listed.append(track)
    return listed


def fresh_tracks(fonts: SoundFonts) -> list[Track]:
    """List the music that nothing was chosen on: styles of their own, played with Csound's General MIDI sound font."""
    listed = []
    for seed in range(FRESH_SEEDS):
        for style in FRESH_STYLES:
            length_s = LENGTHS_S[seed % 3]
            piece = compose(style, seed, length_s)
            midi, truth = midi_file(piece, seed), (piece.name, style, piece.bpm, piece.tonic, piece.mode)
            teaches = ("tempo",) if piece.either_relative else ("tempo", "key")
            listed.append(Track("fresh", *truth, midi, fonts.csound, length_s + 1, teaches))
    return listed


def heard(track: Track, folder: Path) -> NDArray[np.float32]:
    """Give a track's sound, mono at 16 kHz, rendered at the first call and kept in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    source = track.wave or track.sound_font.name
    key = hashlib.sha256(track.midi + source.encode() + str(track.length_s).encode()).hexdigest()[:24]
    kept = folder / f"{key}.npy"
    if not kept.exists():
        if track.piece is not None:
            samples = synthesised(track.piece, track.wave, track.length_s)
        else:
            samples = render(track.midi, track.sound_font, track.length_s)
        part = kept.with_suffix(f".{os.getpid()}.{id(samples)}.part")
        with part.open("wb") as file:
            np.save(file, np.rint(samples * 32767).astype(np.int16))
        part.replace(kept)
    return np.asarray(np.load(kept) / np.float32(32767), np.float32)


def render_all(listed: list[Track], folder: Path, threads: int = 2) -> None:
    """Render what is not yet in the folder."""
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda track: heard(track, folder).size, listed):
            pass

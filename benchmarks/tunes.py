"""Traditional tunes of known key, from books in ABC notation, made into MIDI files at a tempo of our choice.

abc2midi (Debian's abcmidi) plays the tune and, where the book writes chords above it, bass and chords too.  The
books used are those of the music21 package's corpus: the Nottingham Music Database (with chords) and O'Neill's
"Music of Ireland" (1850 tunes, melody only).  They are read where they are installed and never shipped.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_KEY = re.compile(r"^([A-G])([#b]?)(m|min|maj)?$")
_DRUM_STEPS = {"4/4": 8, "3/4": 6}
"""Eighths in a bar of the metres that may get drums."""


class Tune(NamedTuple):
    """A tune as it will be played, and the truth about it."""

    name: str
    style: str
    bpm: float
    tonic: int
    mode: str
    midi: bytes


def tunes(book_folder: Path, count: int, seed: int) -> list[Tune]:
    """Pick tunes in a plain major or minor key and 4/4, 3/4, 2/4 or 6/8 time.

    Args:
        book_folder: a folder of .abc files.
        count: how many; fewer if the books have fewer.
        seed: picks tunes, tempi, transpositions and instruments.

    Raises:
        FileNotFoundError: abc2midi is not installed.
    """
    rng = np.random.default_rng(seed)
    blocks = [
        block
        for book in sorted(book_folder.glob("*.abc"))
        for block in re.split(r"\n(?=X: *\d)", book.read_text("latin-1"))
        if block.startswith("X:")
    ]
    chosen: list[Tune] = []
    # Minor tunes are rare in these books: two passes, so that they make up about a third.
    order = [blocks[index] for index in rng.permutation(len(blocks))]
    wanted = {"minor": count // 3, "major": count - count // 3}
    for block in order:
        tune = _played(block, rng, book_folder.name)
        if tune is not None and wanted[tune.mode]:
            wanted[tune.mode] -= 1
            chosen.append(tune)
        if not any(wanted.values()):
            break
    return chosen


def _field(block: str, letter: str) -> str:
    found = re.search(rf"^{letter}: *([^%\n]*)", block, re.MULTILINE)
    return found.group(1).strip() if found else ""


def _played(block: str, rng: np.random.Generator, book: str) -> Tune | None:
    """Play one tune with abc2midi; None where its key or metre is not plain or it is too short."""
    key, metre = _KEY.match(_field(block, "K")), _field(block, "M").replace("C|", "4/4").replace("C", "4/4")
    if key is None or metre not in {"4/4", "2/4", "3/4", "6/8"} or len(re.findall(r"^K:", block, re.MULTILINE)) != 1:
        return None
    shift = int(rng.integers(-6, 6))
    tonic = (PITCH_CLASSES[key[1]] + {"#": 1, "b": -1, "": 0}[key[2]] + shift) % 12
    mode = "minor" if key[3] in {"m", "min"} else "major"
    bpm = float(np.round(np.exp(rng.uniform(*np.log((75, 150))))))
    beat = "3/8" if metre == "6/8" else "1/4"
    program = int(rng.choice((0, 21, 22, 24, 25, 40, 46, 72, 73, 105, 109)))
    lines = [line for line in block.splitlines() if not line.startswith(("Q:", "P:", "%"))]
    chord_program = int(rng.choice((0, 24, 48)))
    directives = [f"%%MIDI program {program}", f"%%MIDI transpose {shift}", f"%%MIDI chordprog {chord_program}"]
    if metre in _DRUM_STEPS and rng.random() < 0.4:
        directives.append(_drum_line(metre))
    place = next(index for index, line in enumerate(lines) if line.startswith("K:")) + 1
    text = "\n".join([*lines[: place - 1], f"Q:{beat}={bpm:.0f}", lines[place - 1], *directives, *lines[place:], ""])
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "tune.abc", Path(folder) / "tune.mid"
        source.write_text(text, "latin-1")
        command = ["abc2midi", str(source), "-o", str(target)]
        subprocess.run(command, check=False, capture_output=True)
        if not target.exists():
            return None
        name = f"{book} {_field(block, 'T')}"
        style = f"{book} {'with drums' if len(directives) > 3 else 'no drums'}"
        return Tune(name, style, bpm, tonic, mode, target.read_bytes())


def _drum_line(metre: str) -> str:
    """abc2midi's directive for kick and snare on the beats and the hi-hat between them."""
    count = _DRUM_STEPS[metre]
    four = metre == "4/4"
    drums = [42] * count
    drums[0] = 36
    if four:
        drums[2], drums[4], drums[6] = 38, 36, 38
    loud = [60 if index % 2 else 100 for index in range(count)]
    return f"%%MIDI drum {'d' * count} {' '.join(map(str, [*drums, *loud]))}\n%%MIDI drumon"

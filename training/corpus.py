"""Makes the labelled clips that the listener is fitted and judged on.

    python -m training.corpus --into DIR [--packages DIR]

Debian packages are downloaded with apt-get and unpacked (nothing is installed); fluidsynth and espeak-ng must be
installed.  ``DIR/clips.jsonl`` lists every clip with what is known of it and the fold it belongs to.  Folds never
share a source: a package, a voice or a soundfont is in one fold only, and mixtures are made within a fold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import wave
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

import av
import numpy as np

from earmark.domain import CLIP_RATE_HZ
from training import sources
from training.alterations import levelled, overlaid, rms, worn
from training.noises import NOISES, noise
from training.renders import PROGRAMS, SOUNDFONTS, Piece, play
from training.singing import sung
from training.sources import Samples
from training.voices import FOREIGN, FOREIGN_TEXT, VOICES, prompts, say, sentences

FOLDS = 4
LENGTHS_S = (2.0, 3.0, 5.0, 8.0, 10.0, 12.0)
SEED = 20_261_121
INSTRUMENTAL = frozenset({
    "supertuxkart-data", "colobot-common-sounds", "freecol", "lomiri-sounds", "planetblupi-music-ogg",
    "supertux-data", "extremetuxracer-data", "sonic-pi-samples", "fretsonfire-songs-sectoid",
})  # fmt: skip
"""Packages whose music is taken to have no singing: games and rings; the event detector hears next to none."""


CERTAIN: dict[str, tuple[str, ...]] = {
    "*/fretsonfire/*/guitar.ogg": ("guitar",),
    "*/samples/loop_amen*": ("drums",),
    "*/samples/loop_breakbeat*": ("drums",),
    "*/samples/loop_mika*": ("drums",),
    "*/samples/loop_compus*": ("drums",),
    "*/samples/loop_tabla*": ("percussion",),
    "*/samples/loop_perc*": ("percussion",),
}
"""File patterns of recordings that are certain to be of these instruments alone."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A clip and what is known of it; empty = not known."""

    id: str
    content_type: str
    kind: str
    """How the clip was made."""
    source: str
    fold: int
    language: str = ""
    wording: str = ""
    instruments: tuple[str, ...] = ()
    vocals: str = ""
    worn: str = "none"
    duration_s: float = 0.0


class Corpus:
    """A folder of clips being written."""

    def __init__(self, into: Path, packages: Path) -> None:
        """Start a corpus.

        Args:
            into: Folder to write to.
            packages: Where packages are unpacked.
        """
        self.packages = packages
        self._into = into
        self._counts: dict[str, int] = defaultdict(int)
        (into / "clips").mkdir(parents=True, exist_ok=True)
        (into / "clips.jsonl").unlink(missing_ok=True)

    def chance(self, what: str) -> np.random.Generator:
        """A generator that depends on ``what`` and on how often it was asked for."""
        self._counts[what] += 1
        return np.random.default_rng([SEED, self._counts[what], *what.encode()])

    def add(self, samples: Samples, label: Labelled, *, wear: bool = True) -> None:
        """Write a clip, worn or only levelled; sounds under 0.2 s and silence are left out."""
        if len(samples) < CLIP_RATE_HZ // 5 or float(np.abs(samples).max()) < 1e-4:
            return
        chance = self.chance(f"wear/{label.source}")
        if wear:
            samples, how = worn(samples, chance, masked=label.content_type != "mixed")
        else:
            samples, how = levelled(samples, float(chance.uniform(-38, -12))), "none"
        stored = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        # Named after its content: what the networks made of a clip is kept when the corpus changes around it.
        name = f"{label.kind}-{hashlib.sha256(stored).hexdigest()[:16]}"
        with wave.open(str(self._into / "clips" / f"{name}.wav"), "wb") as out:
            out.setparams((1, 2, CLIP_RATE_HZ, 0, "NONE", ""))
            out.writeframes(stored)
        known = asdict(label) | {"id": name, "worn": how, "duration_s": round(len(samples) / CLIP_RATE_HZ, 3)}
        with (self._into / "clips.jsonl").open("a", encoding="utf-8") as listed:
            listed.write(json.dumps(known, ensure_ascii=False) + "\n")


def folds() -> dict[str, int]:
    """The fold of every source; packages in the order of the list, so that kinds are spread evenly."""
    packages = list(dict.fromkeys(source.package for source in sources.listed()))
    named = {package: index % FOLDS for index, package in enumerate(packages)}
    named |= {name: index % FOLDS for index, name in enumerate((*VOICES, *FOREIGN))}
    named |= {name: index for index, name in enumerate(SOUNDFONTS)}
    return named


def played_in(path: Path) -> tuple[str, ...]:
    """Instruments of the few recordings whose files are named after what is played."""
    return next((names for pattern, names in CERTAIN.items() if fnmatch(str(path), pattern)), ())


def excerpt(samples: Samples, chance: np.random.Generator) -> Samples:
    """A part of random length, not silent."""
    size = int(float(chance.choice(LENGTHS_S)) * CLIP_RATE_HZ)
    if len(samples) <= size:
        return samples
    for _ in range(8):
        start = int(chance.integers(len(samples) - size))
        part = samples[start : start + size]
        if rms(part) > 0.1 * rms(samples):
            break
    return part


Pool = dict[tuple[str, int], list[tuple[str, Samples, str]]]


def add_recordings(corpus: Corpus) -> Pool:
    """Real recordings from packages; also returned by content type and fold, for mixing."""
    pool: Pool = defaultdict(list)
    fold = folds()
    wording = prompts(sources.fetch("asterisk-core-sounds-en", corpus.packages))
    for source in sources.listed():
        root = sources.fetch(source.package, corpus.packages)
        for path in sources.files_of(source, root):
            try:
                heard = sources.read(path)
            except (av.FFmpegError, IndexError):
                continue
            if len(heard) < CLIP_RATE_HZ // 5:
                continue
            where = fold[source.package]
            language = "" if source.language == "-" else source.language
            said = wording.get("/".join(path.parts[-2:]).removeprefix("en_US_f_Allison/").removesuffix(".wav"), "")
            pool[source.content_type, where].append((source.package, heard, language))
            part = heard
            if source.content_type == "music":
                part = excerpt(heard, corpus.chance(f"excerpt/{source.package}"))
            corpus.add(
                part[: 20 * CLIP_RATE_HZ],
                Labelled(
                    "", source.content_type, "recording", source.package, where, language,
                    said if source.package == "asterisk-core-sounds-en-wav" else "",
                    instruments=played_in(path) if source.content_type == "music" else (),
                    vocals="none" if source.content_type == "music" and source.package in INSTRUMENTAL else "",
                ),
            )  # fmt: skip
    return pool


def add_voices(corpus: Corpus, pool: Pool) -> None:
    """Synthetic readings: sentences of known wording, short and long, and foreign ones."""
    fold = folds()
    fortunes = sources.fetch("fortunes", corpus.packages)
    for index, voice in enumerate(VOICES):
        short = sentences(fortunes, 16 if voice != "piper-joe" else 40, SEED + index)
        long = [" ".join(sentences(fortunes, 6, SEED + 100 * index + number)) for number in range(2)]
        for text in [*short, *long]:
            heard = say(voice, text, corpus.packages)
            pool["speech", fold[voice]].append((voice, heard, "en"))
            corpus.add(heard, Labelled("", "speech", "reading", voice, fold[voice], "en", text))
    for voice in FOREIGN:
        language = voice.removeprefix("espeak-")[:2].replace("cm", "zh")
        text = FOREIGN_TEXT[voice.removeprefix("espeak-").split("+")[0]]
        for part in (text, *re.split("[,\uff0c]", text)[:2]):
            corpus.add(
                say(voice, part, corpus.packages), Labelled("", "speech", "reading", voice, fold[voice], language)
            )


def add_renders(corpus: Corpus, pool: Pool) -> None:
    """Music of known instruments, alone and together, and sung melodies over some of it."""
    for fold, soundfont in enumerate(SOUNDFONTS):
        chance = corpus.chance(f"pieces/{soundfont}")
        pieces = [
            Piece(instruments, float(chance.uniform(66, 160)), 4, int(chance.integers(1 << 30)))
            for instruments in [*[(name,) for name in PROGRAMS for _ in range(6)], *_ensembles(chance, 24)]
        ]
        for piece, rendered in zip(pieces, play(pieces, soundfont, corpus.packages), strict=True):
            heard = excerpt(rendered, chance)
            played = tuple(name for name in piece.instruments if name != "choir")
            vocals = "choir" if "choir" in piece.instruments else "none"
            pool["music", fold].append((soundfont, heard, ""))
            label = Labelled("", "music", "render", soundfont, fold, instruments=played, vocals=vocals)
            corpus.add(heard, label, wear=bool(chance.random() < 0.5))
    for fold in range(FOLDS):
        spoken = [each for each in pool["speech", fold] if each[0] in VOICES]
        music = [each for each in pool["music", fold] if each[0] in INSTRUMENTAL or each[0] in SOUNDFONTS]
        chance = corpus.chance(f"singing/{fold}")
        for number in range(18):
            voice, heard, _ = spoken[int(chance.integers(len(spoken)))]
            female = voice == "flite-slt" or "+f" in voice
            song = sung(heard[: 8 * CLIP_RATE_HZ], chance, female=female)
            _, band, _ = music[int(chance.integers(len(music)))]
            together = song if number % 6 == 0 else overlaid(song, band[: len(song)], float(chance.uniform(-4, 8)))
            corpus.add(
                together[: 14 * CLIP_RATE_HZ],
                Labelled("", "music", "singing", voice, fold, vocals="female" if female else "male"),
            )


def _ensembles(chance: np.random.Generator, count: int) -> Iterator[tuple[str, ...]]:
    names = list(PROGRAMS)
    for _ in range(count):
        yield tuple(str(name) for name in chance.choice(names, size=int(chance.integers(2, 5)), replace=False))


def add_mixtures(corpus: Corpus, pool: Pool) -> None:  # noqa: C901 - one loop per kind of mixture
    """Speech over music, speech and music in turn, speech before other sounds, and several sounds in a row."""
    for fold in range(FOLDS):
        chance = corpus.chance(f"mixtures/{fold}")

        def some(kind: str, shortest_s: float = 0.0, fold: int = fold, chance: np.random.Generator = chance) -> Samples:
            fitting = [each for each in pool[kind, fold] if len(each[1]) >= shortest_s * CLIP_RATE_HZ]
            heard = fitting[int(chance.integers(len(fitting)))][1]
            return heard / np.float32(rms(heard)) * np.float32(0.1)

        def talk(longest_s: float, chance: np.random.Generator = chance) -> Samples:
            gap = np.zeros(int(chance.uniform(0.2, 0.7) * CLIP_RATE_HZ), np.float32)
            parts: list[Samples] = []
            while sum(map(len, parts)) < longest_s * CLIP_RATE_HZ:
                parts += [some("speech"), gap]
            return np.concatenate(parts)[: int(longest_s * CLIP_RATE_HZ)]

        for _ in range(42):
            speech = talk(float(chance.uniform(3, 10)))
            music = some("music", 3.0)[: len(speech) + int(chance.uniform(0, 3) * CLIP_RATE_HZ)]
            corpus.add(
                overlaid(speech[: len(music)], music, float(chance.uniform(-5, 15))),
                Labelled("", "mixed", "speech-over-music", f"mixture-{fold}", fold, vocals="present"),
            )
        for number in range(22):
            speech, music = talk(float(chance.uniform(3, 8))), excerpt(some("music", 4.0), chance)
            louder = np.float32(10 ** (chance.uniform(-8, 8) / 20))
            order = [speech, music * louder] if number % 2 else [music * louder, speech]
            if len(music) >= 3 * CLIP_RATE_HZ:
                corpus.add(np.concatenate(order), Labelled("", "mixed", "speech-and-music", f"mixture-{fold}", fold))
        for _ in range(16):
            speech = talk(float(chance.uniform(2, 8)))
            # Short sounds repeated would be a rhythm, and so half music.
            behind = np.resize(some("sound", 3.0), len(speech))
            corpus.add(
                overlaid(speech, behind, float(chance.uniform(5, 20))),
                Labelled("", "speech", "speech-before-sounds", f"mixture-{fold}", fold),
            )
        for number in range(24):
            kind = "speech" if number < 12 else "sound"
            gap = np.zeros(int(chance.uniform(0.0, 0.8) * CLIP_RATE_HZ), np.float32)
            count = int(chance.integers(2, 7))
            row = np.concatenate([part for _ in range(count) for part in (some(kind)[: 6 * CLIP_RATE_HZ], gap)])
            corpus.add(row[: 20 * CLIP_RATE_HZ], Labelled("", kind, "in-a-row", f"mixture-{fold}", fold))
        for number in range(3 * len(NOISES)):
            name = NOISES[number % len(NOISES)]
            corpus.add(
                noise(name, float(chance.uniform(0.5, 10)), chance), Labelled("", "sound", "generated", name, fold)
            )


def main() -> None:
    """Make the corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--packages", type=Path, help="where packages are, or will be, unpacked")
    given = parser.parse_args()
    corpus = Corpus(given.into, given.packages or given.into / "packages")
    for package in sources.TOOLS:
        sources.fetch(package, corpus.packages)
    pool = add_recordings(corpus)
    add_voices(corpus, pool)
    add_renders(corpus, pool)
    add_mixtures(corpus, pool)
    sys.stdout.write(f"{given.into / 'clips.jsonl'}\n")


if __name__ == "__main__":
    main()

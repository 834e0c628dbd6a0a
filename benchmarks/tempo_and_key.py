"""How often tempo and key are right, beside the libraries that could have given them.

    python -m benchmarks.tempo_and_key [--books DIR] [--cache DIR] [--write] [--methods WORD ...]

Runs every method that is installed on the held-out music of `benchmarks.music`, renders what is missing first, prints
the tables and, with `--write`, puts them into `docs/tempo-and-key.md`.  The reliability of the calibrated confidences
comes from the held-out rows of `training/labels/`, which `training.fit_tempo_and_key` wrote.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.music import SoundFonts, Track, fresh_tracks, heard, render_all, tracks
from workers.models.listener import key, tempo

RATE_HZ = 16_000
NEAR = 0.04
ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "tempo-and-key.md"
Samples = NDArray[np.float32]
TempoMethod = Callable[[Samples], float | None]
KeyMethod = Callable[[Samples], tuple[int, str] | None]


class Run(NamedTuple):
    """What a method answered to each track, and its cost."""

    method: str
    answers: list[Any]
    cpu_s_per_minute: float


def tempo_methods() -> dict[str, TempoMethod]:
    """The tempo estimators that are installed, ours first."""

    def ours(samples: Samples) -> float | None:
        found = tempo.estimate_tempo(samples)
        return None if found is None else found.bpm

    methods: dict[str, TempoMethod] = {"Earmark": ours}
    sonare = _module("libsonare")
    if sonare:
        methods["libsonare detect_bpm"] = lambda samples: float(sonare.detect_bpm(samples, RATE_HZ))
        methods["libsonare analyze_bpm 55-200"] = lambda samples: float(
            sonare.analyze_bpm(samples, RATE_HZ, bpm_min=55.0, bpm_max=200.0).bpm
        )
        methods["libsonare analyze_rhythm"] = lambda samples: float(sonare.analyze_rhythm(samples, RATE_HZ).bpm)
    if librosa := _module("librosa"):
        methods["librosa feature.tempo"] = lambda samples: float(librosa.feature.tempo(y=samples, sr=RATE_HZ)[0])
    if aubio := _module("aubio"):

        def beats(samples: Samples) -> float | None:
            tracker = aubio.tempo("default", 1024, 256, RATE_HZ)
            whole = len(samples) // 256 * 256
            times = [tracker.get_last_s() for block in samples[:whole].reshape(-1, 256) if tracker(block)]
            return 60.0 / float(np.median(np.diff(times))) if len(times) > 2 else None

        methods["aubio tempo"] = beats
    return methods


def key_methods() -> dict[str, KeyMethod]:
    """The key estimators that are installed, ours first."""

    def ours(samples: Samples) -> tuple[int, str] | None:
        found = key.estimate_key(samples)
        if found is None:
            return None
        names = key.MINOR_TONICS if found.mode == "minor" else key.MAJOR_TONICS
        return names.index(found.tonic), found.mode

    def profile(column: int) -> KeyMethod:
        def correlate(samples: Samples) -> tuple[int, str] | None:
            evidence = key.key_evidence(samples)
            if evidence is None:
                return None
            best = int(np.argmax(evidence[0].features[:, column]))
            return best % 12, "minor" if best >= 12 else "major"

        return correlate

    methods: dict[str, KeyMethod] = {
        "Earmark": ours,
        "our pitch classes, Krumhansl-Kessler": profile(-2),
        "our pitch classes, Temperley": profile(-1),
    }  # fmt: skip
    sonare = _module("libsonare")
    if sonare:

        def library(**options: Any) -> KeyMethod:
            def detect(samples: Samples) -> tuple[int, str] | None:
                found = sonare.detect_key(samples, RATE_HZ, modes=["major", "minor"], **options)
                return int(found.root), "minor" if int(found.mode) else "major"

            return detect

        methods["libsonare detect_key, defaults"] = library()
        profiles = sonare.KeyProfile
        for which in ("TEMPERLEY", "FARALDO_EDMA"):
            methods[f"libsonare {which.lower()}, tuned"] = library(profile=profiles[which], tuning="auto")
    return methods


def _module(name: str) -> Any:
    """A library, or None where it is not installed."""
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def measured(method: str, answer: Callable[[Samples], Any], music: list[tuple[Track, Samples]]) -> Run:
    """Ask a method about every track."""
    answer(music[0][1])  # not to count what a library does at its first call
    started = time.process_time()
    answers = [answer(samples) for _, samples in music]
    minutes = sum(len(samples) for _, samples in music) / RATE_HZ / 60
    return Run(method, answers, (time.process_time() - started) / minutes)


def tempo_row(run: Run, listed: list[Track]) -> str:
    """A line of the table of tempo."""

    def share(multiples: tuple[float, ...]) -> float:
        return sum(
            any(abs(bpm / (track.bpm * multiple) - 1) <= NEAR for multiple in multiples)
            for bpm, track in zip(run.answers, listed, strict=True)
            if bpm is not None
        ) / len(listed)

    exact, octave, third = share((1,)), share((1, 2, 1 / 2)), share((1, 2, 1 / 2, 3, 1 / 3))
    none = sum(bpm is None for bpm in run.answers)
    return f"| {run.method} | {exact:.1%} | {octave:.1%} | {third:.1%} | {none} | {run.cpu_s_per_minute:.2f} |"


def key_error(answer: tuple[int, str] | None, track: Track) -> str:
    """Name the relation of an answer to the true key, as MIREX's audio key detection does."""
    if answer is None:
        return "none"
    tonic, mode = answer
    above = (tonic - track.tonic) % 12
    if mode == track.mode:
        return {0: "exact", 7: "fifth"}.get(above, "other")
    relative = 9 if track.mode == "major" else 3
    return {0: "parallel", relative: "relative"}.get(above, "other")


MIREX = {"exact": 1.0, "fifth": 0.5, "relative": 0.3, "parallel": 0.2}
"""Weights of MIREX's audio key detection task; its fifth is the one above."""


def key_row(run: Run, listed: list[Track]) -> str:
    """A line of the table of key."""
    errors = Counter(key_error(answer, track) for answer, track in zip(run.answers, listed, strict=True))
    shares = {name: errors[name] / len(listed) for name in ("exact", "relative", "fifth", "parallel")}
    other = 1 - sum(shares.values())
    weighted = sum(weight * shares[name] for name, weight in MIREX.items())
    cells = " | ".join(f"{shares[name]:.1%}" for name in shares)
    return f"| {run.method} | {cells} | {other:.1%} | {weighted:.3f} | {run.cpu_s_per_minute:.2f} |"


def style_rows(tempi: Run, keys: Run, listed: list[Track]) -> list[str]:
    """A line for each style: how often our tempo and key were right."""
    lines = []
    for style in dict.fromkeys(track.style for track in listed):
        of = [index for index, track in enumerate(listed) if track.style == style]
        near = [abs((tempi.answers[index] or 0.0) / listed[index].bpm - 1) <= NEAR for index in of]
        named = [key_error(keys.answers[index], listed[index]) == "exact" for index in of]
        lines.append(f"| {style} | {len(of)} | {sum(near)} | {sum(named)} |")
    return lines


def reliability(kind: str, field: str) -> list[str]:
    """Table of the calibrated confidence on held-out music, and its expected calibration error (ten equal bins)."""
    stored = json.loads(tempo.WEIGHTS.with_name("tempo_key_calibration.json").read_text("utf-8"))["curves"][field]
    names = tempo.FEATURES if kind == "tempo" else key.FEATURES
    lines = (ROOT / "training" / "labels" / f"{kind}.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["part"] == "held out"]
    weights = np.array([stored["weights"].get(name, 0.0) for name in names])
    total = [stored["bias"] + float(weights @ row["features"]) for row in rows]
    chance = np.array([1 / (1 + math.exp(-value)) for value in total])
    right = np.array([row["correct"] for row in rows], float)
    text, error = [f"| {kind}: confidence | estimates | mean confidence | right |", "|---|---|---|---|"], 0.0
    for low in np.arange(10) / 10:
        inside = (chance >= low) & (chance < low + 0.1 + (low > 0.85) * 0.1)
        if inside.any():
            error += inside.mean() * abs(chance[inside].mean() - right[inside].mean())
            means = f"{chance[inside].mean():.2f} | {right[inside].mean():.2f}"
            text.append(f"| {low:.1f} to {low + 0.1:.1f} | {inside.sum()} | {means} |")
    # How well the confidence ranks: a right answer above a wrong one.
    pairs = (chance[right == 1][:, np.newaxis] - chance[right == 0]).ravel()
    rank = float(np.mean((pairs > 0) + 0.5 * (pairs == 0))) if len(pairs) else 1.0
    brier = float(np.mean((chance - right) ** 2))
    return [*text, "", f"ECE {error:.3f}, Brier score {brier:.3f}, ROC-AUC {rank:.3f}, {len(rows)} estimates."]


def report(music: list[tuple[Track, Samples]], words: list[str]) -> dict[str, list[str]]:
    """Measure everything; the lines of each table of the page."""

    def runs(methods: dict[str, Any]) -> list[Run]:
        wanted = {name: method for name, method in methods.items() if not words or any(word in name for word in words)}
        found = []
        for name, method in wanted.items():
            found.append(measured(name, method, music))
            sys.stderr.write(f"{name}: {found[-1].cpu_s_per_minute:.2f} s/min\n")
        return found

    listed = [track for track, _ in music]
    tempi, keys = runs(tempo_methods()), runs(key_methods())
    minutes = sum(len(samples) for _, samples in music) / RATE_HZ / 60
    return {
        "tempo": [f"{len(listed)} pieces, {minutes:.0f} minutes.", "",
                  "| method | within 4 % | or x2, /2 | or x3, /3 | no answer | CPU s per minute |",
                  "|---|---|---|---|---|---|",
                  *(tempo_row(run, listed) for run in tempi)],
        "key": ["| method | exact | relative | fifth | parallel | other | MIREX score | CPU s per minute |",
                "|---|---|---|---|---|---|---|---|", *(key_row(run, listed) for run in keys)],
        "styles": ["| style | pieces | tempo right | key right |", "|---|---|---|---|",
                   *style_rows(tempi[0], keys[0], listed)],
        "reliability": [*reliability("tempo", "tempo_bpm"), "", *reliability("key", "key")],
    }  # fmt: skip


def fresh_report(music: list[tuple[Track, Samples]], words: list[str]) -> dict[str, list[str]]:
    """Tempo and key on the music of the fresh styles; the lines of each table."""

    def runs(methods: dict[str, Any], heard_by: list[tuple[Track, Samples]]) -> list[Run]:
        return [
            measured(name, answer, heard_by)
            for name, answer in methods.items()
            if any(w in name for w in words or [""])
        ]

    listed = [track for track, _ in music]
    of_one_key = [(track, samples) for track, samples in music if "key" in track.teaches]
    tempi, keys = runs(tempo_methods(), music), runs(key_methods(), of_one_key)
    for track, bpm in zip(listed, tempi[0].answers, strict=True):
        if bpm is None or abs(bpm / track.bpm - 1) > NEAR:
            sys.stderr.write(f"{tempi[0].method}, {track.name}: {bpm} for {track.bpm}\n")
    return {
        "fresh": [f"{len(listed)} pieces, {sum(len(samples) for _, samples in music) / RATE_HZ / 60:.0f} minutes.", "",
                  "| method | within 4 % | or x2, /2 | or x3, /3 | no answer | CPU s per minute |",
                  "|---|---|---|---|---|---|",
                  *(tempo_row(run, listed) for run in tempi)],
        "fresh key": [f"{len(of_one_key)} pieces: all but those in major whose chords begin on the sixth step.", "",
                      "| method | exact | relative | fifth | parallel | other | MIREX score | CPU s per minute |",
                      "|---|---|---|---|---|---|---|---|",
                      *(key_row(run, [track for track, _ in of_one_key]) for run in keys)],
    }  # fmt: skip


def main() -> None:
    """Measure, print, and with --write update the page."""
    parser = argparse.ArgumentParser(description="Tempo and key beside other libraries, on held-out music.")
    parser.add_argument("--books", type=Path, help="music21's corpus folder, with the tune books")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "earmark-music")
    parser.add_argument("--csound", type=Path, default=SoundFonts().csound, help="Csound's General MIDI sound font")
    parser.add_argument("--methods", nargs="*", default=[], help="only methods whose name contains one of these")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/tempo-and-key.md")
    arguments = parser.parse_args()
    if not SoundFonts().timgm.exists():
        sys.exit("The music is played by fluidsynth with TimGM6mb: apt-get install fluidsynth timgm6mb-soundfont")
    listed = tracks(SoundFonts(), arguments.books, held_out_only=True)
    render_all(listed, arguments.cache)
    tables = report([(track, heard(track, arguments.cache)) for track in listed], arguments.methods)
    fresh = fresh_tracks(SoundFonts(csound=arguments.csound)) if arguments.csound.exists() else []
    if fresh:
        render_all(fresh, arguments.cache)
        known = [(track, heard(track, arguments.cache)) for track in fresh]
        tables |= fresh_report(known, arguments.methods)
    for name, lines in tables.items():
        sys.stdout.write(f"\n{name}\n" + "\n".join(lines) + "\n")
    if arguments.write:
        page = PAGE.read_text("utf-8")
        for name, lines in tables.items():
            start, stop = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
            before, _, rest = page.partition(start)
            page = before + start + "\n" + "\n".join(lines) + "\n\n" + stop + rest.partition(stop)[2]
        PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()

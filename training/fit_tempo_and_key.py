"""Fits the rules that choose tempo and key, and the calibrators of both.

    python -m training.fit_tempo_and_key --books DIR [--cache DIR] [--only tempo|key]

Writes four files: `weights/tempo_and_key.json` (the rules, fitted on the development music and on excerpts of each
piece), `training/labels/tempo.jsonl` and `key.jsonl` (features of each estimate and whether it was right), and
`weights/tempo_key_calibration.json` (logistic curves from those features to the chance of being right).

With `--only`, the other rule and its labels stay; the calibrators of both are always fitted anew.

A rule looks better on the music it was fitted on, so the development rows of the labels are out of fold: the rule
behind each was fitted without its style.  The calibrators are fitted on those rows alone, every style counting the
same, and are pulled towards doubt: on music of yet another style a rule is surer than it is right.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.music import SoundFonts, Track, heard, render_all, tracks
from workers.models.listener import key, tempo

Array = NDArray[np.float64]

LABELS = Path(__file__).parent / "labels"
CALIBRATION = tempo.WEIGHTS.with_name("tempo_key_calibration.json")
KINDS = ("tempo", "key")
FOLDS = 5
EXCERPTS = 2
WHOLES = 3
"""How often a whole piece teaches the key, beside its start and an excerpt: beginning and end say much, if heard."""
STEPS = {"tempo": 700, "key": 300}
PENALTY = {"tempo": 0.02, "key": 0.0005}
"""Weight decay of the rules, chosen by cross-validation over styles on the development music."""
CURVE_DECAY, DOUBT = {"tempo": 100.0, "key": 10.0}, 0.05
"""Of the calibrators: decay of weights, and how far from 0 and 1 their targets are; chosen over styles left out."""
NEAR = 0.04
"""A tempo within 4 % is right."""
VERSION = 1


class Question(NamedTuple):
    """Options to choose from and which of them are right."""

    options: Array
    """(options, features)"""
    right: NDArray[np.bool_]


class Example(NamedTuple):
    """What a piece teaches: the whole and excerpts of it, and what the estimator needs to answer."""

    questions: list[Question]
    evidence: Any


def tempo_example(track: Track, samples: NDArray[np.float32], rng: np.random.Generator) -> Example | None:
    """Describe a piece for the tempo rule; None where nothing begins in it."""
    evidence = tempo.tempo_evidence(samples)
    curves = tempo.onset_curves(samples)
    if evidence is None or curves is None:
        return None
    parts = [curves[:, first:last] for first, last in excerpts(curves.shape[1], rng)]
    seen = [evidence[0], *(tempo.stretch_evidence(part) for part in parts)]
    return Example([Question(one.features, np.abs(one.bpm / track.bpm - 1) <= NEAR) for one in seen], evidence)


def key_example(track: Track, samples: NDArray[np.float32], rng: np.random.Generator) -> Example | None:
    """Describe a piece for the key rule; None where it has no pitch."""
    evidence = key.key_evidence(samples)
    pitches = key.pitch_strengths(samples)
    if evidence is None or pitches is None:
        return None
    right = np.arange(24) == track.tonic + 12 * (track.mode == "minor")
    _, (first, last) = excerpts(len(pitches), rng)
    start = pitches[: int(rng.uniform(0.5, 1.0) * len(pitches)) + 1]
    seen = [*[evidence[0]] * WHOLES, key.describe(start), key.describe(pitches[first:last])]
    return Example([Question(one.features, right) for one in seen], evidence)


def excerpts(length: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Pick stretches that begin and end where music does not, of at least half the length."""
    return [(int(rng.uniform(0.0, 0.4) * length), int(rng.uniform(0.65, 1.0) * length) + 1) for _ in range(EXCERPTS)]


def fitted(questions: list[Question], penalty: float, steps: int) -> Array:
    """Fit linear scores so that the right options win: multinomial logistic regression with weight decay, by Adam.

    Args:
        questions: with at least one right option each.
        penalty: of half the squared weights, beside the mean loss.
        steps: of Adam.
    """
    most = max(len(question.options) for question in questions)
    width = questions[0].options.shape[1]
    options = np.zeros((len(questions), most, width))
    right, present = np.zeros((len(questions), most), bool), np.zeros((len(questions), most), bool)
    for row, question in enumerate(questions):
        count = len(question.options)
        options[row, :count], right[row, :count], present[row, :count] = *question, True
    flat = options.reshape(-1, width).astype(np.float32)
    weights, first, second = (np.zeros(width) for _ in range(3))
    for step in range(1, steps + 1):
        scores = np.where(present, (flat @ weights.astype(np.float32)).reshape(present.shape), -np.inf)
        chance = np.exp(scores - scores.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        wanted = np.where(right, chance, 0.0)
        wanted /= wanted.sum(axis=1, keepdims=True) + 1e-12
        slope = (chance - wanted).ravel().astype(np.float32) @ flat / len(questions) + penalty * weights
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
        rate = 0.3 * (1 - step / steps) + 1e-3
        weights = weights - rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-6)
    return weights


def tempo_rule(examples: list[Example]) -> tempo.Weights:
    """Fit the tempo rule on features of mean 0 and deviation 1."""
    questions = [question for example in examples for question in example.questions if question.right.any()]
    every = np.concatenate([question.options for question in questions])
    mean, scale = every.mean(axis=0), every.std(axis=0) + 1e-6
    scaled = [Question((question.options - mean) / scale, question.right) for question in questions]
    return tempo.Weights(mean, scale, fitted(scaled, PENALTY["tempo"], STEPS["tempo"]))


def key_rule(examples: list[Example]) -> Array:
    """Fit the key rule."""
    questions = [question for example in examples for question in example.questions]
    return fitted(questions, PENALTY["key"], STEPS["key"])


def label(kind: str, track: Track, example: Example, rule: Any) -> dict[str, Any] | None:
    """Answer with a rule and say whether that was right; None for no answer."""
    row: dict[str, Any] = {"part": track.part, "style": track.style, "name": track.name}
    if kind == "tempo":
        guess = tempo.choose_tempo(example.evidence, rule)
        if guess is None:
            return None
        right, value = abs(guess.bpm / track.bpm - 1) <= NEAR, round(guess.bpm, 2)
        row |= {"true": track.bpm, "estimate": value}
        features = guess.features
    else:
        named = key.choose_key(example.evidence, rule)
        tonics = key.MINOR_TONICS if track.mode == "minor" else key.MAJOR_TONICS
        true = f"{tonics[track.tonic]} {track.mode}"
        right, features = named.name == true, named.features
        row |= {"true": true, "estimate": named.name}
    return row | {"features": [round(feature, 4) for feature in features], "correct": bool(right)}


def calibrator(
    rows: list[dict[str, Any]], features_of: tuple[str, ...], names: tuple[str, ...], curve_decay: float
) -> dict[str, Any]:
    """Fit a logistic curve from some of the features to the chance of being right, by Newton's method.

    Every style weighs the same.  Strong decay and targets short of 0 and 1 (Platt, "Probabilistic outputs for support
    vector machines", 1999) keep the curve from being as sure elsewhere as it could be on these styles.
    """
    columns = [features_of.index(name) for name in names]
    features = np.array([row["features"] for row in rows])[:, columns]
    often = Counter(row["style"] for row in rows)
    share = np.array([1 / often[row["style"]] for row in rows]) * len(rows) / len(often)
    mean, scale = share @ features / share.sum(), features.std(axis=0) + 1e-6
    design = np.concatenate([(features - mean) / scale, np.ones((len(rows), 1))], axis=1)
    right = np.array([row["correct"] for row in rows], float) * (1 - DOUBT) + DOUBT / 2
    decay = np.diag([curve_decay] * len(names) + [0.0])
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (share * (chance - right)) + decay @ weights
        bend = (design.T * (share * chance * (1 - chance))) @ design + decay + 1e-9 * np.eye(len(weights))
        weights = weights - np.linalg.solve(bend, slope)
    by_name = {name: round(float(weight), 6) for name, weight in zip(names, weights[:-1] / scale, strict=True)}
    return {"bias": round(float(weights[-1] - (weights[:-1] * mean / scale).sum()), 6), "weights": by_name}


def rules(listed: list[Track], cache: Path, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Fit the rules, in and out of fold.

    Returns:
        For each kind, "tempo" or "key": the rule and the labelled estimates of both parts.
    """
    answers: dict[str, Any] = {}
    for kind, describe, fit in (("tempo", tempo_example, tempo_rule), ("key", key_example, key_rule)):
        if kind not in kinds:
            continue
        rng = np.random.default_rng(11)
        known = [(track, describe(track, heard(track, cache), rng)) for track in listed if kind in track.teaches]
        pairs = [(track, example) for track, example in known if example is not None]
        development = [pair for pair in pairs if pair[0].part == "development"]
        styles = sorted({track.style for track, _ in development})
        rows: list[dict[str, Any] | None] = []
        for fold in range(FOLDS):
            left_out = set(styles[fold::FOLDS])
            rule = fit([example for track, example in development if track.style not in left_out])
            rows += [label(kind, track, example, rule) for track, example in development if track.style in left_out]
        rule = fit([example for _, example in development])
        rows += [label(kind, track, example, rule) for track, example in pairs if track.part == "held out"]
        answers[kind] = (rule, [row for row in rows if row is not None])
    return answers


def main() -> None:
    """Render, fit, write."""
    parser = argparse.ArgumentParser(description="Fit the tempo and key rules and their calibrators.")
    parser.add_argument("--books", type=Path, required=True, help="music21's corpus folder, with the tune books")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "earmark-music")
    parser.add_argument("--musescore", type=Path, default=SoundFonts().musescore, help="MuseScore's General sound font")
    parser.add_argument("--only", choices=KINDS, help="fit one rule and keep the other")
    parser.add_argument("--dry-run", action="store_true", help="print the accuracies and write nothing")
    arguments = parser.parse_args()
    listed = tracks(SoundFonts(musescore=arguments.musescore), arguments.books)
    render_all(listed, arguments.cache)
    answers = rules(listed, arguments.cache, (arguments.only,) if arguments.only else KINDS)
    for kind, (_, rows) in answers.items():
        for part in ("development", "held out"):
            chosen = [row["correct"] for row in rows if row["part"] == part]
            sys.stdout.write(f"{kind}, {part}: {np.mean(chosen):.3f} of {len(chosen)} right\n")
    if not arguments.dry_run:
        write(answers)


def write(answers: dict[str, Any]) -> None:
    """Write the rules, the labels and the calibrators; what was not fitted now is kept."""
    stored = json.loads(tempo.WEIGHTS.read_text("utf-8"))
    if "tempo" in answers:
        rule = answers["tempo"][0]._asdict()
        stored["tempo"] = {name: np.round(value, 5).tolist() for name, value in rule.items()}
    if "key" in answers:
        stored["key"] = {"weights": np.round(answers["key"][0], 4).tolist()}
    LABELS.mkdir(exist_ok=True)
    for kind, (_, rows) in answers.items():
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (LABELS / f"{kind}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    names = {"tempo": tempo.FEATURES, "key": key.FEATURES}
    # A tempo's log-odds and its lead say nearly the same; with both, one of them comes out with the wrong sign.
    used = {"tempo": ("margin", "pulse", "agreement"), "key": key.FEATURES}
    fields = {"tempo": "tempo_bpm", "key": "key"}
    pieces, curves = {}, {}
    for kind in KINDS:
        lines = (LABELS / f"{kind}.jsonl").read_text("utf-8").splitlines()
        development = [row for row in map(json.loads, lines) if row["part"] == "development"]
        pieces[kind] = len(development)
        curves[fields[kind]] = calibrator(development, names[kind], used[kind], CURVE_DECAY[kind])
    made = {
        "fitted_at": datetime.now(UTC).date().isoformat(),
        "clips": pieces,
        "on": "rendered development music (benchmarks/music.py)",
        "by": "training/fit_tempo_and_key.py",
    }
    kept = {name: stored[name] for name in KINDS}
    tempo.WEIGHTS.write_text(json.dumps({"version": VERSION, "made": made, **kept}) + "\n", "utf-8")
    CALIBRATION.write_text(json.dumps({"version": VERSION, "made": made, "curves": curves}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

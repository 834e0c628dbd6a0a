"""Fits content type, instruments, vocals and every confidence of the listener.

    python -m training.hearing --corpus DIR
    python -m training.fit --corpus DIR

Everything is judged on folds that share no source with what it was fitted on (``heldout.json`` in the corpus, read by
``training.report``); the weights that ship are then fitted on all folds, and the confidence curves on the held-out
answers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from earmark.vocabulary import Instrument
from training.hearing import Row, clips, recall, recall_words
from workers.curves import log_odds
from workers.judging import RIGHT_WER
from workers.models.listener import content, labels
from workers.models.listener.built_in import FITTED, VERSION
from workers.wording import word_errors

Floats = NDArray[np.float64]
Weights = dict[str, Floats]

FOLDS = 4
HIDDEN = 16
NETWORKS = 4
"""Networks of different random starts that are averaged."""
FEMALE = frozenset({
    "asterisk-core-sounds-en-wav", "asterisk-core-sounds-es-wav", "asterisk-core-sounds-fr-wav",
    "asterisk-core-sounds-ru-wav", "asterisk-prompt-it-menardi-wav", "flite-slt", "espeak-en-gb+f3", "espeak-fr+f2",
    "espeak-pl+f4", "espeak-tr+f1",
})  # fmt: skip
MALE = frozenset({
    "asterisk-core-sounds-it-wav", "piper-joe", "flite-rms", "flite-awb", "flite-kal16", "espeak-en-us",
    "espeak-en-gb-scotland+m4", "espeak-de", "espeak-es", "espeak-pt", "espeak-cmn",
})  # fmt: skip
"""Who speaks in sources of a single voice."""
RARE = frozenset({
    Instrument.ACCORDION, Instrument.HARPSICHORD, Instrument.SITAR, Instrument.SAXOPHONE, Instrument.ORGAN,
    Instrument.HARP,
})  # fmt: skip
"""Instruments that recordings of unknown instruments are taken not to hold: nobody listened to each, few will."""


def standardised(rows: Floats, name: str) -> tuple[Floats, Weights]:
    """Rows with mean 0 and deviation 1 per column, and what was subtracted and divided by."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-3
    return (rows - mean) / scale, {f"{name}_mean": mean, f"{name}_scale": scale}


def fit_linear(rows: Floats, answers: Sequence[int], kinds: int, name: str, strength: float) -> Weights:
    """Multinomial logistic regression, classes weighted equally; ``strength`` is scikit-learn's C."""
    standard, weights = standardised(rows, name)
    model = LogisticRegression(C=strength, max_iter=400, class_weight="balanced").fit(standard, answers)
    weight, bias = np.zeros((rows.shape[1], kinds)), np.full(kinds, -9.0)
    # Of two classes scikit-learn keeps only the second one's odds.
    two = len(model.classes_) == 2
    coefficients = np.vstack([-model.coef_ / 2, model.coef_ / 2]) if two else model.coef_
    intercepts = np.concatenate([-model.intercept_ / 2, model.intercept_ / 2]) if two else model.intercept_
    for index, kind in enumerate(model.classes_):
        weight[:, kind], bias[kind] = coefficients[index], intercepts[index]
    return weights | {f"{name}_weight": weight, f"{name}_bias": bias}


def fit_network(rows: Floats, answers: Sequence[int]) -> Weights:
    """The clip model: several small networks, averaged by standing side by side as one."""
    standard, weights = standardised(rows, "hidden")
    models = [
        MLPClassifier((HIDDEN,), alpha=1.0, max_iter=600, random_state=seed).fit(standard, answers)
        for seed in range(NETWORKS)
    ]
    return weights | {
        "hidden_weight": np.hstack([model.coefs_[0] for model in models]),
        "hidden_bias": np.hstack([model.intercepts_[0] for model in models]),
        "answer_weight": np.vstack([model.coefs_[1] for model in models]) / NETWORKS,
        "answer_bias": np.mean([model.intercepts_[1] for model in models], axis=0),
    }


class Heard:
    """The corpus as arrays."""

    def __init__(self, corpus: Path) -> None:
        """Read what ``training.hearing`` kept."""
        self.rows: list[Row] = [row for row in clips(corpus) if (corpus / "heard" / f"{row['id']}.npz").exists()]
        self.kept = [recall(corpus, row) for row in self.rows]
        self.folds = np.array([row["fold"] for row in self.rows])
        self.windows = [content.window_inputs(frames) for frames, _, _ in self.kept]


def fit_content(heard: Heard, chosen: NDArray[np.bool_]) -> Weights:
    """Window and clip models from some of the clips; the clip model only sees scores of windows not fitted on."""
    windows = fit_windows(heard, chosen)
    scores: dict[int, Floats] = {}
    for fold in sorted(set(heard.folds[chosen])):
        others = fit_windows(heard, chosen & (heard.folds != fold))
        scores |= {
            int(index): content.linear(heard.windows[index], others, "window")
            for index in np.flatnonzero(chosen & (heard.folds == fold))
        }
    rows = np.array([content.clip_features(scores[index], *heard.kept[index][1:]) for index in sorted(scores)])
    answers = [content.SOUNDING.index(heard.rows[index]["content_type"]) for index in sorted(scores)]
    return windows | fit_network(rows, answers)


def fit_windows(heard: Heard, chosen: NDArray[np.bool_]) -> Weights:
    """The window model, from clips that are wholly music, speech or another sound."""
    kinds = {kind.value: number for number, kind in enumerate(content.WINDOW_KINDS)}
    pure = [index for index in np.flatnonzero(chosen) if heard.rows[index]["content_type"] in kinds]
    rows = np.vstack([heard.windows[index] for index in pure])
    answers = [kinds[heard.rows[index]["content_type"]] for index in pure for _ in heard.windows[index]]
    return fit_linear(rows, answers, len(kinds), "window", 0.002)


def judge_content(heard: Heard, index: int, weights: Weights) -> Floats:
    """Probabilities of the content types of one clip."""
    scores = content.linear(heard.windows[index], weights, "window")
    features = content.clip_features(scores, *heard.kept[index][1:])
    shares: Floats = content.softmax(content.network(features[None], weights))[0]
    return shares


def fit_instruments(heard: Heard, chosen: NDArray[np.bool_]) -> Weights:
    """The instrument model, from renders, the recordings that are certain, and what recordings rarely hold."""
    picked = [i for i in np.flatnonzero(chosen) if heard.rows[i]["instruments"]]
    others = [i for i in np.flatnonzero(chosen) if _unlisted(heard.rows[i])]
    rows = np.array([labels.label_inputs(heard.kept[i][0]) for i in [*picked, *others]])
    standard, weights = standardised(rows, "instruments")
    weight, bias = np.zeros((rows.shape[1], len(labels.INSTRUMENTS))), np.full(len(labels.INSTRUMENTS), -9.0)
    for column, name in enumerate(labels.INSTRUMENTS):
        played = np.array([name.value in heard.rows[i]["instruments"] for i in picked])
        if not played.any():
            continue
        count = len(rows) if name in RARE else len(picked)
        answers = np.concatenate([played, np.zeros(count - len(picked), bool)])
        model = LogisticRegression(C=0.03, max_iter=400).fit(standard[:count], answers)
        weight[:, column], bias[column] = model.coef_[0], model.intercept_[0]
    return weights | {"instruments_weight": weight, "instruments_bias": bias}


def _unlisted(row: Row) -> bool:
    return row["content_type"] == "music" and row["kind"] == "recording" and not row["instruments"]


def vocals_of(row: Row) -> str:
    """Who sings or speaks in a clip, if that is known."""
    if row["content_type"] == "speech" and row["kind"] in {"recording", "reading"}:
        return "female" if row["source"] in FEMALE else "male" if row["source"] in MALE else ""
    return str(row["vocals"]) if row["vocals"] in {"none", "male", "female", "choir"} else ""


def fit_vocals(heard: Heard, chosen: NDArray[np.bool_]) -> Weights:
    """Whether somebody sings or speaks, and who, from clips where that is known."""
    names = [kind.value for kind in labels.SINGERS]
    picked = [i for i in np.flatnonzero(chosen) if vocals_of(heard.rows[i])]
    answers = [names.index(vocals_of(heard.rows[i])) for i in picked]
    rows = np.array([labels.vocal_inputs(*heard.kept[i]) for i in picked])
    someone = fit_linear(rows, [min(answer, 1) for answer in answers], 2, "someone", 0.03)
    sung = [i for i, answer in zip(picked, answers, strict=True) if answer]
    rows = np.array([labels.singer_inputs(*heard.kept[i]) for i in sung])
    return someone | fit_linear(rows, [answer - 1 for answer in answers if answer], len(names) - 1, "singer", 0.03)


def across_folds(
    heard: Heard, fit: Callable[[Heard, NDArray[np.bool_]], Weights], answer: Callable[[int, Weights], Any]
) -> dict[int, Any]:
    """What is answered about every clip by weights fitted on the other folds."""
    found: dict[int, Any] = {}
    for fold in range(FOLDS):
        weights = fit(heard, heard.folds != fold)
        found |= {int(index): answer(int(index), weights) for index in np.flatnonzero(heard.folds == fold)}
    return found


Judged = list[dict[str, Any]]
"""Held-out answers: ``features``, ``right``, ``fold``, ``source``, ``kind``, and what was said and wanted."""


def judged_content(heard: Heard) -> Judged:
    """Held-out content types."""
    found = across_folds(heard, fit_content, lambda index, weights: judge_content(heard, index, weights))
    return [
        _answer(
            heard.rows[i],
            content.SOUNDING[int(shares.argmax())].value,
            heard.rows[i]["content_type"],
            float(shares.max()),
        )
        for i, shares in found.items()
    ]


def judged_instruments(heard: Heard) -> Judged:
    """Held-out instruments where they are known: every one that would be listed."""

    def answer(index: int, weights: Weights) -> Floats:
        scores = content.linear(labels.label_inputs(heard.kept[index][0])[None], weights, "instruments")[0]
        chances: Floats = 1 / (1 + np.exp(-scores))
        return chances

    found: Judged = []
    for index, chances in across_folds(heard, fit_instruments, answer).items():
        row = heard.rows[index]
        if not row["instruments"]:
            continue
        order = np.argsort(-chances)[: labels.INSTRUMENT_MOST]
        for place, column in enumerate(order):
            if place == 0 or chances[column] >= labels.INSTRUMENT_FLOOR:
                said = labels.INSTRUMENTS[column].value
                found.append(
                    _answer(row, said, "+".join(row["instruments"]), chances[column], right=said in row["instruments"])
                    | {"place": place}
                )
    return found


def judged_vocals(heard: Heard) -> Judged:
    """Held-out singers and speakers; "present" is right for anybody."""

    def answer(index: int, weights: Weights) -> Floats:
        return labels.vocal_shares(*heard.kept[index], weights)

    found: Judged = []
    for index, shares in across_folds(heard, fit_vocals, answer).items():
        wanted = vocals_of(heard.rows[index])
        if wanted:
            said, score = labels.vocal_answer(shares)
            right = said.value == wanted or (said.value == "present" and wanted != "none")
            found.append(_answer(heard.rows[index], said.value, wanted, score, right=right))
    return found


def judged_words(corpus: Path) -> tuple[Judged, Judged]:
    """Languages and transcripts: nothing is fitted here but the curves."""
    language: Judged = []
    transcript: Judged = []
    for row in clips(corpus):
        speech = recall_words(corpus, row)
        if speech is None or not speech.text:
            continue
        given = {"features": speech.features}
        language.append(_answer(row, "en", row["language"], 0.5, right=row["language"] == "en") | given)
        if row["language"] != "en":
            transcript.append(_answer(row, speech.text, "", 0.5, right=False) | given | {"wer": 1.0})
        elif row["wording"]:
            wrong, words = word_errors(row["wording"], speech.text)
            rate = wrong / max(words, 1)
            transcript.append(
                _answer(row, speech.text, row["wording"], 0.5, right=rate <= RIGHT_WER) | given | {"wer": rate}
            )
    return language, transcript


def _answer(row: Row, said: str, wanted: str, score: float, *, right: bool | None = None) -> dict[str, Any]:
    return {
        "said": said, "wanted": wanted, "right": bool(said == wanted if right is None else right),
        "features": {"log_odds": log_odds(float(score))},
        **{name: row[name] for name in ("id", "fold", "source", "kind", "worn", "duration_s", "language")},
    }  # fmt: skip


def fit_curve(answers: Judged, names: Sequence[str]) -> dict[str, Any]:
    """A logistic curve over some features: the probability that an answer is right."""
    rows = np.array([[answer["features"][name] for name in names] for answer in answers])
    model = LogisticRegression(C=1.0, max_iter=1000).fit(rows, [answer["right"] for answer in answers])
    weights = {name: round(float(weight), 6) for name, weight in zip(names, model.coef_[0], strict=True)}
    return {"bias": round(float(model.intercept_[0]), 6), "weights": weights}


CURVES: dict[str, tuple[str, ...]] = {
    "content_type": ("log_odds",),
    "instruments": ("log_odds",),
    "vocals": ("log_odds",),
    "language": (
        "mean_logprob",
        "least_logprob",
        "no_speech",
        "compression",
        "words_per_s",
        "log_words",
        "common_words",
    ),
    "transcript": (
        "mean_logprob",
        "least_logprob",
        "no_speech",
        "compression",
        "words_per_s",
        "log_words",
        "common_words",
    ),
}
"""The calibrated fields, and what their curves depend on."""


def main() -> None:
    """Fit everything and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    given = parser.parse_args()
    heard = Heard(given.corpus)
    language, transcript = judged_words(given.corpus)
    judged = {
        "content_type": judged_content(heard),
        "instruments": judged_instruments(heard),
        "vocals": judged_vocals(heard),
        "language": language,
        "transcript": transcript,
    }
    (given.corpus / "heldout.json").write_text(json.dumps(judged), encoding="utf-8")
    everything = np.ones(len(heard.rows), bool)
    _save(content.WEIGHTS, fit_content(heard, everything))
    _save(labels.WEIGHTS, fit_instruments(heard, everything) | fit_vocals(heard, everything))
    made = {
        "corpus_sha256": hashlib.sha256((given.corpus / "clips.jsonl").read_bytes()).hexdigest(),
        "clips": len(heard.rows),
        "answers": {field: len(answers) for field, answers in judged.items()},
        "by": "python -m training.fit; see docs/calibration.md",
    }
    curves = {field: fit_curve(judged[field], names) for field, names in CURVES.items()}
    stored = {"version": VERSION, "made": made, "curves": curves}
    FITTED.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    for field, answers in judged.items():
        share = sum(answer["right"] for answer in answers) / len(answers)
        sys.stdout.write(f"{field}: {share:.3f} of {len(answers)} held-out answers right\n")


def _save(path: Path, weights: Weights) -> None:
    kept: dict[str, Any] = {name: values.astype(np.float32) for name, values in weights.items()}
    np.savez_compressed(path, **kept)


if __name__ == "__main__":
    main()

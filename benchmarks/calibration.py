"""How much calibration helps, and from how many labels on which kind of curve is the better one.

    python -m benchmarks.calibration [--write]

The first table is of a made-up model whose true chance of being right is known, so that the error of a curve can be
told apart from the noise of labels: curves are fitted to some labels and judged on 20 000 other answers.  The second is
of tempo and key of the listener on the held-out music of ``benchmarks.music``, whose rows are in ``training/labels``:
what the confidences that ship are worth there, and what recalibrating them gives, each judged on other recordings.
With ``--write`` both go into ``docs/confidence.md``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.clock import utc_now
from workers.calibration import Identity, LabelSet
from workers.calibration_fit import Label, fit
from workers.curves import fit_scores
from workers.models.listener import key, tempo
from workers.models.listener.built_in import TEMPO_AND_KEY, BuiltInCurves
from workers.reliability import Measures, calibration_error

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "confidence.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
COUNTS = (50, 100, 300, 1000, 3000, 10_000)
FRESH = 20_000
ROUNDS = 30
Floats = NDArray[np.float64]


def made_up(shape: str, count: int, chance: np.random.Generator) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores of a model that is surer than it is right, and whether each answer is right.

    Args:
        shape: ``logistic`` takes its log odds for three times what they are; ``stepped`` says 0.5 to 1 evenly, and is
            right in 45 % below 0.8, in 60 % below 0.95 and in 90 % above.
        count: how many answers.
        chance: what draws them.
    """
    if shape == "stepped":
        scores = chance.uniform(0.5, 1.0, count)
        truths = np.select([scores < 0.8, scores < 0.95], [0.45, 0.6], 0.9)
    else:
        truths = chance.beta(3, 2, count)
        scores = 1 / (1 + np.exp(-(3 * np.log(truths / (1 - truths)) + 1)))
    return scores, chance.random(count) < truths


def by_labels() -> list[str]:
    """A row for each number of labels: the mean calibration error without a curve and with each kind of curve."""
    lines = [
        "| labels | logistic: raw | Platt | isotonic | stepped: raw | Platt | isotonic |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for count in COUNTS:
        cells = []
        for shape in ("logistic", "stepped"):
            chance = np.random.default_rng(0)
            errors: dict[str, list[float]] = {"raw": [], "platt": [], "isotonic": []}
            for _ in range(ROUNDS):
                scores, right = made_up(shape, count, chance)
                fresh, truth = made_up(shape, FRESH, chance)
                errors["raw"].append(calibration_error(fresh, truth))
                for kind in ("platt", "isotonic"):
                    curve = fit_scores(scores, right, kind)
                    confidences = np.array([curve.confidence(score) for score in fresh.tolist()])
                    errors[kind].append(calibration_error(confidences, truth))
            cells += [f"{np.mean(found):.3f}" for found in errors.values()]
        lines.append(f"| {count} | " + " | ".join(cells) + " |")
    return lines


def of_the_listener() -> list[str]:
    """A row for tempo and one for key: as they ship, and recalibrated, on held-out music."""
    shipped = BuiltInCurves.load(TEMPO_AND_KEY)
    labels = []
    for kind, field, names in (("tempo", "tempo_bpm", tempo.FEATURES), ("key", "key", key.FEATURES)):
        for number, line in enumerate((ROOT / "training" / "labels" / f"{kind}.jsonl").read_text("utf-8").splitlines()):
            row = json.loads(line)
            confidence = shipped.calibrated(field, dict(zip(names, row["features"], strict=True)))
            if row["part"] == "held out" and confidence is not None:
                labels.append(Label(field, row["correct"], f"{kind} {number}", score=confidence, confidence=confidence))
    label_set = LabelSet(source="training/labels", sha256="0" * 64, count=len(labels), recordings=len(labels))
    fitted = fit(labels, identity=Identity("listener"), label_set=label_set, fitted_at=utc_now())
    lines = [
        "| field | labels | ECE as shipped | recalibrated | Brier as shipped | recalibrated | AUROC |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for field in fitted.curves:
        report = fitted.report[field]
        assert report.before is not None  # noqa: S101  # every label has a score
        lines.append(f"| {field} | {report.labels} | " + " | ".join(_cells(report.before, report.after)) + " |")
    return lines


def _cells(before: Measures, after: Measures) -> list[str]:
    shown = [before.ece, after.ece, before.brier, after.brier, after.auroc]
    return [f"{each}" for each in shown]


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/confidence.md")
    given = parser.parse_args()
    lines = [
        BEGIN,
        "",
        f"By `python -m benchmarks.calibration`. Calibration error on {FRESH} fresh answers, mean of {ROUNDS} fits:",
        "",
        *by_labels(),
        "",
        "Tempo and key of the listener, held out (in brackets: 95 %):",
        "",
        *of_the_listener(),
        "",
        END,
    ]
    print("\n".join(lines))
    if given.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(before + "\n".join(lines) + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()

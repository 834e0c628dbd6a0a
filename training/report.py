"""Writes how well the listener's confidences hold into ``docs/calibration.md``.

    python -m training.report --corpus DIR

Reads the held-out answers that ``training.fit`` kept.  Curves are judged like the models: fitted on the answers of
three folds and asked about the fourth.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.fit import CURVES, FOLDS, Judged, fit_curve
from workers.curves import Platt
from workers.models.listener.built_in import FITTED
from workers.reliability import BINS, calibration_error, ranking

DOCUMENT = Path("docs/calibration.md")
BEGIN, END = "<!-- report: begin -->", "<!-- report: end -->"
FEW = 5
"""A group with fewer answers is left out of a table of groups."""


def held_out_confidences(answers: Judged, field: str) -> NDArray[np.float64]:
    """The confidence of every answer, by a curve fitted on the other folds."""
    names = CURVES[field]
    found = np.zeros(len(answers))
    for fold in range(FOLDS):
        curve = Platt(**fit_curve([answer for answer in answers if answer["fold"] != fold], names))
        for index, answer in enumerate(answers):
            if answer["fold"] == fold:
                found[index] = curve.probability(answer["features"])
    return found


def spread(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """The 5th and 95th percentile of the calibration error over 300 bootstrap samples."""
    chance = np.random.default_rng(0)
    drawn = [chance.integers(len(right), size=len(right)) for _ in range(300)]
    low, high = np.percentile([calibration_error(confidences[index], right[index]) for index in drawn], [5, 95])
    return float(low), float(high)


def field_report(field: str, answers: Judged) -> list[str]:
    """Summary and reliability table of one field."""
    confidences = held_out_confidences(answers, field)
    right = np.array([answer["right"] for answer in answers])
    low, high = spread(confidences, right)
    area = ranking(confidences, right)
    sources = len({answer["source"] for answer in answers})
    lines = [
        f"### {field}",
        "",
        (
            f"{len(answers)} held-out answers from {sources} sources, {right.mean():.1%} right. "
            f"ECE {calibration_error(confidences, right):.3f} (90 % of bootstrap samples: {low:.3f} to {high:.3f})"
            + (f", AUROC {area:.3f}." if area is not None else ".")
        ),
        "",
        "| confidence | answers | mean confidence | right |",
        "|---|---:|---:|---:|",
    ]
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    for bin_ in np.unique(bins):
        chosen = bins == bin_
        lines.append(
            f"| {bin_ / BINS:.1f} to {(bin_ + 1) / BINS:.1f} | {int(chosen.sum())} | {confidences[chosen].mean():.3f} "
            f"| {right[chosen].mean():.3f} |"
        )
    return [*lines, ""]


def confusion(answers: Judged) -> list[str]:
    """Rows: what it is; columns: what was said."""
    kinds = ("music", "speech", "mixed", "sound")
    counts = Counter((answer["wanted"], answer["said"]) for answer in answers)
    lines = ["| is \\ said | " + " | ".join(kinds) + " | right |", "|---|" + "---:|" * (len(kinds) + 1)]
    for wanted in kinds:
        row = [counts[wanted, said] for said in kinds]
        share = counts[wanted, wanted] / max(1, sum(row))
        lines.append(f"| {wanted} | " + " | ".join(map(str, row)) + f" | {share:.1%} |")
    return [*lines, ""]


def groups(answers: Judged, *fields: str) -> list[str]:
    """Share of right answers by some property."""
    by: dict[str, list[bool]] = defaultdict(list)
    for answer in answers:
        by[", ".join(str(answer[field]) for field in fields)].append(answer["right"])
    lines = [f"| {', '.join(fields)} | answers | right |", "|---|---:|---:|"]
    kept = sorted((name, found) for name, found in by.items() if len(found) >= FEW)
    return [*lines, *(f"| {name} | {len(found)} | {np.mean(found):.1%} |" for name, found in kept), ""]


def instruments(answers: Judged) -> list[str]:
    """How often the likeliest instrument is right, by the instrument played alone."""
    first = [answer for answer in answers if answer["place"] == 0]
    alone = [answer for answer in first if "+" not in answer["wanted"]]
    together = [answer for answer in first if "+" in answer["wanted"]]
    solo, ensemble = (np.mean([answer["right"] for answer in part]) for part in (alone, together))
    summary = (
        f"The likeliest instrument is right in {solo:.1%} of {len(alone)} solos and {ensemble:.1%} of "
        f"{len(together)} ensembles."
    )
    return [summary, "", *groups(alone, "wanted"), *groups(first, "kind", "source")]


def whole_report(corpus: Path) -> str:
    """Everything between the markers."""
    judged: dict[str, Judged] = json.loads((corpus / "heldout.json").read_text(encoding="utf-8"))
    made: dict[str, Any] = json.loads(FITTED.read_text(encoding="utf-8"))["made"]
    lines = [
        BEGIN,
        "",
        f"By `python -m training.report`; {made['clips']} clips, list `{made['corpus_sha256'][:16]}…` (sha256).",
        "",
        "## What was said, held out",
        "",
        *confusion(judged["content_type"]),
        *groups(judged["content_type"], "wanted", "kind"),
        *instruments(judged["instruments"]),
        "Vocals:",
        "",
        *groups(judged["vocals"], "wanted", "kind"),
        "## Reliability, held out",
        "",
    ]
    for field, answers in judged.items():
        lines += field_report(field, answers)
    lines += ["Transcripts by source:", "", *groups(judged["transcript"], "source"), END]
    return "\n".join(lines)


def main() -> None:
    """Put the report into the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    given = parser.parse_args()
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(before + whole_report(given.corpus) + after, encoding="utf-8")


if __name__ == "__main__":
    main()

"""``Gathered``: the labels that a calibration is fitted to, wherever they come from, and whose answers they judge."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from earmark.domain import Prediction
from earmark.errors import ConfigurationError, PermanentError
from earmark.ports import Warehouse
from router.intake import display
from runtime.labelled import Labelled, ScoredRow, TruthRow, read_labelled
from runtime.listening import Heard, Predict
from workers.calibration import Identity, LabelSet
from workers.calibration_fit import Label
from workers.judging import judge
from workers.models.catalogue import MODELS, find_model

REVIEWS: Final = "reviews"
LINE_EVERY_S: Final = 5.0
ATTRIBUTES: Final = ("model", "model_version", "engine", "prompt_version")

OpenListening = Callable[[], AbstractContextManager[Predict]]
"""Starts the model, once there is something for it to hear."""


@dataclass(slots=True)
class Gathered:
    """Labels, whose they are, and what could not be used."""

    labels: list[Label]
    identity: Identity
    label_set: LabelSet
    skipped: int = 0
    """Rows that could not be used."""
    tempo: Counter[str] = field(default_factory=Counter)
    """Of tempi held against a truth: ``answers``, ``right``, and ``near``: right, or only the octave is wrong."""


def say(text: str) -> None:
    """Tell the person on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False, emoji=False)


def gather_file(path: Path, *, asked: Identity, spec: Identity | None, listening: OpenListening) -> Gathered:
    """The labels of a file; recordings of known truth are played to the model.

    Args:
        path: the file.
        asked: what the person named; empty parts were not named.
        spec: the model that is set, if it can run.
        listening: starts that model.

    Raises:
        ConfigurationError: the file cannot be used, it does not say whose answers these are, or the model cannot run.
        ModelUnavailable: the model does not load.
    """
    labelled = read_labelled(path)
    for problem in labelled.problems:
        say(problem)
    if not labelled.scored and not labelled.truths:
        message = f"{labelled.name} has no row that can be used.  docs/confidence.md says what rows look like."
        raise ConfigurationError(message)
    if labelled.ignored:
        say(f"{labelled.name}: not used: {', '.join(labelled.ignored)}")
    identity = resolve(asked, spec, [row.identity for row in labelled.scored], labelled.name)
    mine = [row for row in labelled.scored if _is_of(row.identity, identity)]
    _tell_others(labelled.scored, mine, identity)
    gathered = Gathered(
        [row.label for row in mine],
        identity,
        LabelSet(source=Path(path).name, sha256=labelled.sha256, count=0, recordings=0),
        skipped=len(labelled.problems) + len(labelled.scored) - len(mine),
    )
    if labelled.truths:
        _hear(labelled, gathered, listening)
    return _counted(gathered, labelled.name)


def gather_reviews(warehouse: Warehouse, *, asked: Identity, spec: Identity | None) -> Gathered:
    """The answers that people reviewed.

    Raises:
        ConfigurationError: there are none, or they are of several versions and none was named.
        Unavailable: the warehouse cannot be reached.
    """
    model = asked.model or (spec.model if spec else "")
    rows = warehouse.query("reviewed_answers", {"model": model, "model_version": asked.model_version})
    told = [{name: str(row[name] or "") for name in ATTRIBUTES} for row in rows]
    identity = resolve(asked, spec, told, "The reviews")
    mine = [row for row, identities in zip(rows, told, strict=True) if _is_of(identities, identity)]
    if len(mine) < len(rows):
        say(f"{len(rows) - len(mine)} reviews are of another version, engine or prompt than {identity}: not used")
    text = json.dumps(mine, sort_keys=True, default=str)
    labels = [
        Label(
            field=str(row["field"]),
            right=bool(row["is_right"]),
            recording=str(row["job_id"]),
            score=_number(row["score"]),
            confidence=_number(row["confidence"]),
        )
        for row in mine
    ]
    label_set = LabelSet(source=REVIEWS, sha256=hashlib.sha256(text.encode()).hexdigest(), count=0, recordings=0)
    return _counted(Gathered(labels, identity, label_set), f"The table {REVIEWS}")


def resolve(asked: Identity, spec: Identity | None, told: Iterable[Mapping[str, str]], source: str) -> Identity:
    """Whose answers these are: as named by the person, else of the model that is set, else as all rows say alike.

    Raises:
        ConfigurationError: the rows say different things and nobody named one.
    """
    rows = list(told)
    ours = spec if spec is not None and asked.model in {"", spec.model} else None
    if ours is None and asked.model not in {*MODELS, *(row["model"] for row in rows)}:
        find_model(asked.model)  # a name that is neither in the catalogue nor in the labels is misspelt
    found: dict[str, str] = {}
    for name in ATTRIBUTES:
        given = getattr(asked, name) or (getattr(ours, name) if ours else "")
        values = sorted({row[name] for row in rows if row[name]} - {""})
        if not given and len(values) > 1:
            option = f"--{name.replace('_', '-')}"
            what = f"several {name.replace('_', ' ')}s"
            message = f"{source} has answers with {what}: {', '.join(values)}.  Name one: {option}."
            raise ConfigurationError(message)
        found[name] = given or (values[0] if values else "")
    return Identity(**found)


def _is_of(told: Mapping[str, str], identity: Identity) -> bool:
    """Whether a row may be about answers of a model: it says so, or nothing."""
    return all(told[name] in {"", getattr(identity, name)} for name in ATTRIBUTES)


def _tell_others(rows: Sequence[ScoredRow], mine: Sequence[ScoredRow], identity: Identity) -> None:
    kept = {row.place for row in mine}
    for row in rows:
        if row.place not in kept:
            say(f"{row.place}: an answer of {Identity(**row.identity)}, not of {identity}")


def _hear(labelled: Labelled, gathered: Gathered, listening: OpenListening) -> None:
    """Play the recordings to the model, and judge what it says."""
    by_path: dict[Path, list[TruthRow]] = {}
    for row in labelled.truths:
        by_path.setdefault(row.path, []).append(row)
    with listening() as predict:
        for heard in _progress(predict(by_path), len(by_path)):
            rows = by_path[heard.path]
            if not isinstance(heard.answer, Prediction):
                remedy = f"  {heard.answer.remedy}" if isinstance(heard.answer, PermanentError) else ""
                gathered.skipped += len(rows)
                for row in rows:
                    say(f"{row.place}: {display(heard.path.name)}: {heard.answer}.{remedy}")
                continue
            for row in rows:
                _judge(row, heard.answer, gathered)


def _judge(row: TruthRow, answer: Prediction, gathered: Gathered) -> None:
    for judged in judge(answer.metadata, row.truth):
        gathered.labels.append(
            Label(judged.field, judged.right, str(row.path), score=judged.score, confidence=judged.confidence)
        )
        if judged.near is not None:
            gathered.tempo.update(answers=1, right=judged.right, near=judged.near)


def _progress(items: Iterable[Heard], total: int) -> Iterator[Heard]:
    told = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        if time.monotonic() - told >= LINE_EVERY_S:
            told = time.monotonic()
            say(f"{count} of {total} recordings heard")


def _counted(gathered: Gathered, source: str) -> Gathered:
    if not gathered.labels:
        message = (
            f"{source} has no answer of {gathered.identity} that was judged.  "
            "See docs/confidence.md for what labels look like, and `earmark review` for how to make some."
        )
        raise ConfigurationError(message)
    recordings = len({label.recording for label in gathered.labels})
    gathered.label_set = gathered.label_set.model_copy(update={"count": len(gathered.labels), "recordings": recordings})
    return gathered


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None

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
from earmark.metadata import AudioMetadata
from earmark.named_file import printable
from earmark.ports import Warehouse
from router.intake import display
from runtime.calibration.labelled import Labelled, ScoredRow, TruthRow, read_labelled
from runtime.calibration.listening import Heard, Predict
from workers.calibration import Identity, LabelSet
from workers.calibration_fit import Label
from workers.judging import judge
from workers.models.catalogue import MODELS, find_model

REVIEWS: Final = "reviews"
LINE_EVERY_S: Final = 5.0
REPEATED_MOST: Final = 0.2
"""Share of rows that say what another says, above which they look like copies."""
OTHERS_SHOWN: Final = 5
ATTRIBUTES: Final = ("model", "model_version", "engine", "prompt_version")

OpenListening = Callable[[], AbstractContextManager[Predict]]
"""Starts the model, once there is something for it to hear."""


@dataclass(slots=True)
class Gathered:
    """Labels, whose they are, and what could not be used."""

    labels: list[Label]
    identity: Identity
    label_set: LabelSet
    heard: tuple[Path, ...] = ()
    """Recordings that were played to the model."""
    skipped: int = 0
    """Rows that could not be used."""
    tempo: Counter[str] = field(default_factory=Counter)
    """Of tempi held against a truth: ``answers``, ``right``, and ``near``: right, or only the octave is wrong."""


def say(text: str) -> None:
    """Tell the person on standard error; control characters are written out."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(printable(text), markup=False, emoji=False)


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
    _tell_others([row for row in labelled.scored if not _is_of(row.identity, identity)], identity, labelled.name)
    mine = _settled(mine, labelled.name)
    _tell_copies([row.label for row in mine], labelled.name)
    gathered = Gathered(
        [row.label for row in mine],
        identity,
        LabelSet(source=Path(path).name, sha256=labelled.sha256, count=0, recordings=0),
        skipped=len(labelled.problems),
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
    """Whose answers these are: as named by the person, else of the model that is set, else as its rows say alike.

    What rows of another model, version or engine say does not count.

    Raises:
        ConfigurationError: the rows say different things and nobody named one, or nobody says what gave the answers.
    """
    rows = list(told)
    ours = spec if spec is not None and asked.model in {"", spec.model} else None
    if ours is None and asked.model not in {*MODELS, *(row["model"] for row in rows)}:
        find_model(asked.model)  # a name that is neither in the catalogue nor in the labels is misspelt
    found: dict[str, str] = {}
    for name in ATTRIBUTES:
        given = getattr(asked, name) or (getattr(ours, name) if ours else "")
        values = sorted({row[name] for row in rows if row[name]})
        if not given and ours is None and len(values) > 1:
            option = f"--{name.replace('_', '-')}"
            what = f"several {name.replace('_', ' ')}s"
            message = f"{source} has answers with {what}: {printable(', '.join(values))}.  Name one: {option}."
            raise ConfigurationError(message)
        found[name] = given or (values[0] if values and ours is None else "")
        rows = [row for row in rows if row[name] in {"", found[name]}]
    if ours is None and rows:
        _demand(found, source)
    return Identity(**found)


def _demand(found: Mapping[str, str], source: str) -> None:
    """Refuse a model that cannot run here and of which nobody says what it is: no worker would take the artefact."""
    wanted = ["model_version", "engine", *(["prompt_version"] if found["model"] in MODELS else [])]
    missing = [name for name in wanted if not found[name]]
    if missing:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in missing)
        whats = ", ".join(name.replace("_", " ") for name in missing)
        message = (
            f"Nobody says which {whats} of {printable(found['model'])} gave the answers of {source}, and that model "
            f"cannot run here.  Name {options}, or write them into the rows."
        )
        raise ConfigurationError(message)


def _is_of(told: Mapping[str, str], identity: Identity) -> bool:
    """Whether a row may be about answers of a model: it says so, or nothing."""
    return all(told[name] in {"", getattr(identity, name)} for name in ATTRIBUTES)


def _tell_others(rows: Sequence[ScoredRow], identity: Identity, source: str) -> None:
    """Rows of others are no fault: a file may hold several models."""
    if not rows:
        return
    others = Counter(str(Identity(**row.identity)) for row in rows)
    told = [f"{count} of {other}" for other, count in others.most_common(OTHERS_SHOWN)]
    more = ["others"] if len(others) > OTHERS_SHOWN else []
    say(f"{source}: {len(rows)} answers are not of {identity} and not used: {', '.join(told + more)}")


def _settled(rows: Sequence[ScoredRow], source: str) -> list[ScoredRow]:
    """One row for each answer: of several about the same recording, field and value the last one counts.

    Where no value is told the score stands for it, but not in fields of lists, whose entries may share one.
    """
    listed = {name for name, found in AudioMetadata() if isinstance(found, tuple)}
    last: dict[object, ScoredRow] = {}
    contradicted = 0
    for row in rows:
        label = row.label
        value = row.value if row.value is not None else None if label.field in listed else (label.score,)
        key = (label.recording, label.field, value) if label.named and value is not None else row.place
        before = last.pop(key, None)
        contradicted += before is not None and before.label.right != label.right
        last[key] = row
    if len(last) < len(rows):
        also = f", {contradicted} of them with another verdict" if contradicted else ""
        say(f"{source}: {len(rows) - len(last)} answers are told again{also}; the last row about an answer counts")
    return list(last.values())


def _tell_copies(labels: Sequence[Label], source: str) -> None:
    alone = [label for label in labels if not label.named and label.score is not None]
    repeated = len(alone) - len({label.content for label in alone})
    if repeated > REPEATED_MOST * len(alone):
        say(
            f"{source}: {repeated} of {len(alone)} rows without `recording` say what another row says.  If they are "
            "copies, take them out: figures look surer than they are.  If not, name the recordings"
        )


def _hear(labelled: Labelled, gathered: Gathered, listening: OpenListening) -> None:
    """Play the recordings to the model, and judge what it says."""
    by_path: dict[Path, list[TruthRow]] = {}
    for row in labelled.truths:
        by_path.setdefault(row.path, []).append(row)
    gathered.heard = tuple(by_path)
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

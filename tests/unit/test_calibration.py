"""The artefact: what it does to answers, how it is fitted and judged, and for whom it is refused."""

import json
import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import ConfigurationError
from earmark.metadata import AudioMetadata, Rated, RatedText
from earmark.vocabulary import Basis, ContentType, Genre
from tests.making import EPOCH
from workers.calibration import ALL, Calibration, FieldCurves, Identity, LabelSet, load
from workers.calibration_fit import Label, fit
from workers.curves import Constant, Isotonic, Platt

pytestmark = pytest.mark.usefixtures("few_draws")

IDENTITY = Identity("qwen2_audio", "1.ab", "transformers", "3f2a")
LABELS = LabelSet(source="labels.jsonl", sha256="0" * 64, count=0, recordings=0)


def fitted(labels: list[Label]) -> Calibration:
    """What can be fitted to labels."""
    return fit(labels, identity=IDENTITY, label_set=LABELS, fitted_at=EPOCH)


def over_confident(count: int, seed: int = 0, field: str = "content_type") -> list[Label]:
    """Answers of a model that takes its log odds for three times what they are, two of each recording."""
    chance = np.random.default_rng(seed)
    truths = chance.beta(3, 2, count)
    return [
        Label(
            field,
            right=bool(chance.random() < truth),
            recording=f"{field[:0]}{index // 2}",
            score=1 / (1 + math.exp(-(3 * math.log(truth / (1 - truth)) + 1))),
        )
        for index, truth in enumerate(truths.tolist())
    ]


def with_curves(**curves: FieldCurves) -> Calibration:
    """An artefact with these curves."""
    return fitted([]).model_copy(update={"curves": curves})


@pytest.mark.parametrize(("count", "kind"), [(400, "platt"), (2000, "isotonic")])
def test_confidences_of_an_over_confident_model_hold(count: int, kind: str) -> None:
    """Held-out and on fresh answers: the calibration error falls from a fifth to less than 0.05."""
    calibration = fitted(over_confident(count))
    curve = calibration.curves["content_type"].scored
    assert curve is not None
    assert curve.kind == kind
    report = calibration.report["content_type"]
    assert report.before is not None
    assert report.before.ece.value > 0.15
    fresh = over_confident(20_000, seed=9)
    confidences = np.array([curve.confidence(label.score or 0.0) for label in fresh])
    right = np.array([label.right for label in fresh])
    bins = np.minimum((confidences * 10).astype(int), 9)
    gaps = [abs((confidences[bins == each] - right[bins == each]).sum()) for each in range(10)]
    assert sum(gaps) / len(fresh) < 0.05
    if count >= 2000:
        assert report.after.ece.value < 0.05
    assert report.after.ece.value < report.before.ece.value / 2
    assert report.after.brier.value < report.before.brier.value


def test_nothing_is_judged_on_what_it_was_fitted_to() -> None:
    """Random labels look as bad as they are: a fit judged on itself would rank them better than chance does."""
    chance = np.random.default_rng(5)
    labels = [
        Label("key", right=bool(chance.random() < 0.5), recording=str(index // 20), score=index // 20 / 75)
        for index in range(1500)
    ]
    auroc = fitted(labels).report["key"].after.auroc
    assert auroc is not None
    assert auroc.value < 0.55


def test_too_few_labels_leave_a_field_alone() -> None:
    """By number, by recordings, and apart for answers with and without a score; each with its reason."""
    labels = (
        [Label("key", right=True, recording=str(number), score=0.5) for number in range(29)]
        + [Label("vocals", right=True, recording=str(number % 9), score=0.5) for number in range(90)]
        + [Label("moods", right=True, recording=str(n), score=0.5 if n % 2 else None) for n in range(40)]
        + [Label("tags", right=n % 4 > 0, recording=str(n)) for n in range(40)]
    )
    calibration = fitted(labels)
    assert set(calibration.unfitted) == {"key", "vocals", "moods"}
    assert "29 labels" in calibration.unfitted["key"]
    assert "9 recordings" in calibration.unfitted["vocals"]
    assert set(calibration.curves) == {"tags"}
    assert calibration.curves["tags"] == FieldCurves(unscored=Constant(31 / 42))


@pytest.mark.parametrize("wrong", [0, 4])
def test_a_few_wrong_answers_teach_nothing(wrong: int) -> None:
    """Fewer than five of either kind leave a field as it is, with and without scores; five are enough."""
    labels = [Label("key", right=n >= wrong, recording=str(n), score=n % 7 / 7) for n in range(43)]
    bare = [Label("tags", right=n < wrong, recording=str(n)) for n in range(43)]
    calibration = fitted(labels + bare)
    assert not calibration.curves
    assert f"{43 - wrong} right and {wrong} wrong answers" in calibration.unfitted["key"]
    assert f"{wrong} right and {43 - wrong} wrong answers" in calibration.unfitted["tags"]
    assert set(fitted([Label("key", right=n > 4, recording=str(n)) for n in range(43)]).curves) == {"key"}


def test_scores_that_mean_less_give_one_confidence_however_many() -> None:
    """Also from a thousand labels on; the report and the thresholds are of that one confidence."""
    chance = np.random.default_rng(0)
    labels = [
        Label("key", right=bool(chance.random() > score), recording=str(n), score=score)
        for n, score in enumerate(chance.random(1500).tolist())
    ]
    calibration = fitted(labels)
    curve = calibration.curves["key"].scored
    assert isinstance(curve, Isotonic)
    assert curve.is_level
    assert len(calibration.report["key"].bins) == 1
    assert calibration.report["key"].after.auroc is not None
    assert calibration.report["key"].after.auroc.value == 0.5
    assert {point.coverage.value for point in calibration.report["key"].curve} == {1.0}


def test_copies_do_not_choose_the_curve() -> None:
    """A thousand labels are enough for steps only if they say different things, or of different recordings."""
    labels = over_confident(400)
    copies = [replace(label, recording=f"{index}", named=False) for index, label in enumerate(labels * 3)]
    assert isinstance(fitted(copies).curves["content_type"].scored, Platt)
    known = [replace(label, named=True) for label in copies]
    assert isinstance(fitted(known).curves["content_type"].scored, Isotonic)


def test_answers_without_a_score_share_one_confidence() -> None:
    """Their report is no worse for the folds: no ranking, and little error."""
    labels = [Label("tags", right=number % 10 < 7, recording=str(number)) for number in range(200)]
    report = fitted(labels).report["tags"]
    assert report.before is None
    assert report.after.ece.value < 0.01
    assert report.after.auroc is not None
    assert report.after.auroc.value == 0.5


def test_all_fields_are_judged_together() -> None:
    """The report has an entry over all answers of calibrated fields."""
    calibration = fitted(over_confident(200) + over_confident(300, field="vocals"))
    assert calibration.report[ALL].labels == 500
    assert calibration.report[ALL].recordings == 150


METADATA = AudioMetadata.model_validate(
    {
        "content_type": Rated(value=ContentType.MUSIC, score=0.5),
        "genres": [Rated(value=Genre.JAZZ, score=0.9), Rated(value=Genre.POP, score=0.5), Rated(value=Genre.ROCK)],
        "key": Rated(value="C major", confidence=0.4, score=0.9, basis=Basis.CALIBRATED),
        "description": Rated(value="Music.", confidence=0.3, basis=Basis.DERIVED),
        "language": Rated(),
    }
)


def test_every_answer_gets_the_confidence_of_its_score() -> None:
    """Entries one by one, in their order; answers without a score have a curve of their own; scores stay."""
    curves = FieldCurves(scored=Platt(0.0, {"log_odds": 1.0}), unscored=Constant(0.25))
    applied = with_curves(content_type=curves, genres=curves, key=curves, language=curves).apply(METADATA)
    assert (applied.content_type.confidence, applied.content_type.score) == (0.5, 0.5)
    assert [(entry.value, entry.confidence) for entry in applied.genres] == [
        ("jazz", 0.9),
        ("pop", 0.5),
        ("rock", 0.25),
    ]
    assert {entry.basis for entry in applied.genres} == {Basis.CALIBRATED}
    assert applied.key.confidence == 0.9
    assert applied.language == METADATA.language


def test_fields_without_a_curve_stay_as_they_are() -> None:
    """No confidence is invented, whether the field has no curve or its curve is for answers with a score only."""
    applied = with_curves(genres=FieldCurves(scored=Platt(0.0, {"log_odds": 1.0}))).apply(METADATA)
    assert applied.content_type == METADATA.content_type
    assert applied.genres[2] == METADATA.genres[2]
    assert applied.key == METADATA.key


def test_what_was_measured_is_not_guessed_anew() -> None:
    """Silence is certain, and what follows from other fields keeps their confidence."""
    silence = AudioMetadata.model_validate(
        {
            "content_type": Rated(value=ContentType.SILENCE, confidence=1.0, basis=Basis.MEASURED),
            "description": METADATA.description,
        }
    )
    curves = FieldCurves(unscored=Constant(0.5))
    assert with_curves(content_type=curves, description=curves).apply(silence) == silence


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.floats(-3, 3), st.floats(0.01, 4))
def test_a_rising_curve_keeps_the_order(scores: list[float], bias: float, slope: float) -> None:
    """Whoever had the higher score has no less confidence."""
    tags = AudioMetadata(tags=tuple(RatedText(value="x", score=score) for score in scores))
    applied = with_curves(tags=FieldCurves(scored=Platt(bias, {"log_odds": slope}))).apply(tags).tags
    ranked = sorted(applied, key=lambda entry: entry.score or 0.0)
    assert [entry.confidence for entry in ranked] == sorted(entry.confidence or 0.0 for entry in applied)


def test_an_artefact_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Curves, report and id; another set of labels has another id."""
    calibration = fitted(over_confident(1200) + [Label("tags", right=n > 9, recording=str(n)) for n in range(40)])
    path = tmp_path / "new" / "calibration.json"
    calibration.save(path)
    read = load(path, model="qwen2_audio", model_version="1.ab", engine="transformers", prompt_version="3f2a")
    assert read == calibration
    assert read.id == calibration.id
    assert read.id != fitted(over_confident(1201)).id
    later = read.model_copy(update={"fitted_at": EPOCH + timedelta(days=1), "report": {}})
    assert later.id == read.id
    assert later.sha256 != read.sha256
    assert isinstance(read.curves["content_type"].scored, Isotonic)
    assert [each.name for each in path.parent.iterdir()] == ["calibration.json"]


@pytest.mark.parametrize(
    ("running", "told"),
    [
        ({"model": "listener"}, ["qwen2_audio", "listener"]),
        ({"model_version": "2"}, ["1.ab", "'2'"]),
        ({"engine": "vllm"}, ["transformers", "vllm"]),
        ({"prompt_version": "0000"}, ["3f2a", "0000"]),
        ({"engine": ""}, ["transformers", "''"]),
    ],
)
def test_another_model_is_refused(tmp_path: Path, running: dict[str, str], told: list[str]) -> None:
    """Both are named, and what to do."""
    path = tmp_path / "c.json"
    fitted(over_confident(40)).save(path)
    with pytest.raises(ConfigurationError, match="earmark calibrate") as refusal:
        load(path, **running)
    assert all(word in str(refusal.value) for word in told)


def test_a_changed_artefact_is_refused(tmp_path: Path) -> None:
    """A number changed by hand, another format, a curve that falls, no JSON, no file: each in one clear line."""
    path = tmp_path / "c.json"
    fitted(over_confident(1200)).save(path)
    stored = json.loads(path.read_text())
    confidences = stored["curves"]["content_type"]["scored"]["confidences"]
    cases = {
        "was changed": {**stored, "model": "other"},
        "was changed after": {**stored, "report": {}},
        "was changed after it": {name: value for name, value in stored.items() if name != "sha256"},
        "format 99": {**stored, "format": 99},
        "damaged": {
            **stored,
            "curves": {"key": {"scored": {"kind": "isotonic", "scores": [0, 1], "confidences": [1, 0]}}},
        },
        "damaged at curves": {
            **stored,
            "curves": {"key": {"scored": {"kind": "platt", "bias": 0, "weights": {"x": 1}}}},
        },
        "damaged at fitted_at": {**stored, "fitted_at": "yesterday"},
        "no calibration": [stored],
    }
    assert len(confidences) > 1
    for reason, content in cases.items():
        path.write_text(json.dumps(content))
        with pytest.raises(ConfigurationError, match=reason):
            load(path)
    for text in ("", "[" * 100_000, '{"format": 1, "bias": NaN}', "\xff"):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(ConfigurationError, match="calibrat"):
            load(path)
    with pytest.raises(ConfigurationError, match="Cannot read"):
        load(tmp_path / "gone.json")
    with pytest.raises(ConfigurationError, match="Cannot write"):
        fitted([]).save(path / "below" / "a file")

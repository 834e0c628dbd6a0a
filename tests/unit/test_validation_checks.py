"""The checks over models with one fault each; no time is asserted, only that it is there."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from earmark.domain import Clip, Prediction
from earmark.errors import ModelCrashed, ModelUnavailable, TimedOut
from earmark.metadata import AudioMetadata, RatedContentType, RatedNumber, RatedText
from earmark.vocabulary import Basis, ContentType
from runtime.validation.validate import SHIPPED
from tests.validation_doubles import FakeProcess, right, said
from workers.validation import checks
from workers.validation.checks import CHECKS, Effort
from workers.validation.figures import FIGURES, Check, Fault, Finding, Measurement
from workers.validation.memory import Resident
from workers.validation.soundness import fault_of
from workers.validation.sounds import Sounds
from workers.validation.subject import Process, Subject, WatchedProcess
from workers.validation.targets import load_targets
from workers.validation.verdict import CheckResult, Status, judge_check

TARGETS = load_targets(SHIPPED)
SMALL = Effort(calls=20, rounds=1, batch_clips=1)
DOUBLES = "tests.validation_doubles:moody"


@pytest.fixture
def sounds(tmp_path: Path) -> Sounds:
    """Sounds in a folder, and programmes of noise over and over, which is made quickly."""
    return Sounds(tmp_path, Sounds(tmp_path).clip("noise", 1.0, seed=99))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """No long audio is needed to look at logic."""
    monkeypatch.setattr(checks, "MIXED", (("noise", 0.05), ("speech", 0.2), ("music", 0.3)))


def run(check: Check, process: Process, sounds: Sounds) -> tuple[CheckResult, list[Finding]]:
    """What a check comes to."""
    found = list(CHECKS[check](Subject(process, timeout_s=5), sounds, SMALL))
    return judge_check(check, found, TARGETS), found


def value(found: Sequence[Finding], name: str) -> float:
    """Of a figure."""
    return next(finding.value for finding in found if isinstance(finding, Measurement) and finding.name == name)


@pytest.mark.parametrize("check", CHECKS)
def test_a_good_model_passes_and_every_figure_of_the_check_is_there(check: Check, sounds: Sounds) -> None:
    """All that need no GPU; none is named twice."""
    result, found = run(check, FakeProcess(), sounds)
    if check is not Check.MEMORY:  # the process that is watched here runs all the tests, and may grow
        assert result.status is Status.PASS, result.reason
    names = [finding.name for finding in found if isinstance(finding, Measurement)]
    wanted = {name for name, figure in FIGURES.items() if figure.check is check and "gpu" not in name}
    assert set(names) == wanted
    assert len(names) == len(wanted)


def deaf(clips: Sequence[Clip]) -> list[Prediction]:
    """Always the same."""
    return [said(ContentType.MUSIC, covered_s=clip.duration_s) for clip in clips]


def dumb(clips: Sequence[Clip]) -> list[None]:
    """Never anything."""
    return [None] * len(clips)


def moved(clips: Sequence[Clip]) -> list[Prediction]:
    """Something else in company."""
    return [said(ContentType.SPEECH if len(clips) > 1 else ContentType.MUSIC, covered_s=0.0) for _ in clips]


def shifted(clips: Sequence[Clip]) -> list[Prediction]:
    """The same with other scores in company."""
    return [said(ContentType.MUSIC, 0.9 - 0.03 * (len(clips) > 1), covered_s=0.0) for _ in clips]


def swapped(clips: Sequence[Clip]) -> list[Prediction]:
    """The answers of a batch in another order than the clips."""
    return [right(clip) for clip in reversed(clips)]


@pytest.mark.parametrize(
    ("check", "model", "name"),
    [
        (Check.SELF_TEST, deaf, "self_test_different"),
        (Check.SELF_TEST, deaf, "self_test_silence"),
        (Check.SELF_TEST, dumb, "self_test_valid"),
        (Check.BATCH, moved, "batch_equal"),
        (Check.BATCH, swapped, "batch_equal"),
        (Check.BATCH, dumb, "batch_equal"),
        (Check.BATCH, shifted, "batch_score_difference"),
        (Check.REAL_TIME, dumb, "no answer about 1500 s"),
        (Check.ANSWERS, dumb, "answered"),
    ],
)
def test_a_bad_model_fails_its_check(check: Check, model: Any, name: str, sounds: Sounds) -> None:
    """And the reason names the figure."""
    result, _ = run(check, FakeProcess(model), sounds)
    assert result.status is Status.FAIL
    assert name in result.reason


def test_scores_may_differ_a_little_and_values_not_at_all(sounds: Sounds) -> None:
    """A batch in bfloat16 is not one in float32."""

    def near(clips: Sequence[Clip]) -> list[Prediction]:
        return [said(ContentType.MUSIC, 0.9 - 0.01 * (len(clips) > 1), covered_s=0.0) for _ in clips]

    result, found = run(Check.BATCH, FakeProcess(near), sounds)
    assert result.status is Status.PASS
    assert value(found, "batch_score_difference") == pytest.approx(0.01)


def test_a_leak_fails_and_levelling_off_does_not(sounds: Sounds, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the slope over the calls after the first ones."""
    held: Iterator[float] = iter([])
    monkeypatch.setattr(Subject, "memory", lambda _: Resident(next(held), 999.0))
    held = iter([100.0, *(100.0 + 0.1 * call for call in range(1, 30))])
    result, found = run(Check.MEMORY, FakeProcess(), sounds)
    assert result.status is Status.FAIL
    assert value(found, "memory_growth") == pytest.approx(10.0)
    held = iter([100.0] * 4 + [180.0] * 30)
    result, found = run(Check.MEMORY, FakeProcess(), sounds)
    assert result.status is Status.PASS
    assert value(found, "memory_after_mib") == 180.0


def test_gpu_memory_is_watched_where_there_is_one(sounds: Sounds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, after, and its growth."""
    held = iter(range(1000, 2000))
    monkeypatch.setattr(Subject, "gpu_memory_mib", lambda _: float(next(held)))
    result, found = run(Check.MEMORY, FakeProcess(), sounds)
    assert result.status is Status.FAIL
    assert "gpu_memory_growth" in result.reason
    assert value(found, "gpu_memory_before_mib") == 1000


def test_throughput_asks_in_calls_of_that_size(sounds: Sounds) -> None:
    """One, four and sixteen clips at once, all of them different."""
    process = FakeProcess()
    run(Check.THROUGHPUT, process, sounds)
    assert [len(call) for call in process.asked[1:]] == [1, 4, 16]
    assert len(set(process.asked[-1])) == 16


@pytest.mark.parametrize("answer", [None, (), {}, [], [None, None], ["music"], [right], 7])
def test_what_is_not_one_answer_per_clip_is_a_crash(answer: Any, sounds: Sounds) -> None:
    """Whatever comes back."""
    with pytest.raises(ModelCrashed, match="not a prediction or None for each"):
        Subject(FakeProcess(lambda _: answer), timeout_s=1).predict([sounds.clip("noise", 0.1)])


def test_a_prediction_is_valid_or_says_what_is_wrong(sounds: Sounds) -> None:
    """Everything that no model may say."""
    clip = sounds.clip("noise", 1.0)
    assert not fault_of(said(ContentType.SOUND), clip)
    kind = RatedContentType(value=ContentType.SOUND, score=0.5)
    wrong = {
        "what kind": said(None),
        "covers 1e+99": said(ContentType.SOUND, covered_s=1e99),
        "covers nan": said(ContentType.SOUND, covered_s=float("nan")),
        "covers -1": said(ContentType.SOUND, covered_s=-1),
        "covers None": said(ContentType.SOUND, covered_s=None),  # type: ignore[arg-type]
        "not the same": said(ContentType.SOUND, float("nan")),
        "score of content_type": said(ContentType.SOUND, 1.5),
        "tempo": Prediction(AudioMetadata(content_type=kind, tempo_bpm=RatedNumber(value=0.0)), 1.0),
        "key": Prediction(AudioMetadata(content_type=kind, key=RatedText(value="H minor")), 1.0),
        "language": Prediction(AudioMetadata(content_type=kind, language=RatedText(value="English")), 1.0),
        "a confidence": Prediction(
            AudioMetadata(
                content_type=RatedContentType(value=ContentType.SOUND, confidence=0.9, basis=Basis.UNCALIBRATED)
            ),
            1.0,
        ),
        "schema": Prediction(AudioMetadata.model_construct(content_type="noise"), 1.0),  # type: ignore[arg-type]
        "a dict": Prediction({"content_type": "music"}, 1.0),  # type: ignore[arg-type]
    }
    for told, prediction in wrong.items():
        assert told in fault_of(prediction, clip), told


def test_what_is_invalid_is_counted_and_shown(sounds: Sounds) -> None:
    """A share below one fails, with an example."""
    result, _ = run(Check.ANSWERS, FakeProcess(lambda clips: [said(None) for _ in clips]), sounds)
    assert result.status is Status.FAIL
    assert "what kind of sound" in result.reason


@pytest.mark.parametrize(
    ("mood", "error"), [("crash", ModelCrashed), ("hang", TimedOut), ("raise", ModelCrashed), ("short", ModelCrashed)]
)
def test_in_a_real_process_a_failure_is_an_error_and_the_next_call_works(
    mood: str, error: type[Exception], sounds: Sounds
) -> None:
    """It is loaded anew where it died."""
    process = WatchedProcess(DOUBLES, {"mood": mood, "after": 1}, start_timeout_s=60)
    subject = Subject(process, timeout_s=0.2 if mood == "hang" else 30)
    clip = sounds.clip("noise", 0.05)
    try:
        assert subject.predict([clip]).answers[0] is not None
        with pytest.raises(error):
            subject.predict([clip])
        if mood in {"crash", "hang"}:
            assert subject.predict([clip]).answers[0] is not None
        assert subject.deaths == 0
    finally:
        process.close()


def test_a_process_that_leaves_between_calls_is_noticed(sounds: Sounds) -> None:
    """The worker would load it again and never say so."""
    process = WatchedProcess(DOUBLES, {"mood": "leave", "after": 0}, start_timeout_s=60)
    subject = Subject(process, timeout_s=30)
    clip = sounds.clip("noise", 0.05)
    try:
        subject.start()
        subject.predict([clip])
        assert process._child is not None
        process._child.join(30)
        subject.predict([clip])
        assert subject.deaths == 1
    finally:
        process.close()


def test_a_real_leak_shows(sounds: Sounds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two megabytes a call, seen from outside."""
    monkeypatch.setattr(checks, "CALLED", (("noise", 0.05),) * 3)
    process = WatchedProcess(DOUBLES, {"mood": "leak", "after": 0}, start_timeout_s=60)
    try:
        result, found = run(Check.MEMORY, process, sounds)
    finally:
        process.close()
    assert result.status is Status.FAIL
    assert value(found, "memory_growth") == pytest.approx(200, rel=0.2)


def test_a_model_that_does_not_load_says_so(sounds: Sounds) -> None:
    """Whatever it raises."""
    process = WatchedProcess("tests.models:missing", {}, start_timeout_s=60)
    with pytest.raises(ModelUnavailable, match="no weights"):
        list(CHECKS[Check.LOAD](Subject(process, timeout_s=1), sounds, SMALL))
    process.close()


def test_growth_needs_one_life(sounds: Sounds) -> None:
    """A process that was loaded anew in between has no growth to speak of."""
    process = FakeProcess()

    def reload(clips: Sequence[Clip]) -> list[Prediction]:
        process.loads += len(process.asked) == 9
        return [right(clip) for clip in clips]

    process._predict = reload
    _, found = run(Check.MEMORY, process, sounds)
    assert any(isinstance(finding, Fault) and "did not live" in finding.reason for finding in found)

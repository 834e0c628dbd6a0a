"""Qwen2-Audio with tiny weights: every kind of sound, every length, in any company, and little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from earmark.domain import Clip, Prediction
from earmark.metadata import AudioMetadata
from earmark.vocabulary import Basis, ContentType, Instrument, Vocals
from tests.tiny_qwen import KEY, TEMPO_BPM, TINY_QWEN, TRANSCRIPT, clip_of, tiny_clip, tiny_sound
from workers.model_process import ModelProcess
from workers.models import qwen2_audio, qwen2_audio_network
from workers.models.answer import FIELDS
from workers.models.audio_batches import AudioBudget
from workers.models.constrained import Trace, Unfinished
from workers.models.prompt import prompt_version
from workers.models.qwen2_audio import SPOKEN, Qwen2Audio, load
from workers.models.weights_folder import folder_version

MIXED_LENGTHS = (("noise", 0.05), ("chord", 1.0), ("bursts", 2.0), ("between", 7.3), ("noise", 30.0), ("bursts", 45.0))


@pytest.fixture(scope="module")
def model() -> Qwen2Audio:
    """The tiny model, through the production loader and its self-test."""
    return load(threads=1, path=str(TINY_QWEN))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Very short, short, as long as a window, and longer."""
    folder = tmp_path_factory.mktemp("clips")
    return [tiny_clip(folder, kind, seconds) for kind, seconds in MIXED_LENGTHS]


def predicted(model: Qwen2Audio, *clips: Clip) -> list[Prediction]:
    """The answers, of which none may be missing."""
    found = model.predict(clips)
    assert all(found)
    return [answer for answer in found if answer is not None]


def scores(metadata: AudioMetadata) -> list[float]:
    """All scores of a record, in order."""
    rated = [getattr(metadata, name) for name in FIELDS]
    flat = [entry for each in rated for entry in (each if isinstance(each, tuple) else (each,))]
    return [entry.score for entry in flat if entry.score is not None]


def words(metadata: AudioMetadata) -> dict[str, Any]:
    """A record without its scores."""
    rated = {name: getattr(metadata, name) for name in FIELDS}
    return {
        name: [entry.value for entry in each] if isinstance(each, tuple) else each.value for name, each in rated.items()
    }


def assert_same(found: Sequence[Prediction | None], expected: Sequence[Prediction | None]) -> None:
    """The same records, scores to within 1e-4 and a rounding."""
    for one, other in zip(found, expected, strict=True):
        assert one is not None
        assert other is not None
        assert words(one.metadata) == words(other.metadata)
        assert scores(one.metadata) == pytest.approx(scores(other.metadata), abs=1.5e-4)
        assert one.covered_s == other.covered_s


def test_each_kind_of_sound_is_told(model: Qwen2Audio, tmp_path: Path) -> None:
    """A chord is music with its key and tempo, bursts are speech with their words, noise is sound."""
    chord, bursts, noise = (
        answer.metadata
        for answer in predicted(model, *(tiny_clip(tmp_path, kind, 3.0, 5) for kind in ("chord", "bursts", "noise")))
    )
    assert chord.content_type.value is ContentType.MUSIC
    assert (chord.key.value, chord.tempo_bpm.value, chord.vocals.value) == (KEY, TEMPO_BPM, Vocals.NONE)
    assert [rated.value for rated in chord.instruments] == [Instrument.ORGAN]
    assert bursts.content_type.value is ContentType.SPEECH
    assert (bursts.language.value, bursts.transcript.value) == ("en", TRANSCRIPT)
    assert noise.content_type.value is ContentType.SOUND
    assert noise.transcript.value is None


def test_in_between_it_is_less_sure(model: Qwen2Audio, tmp_path: Path) -> None:
    """Scores are not all near 1: clear sounds are above the threshold of 0.8, a chord in noise is below."""
    answers = predicted(model, *(tiny_clip(tmp_path, kind, 5.0) for kind in ("chord", "bursts", "noise", "between")))
    *clear, between = (answer.metadata.content_type.score for answer in answers)
    assert all(score is not None and score > 0.8 for score in clear)
    assert between is not None
    assert between < 0.8


def test_an_answer_keeps_its_word(model: Qwen2Audio, clips: list[Clip]) -> None:
    """Uncalibrated, with a score for whatever has a value, and with where it came from."""
    for answer in predicted(model, *clips):
        assert AudioMetadata.model_validate_json(answer.metadata.model_dump_json()) == answer.metadata
        for name in FIELDS:
            rated = getattr(answer.metadata, name)
            for entry in rated if isinstance(rated, tuple) else (rated,):
                assert entry.confidence is None
                assert entry.basis is Basis.UNCALIBRATED
                assert (entry.score is None) == (entry.value is None)
                assert entry.value is None or name in answer.uncalibrated
        assert answer.engine == "transformers"
        assert answer.prompt_version == prompt_version(FIELDS)
        assert answer.predict_s > 0
        assert answer.cost_usd == 0
    assert model.version == folder_version(TINY_QWEN)


@pytest.mark.slow
def test_a_batch_gives_the_answers_of_one_at_a_time(model: Qwen2Audio, clips: list[Clip]) -> None:
    """Lengths from 0.05 s to 45 s, in any order, in batches of any size."""
    single = [model.predict([clip])[0] for clip in clips]
    assert_same(model.predict(clips), single)
    assert_same(model.predict(clips[::-1]), single[::-1])
    budget = model._budget
    for audio_s in (1.0, 60.0):
        model._budget = AudioBudget(audio_s)
        assert_same(model.predict(clips), single)
    model._budget = budget


def test_the_same_clip_twice_has_the_same_answer_twice(model: Qwen2Audio, tmp_path: Path) -> None:
    """Clips are told apart by their place in the call."""
    clip, other = tiny_clip(tmp_path, "bursts", 40.0), tiny_clip(tmp_path, "noise", 1.0)
    (single,) = predicted(model, clip)
    twice = predicted(model, clip, other, clip)
    assert_same([twice[0], twice[2]], [single, single])


def test_memory_that_runs_out_changes_no_answer(
    model: Qwen2Audio, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is halved until it fits, and the size that fits is remembered."""
    expected = model.predict(clips)
    answer, rows, failures = model._network.answer, [], []

    def short(inputs: Any, fields: tuple[str, ...]) -> list[Trace | Unfinished]:
        rows.append(len(inputs["input_ids"]))
        if rows[-1] > 2:
            failures.append(rows[-1])
            message = "CUDA out of memory."
            raise torch.OutOfMemoryError(message)
        return answer(inputs, fields)

    monkeypatch.setattr(model._network, "answer", short)
    monkeypatch.setattr(model, "_budget", AudioBudget(240.0))
    assert_same(model.predict(clips), expected)
    assert failures
    failures.clear()
    assert_same(model.predict(clips), expected)
    assert not failures


def test_a_clip_that_memory_never_holds_has_no_answer(
    model: Qwen2Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others have theirs."""
    answer = model._network.answer

    def short(inputs: Any, fields: tuple[str, ...]) -> list[Trace | Unfinished]:
        if inputs["feature_attention_mask"].sum(-1).max() > 2000:
            message = "CUDA out of memory."
            raise torch.OutOfMemoryError(message)
        return answer(inputs, fields)

    monkeypatch.setattr(model._network, "answer", short)
    monkeypatch.setattr(model, "_budget", AudioBudget(240.0))
    found = model.predict([tiny_clip(tmp_path, "noise", seconds) for seconds in (1.0, 25.0, 2.0)])
    assert [answer is None for answer in found] == [False, True, False]


def test_silence_is_measured(model: Qwen2Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network, which answers confidently about silence, is not asked; nor about nothing."""

    def never(*_: object) -> None:
        pytest.fail("asked about silence")

    monkeypatch.setattr(model._network, "answer", never)
    silence, nothing = predicted(
        model,
        clip_of(tmp_path, "silence", np.zeros(32000, np.float32), silent=True),
        clip_of(tmp_path, "nothing", np.zeros(0, np.float32)),
    )
    for answer in (silence, nothing):
        rated = answer.metadata.content_type
        assert (rated.value, rated.confidence, rated.basis) == (ContentType.SILENCE, 1.0, Basis.MEASURED)
        assert answer.uncalibrated == ()
    assert silence.covered_s == 2.0
    assert nothing.covered_s == 0.0


def test_long_music_is_heard_in_places(model: Qwen2Audio, tmp_path: Path) -> None:
    """Four windows of 30 s of five minutes, and it says so."""
    (answer,) = predicted(model, tiny_clip(tmp_path, "chord", 300.0))
    assert answer.covered_s == pytest.approx(120.0)
    assert answer.metadata.key.value == KEY


def test_long_speech_is_heard_whole(model: Qwen2Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second of 200 s is transcribed, window after window."""
    asked: list[tuple[int, tuple[str, ...]]] = []
    answer = model._network.answer

    def counted(inputs: Any, fields: tuple[str, ...]) -> list[Trace | Unfinished]:
        asked.append((len(inputs["input_ids"]), fields))
        return answer(inputs, fields)

    monkeypatch.setattr(model._network, "answer", counted)
    (found,) = predicted(model, tiny_clip(tmp_path, "bursts", 200.0))
    assert found.covered_s == pytest.approx(200.0)
    assert found.metadata.transcript.value is not None
    assert found.metadata.transcript.value.startswith(TRANSCRIPT)
    assert sum(rows for rows, fields in asked if fields == FIELDS) == 4
    assert sum(rows for rows, fields in asked if fields == SPOKEN) >= 7


def test_speech_of_one_window_is_asked_about_once(
    model: Qwen2Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words were heard with the rest."""
    asked: list[tuple[str, ...]] = []
    answer = model._network.answer

    def counted(inputs: Any, fields: tuple[str, ...]) -> list[Trace | Unfinished]:
        asked.append(fields)
        return answer(inputs, fields)

    monkeypatch.setattr(model._network, "answer", counted)
    (found,) = predicted(model, tiny_clip(tmp_path, "bursts", 20.0))
    assert found.metadata.transcript.value == TRANSCRIPT
    assert asked == [FIELDS]


def test_speech_beyond_the_bound_is_said_to_be_missing(
    model: Qwen2Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is cut silently: covered seconds and the transcript's score tell."""
    clip = tiny_clip(tmp_path, "bursts", 300.0)
    (whole,) = predicted(model, clip)
    monkeypatch.setattr(model, "_speech_windows", 2)
    (part,) = predicted(model, clip)
    assert whole.covered_s == pytest.approx(300.0)
    assert part.covered_s < 200.0
    assert part.metadata.transcript.score is not None
    assert whole.metadata.transcript.score is not None
    assert part.metadata.transcript.score < 0.3 * whole.metadata.transcript.score


def test_an_answer_that_does_not_end_is_none(
    model: Qwen2Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finishing by length is no record."""
    monkeypatch.setattr(qwen2_audio_network, "MOST_ANSWER_TOKENS", 20)
    assert model.predict([tiny_clip(tmp_path, "noise", 1.0)]) == [None]


def test_odd_samples_have_answers(model: Qwen2Audio, tmp_path: Path) -> None:
    """One sample, NaN and infinity in between, absurd levels, DC."""
    noise = tiny_sound("noise", 1.0)
    holes = noise.copy()
    holes[::100], holes[50::100], holes[70::100] = np.nan, np.inf, -np.inf
    odd = (noise[:1], holes, noise * np.float32(1e30), np.full(5000, 0.5, np.float32))
    for index, samples in enumerate(odd):
        (answer,) = predicted(model, clip_of(tmp_path, str(index), samples))
        assert all(0.0 <= score <= 1.0 for score in scores(answer.metadata))


def test_memory_does_not_grow_with_length(model: Qwen2Audio, tmp_path: Path) -> None:
    """25 minutes, which are 96 MB, are mapped and heard a window at a time: no more than two minutes take."""
    tile = tiny_sound("noise", 10.0).astype("<f4").tobytes()
    peaks = []
    for tiles in (12, 12, 150):
        path = tmp_path / f"{tiles}.f32"
        path.write_bytes(tile * tiles)
        technical = clip_of(tmp_path, "any", np.zeros(1, np.float32)).technical
        tracemalloc.start()
        try:
            predicted(model, Clip("long", path, tiles * len(tile) // 4, technical))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[2] < 1.1 * peaks[1]


@pytest.mark.slow
def test_a_child_process_answers_and_says_nothing_else(
    model: Qwen2Audio, clips: list[Clip], capfd: pytest.CaptureFixture[str]
) -> None:
    """From loading to the last answer nothing reaches the worker's streams; answers survive the way back."""
    child = ModelProcess(
        "workers.models.qwen2_audio:load", {"threads": 1, "path": str(TINY_QWEN)}, start_timeout_s=100.0
    )
    try:
        found = child.predict(clips, timeout_s=60.0)
    finally:
        child.close()
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    assert_same(found, model.predict(clips))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_kind_of_arithmetic_answers(attention: str, dtype: str, tmp_path: Path) -> None:
    """As set; half precision gives the same words."""
    model = load(threads=1, path=str(TINY_QWEN), dtype=dtype, attention=attention)
    assert model._network.model.dtype == getattr(torch, dtype)
    (answer,) = predicted(model, tiny_clip(tmp_path, "chord", 2.0))
    assert answer.metadata.content_type.value is ContentType.MUSIC


def test_a_broken_gpu_ends_the_child(model: Qwen2Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CUDA context that failed once fails for ever; in the worker's child only a new process helps."""
    ended: list[int] = []

    def leave(status: int) -> None:
        ended.append(status)
        raise SystemExit(status)

    def broken(*_: object) -> None:
        message = "CUDA error: device-side assert triggered"
        raise torch.AcceleratorError(message)

    monkeypatch.setattr(model._network, "answer", broken)
    monkeypatch.setattr(qwen2_audio.os, "_exit", leave)
    clip = tiny_clip(tmp_path, "chord", 1.0)
    with pytest.raises(torch.AcceleratorError):
        model.predict([clip])
    monkeypatch.setattr(qwen2_audio, "parent_process", _anybody)
    with pytest.raises(SystemExit):
        model.predict([clip])
    assert ended == [qwen2_audio.BROKEN_GPU_STATUS]


_anybody: Callable[[], object] = object

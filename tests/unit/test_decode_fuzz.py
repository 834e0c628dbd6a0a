"""Random accidents and attacks on each format, through the pool: a clip or a reason, and nothing else."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from earmark.errors import InputFault, InputRejected
from tests.audio_files import FORMATS, RARER_FORMATS, example, mutated, saved
from workers.decode.limits import DecodeLimits
from workers.decode.sandbox import DecoderPool

LIMITS = DecodeLimits(wall_s=30.0, max_duration_s=3_600.0)
SEED = 20_240_607
SECONDS = 1.0
SECONDS_OF_VORBIS = 6.0
"""A page of Ogg with one wrong bit is dropped, and a second of Vorbis from FFmpeg's encoder is one page."""
MUTATIONS = 100
MUTATIONS_OF_CONTAINERS = 300
"""Of formats with boxes in boxes: some ends are only seen after the first hundred."""
CONTAINERS = {"m4a", "webm"}
MUTATIONS_OF_RARER = 60

EXPECTED = {
    "decoded",
    InputFault.EMPTY,
    InputFault.NOT_AUDIO,
    InputFault.NO_SAMPLES,
    InputFault.DAMAGED,
    InputFault.UNSUPPORTED,
    InputFault.TOO_LONG,
    InputFault.TOO_COSTLY,
}


def attack(pool: DecoderPool, folder: Path, name: str, mutations: int) -> dict[str, int]:
    """Decode mutations of a file of that format; returns how many came to which end."""
    whole = example(name, SECONDS_OF_VORBIS if name == "ogg" else SECONDS)
    rng, ends = np.random.default_rng(SEED), dict[str, int]()
    for _ in range(mutations):
        content = mutated(whole, rng)
        if rng.random() < 0.3:
            content = mutated(content, rng) if content else content
        path, digest = saved(folder / "input", content)
        try:
            clip = pool.decode("job", path, digest)
        except InputRejected as error:
            end = str(error.fault)
        else:
            samples = np.fromfile(clip.path, "<f4")
            assert len(samples) == clip.samples > 0
            assert np.isfinite(samples).all()
            technical = clip.technical
            assert math.isclose(clip.duration_s, technical.duration_s, abs_tol=1e-3)
            for level in (technical.loudness_lufs, technical.true_peak_dbtp):
                assert level is None or math.isfinite(level)
            pool.discard(clip)
            end = "decoded"
        ends[end] = ends.get(end, 0) + 1
    assert set(ends) <= EXPECTED
    return ends


@pytest.fixture(name="pool", scope="module")
def _pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecoderPool]:
    with DecoderPool(1, LIMITS, tmp_path_factory.mktemp("scratch")) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_mutations_of_common_formats(pool: DecoderPool, tmp_path: Path, name: str) -> None:
    """Hundreds of mutations end well, some of them as sound and some as a fault, in one process all the time."""
    mutations = MUTATIONS_OF_CONTAINERS if name in CONTAINERS else MUTATIONS
    ends = attack(pool, tmp_path, name, mutations)
    assert sum(ends.values()) == mutations
    assert len(ends) > 1
    assert len(pool.pids) <= 1
    assert list(pool._scratch.folder.iterdir()) == []


@pytest.mark.parametrize("name", RARER_FORMATS)
def test_mutations_of_rarer_formats(pool: DecoderPool, tmp_path: Path, name: str) -> None:
    """The rest of what is taken stands mutations too."""
    assert sum(attack(pool, tmp_path, name, MUTATIONS_OF_RARER).values()) == MUTATIONS_OF_RARER

"""The sounds of a validation."""

from pathlib import Path

import numpy as np
import pytest

from earmark.domain import Clip
from workers.validation.sounds import KINDS, Sounds


def samples(clip: Clip) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Of a clip."""
    return np.fromfile(clip.path, "<f4")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_audio_of_its_length(tmp_path: Path, kind: str) -> None:
    """Finite, within full scale or little beyond, as long as it says, and the same again."""
    clip = Sounds(tmp_path).clip(kind, 11.3, seed=3)
    heard = samples(clip)
    assert len(heard) == clip.samples == round(11.3 * 16_000)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 1.5
    assert clip.technical.silent is (kind == "silence") is (not heard.any())
    (tmp_path / "again").mkdir()
    assert (samples(Sounds(tmp_path / "again").clip(kind, 11.3, seed=3)) == heard).all()


def test_blocks_join_without_a_seam(tmp_path: Path) -> None:
    """Where one block ends, the wave goes on."""
    heard = samples(Sounds(tmp_path).clip("music", 11.0))
    steps = np.abs(np.diff(heard))
    assert steps[159_990:160_010].max() <= steps.max()
    assert steps[159_999] <= steps[150_000:159_000].max()


def test_the_shortest_is_one_sample(tmp_path: Path) -> None:
    """Zero seconds too."""
    assert Sounds(tmp_path).clip("noise", 0.0).samples == 1


def test_programmes_repeat_a_recording(tmp_path: Path) -> None:
    """Over and over until they are long enough; without one they are bursts."""
    recording = Sounds(tmp_path).clip("noise", 0.7)
    programme = Sounds(tmp_path, recording).programme(25.0)
    once, heard = samples(recording), samples(programme)
    assert programme.samples == len(heard) == 25 * 16_000
    assert (heard == np.resize(once, len(heard))).all()
    assert Sounds(tmp_path).programme(1.0).job_id == "speech-1-0"


def test_discarded_clips_are_made_again(tmp_path: Path) -> None:
    """Nothing is left of one, and asking for it again makes it."""
    sounds = Sounds(tmp_path)
    clip = sounds.clip("noise", 0.1)
    sounds.discard(clip)
    assert not list(tmp_path.iterdir())
    assert sounds.clip("noise", 0.1).path.exists()

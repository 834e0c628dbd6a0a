"""Which files in a folder are inputs."""

import os
from pathlib import Path

from runtime.analyzing.inputs import expand


def test_a_name_in_capitals_says_audio_too(tmp_path: Path) -> None:
    """Recorders and old systems write ``TRACK01.MP3``."""
    (tmp_path / "TRACK01.MP3").write_text("words")
    assert [bool(found.skipped) for found in expand([tmp_path])] == [False]


def test_a_pipe_in_a_folder_hangs_nobody(tmp_path: Path) -> None:
    """It is looked at without waiting for somebody to write into it, and skipped."""
    os.mkfifo(tmp_path / "pipe")
    assert [bool(found.skipped) for found in expand([tmp_path])] == [True]

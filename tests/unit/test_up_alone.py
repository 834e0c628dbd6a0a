"""One ``earmark up`` a data folder."""

from pathlib import Path

import pytest

from earmark.errors import ConfigurationError
from runtime.up.alone import alone


def test_a_second_one_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    """Whatever its port."""
    with alone(tmp_path):
        with pytest.raises(ConfigurationError, match=r"Another `earmark up`.*EARMARK_DATA"), alone(tmp_path):
            pass
        (tmp_path / "other").mkdir()
        with alone(tmp_path / "other"):
            pass
    with alone(tmp_path):
        pass


def test_a_folder_that_is_not_there_is_nobodys(tmp_path: Path) -> None:
    """As on Google Cloud, where nothing is kept in it."""
    with alone(tmp_path / "none"), alone(tmp_path / "none"):
        pass

"""Target files: what ships, what people add, and what is refused."""

import re
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError
from earmark.metadata import AudioMetadata
from runtime.validation.validate import SHIPPED
from workers.validation.figures import FIGURES
from workers.validation.targets import load_targets


def own(folder: Path, text: str) -> Path:
    """A target file."""
    path = folder / "targets.toml"
    path.write_text(text)
    return path


def test_the_targets_that_ship_each_have_a_unit_and_a_reason() -> None:
    """Every one is of a figure there is, in its unit, and says why."""
    targets = load_targets(SHIPPED)
    assert targets["ece"].limit == 0.05
    assert targets["auroc"].limit == 0.75
    assert targets["labels"].limit == 1000
    for name, target in targets.items():
        assert target.unit == FIGURES[name].unit
        assert target.why
    assert 'unit = "' in SHIPPED.read_text()


def test_a_file_of_ones_own_changes_single_keys_and_adds_figures(tmp_path: Path) -> None:
    """What it does not name stays as it ships."""
    targets = load_targets(
        SHIPPED, own(tmp_path, "[labels]\nlimit = 50\n[valid]\njudged = false\n[ece_transcript]\nlimit = 0.1\n")
    )
    assert targets["labels"].limit == 50
    assert targets["labels"].why == load_targets(SHIPPED)["labels"].why
    assert not targets["valid"].judged
    assert targets["valid"].limit == 1
    assert targets["ece_transcript"].unit == "share"
    assert targets["ece"].limit == 0.05


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[factor_30]\nlimit = 1", "did you mean factor_30s"),
        ("[zzz]\nlimit = 1", "docs/validation.md"),
        ("['a\\nb']\nlimit = 1", "no figure"),
        ("ece = 0.05", "no table"),
        ("[[ece]]\nlimit = 0.05", "no table"),
        ("[ece]\nlimit = 0.05\nunits = 'share'", "units"),
        ("[ece]\nlimit = '0.05'", "limit"),
        ("[ece]\nlimit = true", "limit"),
        ("[ece]\nlimit = nan", "limit"),
        ("[load_s]\nlimit = inf", "limit"),
        ("[load_s]\nlimit = -1", "limit"),
        ("[ece]\nlimit = 5", "a share is 0 to 1"),
        ("[load_s]\nunit = 'minutes'", "its unit is 's'"),
        ("[load_s]\njudged = 'no'", "judged"),
        ("[memory_peak_mib]\nwhy = 'no limit'", "limit"),
        ("[ece\nlimit", "Cannot read"),
        ("[ece]\nlimit = 0.1\n[ece]\nlimit = 0.2", "Cannot read"),
        ("x = " + "[" * 3000 + "]" * 3000, "Cannot read"),
        ("#" * 2**20 + "\n", "larger than"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    """The message names the file and what is wrong with it."""
    with pytest.raises(ConfigurationError) as caught:
        load_targets(SHIPPED, own(tmp_path, text))
    assert told in str(caught.value)
    assert "targets.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder, and bytes that are no text."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "gone", tmp_path, tmp_path / "binary"):
        with pytest.raises(ConfigurationError, match="Cannot read the targets"):
            load_targets(SHIPPED, path)


def test_the_page_names_every_figure() -> None:
    """What a target file may set a limit for."""
    page = (Path(__file__).parents[2] / "docs" / "validation.md").read_text(encoding="utf-8")
    for name in FIGURES:
        stem = re.sub(r"_(300s|1500s|at_4|at_16)$", "", name)
        field = re.fullmatch(rf"(ece|auroc)_({'|'.join(AudioMetadata.model_fields)})", name)
        told = f"`{field[1]}_FIELD`" if field else f"`{name}`" if stem == name else f"`{stem}_"
        assert told in page, name

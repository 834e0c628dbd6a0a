import importlib
import re
from pathlib import Path

import pytest

AUDIO = Path(__file__).parents[2] / "examples" / "audio"
LICENCES = AUDIO / "LICENCES"

MAGIC = {
    ".flac": (0, b"fLaC"),
    ".m4a": (4, b"ftyp"),
    ".mp3": (0, b"ID3"),
    ".ogg": (0, b"OggS"),
    ".opus": (0, b"OggS"),
    ".wav": (0, b"RIFF"),
}


def listed() -> dict[str, list[str]]:
    """The other cells of each row of the README's table, by the clip it is about."""
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", (AUDIO / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}


def clips() -> set[str]:
    """The names of the clips that are there."""
    return {path.name for path in AUDIO.iterdir() if path.is_file() and path.suffix != ".md"}


def test_the_readme_lists_exactly_the_clips_that_are_there() -> None:
    """A clip nobody listed has no known licence; a listed clip that is missing misleads."""
    assert set(listed()) == clips()
    assert 10 <= len(clips()) <= 14


@pytest.mark.parametrize("clip", sorted(listed()))
def test_a_clip_says_what_it_is_where_it_is_from_and_may_be_passed_on(clip: str) -> None:
    """Each row is filled in and links at least one licence whose text is in the repository."""
    what, source, licence, done = listed()[clip]
    assert all((what, source, done))
    texts = re.findall(r"\]\(LICENCES/([^)]+)\)", licence)
    assert texts
    for text in texts:
        assert len((LICENCES / text).read_text(encoding="utf-8")) > 500, text


def test_no_licence_text_is_left_over() -> None:
    """A text that no clip needs would claim terms that apply to nothing."""
    linked = set(re.findall(r"\]\(LICENCES/([^)]+)\)", (AUDIO / "README.md").read_text(encoding="utf-8")))
    assert {path.name for path in LICENCES.iterdir()} == linked


def test_the_clips_are_few_megabytes() -> None:
    """A clone stays quick: under 5 MB in all, under 1 MB each."""
    sizes = [(AUDIO / clip).stat().st_size for clip in clips()]
    assert sum(sizes) < 5_000_000
    assert max(sizes) < 1_000_000


@pytest.mark.parametrize("clip", sorted(listed()))
def test_a_clip_is_in_the_format_its_name_says(clip: str) -> None:
    """The bytes at the start belong to the container that the suffix names."""
    at, magic = MAGIC[Path(clip).suffix]
    assert (AUDIO / clip).read_bytes()[at : at + len(magic)] == magic


def test_the_formats_are_varied() -> None:
    """The demo meets every common container, and samples of 16 and of 24 bits."""
    assert {Path(clip).suffix for clip in clips()} == set(MAGIC)
    # The "fmt " chunk comes first; its last field is the bits a sample.
    widths = {int.from_bytes(path.read_bytes()[34:36], "little") for path in AUDIO.glob("*.wav")}
    assert widths == {16, 24}


@pytest.mark.parametrize(
    ("clip", "piece"),
    [("choir-chorale.opus", "choir_piece"), ("funk-band.m4a", "funk_piece"), ("piano-solo.wav", "piano_piece")],
)
def test_the_readme_states_the_tempo_and_key_of_the_pieces_written_for_it(
    clip: str, piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is promised of a synthesised clip is what its score says."""
    monkeypatch.syspath_prepend(AUDIO.parent)
    make = getattr(importlib.import_module("scores"), piece)
    (what, *_) = listed()[clip]
    stated = re.search(r": ([A-G][♭♯]? (?:major|minor)), (\d+) beats a minute", what)
    assert stated
    assert make().beats_a_minute == float(stated[2])
    assert make.__doc__.startswith(stated[1])

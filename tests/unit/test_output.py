"""Inputs and outputs of the command line."""

import csv
import io
import json
from pathlib import Path

import pytest

from earmark.domain import Record
from earmark.errors import InputFault, InputRejected
from earmark.metadata import AudioMetadata, Rated
from earmark.vocabulary import Basis, ContentType, Genre
from runtime.analyzing.inputs import expand
from runtime.analyzing.output import CSV_COLUMNS, Format, writer
from runtime.analyzing.result import Result, of_record, of_rejection
from tests.flows.test_settle import done
from tests.flows.world import World
from tests.making import EPOCH, make_failure, make_job, make_lease


@pytest.fixture
def results(tmp_path: Path) -> list[Result]:
    """One analysis and one rejection."""
    outcome = done(make_lease(), World(tmp_path)).outcome
    metadata = AudioMetadata.model_validate(
        {
            "content_type": Rated(value=ContentType.MUSIC, confidence=0.97, basis=Basis.CALIBRATED),
            "genres": [Rated(value=Genre.JAZZ, score=0.4)],
            "transcript": Rated(value="=SUM(A1) “hello”\n[bold]world[/bold]", confidence=0.9, basis=Basis.CALIBRATED),
        }
    )
    analysis = outcome.analysis.model_copy(update={"metadata": metadata})  # type: ignore[union-attr]
    rejected = of_rejection("b.txt", InputRejected(InputFault.NOT_AUDIO, "b.txt is no audio"))
    return [Result("a.mp3", "done", analysis=analysis), rejected]


def written(kind: Format, results: list[Result]) -> str:
    """What a writer writes."""
    stream = io.StringIO()
    with writer(kind, stream) as lines:
        for result in results:
            lines.write(result)
    return stream.getvalue()


def test_json_lines(results: list[Result]) -> None:
    """One object a line, in order, with the documented keys."""
    first, second = (json.loads(line) for line in written(Format.JSONL, results).splitlines())
    assert first["source"] == "a.mp3"
    assert first["analysis"]["metadata"]["content_type"]["value"] == "music"
    assert first["analysis"]["metadata"]["genres"][0]["basis"] == "uncalibrated"
    assert second == {
        "source": "b.txt",
        "status": "rejected",
        "error": {"kind": "not_audio", "message": "b.txt is no audio", "remedy": second["error"]["remedy"]},
    }


@pytest.mark.parametrize("count", [0, 1, 2])
def test_json_is_one_array(results: list[Result], count: int) -> None:
    """Valid also when it is empty."""
    assert len(json.loads(written(Format.JSON, results[:count]))) == count


def test_csv_has_one_row_each_and_runs_no_formula(results: list[Result]) -> None:
    """Quotes and newlines stay in their cell; what a spreadsheet would run is made text."""
    rows = list(csv.DictReader(io.StringIO(written(Format.CSV, results))))
    assert [row["status"] for row in rows] == ["done", "rejected"]
    assert set(rows[0]) == set(CSV_COLUMNS)
    assert rows[0]["transcript"].startswith("'=SUM")
    assert rows[1]["kind"] == "not_audio"


def test_the_table_shows_text_as_text(results: list[Result]) -> None:
    """Markup in a transcript or a name is printed, not obeyed."""
    table = written(Format.TABLE, results)
    assert "[bold]" in table
    assert "b.txt is no audio" in table
    assert written(Format.TABLE, []) == ""


def test_words_that_were_guessed_are_not_shown(results: list[Result]) -> None:
    """A transcript that is more likely wrong than right is in the record, and not in the table."""
    analysis = results[0].analysis
    assert analysis is not None
    unclear = analysis.metadata.transcript.model_copy(update={"confidence": 0.49})
    metadata = analysis.metadata.model_copy(update={"transcript": unclear})
    guessed = Result("a.mp3", "done", analysis=analysis.model_copy(update={"metadata": metadata}))
    assert "hello" not in written(Format.TABLE, [guessed])
    assert "hello" in written(Format.JSONL, [guessed])


@pytest.mark.parametrize(
    ("sources", "folder"),
    [
        (["a/b/1.wav", "a/b/2.wav"], "in a/b"),
        (["a/b/1.wav", "a/c/2.wav"], "in a"),
        (["/x/1.wav", "2.wav"], "file"),
        (["a/1.wav", "a/1.wav"], "in a"),
        (["a/1.wav"], "file"),
    ],
)
def test_the_table_names_a_shared_folder_once(sources: list[str], folder: str) -> None:
    """Relative, absolute, doubled and mixed names: every one is printed whole, the folder once."""
    table = written(Format.TABLE, [Result(source, "rejected") for source in sources])
    assert table.splitlines()[0].strip().startswith(folder)
    for source in sources:
        assert source.removeprefix(f"{folder.removeprefix('in ')}/") in table


def test_what_may_not_be_looked_at_is_an_input_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path in a folder that may not be entered raises nothing here; its record will say why."""

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.stat", forbidden)
    assert [found.path for found in expand([Path("closed/a.wav")])] == [Path("closed/a.wav")]


def test_folders_are_searched_by_content_and_by_name(tmp_path: Path) -> None:
    """Audio without a suffix is found, text named .mp3 is kept to be rejected, other files are skipped; in order."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "voice").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(32))
    (tmp_path / "a.mp3").write_text("words")
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / "z.wav").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = [(found.path.name, found.skipped) for found in expand([tmp_path])]
    assert found == [
        ("a.mp3", None),
        ("voice", None),
        ("loop", "linked folder"),
        ("notes.txt", "not audio"),
        ("z.wav", None),
    ]
    assert [found.skipped for found in expand([tmp_path / "notes.txt"])] == [None], "named, it is an input"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_start_of_a_formula_is_left(start: str) -> None:
    """Also in a name, which may be a stranger's."""
    [row] = csv.DictReader(io.StringIO(written(Format.CSV, [Result(f"{start}cmd", "rejected")]), newline=""))
    assert row["source"] == f"'{start}cmd"


@pytest.mark.parametrize(("seconds", "shown"), [(0.4, "0:00"), (59.6, "1:00"), (754, "12:34"), (45_296, "12:34:56")])
def test_lengths_are_as_a_player_shows_them(results: list[Result], seconds: float, shown: str) -> None:
    """Minutes and seconds, hours from the first one on."""
    analysis = results[0].analysis
    assert analysis is not None
    technical = analysis.technical.model_copy(update={"duration_s": seconds})
    table = written(Format.TABLE, [Result("a", "done", analysis=analysis.model_copy(update={"technical": technical}))])
    assert f" {shown} " in table


def test_a_failure_says_what_to_do() -> None:
    """Its own remedy where it has one, as a rejection does."""
    failures = [make_failure().model_copy(update={"remedy": remedy}) for remedy in ("Send a smaller one.", "")]
    records = [
        Record.model_validate(
            {
                "job_id": make_job().id,
                "tenant": "acme",
                "status": "rejected",
                "failures": [failure],
                "enqueued_at": EPOCH,
                "settled_at": EPOCH,
            }
        )
        for failure in failures
    ]
    own, general = (of_record("a", record, known=False).fault for record in records)
    assert own is not None
    assert general is not None
    assert own.remedy == "Send a smaller one."
    assert "failures_by_kind" in general.remedy


def test_a_carriage_return_ends_no_row() -> None:
    """Neither at the start of a cell nor within one."""
    sources = ["\rcmd", "a\rb", "a\r\nb"]
    content = written(Format.CSV, [Result(source, "rejected") for source in sources])
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert [row["source"] for row in rows] == ["'\ncmd", "a\nb", "a\nb"]

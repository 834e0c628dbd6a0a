"""Labelled files: good rows are used, and each bad row is one line that says where and why."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earmark.errors import ConfigurationError
from earmark.vocabulary import Genre
from runtime.calibration.labelled import Labelled, read_labelled


def read(folder: Path, content: str | bytes, name: str = "labels.jsonl") -> Labelled:
    """What a file of this content holds."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_labelled(path)


def test_both_kinds_of_rows_are_told_apart(tmp_path: Path) -> None:
    """A judged answer has a field and a verdict, a recording has a path; paths start at the file's folder."""
    found = read(
        tmp_path,
        '{"field": "key", "score": 0.5, "right": true, "model": "listener", "who": "me"}\n\n'
        '{"path": "clips/1.wav", "genres": ["Jazz"], "tempo_bpm": 120, "note": "live"}\n'
        '{"field": "tags", "right": 0, "recording": "r1", "confidence": 0.4}\n',
    )
    [scored, unscored] = found.scored
    assert (scored.label.field, scored.label.score, scored.label.right) == ("key", 0.5, True)
    assert scored.identity["model"] == "listener"
    assert (unscored.label.recording, unscored.label.score, unscored.label.confidence) == ("r1", None, 0.4)
    [truth] = found.truths
    assert truth.path == tmp_path / "clips/1.wav"
    assert truth.truth.genres == (Genre.JAZZ,)
    assert truth.place.endswith("labels.jsonl:3")
    assert found.ignored == ("who", "note")
    assert not found.problems


def test_each_judged_answer_is_a_recording_of_its_own(tmp_path: Path) -> None:
    """Unless it names one."""
    found = read(tmp_path, '{"field": "key", "right": true}\n' * 3)
    assert len({row.label.recording for row in found.scored}) == 3


BAD = [
    ("nonsense", "not JSON"),
    ("[1]", "not a JSON object"),
    ("{}", 'neither "field"'),
    ('{"field": "key"}', 'neither "field"'),
    ('{"field": "tune", "right": true}', "no field 'tune'"),
    ('{"field": "key", "right": "maybe"}', "right: "),
    ('{"field": "key", "right": null}', "right: "),
    ('{"field": "key", "right": true, "score": 1.01}', "score: "),
    ('{"field": "key", "right": true, "score": NaN}', "NaN is no number"),
    ('{"field": "key", "right": true, "score": 1e999}', "score: "),
    ('{"field": ["key"], "right": true}', "field: "),
    ('{"field": "key", "right": "yes"}', "right: "),
    ('{"field": "key", "right": true, "score": true}', "score: "),
    ('{"field": "key", "right": true, "score": "0.5"}', "score: "),
    ('{"path": "a.wav", "tempo_bpm": "120"}', "tempo_bpm: "),
    ('{"path": "a.wav", "tempo_bpm": true}', "tempo_bpm: "),
    ('{"field": "key", "right": true, "right": false}', "twice"),
    ('{"path": ""}', "is no path"),
    ('{"path": 3, "key": "C"}', "is no path"),
    ('{"path": "a\\u0000b", "key": "C"}', "is no path"),
    ('{"path": "a.wav"}', "says nothing"),
    ('{"path": "a.wav", "key": "H dur"}', "none of the 24"),
    ('{"path": "a.wav", "genres": ["shoegaze"]}', "genres.0: "),
    ('{"path": "a.wav", "tempo_bpm": -1}', "tempo_bpm: "),
    ("[" * 100_000, "nested too deeply"),
    ("9" * 10_000, ""),
    ('{"path": "' + "a" * 5_000_000 + '", "key": "C"}', "longer than"),
]


@pytest.mark.parametrize(("line", "reason"), BAD, ids=range(len(BAD)))
def test_a_bad_row_is_one_line(tmp_path: Path, line: str, reason: str) -> None:
    """With file, line number and reason; the good row beside it is used."""
    found = read(tmp_path, f'{{"field": "key", "right": true}}\n{line}\n')
    [problem] = found.problems
    assert problem.startswith(f"{tmp_path}/labels.jsonl:2: ")
    assert reason in problem
    assert "\n" not in problem
    assert len(problem) < 1000
    assert len(found.scored) == 1


PIECES = ['{"field":"key","right":', "true", "}", "\n", '"', ",", "[", "\\u0000", "\xff", "path,key\n", "a,C\n"]
content = st.one_of(
    st.binary(max_size=200), st.lists(st.sampled_from(PIECES)).map(lambda some: "".join(some).encode("latin-1"))
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=content, name=st.sampled_from(["l.jsonl", "l.csv"]))
def test_no_content_breaks_the_reader(tmp_path: Path, content: bytes, name: str) -> None:
    """Whatever the bytes, rows are used or told, and headings that mean nothing refused; no other error gets out."""
    try:
        found = read(tmp_path, content, name)
    except ConfigurationError:
        if name != "l.csv":
            raise
        return
    assert all("\n" not in problem for problem in found.problems)


def test_a_table_is_read_as_well(tmp_path: Path) -> None:
    """Lists are divided by semicolons, empty cells say nothing, quotes hold line ends; numbers of lines are right."""
    found = read(
        tmp_path,
        "\ufeffpath,content_type,genres,tempo_bpm,transcript\r\n"
        "a.wav,music,jazz; hip-hop,120,\r\n"
        'b.wav,speech,,,"one, two\nthree"\r\n'
        "c.wav,music,,fast,\r\n"
        "d.wav,music,,,,,\r\n"
        ",,,,\r\n"
        'e.wav,"music',
        "labels.csv",
    )
    assert [row.truth.genres for row in found.truths] == [(Genre.JAZZ, Genre.HIP_HOP), None]
    assert found.truths[1].truth.transcript == "one, two\nthree"
    places = [problem.partition(": ")[0].rpartition(":")[2] for problem in found.problems]
    assert places == ["5", "6", "8"]
    judged = read(tmp_path, "field,score,right\nkey,0.5,yes\nkey,,0\nkey,0.2,perhaps\n", "l.csv")
    assert [(row.label.score, row.label.right) for row in judged.scored] == [(0.5, True), (None, False)]
    assert len(judged.problems) == 1


HEADINGS = {
    "semicolons": ("field;score;right\nkey;0.5;yes\n", "Divide its columns with commas"),
    "no headings": ("key,0.5,yes\nkey,0.2,no\n", "Name its columns"),
    "twice": ("field,score,right,score\nkey,0.5,yes,0.4\n", "'score' twice"),
    "UTF-16": ("field,right\nkey,yes\n".encode("utf-16"), "Save it as UTF-8"),
}


@pytest.mark.parametrize(("content", "advice"), HEADINGS.values(), ids=HEADINGS)
def test_a_table_of_another_form_is_refused_at_once(tmp_path: Path, content: str | bytes, advice: str) -> None:
    """With one hint, not with a line for each row."""
    with pytest.raises(ConfigurationError, match=advice):
        read(tmp_path, content, "l.csv")


@pytest.mark.parametrize("name", ["l.csv", "l.jsonl"])
def test_rows_of_another_encoding_are_told_together(tmp_path: Path, name: str) -> None:
    """In one line; the others are used."""
    rows = {
        "l.csv": "field,right,recording\nkey,yes,é\nkey,yes,e\nkey,yes,è\n",
        "l.jsonl": "\n".join(f'{{"field": "key", "right": true, "recording": "{letter}"}}' for letter in "éeè"),
    }
    found = read(tmp_path, rows[name].encode("latin-1"), name)
    [problem] = found.problems
    assert "2 rows are not UTF-8" in problem
    assert len(found.scored) == 1


def test_unusable_files_are_refused(tmp_path: Path) -> None:
    """What is not there, is a folder, or is no file."""
    for path in (tmp_path / "gone.jsonl", tmp_path, tmp_path / "a\0b", Path("/dev/null")):
        with pytest.raises(ConfigurationError, match=r"labels|file"):
            read_labelled(path)


def test_the_content_is_identified(tmp_path: Path) -> None:
    """The artefact names the labels by their digest."""
    row = json.dumps({"field": "key", "right": True})
    assert read(tmp_path, row).sha256 != read(tmp_path, row + "\n").sha256

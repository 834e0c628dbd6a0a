"""Inventory reports: read in whatever order and however many files they come, and refused where they say too little."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from earmark.errors import ConfigurationError
from earmark.ports import ObjectInfo
from retention.inventory_report import read_reports

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
HEADER = ["project", "bucket", "name", "size", "timeCreated", "generation", "contentType", "temporaryHold"]


def write(path: Path, objects: list[ObjectInfo], header: list[str] | None = None) -> Path:
    """A report of objects."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header or HEADER, extrasaction="ignore")
        writer.writeheader()
        for info in objects:
            writer.writerow(
                {
                    "project": "p", "bucket": "p-earmark-uploads", "name": info.name, "size": info.size_bytes,
                    "timeCreated": info.created_at.isoformat().replace("+00:00", "Z"), "generation": info.generation,
                    "contentType": info.content_type, "temporaryHold": str(info.held).lower(),
                }
            )  # fmt: skip
    return path


def info(name: str, generation: int = 1, *, held: bool = False) -> ObjectInfo:
    """An object."""
    return ObjectInfo(name, generation, 7, AT + timedelta(seconds=generation), "audio/wav", held)


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_objects_come_in_order(tmp_path: Path, at_once: int) -> None:
    """Sorted by the bytes of their names, whatever the files' order, and however little is in memory at once."""
    names = ["a", "a-b", "a/1", 'a/"quoted", with\nline', "a/é", "a/\uff5e", "a/\U0001f3b5", "b"]
    wanted = [info(name, held=name == "b") for name in sorted(names, key=str.encode)]
    shuffled = Random(1).sample(wanted, len(wanted))
    paths = [write(tmp_path / f"shard_{n}.csv", shuffled[n::3]) for n in range(3)]
    assert list(read_reports(paths, sorted_at_once=at_once)) == wanted


def test_the_latest_generation_counts(tmp_path: Path) -> None:
    """A bucket with versions lists all of them."""
    path = write(tmp_path / "a.csv", [info("a", 7), info("a", 10), info("b", 2), info("a", 9), info("b", 1)])
    assert list(read_reports([path])) == [info("a", 10), info("b", 2)]


def test_an_empty_report_has_no_objects(tmp_path: Path) -> None:
    """A header alone, or no file at all."""
    assert list(read_reports([write(tmp_path / "a.csv", [])])) == []
    assert list(read_reports([])) == []


def test_what_is_not_needed_may_lack(tmp_path: Path) -> None:
    """A report of the four needed columns is enough."""
    path = write(tmp_path / "a.csv", [info("a")], ["timeCreated", "name", "generation", "size"])
    [found] = read_reports([path])
    assert (found.name, found.content_type, found.held) == ("a", "application/octet-stream", False)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "lacks name, generation, size, timeCreated"),
        ("name,size,timeCreated\na,1,2026-01-01T00:00:00Z\n", "lacks generation"),
        ("name,generation,size,timeCreated\na,one,1,2026-01-01T00:00:00Z\n", "Line 2"),
        ("name,generation,size,timeCreated\na,1,1,yesterday\n", "Line 2"),
        ("name,generation,size,timeCreated\na,1,1,2026-01-01T00:00:00\n", "no time zone"),
        ("name,generation,size,timeCreated\na,1\n", "Line 2"),
        ("name,generation,size,timeCreated\n" + "a" * 200_000 + ",1,1,2026-01-01T00:00:00Z\n", "field larger"),
    ],
)
def test_a_report_that_cannot_be_understood(tmp_path: Path, text: str, told: str) -> None:
    """Says which file, which line and what is wrong."""
    path = tmp_path / "report.csv"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=told) as error:
        list(read_reports([path]))
    assert "report.csv" in str(error.value)


def test_a_report_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, and one that is no text."""
    (tmp_path / "b.csv").write_bytes(b"name,generation,size,timeCreated\n\xff,1,1,x\n")
    for name in ("a.csv", "b.csv"):
        with pytest.raises(ConfigurationError, match=name):
            list(read_reports([tmp_path / name]))

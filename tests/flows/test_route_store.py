"""``earmark route`` with buckets of this machine: copies that are kept, copies for one job, and what was put there."""

import json
import shutil
from pathlib import Path

from earmark.settings import Settings
from earmark.vocabulary import ObjectClass
from runtime.backend import Backend
from runtime.wiring import connect
from tests.flows.command import Command, lines

AUDIO = Path(__file__).parents[2] / "examples" / "audio"


def backend(folder: Path) -> Backend:
    """What the command wrote to."""
    return connect(Settings(data=folder / "data"))


def names(folder: Path, bucket: str) -> list[str]:
    """What is in a bucket."""
    return [info.name for info in backend(folder).bucket(bucket).scan()]


def test_copies_are_kept(tmp_path: Path) -> None:
    """``--store`` queues a copy; the file itself may go, and the job is done all the same."""
    earmark = Command(tmp_path / "data")
    source = tmp_path / "silence.flac"
    shutil.copy(AUDIO / "silence.flac", source)
    [line] = lines(earmark.run("route", source, "--tenant", "acme", "--store").stdout)
    assert line["status"] == "queued"
    source.unlink()
    assert earmark.run("work", "--until-empty").returncode == 0
    [name] = names(tmp_path, "uploads")
    assert name.startswith("acme/by-content/")
    known = backend(tmp_path).catalogue
    assert [(group.tenant, group.object_class, group.objects) for group in known.groups()] == [
        ("acme", ObjectClass.RESULT, 1),
        ("acme", ObjectClass.UPLOAD, 1),
    ]
    [record] = known.scan("results")
    assert (record.job_id, record.tenant) == (line["job_id"], "acme")


def test_a_file_elsewhere_is_never_catalogued(tmp_path: Path) -> None:
    """Without ``--store`` a file is heard where it lies, and is nobody's business afterwards."""
    earmark = Command(tmp_path / "data")
    assert earmark.run("route", AUDIO / "silence.flac").returncode == 0
    assert names(tmp_path, "uploads") == names(tmp_path, "temporary") == []
    assert backend(tmp_path).catalogue.groups() == []


def test_what_was_put_into_the_folder_is_found(tmp_path: Path) -> None:
    """``--reconcile uploads/`` routes what lies below the folder of a customer, once, and forgets what is gone."""
    earmark = Command(tmp_path / "data")
    assert earmark.run("route", "--reconcile", "uploads/").returncode == 0
    folder = tmp_path / "data" / "objects" / "uploads" / "acme" / "2026"
    folder.mkdir(parents=True)
    shutil.copy2(AUDIO / "silence.flac", folder / "ein Stück #1.flac")
    [line] = lines(earmark.run("route", "--reconcile", "uploads/acme/").stdout)
    assert line["status"] == "queued"
    assert earmark.run("route", "--reconcile", "uploads").stdout == ""
    assert earmark.run("work", "--until-empty").returncode == 0
    [row] = backend(tmp_path).catalogue.scan("uploads")
    assert (row.name, row.job_id, row.tenant) == ("acme/2026/ein Stück #1.flac", line["job_id"], "acme")
    [record] = backend(tmp_path).catalogue.scan("results")
    assert record.job_id == line["job_id"]
    again = earmark.run("route", folder / "ein Stück #1.flac", "--tenant", "acme")
    assert [line["status"] for line in lines(again.stdout)] == ["known"]


def test_a_known_file_leaves_no_temporary_copy(tmp_path: Path) -> None:
    """Where the answer is known already nobody will hear the copy, and it goes at once."""
    earmark = Command(tmp_path / "data")
    assert earmark.run("analyze", AUDIO / "silence.flac", "--tenant", "acme", "--quiet").returncode == 0
    [line] = lines(earmark.run("route", AUDIO / "silence.flac", "--tenant", "acme", "--temporary").stdout)
    assert line["status"] == "known"
    assert names(tmp_path, "temporary") == []
    assert earmark.run("route", AUDIO / "piano-solo.wav", "--tenant", "acme", "--temporary").returncode == 0
    assert len(names(tmp_path, "temporary")) == 1
    assert [row.object_class for row in backend(tmp_path).catalogue.scan("temporary")] == ["temporary"]


def test_a_temporary_copy_goes_with_its_job(tmp_path: Path) -> None:
    """When the job has ended nothing of the copy is left but its row and its record."""
    earmark = Command(tmp_path / "data")
    assert earmark.run("route", AUDIO / "silence.flac", "--tenant", "acme", "--temporary").returncode == 0
    [name] = names(tmp_path, "temporary")
    assert earmark.run("work", "--until-empty").returncode == 0
    assert names(tmp_path, "temporary") == []
    known = backend(tmp_path).catalogue
    assert [row.state for row in known.find("temporary", name)] == ["deleted"]
    assert [(group.tenant, group.object_class) for group in known.groups()] == [("acme", ObjectClass.RESULT)]


def test_a_copy_of_what_waits_already_goes_too(tmp_path: Path) -> None:
    """Routed twice, one copy is heard and none is left."""
    earmark = Command(tmp_path / "data")
    for _ in range(2):
        assert earmark.run("route", AUDIO / "silence.flac", "--tenant", "acme", "--temporary").returncode == 0
    assert len(names(tmp_path, "temporary")) == 2
    assert earmark.run("work", "--until-empty").returncode == 0
    assert names(tmp_path, "temporary") == []


def test_a_file_without_a_possible_name_is_told_of(tmp_path: Path) -> None:
    """It cannot be heard, and is not passed over in silence."""
    earmark = Command(tmp_path / "data")
    folder = tmp_path / "data" / "objects" / "uploads" / "acme"
    folder.mkdir(parents=True)
    shutil.copy(AUDIO / "silence.flac", folder / "a\tb.flac")
    ended = earmark.run("route", "--reconcile", "uploads/acme/")
    [line] = lines(ended.stdout)
    assert (line["status"], ended.returncode) == ("rejected", 3)
    assert str(line["source"]).endswith("acme/a\\tb.flac")
    assert earmark.run("route", "--reconcile", "uploads/other/").stdout == ""


def test_a_router_finds_uploads_by_itself(tmp_path: Path) -> None:
    """Without files, on one machine too: what lies in the upload bucket and was never routed, once."""
    earmark = Command(tmp_path / "data")
    folder = tmp_path / "data" / "objects" / "uploads" / "acme"
    folder.mkdir(parents=True)
    shutil.copy(AUDIO / "silence.flac", folder / "a.flac")
    first, again = (earmark.run("route", "--until-empty") for _ in range(2))
    assert [line["status"] for line in lines(first.stdout)] == ["queued"]
    assert (first.returncode, again.returncode, again.stdout) == (0, 0, "")


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    """Both kinds of copies at once, copies of nothing, and buckets that are not for uploads."""
    earmark = Command(tmp_path / "data")
    song = str(AUDIO / "silence.flac")
    for arguments in (
        [song, "--store", "--temporary"],
        ["--store"],
        ["--temporary", "--reconcile", "uploads/"],
        ["--reconcile", "results/"],
        ["--reconcile", "gs://elsewhere/"],
        ["--reconcile", "elsewhere/"],
        ["--reconcile", ""],
    ):
        ended = earmark.run("route", *arguments)
        assert ended.returncode == 2, arguments
        assert json.dumps(ended.stdout) == '""'
        assert ended.stderr.startswith("earmark: ")

"""Exports over HTTP: forms, whose they are, and what happens to the audio."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from earmark.domain import Record, Upload
from earmark.errors import ObjectMissing
from earmark.vocabulary import Origin, Tier
from retention.catalogue import object_id
from runtime.backend import ARCHIVE, TEMPORARY, UPLOADS
from runtime.exports.columns import COLUMNS
from runtime.routing.placing import Placing
from tests import audio_files
from tests.analyses import make_analysis, make_record
from tests.api_world import ApiWorld
from tests.making import EPOCH, make_failure

TAGS_READ = {"mp3": "tkey", "flac": "initialkey", "ogg": "initialkey", "m4a": "initialkey", "wav": "tkey"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API."""
    with ApiWorld(tmp_path) as world:
        yield world


def keep(api: ApiWorld, record: Record) -> str:
    """Store a record; gives its address."""
    api.backend.results.write(record.name, record.model_dump_json().encode(), content_type="application/json")
    return f"/v1/analyses/{record.job_id}/export"


def heard(api: ApiWorld, tmp_path: Path, name: str, *, bucket: str = UPLOADS) -> tuple[Record, bytes]:
    """A file that acme sent and that was analysed."""
    content, form = audio_files.example(name, 1.0), audio_files.FORMATS[name]
    path, sha256 = audio_files.saved(tmp_path / f"in.{name}", content)
    upload = Upload(
        uri=path.as_uri(),
        tenant="acme",
        tier=Tier.PRO,
        origin=Origin.API,
        content_sha256=sha256,
        size_bytes=len(content),
        received_at=EPOCH,
    )
    Placing(api.backend.kept[bucket], lambda info: api.backend.uri_of(bucket, info)).place(path, upload)
    record = make_record("sound", container=form.container, codec=form.codec, content_sha256=sha256)
    return record, content


def read_back(content: bytes) -> dict[str, str]:
    """The tags that FFmpeg finds, by their names in small letters."""
    with av.open(io.BytesIO(content)) as container:
        found = {**container.streams.audio[0].metadata, **container.metadata}
    return {name.lower(): value for name, value in found.items()}


def test_json_csv_and_json_ld(api: ApiWorld) -> None:
    """Each with its media type and a name of ours; JSON is the default."""
    record = make_record()
    path, acme = keep(api, record), api.client("acme")
    plain = acme.get(path)
    assert plain.json() == json.loads(record.analysis.model_dump_json()) if record.analysis else False
    assert plain.json() == acme.get(path, params={"format": "json"}).json()
    linked = acme.get(path, params={"format": "jsonld"})
    assert linked.headers["content-type"] == "application/ld+json"
    assert linked.json()["@type"] == "AudioObject"
    table = acme.get(path, params={"format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    [line] = csv.DictReader(io.StringIO(table.text, newline=""))
    assert list(line) == list(COLUMNS)
    for answer, suffix in ((plain, "json"), (linked, "jsonld"), (table, "csv")):
        assert answer.headers["content-disposition"] == f'attachment; filename="{record.job_id}.{suffix}"'
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", sorted(TAGS_READ))
def test_a_copy_with_tags(api: ApiWorld, tmp_path: Path, name: str) -> None:
    """Read back with another tool; what was kept stays as it was sent, and no file is left behind."""
    record, content = heard(api, tmp_path, name)
    path, acme = keep(api, record), api.client("acme")
    answer = acme.get(path, params={"format": "id3"})
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["content-type"].startswith("audio/")
    found = read_back(answer.content)
    assert found[TAGS_READ[name]] == "C#m"
    assert found["earmark_analysis"] == record.job_id
    [info] = api.backend.bucket(UPLOADS).scan("acme/")
    assert b"".join(api.backend.bucket(UPLOADS).read(info.name)) == content
    assert [each for each in api.backend.scratch.rglob("*") if each.is_file()] == []


def test_audio_is_found_wherever_it_lies(api: ApiWorld, tmp_path: Path) -> None:
    """By the name its customer gave it, among temporary files, and in the archive."""
    record, content = heard(api, tmp_path, "mp3", bucket=TEMPORARY)
    path, acme = keep(api, record), api.client("acme")
    assert acme.get(path, params={"format": "id3"}).status_code == 200
    for info in list(api.backend.temporary.scan("acme/")):
        api.backend.temporary.delete(info.name, if_generation=info.generation)
    assert acme.get(path, params={"format": "id3"}).status_code == 410
    own = api.backend.bucket(UPLOADS).write("acme/Übung 1.mp3", content, content_type="audio/mpeg")
    row = api.backend.catalogue.find(TEMPORARY, info.name)[0]
    change = {
        "row_id": object_id(UPLOADS, own.name, own.generation),
        "bucket": UPLOADS,
        "name": own.name,
        "generation": own.generation,
        "object_class": "upload",
    }
    api.backend.catalogue.record([row.model_copy(update=change)])
    assert acme.get(path, params={"format": "id3"}).status_code == 200
    api.backend.bucket(UPLOADS).delete(own.name, if_generation=own.generation)
    api.backend.bucket(ARCHIVE).write(own.name, content, content_type="audio/mpeg")
    assert acme.get(path, params={"format": "id3"}).status_code == 200


def test_other_bytes_under_the_name_are_not_it(api: ApiWorld, tmp_path: Path) -> None:
    """What was replaced meanwhile is gone; nobody gets another recording with these tags."""
    record, _ = heard(api, tmp_path, "mp3")
    [info] = api.backend.bucket(UPLOADS).scan("acme/")
    api.backend.bucket(UPLOADS).write(info.name, audio_files.example("mp3", 0.5), content_type="audio/mpeg")
    answer = api.client("acme").get(keep(api, record), params={"format": "id3"})
    assert (answer.status_code, answer.json()["type"]) == (410, "urn:earmark:problem:audio_gone")


def test_kinds_without_tags_answer_415(api: ApiWorld, tmp_path: Path) -> None:
    """With what to ask for instead; so does a damaged file."""
    acme = api.client("acme")
    record, _ = heard(api, tmp_path, "webm")
    answer = acme.get(keep(api, record), params={"format": "id3"})
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:earmark:problem:no_tags")
    assert "jsonld" in answer.json()["remedy"]
    lying = record.model_copy(
        update={"analysis": make_analysis("sound", container="mp3", content_sha256=record.analysis.content_sha256)}
        if record.analysis
        else {}
    )
    assert acme.get(keep(api, lying), params={"format": "id3"}).status_code == 415


def test_what_has_no_analysis_answers_409(api: ApiWorld) -> None:
    """Whichever form."""
    record = make_record()
    failed = record.model_copy(update={"status": "failed", "analysis": None, "failures": (make_failure(),)})
    path, acme = keep(api, failed), api.client("acme")
    for form in ("json", "jsonld", "csv", "id3"):
        answer = acme.get(path, params={"format": form})
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:earmark:problem:not_analysed")


def test_a_customer_exports_its_own_alone(api: ApiWorld) -> None:
    """Another's is answered like what does not exist."""
    path, other = keep(api, make_record()), api.client("other")
    stranger, nobody = other.get(path), other.get(f"/v1/analyses/{'0' * 32}/export")
    assert (stranger.status_code, nobody.status_code) == (404, 404)
    assert stranger.text == nobody.text
    assert api.anybody().get(path).status_code == 401
    assert other.get("/v1/analyses/..%2Fx/export").status_code in {404, 422}
    assert other.get(path, params={"format": "exe"}).status_code == 422


def test_each_export_is_in_the_audit_log(api: ApiWorld) -> None:
    """Before anything is shown."""
    record = make_record()
    api.client("acme").get(keep(api, record), params={"format": "csv"})
    api.parts.access.flush()
    [row] = api.backend.warehouse.query("audit_entries", {"action": "analysis.exported"})
    assert (row["subject"], row["tenant"], row["detail"]) == (record.job_id, "acme", "csv")


def test_a_store_that_is_down_is_told_as_503(api: ApiWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And an object that goes at this very moment as gone."""
    record, _ = heard(api, tmp_path, "mp3")
    path, acme = keep(api, record), api.client("acme")

    def gone(*_: Any, **__: Any) -> Iterator[bytes]:
        message = "There is no object"
        raise ObjectMissing(message)

    monkeypatch.setattr(api.backend.bucket(UPLOADS), "read", gone)
    assert acme.get(path, params={"format": "id3"}).status_code == 410

"""Google Cloud end to end: real commands, real servers that speak its protocols, the real embedded model."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.pubsub_v1.types import PubsubMessage

from runtime.gcp.clients import Clients
from tests.flows.command import Command, lines
from tests.servers.cloud import PROJECT, Cloud

EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"
SPEECH, SILENCE = EXAMPLES / "speech-synthetic-voice.flac", EXAMPLES / "silence.flac"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """The three servers, with everything made that Earmark needs."""
    with Cloud() as servers:
        before = dict(os.environ)
        os.environ |= {name: value for name, value in servers.environment.items() if not name.startswith("EARMARK_")}
        try:
            yield servers
        finally:
            os.environ.clear()
            os.environ |= before


@pytest.fixture
def command(cloud: Cloud, tmp_path: Path) -> Command:
    """The command, led to the servers."""
    made = Command(tmp_path / "data")
    made.environment |= cloud.environment
    initialised = made.run("init")
    assert initialised.returncode == 0, initialised.stderr
    return made


def client() -> storage.Client:
    """A client that knows nothing of Earmark."""
    return storage.Client(project=PROJECT, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]


def wait_for(found: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What is found, as soon as it is."""
    ends = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < ends, "it did not come"
        time.sleep(0.1)
    return value


def records(cloud: Cloud, tenant: str) -> list[dict[str, Any]]:
    """The records of a tenant, as anybody reads them."""
    bucket = client().bucket(cloud.names.bucket("results"))
    return [json.loads(blob.download_as_bytes()) for blob in bucket.list_blobs(prefix=f"analyses/{tenant}/")]


def rows(command: Command, tenant: str) -> int:
    """How many jobs of a tenant the warehouse counts."""
    from runtime.gcp.warehouse import BigQueryWarehouse  # noqa: PLC0415
    from runtime.wiring import connect  # noqa: PLC0415
    from tests.unit.test_settings import load  # noqa: PLC0415

    warehouse = connect(load(command.environment).settings).warehouse
    assert isinstance(warehouse, BigQueryWarehouse)
    return sum(int(str(row["jobs"])) for row in warehouse.query("jobs_by_hour", {"tenant": tenant}))


def events(cloud: Cloud) -> list[CloudEvent]:
    """What the topic of results told so far."""
    clients = Clients(PROJECT, "US")
    subscription = cloud.names.subscription("results")
    found: list[CloudEvent] = []
    while received := clients.subscriber.pull(
        request={"subscription": subscription, "max_messages": 100, "return_immediately": True}
    ).received_messages:
        clients.subscriber.acknowledge(subscription=subscription, ack_ids=[each.ack_id for each in received])
        found += [JSONFormat().read(CloudEvent, each.message.data) for each in received]
    return found


@pytest.mark.slow
def test_an_upload_becomes_a_record_a_row_and_an_event(cloud: Cloud, command: Command) -> None:
    """An object put by any client: notification, router, lane, worker, record, row, event; text is rejected."""
    events(cloud)
    uploads = client().bucket(cloud.names.bucket("uploads"))
    with command.started("route") as router, command.started("work") as worker:
        uploads.blob("acme/2026/talk.flac").upload_from_filename(SPEECH)
        uploads.blob("acme/talk.mp3").upload_from_string(b"these are words")
        wait_for(lambda: len(records(cloud, "acme")) == 2)
        found = {record["status"]: record for record in records(cloud, "acme")}
        assert found["done"]["analysis"]["metadata"]["content_type"]["value"] == "speech"
        assert "synthetic voice" in found["done"]["analysis"]["metadata"]["transcript"]["value"].lower()
        assert found["rejected"]["failures"][0]["kind"] == "not_audio"
        wait_for(lambda: rows(command, "acme") == 2)
        for process in (router, worker):
            process.terminate()
            assert process.wait(60) == 0
    told = {event.get_type(): event for event in events(cloud)}
    assert set(told) == {"analysis.completed", "analysis.failed"}
    data = told["analysis.completed"].get_data()
    assert isinstance(data, dict)
    assert data["content_type"] == "speech"
    assert data["record"] == f"gs://{cloud.names.bucket('results')}/analyses/acme/{data['job_id']}.json"
    failed = told["analysis.failed"].get_data()
    assert isinstance(failed, dict)
    assert failed["error"]["kind"] == "not_audio"


@pytest.mark.slow
def test_notifications_that_repeat_or_are_late_cost_nothing(cloud: Cloud, command: Command) -> None:
    """Five notifications about one object are one job; one about an overwritten generation is none."""
    bucket = client().bucket(cloud.names.bucket("uploads"))
    old = bucket.blob("late/a.flac")
    old.upload_from_filename(SPEECH)
    new = bucket.blob("late/a.flac")
    new.upload_from_filename(SILENCE)
    publisher = Clients(PROJECT, "US").publisher
    notice = {"eventType": "OBJECT_FINALIZE", "bucketId": bucket.name, "objectId": "late/a.flac"}
    messages = [
        PubsubMessage(data=b"{}", attributes={**notice, "objectGeneration": str(generation)})
        for generation in [new.generation] * 4 + [old.generation] * 2
    ]
    messages += [PubsubMessage(data=b"not a notification"), PubsubMessage(data=b"{}", attributes={"eventType": "X"})]
    publisher.publish(topic=cloud.names.topic("uploads"), messages=messages)
    routed = command.run("route", "--until-empty")
    assert routed.returncode == 0, routed.stderr
    statuses = [line["status"] for line in lines(routed.stdout)]
    assert len(statuses) >= 6
    assert set(statuses) <= {"queued", "repeated", "superseded"}
    worked = command.run("work", "--until-empty")
    assert worked.returncode == 0, worked.stderr
    assert worked.stderr.count('"event": "job.settled"') == 1
    [record] = records(cloud, "late")
    assert record["analysis"]["metadata"]["content_type"]["value"] == "silence"


@pytest.mark.slow
def test_what_no_notification_told_of_is_found(cloud: Cloud, command: Command) -> None:
    """A reconciliation queues what was missed in any bucket, once, and says what it cannot take."""
    bucket = client().create_bucket(f"archive-{os.getpid()}")
    for name in ("quiet/a.flac", "quiet/b.flac", "quiet/c/d.flac", "Nobody/x.flac"):
        bucket.blob(name).upload_from_filename(SILENCE)
    found = command.run("route", "--reconcile", f"gs://{bucket.name}/quiet/")
    assert found.returncode == 0, found.stderr
    assert len(lines(found.stdout)) == 3
    again = command.run("route", "--reconcile", f"gs://{bucket.name}")
    assert again.returncode == 3
    [rejected] = lines(again.stdout)
    assert rejected["status"] == "rejected"
    worked = command.run("work", "--until-empty")
    assert worked.returncode == 0, worked.stderr
    assert len(records(cloud, "quiet")) == 1, "one content, one record"


@pytest.mark.slow
def test_a_file_of_this_machine_is_analysed_there(command: Command) -> None:
    """``earmark analyze`` uploads, works and prints as on one machine; the second time everything is known."""
    first = command.run("analyze", SPEECH, SILENCE, "--format", "jsonl", "--tenant", "mine")
    assert first.returncode == 0, first.stderr
    assert [line["status"] for line in lines(first.stdout)] == ["done", "done"]
    again = command.run("analyze", SPEECH, SILENCE, "--format", "jsonl", "--tenant", "mine")
    assert "2 already known, 0 analysed" in again.stderr


@pytest.mark.slow
def test_dead_letters_are_worked_with_there(cloud: Cloud, command: Command, tmp_path: Path) -> None:
    """Listed by cause, one replayed and buried again, all discarded with a reason, and everything in the audit."""
    command.environment["EARMARK_ACTOR"] = "ada"
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.mp3").write_text(f"these are words, {number}")
    assert command.run("route", folder, "--tenant", "texts").returncode == 0
    assert command.run("work", "--until-empty").returncode == 0
    [group] = json.loads(command.run("dlq", "list", "--tenant", "texts", "--json").stdout)
    assert (group["count"], group["kinds"]) == (12, {"not_audio": 12})
    [one, *_] = lines(command.run("dlq", "list", "--tenant", "texts", "--letters", "--json").stdout)
    replayed = command.run("dlq", "replay", str(one["id"]))
    assert replayed.returncode == 0, replayed.stderr
    assert command.run("work", "--until-empty").returncode == 0
    shown = json.loads(command.run("dlq", "show", str(one["id"]), "--json").stdout)
    assert len(shown["lives"]) == 2
    discarded = command.run("dlq", "discard", "--group", group["fingerprint"], "--tenant", "texts", "--reason", "words")
    assert discarded.returncode == 0, discarded.stderr
    assert json.loads(command.run("dlq", "list", "--tenant", "texts", "--json").stdout) == []
    analytics = json.loads(command.run("report", "failure_analytics", "--json").stdout)
    assert sum(row["final_failures"] for row in analytics if row["tenant"] == "texts") == 13
    status = json.loads(command.run("status", "--json").stdout)
    assert {row["queue"] for row in status} == {"high", "low", "dead"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"EARMARK_GCP_PROJECT": ""}, "EARMARK_GCP_PROJECT"),
        ({"EARMARK_GCP_PREFIX": "nothing-here"}, "earmark init"),
    ],
)
def test_what_is_missing_is_named(command: Command, settings: dict[str, str], said: str) -> None:
    """No project, or nothing made yet: one line with the remedy, and the status of a wrong setting."""
    command.environment |= settings
    failed = command.run("work", "--until-empty")
    assert failed.returncode == 2, failed.stderr
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.slow
def test_a_batch_of_a_bucket(cloud: Cloud, command: Command, tmp_path: Path) -> None:
    """A prefix and a manifest, by short and full names; a cancelled batch takes no other's jobs with it."""
    bucket = cloud.names.bucket("uploads")
    for name in ("label/a/1.flac", "label/a/2.flac", "other/a/1.flac"):
        client().bucket(bucket).blob(name).upload_from_string(f"sound of {name}")
    everything = command.run("submit", f"gs://{bucket}/label/a/", "--tenant", "label", "--json")
    assert (everything.returncode, json.loads(everything.stdout)["counts"]["pending"]) == (0, 2), everything.stderr
    (tmp_path / "m.csv").write_text(f"uri,id\nuploads/label/a/1.flac,x\ngs://{bucket}/other/a/1.flac,y\n")
    some = command.run("submit", tmp_path / "m.csv", "--tenant", "label", "--json")
    counts = json.loads(some.stdout)["counts"]
    assert (some.returncode, counts["pending"], counts["rejected"]) == (3, 1, 1)
    cancelled = command.run("batch", "cancel", json.loads(everything.stdout)["id"], "--tenant", "label")
    assert cancelled.returncode == 0, cancelled.stderr
    with command.started("work", log=True) as worker:
        wait_for(lambda: len(records(cloud, "label")) == 1)
        worker.terminate()
        assert worker.wait(60) == 0
    followed = command.run("submit", tmp_path / "m.csv", "--tenant", "label", "--follow", "--json")
    told = json.loads(followed.stdout)
    assert (told["status"], told["counts"]["rejected"]) == ("ended", 2), followed.stderr
    written = command.run("batch", "results", told["id"], "--tenant", "label")
    lines_ = lines(written.stdout)
    assert [(line["id"], line["status"]) for line in lines_] == [("x", "rejected"), ("y", "rejected")]
    assert len(records(cloud, "label")) == 1

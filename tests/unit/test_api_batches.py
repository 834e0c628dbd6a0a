"""Batches over HTTP: sent, watched, cancelled, read back; each customer sees its own."""

import asyncio
import csv
import io
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from earmark.vocabulary import Lane, Origin, Tier
from router.access_scopes import AccessScope
from runtime.backend import UPLOADS
from runtime.endpoints import batch_taking, batches
from runtime.wiring import make_feeding, make_following
from tests.api_world import ApiWorld
from tests.flows.world import World

JSONL = {"Content-Type": "application/jsonl"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API over empty stores."""
    with ApiWorld(tmp_path, batch_max_entries=50) as world:
        yield world


def put(api: ApiWorld, *names: str) -> list[str]:
    """Put objects of acme into the upload bucket; gives their addresses."""
    for name in names:
        api.backend.bucket(UPLOADS).write(f"acme/{name}", name.encode(), content_type="audio/wav")
    return [f"uploads/acme/{name}" for name in names]


def manifest(*lines: object) -> bytes:
    """Lines of JSON."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def send(client: TestClient, content: bytes, **headers: str) -> dict[str, Any]:
    """Send a manifest; gives what was answered."""
    answer = client.post("/v1/batches", content=content, headers={**JSONL, **headers})
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == answer.json()["links"]["self"]
    found: dict[str, Any] = answer.json()
    return found


def feed(api: ApiWorld) -> None:
    """Feed all batches, as the router does."""
    feeding = make_feeding(api.settings, api.backend, api.clock)
    while feeding.run_once():
        pass
    feeding.close()


def test_a_batch_from_end_to_end(api: ApiWorld) -> None:
    """A manifest, a feeder, a worker with a model process, a follower, and the results."""
    acme = api.client("acme")
    one, two = put(api, "1.wav", "2.wav")
    sent = send(acme, manifest({"uri": one, "id": "A"}, {"uri": two}, {"uri": one}, {"uri": "uploads/zeta/1.wav"}))
    assert (sent["status"], sent["counts"]["entries"]) == ("feeding", 0)
    feed(api)
    assert {(job.upload.origin, job.upload.batch) for job in api.waiting(Lane.LOW)} == {(Origin.BATCH, sent["id"])}
    assert make_following(api.settings, api.backend, lambda _: None, api.clock).follow_once() == 0
    work = World(Path(api.settings.data), clock=api.clock)
    with work.worker() as worker:
        worker.run_once()
    api.clock.move(10)
    following = make_following(api.settings, api.backend, lambda _: None, api.clock)  # the other one knows its count
    assert following.follow_once() == 1
    following.close()
    ended = acme.get(sent["links"]["self"]).json()
    assert (ended["status"], ended["fed_share"], ended["left_s"]) == ("ended", 1.0, None)
    counts = {"entries": 4, "pending": 0, "done": 2, "known": 0, "failed": 0, "rejected": 1, "duplicate": 1}
    counts["cancelled"] = 0
    assert ended["counts"] == counts
    lines = [json.loads(line) for line in acme.get(sent["links"]["results"]).text.splitlines()]
    assert [(line["entry"], line["id"], line["status"], line["duplicate"]) for line in lines] == [
        (1, "A", "done", False), (2, None, "done", False), (3, None, "done", True), (4, None, "rejected", False),
    ]  # fmt: skip
    assert acme.get(f"/v1/analyses/{lines[0]['analysis_id']}").json()["analysis"] == lines[0]["analysis"]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"uri,id\nuploads/acme/1.wav,A\n", "text/csv"),
        (b"uploads/acme/1.wav\n", "text/plain"),
        (b'{"uri": "uploads/acme/1.wav", "id": "A"}', "application/x-www-form-urlencoded"),
        (b'{"entries": [{"uri": "uploads/acme/1.wav", "id": "A"}]}', "application/json"),
        (b'{"prefix": "uploads/acme"}', "application/json"),
    ],
)
def test_every_way_to_send_one(api: ApiWorld, content: bytes, media_type: str) -> None:
    """CSV, addresses, JSON in and outside of lines, a prefix; whatever curl says it is."""
    put(api, "1.wav")
    acme = api.client("acme")
    answer = acme.post("/v1/batches?name=Mine", content=content, headers={"Content-Type": media_type})
    assert answer.status_code == 202, answer.text
    assert answer.json()["name"] == "Mine"
    feed(api)
    [line] = [json.loads(line) for line in acme.get(answer.json()["links"]["results"]).text.splitlines()]
    assert (line["source"], line["status"]) == ("uploads/acme/1.wav", "pending")
    assert line["id"] == (None if b"id" not in content else "A")


@pytest.mark.parametrize(
    ("content", "media_type", "status", "kind"),
    [
        (b"", "text/csv", 422, "empty"),
        (b"name,address\nx,y\n", "text/csv", 422, "unsupported"),
        (b"x\n" * 60, "text/plain", 413, "too_large"),
        (b"--x--", "multipart/form-data; boundary=x", 415, "unsupported_media_type"),
        (b"{}", "application/json", 422, "malformed"),
        (b'{"prefix": "a", "entries": [{"uri": "b"}]}', "application/json", 422, "malformed"),
        (b'{"entries": [{"uri": "b", "upload": "c"}]}', "application/json", 422, "malformed"),
        (b'{"prefix": "uploads/acme/none/"}', "application/json", 422, "not_found"),
        (b'{"prefix": "uploads/zeta/"}', "application/json", 422, "not_found"),
        (b'{"prefix": "gs://elsewhere/"}', "application/json", 422, "not_found"),
    ],
)
def test_what_is_refused(api: ApiWorld, content: bytes, media_type: str, status: int, kind: str) -> None:
    """At once, as a problem, and nothing is left of it."""
    api.backend.bucket(UPLOADS).write("zeta/1.wav", b"1", content_type="audio/wav")
    answer = api.client("acme").post("/v1/batches", content=content, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:earmark:problem:{kind}"), answer.text
    assert [info.name for info in api.backend.state.scan("batches/")] == []


def test_a_body_without_an_end_is_cut_off(api: ApiWorld) -> None:
    """Lines are counted while they come."""

    async def forever() -> AsyncIterator[bytes]:
        while True:
            yield b"uploads/acme/1.wav\n" * 10

    async def send_it() -> int:
        headers = {"Content-Type": "text/plain", "Authorization": f"Bearer {api.key('acme')}"}
        transport = httpx.ASGITransport(api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            return (await client.post("/v1/batches", content=forever(), headers=headers)).status_code

    assert asyncio.run(send_it()) == 413


def test_the_same_key_makes_one_batch(api: ApiWorld) -> None:
    """A request that is sent again has the first's answer; another under its key is refused."""
    acme = api.client("acme")
    first = send(acme, manifest("a"), **{"Idempotency-Key": "k1"})
    assert send(acme, manifest("a"), **{"Idempotency-Key": "k1"})["id"] == first["id"]
    other = acme.post("/v1/batches", content=manifest("b"), headers={**JSONL, "Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["type"]) == (422, "urn:earmark:problem:idempotency_mismatch")
    assert send(api.client("zeta"), manifest("a"), **{"Idempotency-Key": "k1"})["id"] != first["id"]
    assert len(acme.get("/v1/batches").json()["items"]) == 1


def test_customers_see_their_own_alone(api: ApiWorld) -> None:
    """What is another's is answered like what does not exist, and changes nothing."""
    acme, zeta = api.client("acme"), api.client("zeta")
    own = f"/v1/batches/{send(acme, manifest('a'))['id']}"
    for path in (own, f"{own}/failures", f"{own}/results"):
        theirs, nobodys = zeta.get(path), zeta.get(path.replace(own, f"/v1/batches/{'0' * 32}"))
        assert (theirs.status_code, theirs.json()) == (404, nobodys.json())
    assert zeta.post(f"{own}/cancel").status_code == 404
    assert zeta.get("/v1/batches").json()["items"] == []
    assert acme.get(own).json()["status"] == "feeding"
    assert api.anybody().get(own).status_code == 401
    reader = api.client("acme", [AccessScope.READ])
    assert reader.get(own).status_code == 200
    assert reader.post(f"{own}/cancel").status_code == 403


def test_cancelling(api: ApiWorld) -> None:
    """Once; then again changes nothing; what has ended cannot be."""
    acme = api.client("acme")
    sent = send(acme, manifest(*put(api, "1.wav")))
    own = sent["links"]["self"]
    assert acme.post(f"{own}/cancel").json()["status"] == "cancelled"
    assert acme.post(f"{own}/cancel").json()["status"] == "cancelled"
    feed(api)
    assert api.waiting(Lane.LOW) == []
    fed = send(acme, manifest(*put(api, "1.wav", "2.wav")))
    feed(api)
    counts = acme.post(f"{fed['links']['self']}/cancel").json()["counts"]
    assert (counts["entries"], counts["pending"], counts["cancelled"]) == (2, 0, 2)
    over = send(acme, manifest("bad"))
    feed(api)
    following = make_following(api.settings, api.backend, lambda _: None, api.clock)
    following.follow_once()
    following.close()
    answer = acme.post(f"{over['links']['self']}/cancel")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:earmark:problem:ended")


def test_failures_come_in_pages(api: ApiWorld) -> None:
    """In the order of the lines, with what is wrong and what to do."""
    acme = api.client("acme")
    sent = send(acme, manifest("bad-1", *put(api, "1.wav"), "bad-2", {"uri": "bad-3", "id": "three"}))
    feed(api)
    page = acme.get(sent["links"]["failures"], params={"limit": 2}).json()
    assert [item["entry"] for item in page["items"]] == [1, 3]
    rest = acme.get(sent["links"]["failures"], params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [(item["entry"], item["id"], item["source"]) for item in rest["items"]] == [(4, "three", "bad-3")]
    assert rest["next_cursor"] is None
    error = rest["items"][0]["error"]
    assert (error["kind"], "bad-3" in error["message"], bool(error["remedy"])) == ("not_found", True, True)


@pytest.mark.parametrize(
    ("body", "words", "remedy"),
    [
        ({"prefix": "uploads/rival/"}, "There is no audio of yours at uploads/rival/", "Name audio of your own"),
        ({"prefix": "gs://uploads/"}, "There is no audio of yours at gs://uploads/", "uploads/acme/NAME"),
        ({"prefix": "uploads/acme/../rival/"}, "yours at uploads/acme/../rival/", "Name audio of your own"),
        ({"prefix": "/etc/"}, "There is no audio of yours at /etc/", "Name audio of your own"),
        ({"prefix": "uploads/acme/none/"}, "There is nothing under uploads/acme/none/", "Check the prefix."),
        (None, "The manifest has more than 50 lines", "Send it in several batches."),
    ],
)
def test_what_is_wrong_is_told_in_their_words(
    api: ApiWorld, body: dict[str, str] | None, words: str, remedy: str
) -> None:
    """The address as they wrote it, and what they can do about it."""
    acme = api.client("acme")
    content = json.dumps(body).encode() if body else b"uploads/acme/1.wav\n" * 60
    kind = "application/json" if body else "text/plain"
    told = acme.post("/v1/batches", content=content, headers={"Content-Type": kind}).json()
    assert words in told["detail"]
    assert remedy in told["remedy"]


def test_failures_name_what_was_written(api: ApiWorld) -> None:
    """Addresses of theirs, with a remedy; what only workers know stays hidden."""
    acme = api.client("acme")
    lines = ["gs://elsewhere/1.wav", "uploads/acme/../x/1.wav", {"path": "/etc/passwd"}]
    sent = send(acme, manifest(*lines))
    feed(api)
    errors = [item["error"] for item in acme.get(sent["links"]["failures"]).json()["items"]]
    assert [error["message"] for error in errors] == [
        "There is no audio of yours at gs://elsewhere/1.wav",
        "There is no audio of yours at uploads/acme/../x/1.wav",
        "Files cannot be named here",
    ]
    assert "only by command" in errors[2]["remedy"]


def test_batches_come_in_pages(api: ApiWorld) -> None:
    """The latest first, and only those that stand so, if that is asked."""
    acme = api.client("acme")
    made = []
    for _ in range(3):
        made.append(send(acme, manifest("a"))["id"])
        api.clock.move(1)
    acme.post(f"/v1/batches/{made[1]}/cancel")
    page = acme.get("/v1/batches?limit=2").json()
    assert [item["id"] for item in page["items"]] == [made[2], made[1]]
    rest = acme.get("/v1/batches", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert ([item["id"] for item in rest["items"]], rest["next_cursor"]) == ([made[0]], None)
    assert [item["id"] for item in acme.get("/v1/batches?status=cancelled").json()["items"]] == [made[1]]


def test_results_in_every_format(api: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file with a name of ours; without its package, Parquet says what to do."""
    acme = api.client("acme")
    sent = send(acme, manifest(*put(api, "1.wav")))
    feed(api)
    for form in ("jsonl", "csv", "parquet"):
        answer = acme.get(sent["links"]["results"], params={"format": form})
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"] == f'attachment; filename="batch-{sent["id"]}.{form}"'
    rows = list(csv.DictReader(io.StringIO(acme.get(sent["links"]["results"], params={"format": "csv"}).text)))
    assert [row["status"] for row in rows] == ["pending"]
    monkeypatch.setitem(__import__("sys").modules, "arro3", None)
    answer = acme.get(sent["links"]["results"], params={"format": "parquet"})
    assert (answer.status_code, answer.json()["type"]) == (501, "urn:earmark:problem:not_installed")
    assert acme.get(sent["links"]["results"], params={"format": "xml"}).status_code == 422


def test_who_does_not_read_holds_no_place(api: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that takes nothing of its results is given up, and what reads ahead for it ends."""
    acme = api.client("acme")
    sent = send(acme, manifest(*put(api, "1.wav")))
    feed(api)
    monkeypatch.setattr(batches, "STALL_S", 0.02)
    path = sent["links"]["results"].removeprefix("http://testserver")
    head = {"authorization": f"Bearer {api.key('acme')}", "host": "testserver"}
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers":
        [(name.encode(), value.encode()) for name, value in head.items()], "http_version": "1.1", "scheme": "http",
        "client": ("1.2.3.4", 5), "server": ("testserver", 80), "asgi": {"version": "3.0", "spec_version": "2.3"},
    }  # fmt: skip

    async def ask() -> None:
        asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            return next(asked, None) or await asyncio.Event().wait()

        async def stalled(message: Any) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

        await asyncio.wait_for(api.app(scope, receive, stalled), 10)

    asyncio.run(ask())
    assert api.parts.analyses.streams.open == 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("results")]


def test_looks_and_changes_are_in_the_audit_log(api: ApiWorld) -> None:
    """Before anything is shown or made; nothing of the manifest is in it."""
    acme = api.client("acme")
    sent = send(acme, manifest("uploads/acme/very-private.wav"))
    feed(api)
    for path in ("self", "failures", "results"):
        acme.get(sent["links"][path])
    acme.get("/v1/batches")
    acme.post(f"{sent['links']['self']}/cancel")
    api.parts.access.flush()
    entries = api.backend.warehouse.query("audit_entries", {"action": "batch."})
    actions = {entry["action"] for entry in entries}
    assert actions == {"batch.make", "batch.read", "batch.failures", "batch.results", "batch.listed", "batch.cancel"}
    assert all(str(entry["actor"]).startswith("key:") for entry in entries)
    assert "very-private" not in json.dumps(entries)


def test_who_has_used_up_the_day_sends_no_batch(api: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds of audio are limited whichever way they come."""
    api.tenant("small", Tier.FREE)
    monkeypatch.setattr(type(api.parts.limiting._audio), "used_s", lambda *_: 1e9)
    answer = api.client("small").post("/v1/batches", content=manifest("a"), headers=JSONL)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_batches_under_way_are_limited(api: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """One customer does not fill the disk with manifests; what is over does not count."""
    monkeypatch.setattr(batch_taking, "OPEN_MOST", 1)
    acme = api.client("acme")
    first = send(acme, manifest("a"))
    answer = acme.post("/v1/batches", content=manifest("b"), headers=JSONL)
    assert (answer.status_code, answer.json()["type"]) == (429, "urn:earmark:problem:too_many_batches")
    send(api.client("zeta"), manifest("a"))
    acme.post(f"{first['links']['self']}/cancel")
    send(acme, manifest("b"))


def test_the_page_describes_it(api: ApiWorld) -> None:
    """Every operation has a summary, and the request's schema refers to nothing that is not there."""
    page = api.app.openapi()
    paths = {path: operations for path, operations in page["paths"].items() if path.startswith("/v1/batches")}
    assert {op["operationId"] for each in paths.values() for op in each.values()} == {
        "create_batch", "list_batches", "get_batch", "list_batch_failures", "cancel_batch", "get_batch_results",
    }  # fmt: skip
    text = json.dumps(paths)
    references = {part.split('"')[0] for part in text.split('"$ref": "')[1:]}
    for reference in references:
        found: Any = page
        for segment in reference.removeprefix("#/").split("/"):
            found = found[segment]
    assert "$defs" not in text

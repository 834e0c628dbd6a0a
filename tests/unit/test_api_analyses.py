"""Analyses over HTTP: each way to send audio, each answer, and what customers see of each other."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from earmark.domain import Upload
from earmark.errors import ObjectHeld, ObjectMissing, Unavailable
from earmark.vocabulary import Lane, Tier
from router.access_scopes import AccessScope
from router.router import Routed, Router
from runtime.api.submission import Submitted
from runtime.endpoints.preferences import wait_preferred
from tests.api_jobs import damaged, end, wav
from tests.api_world import ApiWorld

NOBODY = "0" * 32


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API."""
    with ApiWorld(tmp_path) as world:
        yield world


def form(content: bytes, **fields: str) -> dict[str, Any]:
    """A form with a file of a name that must not matter."""
    return {"files": {"file": ("../../etc/pass\nwd", content, "image/png")}, "data": fields}


def put(api: ApiWorld, name: str, content: bytes) -> None:
    """Lay an object into the upload bucket."""
    api.backend.bucket("uploads").write(name, content, content_type="audio/wav")


def test_audio_becomes_a_job_and_the_job_an_analysis(api: ApiWorld) -> None:
    """202 with an address, then queued, then done, then known at once."""
    acme = api.client("acme")
    made = acme.post("/v1/analyses", **form(wav()))
    assert made.status_code == 202, made.text
    state = made.json()
    assert made.headers["Location"] == state["links"]["self"] == f"http://testserver/v1/analyses/{state['id']}"
    assert made.headers["Retry-After"] == "1"
    assert "RateLimit" in made.headers
    assert (state["status"], state["analysis"], state["error"]) == ("queued", None, None)
    assert acme.get(f"/v1/analyses/{state['id']}").json() == state

    record = end(api)
    found = acme.get(made.headers["Location"])
    assert found.status_code == 200
    assert found.json()["status"] == "done"
    assert found.json()["analysis"]["confidence"] == 0.9
    assert found.json()["links"]["export"] == f"{made.headers['Location']}/export"
    assert api.parts.analyses.requests.find("acme", record.job_id) is None
    again = acme.post("/v1/analyses", content=wav(), headers={"Content-Type": "audio/wav"})
    assert (again.status_code, again.json()) == (200, found.json())
    assert api.waiting(Lane.HIGH) == []
    assert (
        'earmark_uploads_routed_total{fate="known",lane="high",origin="api"} 1.0' in api.anybody().get("/metrics").text
    )


def test_it_came_when_it_came(api: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer says the same, though queueing takes its time."""
    route = Router.route

    def slowly(router: Router, uploads: Sequence[Upload]) -> list[Routed]:
        api.clock.move(1)
        return route(router, uploads)

    monkeypatch.setattr(Router, "route", slowly)
    acme = api.client("acme")
    made = acme.post("/v1/analyses", **form(wav())).json()
    where = f"/v1/analyses/{made['id']}"
    waiting = acme.get(where).json()
    end(api)
    assert {each["created_at"] for each in (made, waiting, acme.get(where).json())} == {"2026-01-01T00:00:00Z"}


def test_too_many_requests_must_wait(api: ApiWorld) -> None:
    """And the answer says nothing that only we can do."""
    api.tenant("small", requests_per_minute=1)
    answers = [api.client("small").get("/v1/analyses") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert "ask for a higher limit" in answers[1].json()["remedy"]
    assert "earmark tenant" not in answers[1].text


def test_an_answer_that_did_not_change_is_not_sent_again(api: ApiWorld) -> None:
    """``ETag`` and ``If-None-Match``."""
    acme = api.client("acme")
    acme.post("/v1/analyses", **form(wav()))
    where = f"/v1/analyses/{end(api).job_id}"
    etag = acme.get(where).headers["ETag"]
    for told in (etag, f'"other", W/{etag}'):
        unchanged = acme.get(where, headers={"If-None-Match": told})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert acme.get(where, headers={"If-None-Match": '"other"'}).status_code == 200


def test_whoever_waits_long_enough_has_the_analysis(api: ApiWorld) -> None:
    """``Prefer: wait``: 202 when the time is over, 200 when the record comes."""
    acme = api.client("acme")
    late = acme.post("/v1/analyses", **form(wav()), headers={"Prefer": "respond-async, wait=0"})
    assert (late.status_code, late.headers["Preference-Applied"]) == (202, "wait=0")
    end(api)
    there = acme.post("/v1/analyses", **form(wav()), headers={"Prefer": "wait=5"})
    assert (there.status_code, there.headers["Preference-Applied"]) == (200, "wait=5")
    assert acme.get(f"/v1/analyses/{there.json()['id']}", headers={"Prefer": "wait=100000"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ([], (0.0, None)),
        (["wait=10"], (10.0, 10)),
        (['respond-async, WAIT = "7"; x=1'], (7.0, 7)),
        (["return=minimal", "wait=3, wait=9"], (3.0, 3)),
        (["wait=100000"], (60.0, 60)),
        (["wait=-1", "wait=1.5", "wait=", "wait=٣", "await=1"], (0.0, None)),
    ],
)
def test_what_clients_prefer(headers: list[str], wait: tuple[float, int | None]) -> None:
    """RFC 7240: the first counts, what is malformed is passed over, and nobody waits for ever."""
    assert wait_preferred(headers, 60.0) == wait


def test_rejected_audio_is_answered_with_why(api: ApiWorld) -> None:
    """Without addresses of ours; and the same audio may be tried again."""
    acme = api.client("acme")
    acme.post("/v1/analyses", **form(wav()))
    record = end(api, failure=damaged())
    found = acme.get(f"/v1/analyses/{record.job_id}")
    assert found.status_code == 200
    assert found.json()["status"] == "rejected"
    assert found.json()["error"] == {"kind": "damaged", "message": "the audio cannot be decoded", "remedy": "Mend."}
    again = acme.post("/v1/analyses", **form(wav()))
    assert (again.status_code, again.json()["id"]) == (202, record.job_id)
    assert acme.get(f"/v1/analyses/{record.job_id}").json()["status"] == "queued"
    end(api)
    assert acme.get(f"/v1/analyses/{record.job_id}").json()["status"] == "done"


def test_audio_goes_where_it_was_asked_to(api: ApiWorld) -> None:
    """Kept, or only until the job has ended; by form, query and default; the lane is that of the tier."""
    acme, free = api.client("acme"), api.client("free-one")
    api.tenant("small", tier=Tier.FREE)
    acme.post("/v1/analyses", **form(wav("kept")))
    acme.post("/v1/analyses", **form(wav("gone"), keep="false"))
    acme.post("/v1/analyses?keep=false", content=wav("gone2"), headers={"Content-Type": "application/octet-stream"})
    api.client("small").post("/v1/analyses", **form(wav("slow")))
    assert [job.upload.uri.split("/objects/")[1].split("/")[0] for job in api.waiting(Lane.HIGH)] == [
        "uploads",
        "temporary",
        "temporary",
    ]
    assert [job.upload.tenant for job in api.waiting(Lane.LOW)] == ["small"]
    assert free.post("/v1/analyses", **form(wav(), keep="maybe")).status_code == 422
    assert free.post("/v1/analyses", **form(wav(), name="x")).json()["type"].endswith("malformed_form")
    api.parts.analyses.close()
    assert len(list(api.backend.catalogue.scan("temporary", tenant="acme"))) == 2


def test_audio_that_lies_there_is_named(api: ApiWorld) -> None:
    """By its address in the upload bucket; nothing is copied."""
    acme = api.client("acme")
    put(api, "acme/songs/a #1.wav", wav())
    for uri in ("uploads/acme/songs/a #1.wav", "gs://uploads/acme/songs/a %231.wav"):
        named = acme.post("/v1/analyses", json={"uri": uri})
        assert named.status_code == 202, named.text
    [job] = api.waiting(Lane.HIGH)
    assert job.upload.uri.endswith("/uploads/acme/songs/a%20%231.wav")


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"uri": "uploads/acme/none.wav"}, 422, "not_found"),
        ({"uri": "uploads/other/song.wav"}, 422, "not_found"),
        ({"uri": "uploads/acme/../other/song.wav"}, 422, "not_found"),
        ({"uri": "gs://elsewhere/song.wav"}, 422, "not_found"),
        ({"uri": "gs://mine/acme/song.wav"}, 422, "not_found"),
        ({"uri": "file:///etc/passwd"}, 422, "not_found"),
        ({"uri": "upload:" + NOBODY}, 422, "not_found"),
        ({"uri": "uploads/acme/text.txt"}, 422, "not_audio"),
        ({"uri": "uploads/acme/empty.wav"}, 422, "empty"),
        ({"uri": "uploads/acme/large.wav"}, 413, "too_large"),
        ({"uri": "x" * 5000}, 422, "malformed"),
        ({"uri": ""}, 422, "malformed"),
        ({"uri": "uploads/acme/song.wav", "more": 1}, 422, "malformed"),
        ({}, 422, "malformed"),
        ([], 422, "malformed"),
    ],
)
def test_an_address_that_is_not_ones_own_is_none(api: ApiWorld, body: object, status: int, kind: str) -> None:
    """Another's, a stranger's and one that does not exist are answered alike."""
    api.tenant("acme", max_input_bytes=1000, sources=("gs://mine/acme/",))
    put(api, "other/song.wav", wav())
    put(api, "acme/text.txt", b"words" * 9)
    put(api, "acme/empty.wav", b"")
    put(api, "acme/large.wav", wav(size_bytes=2000))
    answer = api.client("acme").post("/v1/analyses", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:earmark:problem:{kind}"), answer.text
    assert str(api.settings.data) not in answer.text
    assert api.waiting(Lane.HIGH) == []


def test_customers_see_nothing_of_each_other(api: ApiWorld) -> None:
    """The same audio is another analysis, and ids of others do not exist."""
    acme, other = api.client("acme"), api.client("other")
    mine = acme.post("/v1/analyses", **form(wav())).json()["id"]
    end(api)
    for call in (other.get, other.delete):
        assert call(f"/v1/analyses/{mine}").json() == acme.get(f"/v1/analyses/{NOBODY}").json()
    assert other.get(f"/v1/analyses/{mine}/events").status_code == 404
    assert other.get("/v1/analyses").json()["items"] == []
    theirs = other.post("/v1/analyses", **form(wav()))
    assert (theirs.status_code, theirs.json()["id"] == mine) == (202, False)


def test_a_key_does_what_it_is_for(api: ApiWorld) -> None:
    """And nothing without one."""
    reader, writer = api.client("acme", {AccessScope.READ}), api.client("acme", {AccessScope.WRITE})
    assert api.anybody().get("/v1/analyses").status_code == 401
    assert reader.post("/v1/analyses", **form(wav())).status_code == 403
    made = writer.post("/v1/analyses", **form(wav()))
    assert made.status_code == 202
    assert writer.get(f"/v1/analyses/{made.json()['id']}").status_code == 403
    assert writer.delete(f"/v1/analyses/{made.json()['id']}").status_code == 403
    assert reader.get(f"/v1/analyses/{made.json()['id']}").status_code == 200


def test_a_look_that_cannot_be_written_down_is_none(api: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is shown when the access log is away."""
    acme = api.client("acme")
    acme.post("/v1/analyses", **form(wav()))
    where = f"/v1/analyses/{end(api).job_id}"
    looks: list[dict[str, str]] = []
    monkeypatch.setattr(api.parts.access, "record", lambda **fields: looks.append(fields))
    acme.get(where)
    acme.get("/v1/analyses")
    assert [(look["tenant"], look["action"]) for look in looks] == [
        ("acme", "analysis.read"),
        ("acme", "analysis.listed"),
    ]

    def away(**_: str) -> None:
        message = "away"
        raise Unavailable(message)

    monkeypatch.setattr(api.parts.access, "record", away)
    for path in (where, "/v1/analyses"):
        answer = acme.get(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "confidence" not in answer.text


def test_an_idempotency_key_has_one_answer(api: ApiWorld) -> None:
    """The same request again is answered alike, another one is refused, and a key is one customer's."""
    acme, key = api.client("acme"), {"Idempotency-Key": "one"}
    first = acme.post("/v1/analyses", **form(wav()), headers=key)
    assert acme.post("/v1/analyses", **form(wav()), headers=key).json() == first.json()
    for different in (form(wav("other")), form(wav(), keep="false")):
        refused = acme.post("/v1/analyses", **different, headers=key)
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:earmark:problem:idempotency_mismatch")
    assert api.client("other").post("/v1/analyses", **form(wav("other")), headers=key).status_code == 202
    end(api)
    assert acme.post("/v1/analyses", **form(wav()), headers=key).json()["status"] == "done"
    api.clock.move(24 * 3600 + 1)
    assert acme.post("/v1/analyses", **form(wav("other")), headers=key).status_code == 202


def test_a_key_under_way_must_wait(api: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two at the same time has to come again."""
    acme, key = api.client("acme"), {"Idempotency-Key": "one"}
    submission, nested = api.parts.analyses.submission, []
    take = submission.of_file

    def taking(*told: Any, **more: Any) -> Submitted:
        if not nested:
            nested.append(acme.post("/v1/analyses", **form(wav()), headers=key))
        return take(*told, **more)

    monkeypatch.setattr(submission, "of_file", taking)
    assert acme.post("/v1/analyses", **form(wav()), headers=key).status_code == 202
    [second] = nested
    assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
    assert second.json()["type"] == "urn:earmark:problem:idempotency_under_way"


def test_too_many_jobs_must_wait(api: ApiWorld) -> None:
    """429 until one has ended, be it seen or not."""
    api.tenant("acme", concurrent_jobs=1)
    acme = api.client("acme")
    assert acme.post("/v1/analyses", **form(wav("first"))).status_code == 202
    api.clock.move(1)
    refused = acme.post("/v1/analyses", **form(wav("second")))
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    end(api)
    api.clock.move(1)
    assert acme.post("/v1/analyses", **form(wav("second"))).status_code == 202


def delete(client: TestClient, where: str) -> tuple[int, str]:
    """Have an analysis erased; gives the status and the kind of problem."""
    answer = client.delete(where)
    return answer.status_code, answer.json()["type"].rpartition(":")[2] if answer.content else ""


def test_an_erased_analysis_is_gone_with_all_that_came_of_it(api: ApiWorld, tmp_path: Path) -> None:
    """Audio, record, rows; a second time there is nothing, and the same audio is not taken again."""
    pauses: list[float] = []
    api.parts.analyses.erasing._pause = pauses.append
    acme = api.client("acme")
    acme.post("/v1/analyses", **form(wav()), headers={"Idempotency-Key": "one"})
    where = f"/v1/analyses/{end(api).job_id}"
    api.parts.analyses.close()
    assert delete(acme, where) == (204, "")
    assert delete(acme, where) == (404, "not_found")
    assert acme.get(where).status_code == 404
    assert acme.get("/v1/analyses").json()["items"] == []
    assert list(api.backend.bucket("uploads").scan("acme/")) == []
    assert pauses
    with ApiWorld(tmp_path) as later:  # has seen nothing before the tombstone
        assert later.client("acme").post("/v1/analyses", **form(wav())).status_code == 410


def test_a_job_that_waits_can_be_erased(api: ApiWorld) -> None:
    """It is found by what was asked for, and nobody hears it."""
    api.parts.analyses.erasing._pause = lambda _: None
    acme = api.client("acme")
    where = acme.post("/v1/analyses", **form(wav())).headers["Location"]
    api.parts.analyses.close()
    assert delete(acme, where) == (204, "")
    assert api.waiting(Lane.HIGH) == []
    assert acme.get(where).status_code == 404


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ObjectHeld("hold 1 by legal"), (409, "held")),
        (ObjectMissing("none"), (404, "not_found")),
        (Unavailable("in hand"), (503, "unavailable")),
    ],
)
def test_what_cannot_be_erased_says_so(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch, error: Exception, told: tuple[int, str]
) -> None:
    """Held, unknown, or in somebody's hands; who holds it is nobody's business."""

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(api.parts.analyses.erasing, "_erase", refuse)
    assert delete(api.client("acme"), f"/v1/analyses/{NOBODY}") == told


def test_events_tell_of_the_end(api: ApiWorld) -> None:
    """One that has ended at once, with the whole analysis, whatever was seen before."""
    acme = api.client("acme")
    where = acme.post("/v1/analyses", **form(wav())).headers["Location"]
    end(api)
    stream = acme.get(f"{where}/events", headers={"Last-Event-ID": "\x7f2"})
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert [line for line in stream.text.splitlines() if line.startswith("event:")] == ["event: settled"]
    assert '"confidence":0.9' in stream.text


def test_streams_are_bounded(tmp_path: Path) -> None:
    """503 beyond the places, and a place is free again after a stream."""
    with ApiWorld(tmp_path, api_streams=1) as api:
        acme = api.client("acme")
        where = acme.post("/v1/analyses", **form(wav())).headers["Location"] + "/events"
        end(api)
        with api.parts.analyses.streams.place():
            assert acme.get(where).status_code == 503
        assert acme.get(where).status_code == 200
        assert acme.get(where).status_code == 200
